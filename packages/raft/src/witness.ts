/**
 * Witnesses: voters that keep the log, but no state. Three data nodes and two of them survive the loss of any two data
 * nodes: the third may be behind, and then it is the witnesses that have the entries which it lacks.
 *
 * For that no log may be truncated above the *data floor*: the index up to which every data voter has the log on its
 * disk. It only rises, because what it speaks of is committed, and a leader lets nobody become a data voter who lacks
 * anything below it. So whoever wins an election can bring every data voter up to date from its log. The floor is kept whether
 * or not there are witnesses now, so that it is true when the first one comes.
 *
 * A witness leads only for that: it takes no proposals, appends nothing but its no-op and configuration changes, and hands
 * over as soon as a data voter has everything. The argument as a whole: docs/witnesses.md.
 */
import { asV2 } from "./confchange.ts";
import { isVoter, jointVoters } from "./quorum/joint.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import { startTransfer } from "./transfer.ts";
import type { ConfChange, Index, NodeId } from "./types.ts";
import { NO_LIMIT, NONE } from "./types.ts";

/** Up to where a log may be truncated, as far as this member knows; no limit where there are no witnesses. */
export function dataFloor(r: RaftState): Index {
  if (r.isWitness(r.id)) return r.dataFloor;
  for (const id of r.tracker.progress.keys()) if (r.isWitness(id)) return r.dataFloor;
  return NO_LIMIT;
}

/**
 * Raises the leader's data floor, and returns it for the heartbeats.
 *
 * Not before this term's first entry is applied: until then there may be a data voter whom this leader doesn't know as
 * such. And never above the commit index: an entry that is not committed may be on the disks of all, and go again.
 */
export function raiseDataFloor(r: RaftState): Index {
  if (r.settings.isWitness === null || r.log.applied < r.termStart) return r.dataFloor;
  const dataVoters = jointVoters(r.tracker.voters).filter((id) => !r.isWitness(id));
  if (dataVoters.length === 0) return r.dataFloor;
  let floor = r.log.committed;
  for (const id of dataVoters) floor = Math.min(floor, matchOf(r, id));
  // Whoever is about to become one counts already: it is when others apply it.
  const isPromoting = r.log.applied < r.pendingConfIndex;
  if (isPromoting) for (const id of r.promoting) floor = Math.min(floor, matchOf(r, id));
  r.dataFloor = Math.max(r.dataFloor, floor);
  return r.dataFloor;
}

function matchOf(r: RaftState, id: NodeId): Index {
  return r.tracker.progress.get(id)?.match ?? 0;
}

/** The members that a change makes data voters, who are none now. */
export function promotedBy(r: RaftState, change: ConfChange): readonly NodeId[] {
  if (r.settings.isWitness === null) return [];
  return asV2(change)
    .changes.filter(
      ({ kind, nodeId }) =>
        kind === "add-voter" && !r.isWitness(nodeId) && !isVoter(r.tracker.voters, nodeId),
    )
    .map(({ nodeId }) => nodeId);
}

/**
 * What a leader wants of who is to become a data voter: the log up to any place that an earlier leader's floor, or its
 * own, may have reached. Earlier ones are below this term's first entry.
 */
export function promotionFloor(r: RaftState): Index {
  return r.settings.isWitness === null ? 0 : Math.max(r.dataFloor, r.termStart);
}

/** Why the change would make somebody a data voter who may need what no log has any more; null = it doesn't. */
export function lacksForPromotion(r: RaftState, change: ConfChange): string | null {
  const floor = promotionFloor(r);
  for (const id of promotedBy(r, change)) {
    const match = matchOf(r, id);
    if (match < floor) {
      return `${hex(id)} has the log up to ${match}, and from the others it may be gone up to ${floor}`;
    }
  }
  return null;
}

/** A witness that leads looks for somebody to hand over to; called whenever it has heard of somebody. */
export function handOverAsWitness(r: RaftState): void {
  if (!r.isWitness(r.id) || r.state !== "StateLeader" || r.leadTransferee !== NONE) return;
  const to = successor(r);
  if (to !== NONE) startTransfer(r, to);
}

/**
 * A data node's log begins above the floor where it has had a copy. As a leader it can't bring up a witness that is further behind:
 * it has nothing that the witness may begin with. When nothing gets committed without that one, somebody else has to lead, whose
 * log may reach further back: the next one, in the order of ids, that has everything. To be called once in an election timeout; none where
 * all is well.
 */
export function successorOfStuck(r: RaftState): NodeId {
  const { committed } = r.log;
  const isStuck = committed === r.commitSeen && committed < r.log.lastIndex();
  r.commitSeen = committed;
  if (!isStuck) return NONE;
  const active = jointVoters(r.tracker.voters).filter(
    (id) => id !== r.id && r.tracker.progress.get(id)?.recentActive === true,
  );
  if (!active.some((id) => r.isWitness(id) && isBeyondReach(r, id))) return NONE;
  const able = active.filter((id) => matchOf(r, id) === r.log.lastIndex()).sort((a, b) => a - b);
  return able.find((id) => id > r.id) ?? able[0] ?? NONE;
}

/** Whether it needs entries that this log has no more. */
function isBeyondReach(r: RaftState, id: NodeId): boolean {
  const progress = r.tracker.progress.get(id);
  return progress !== undefined && r.log.term(progress.next - 1) === "compacted";
}

/**
 * A data voter that has everything, but at first only when this term's first entry is committed without the witnesses that could be brought up
 * here, and perhaps not there; else, when those that are there need what this log lacks (an entry was damaged), another witness, which
 * may have it; else nobody: there is somebody to be brought up to date.
 */
function successor(r: RaftState): NodeId {
  const lastIndex = r.log.lastIndex();
  let lacks = false;
  let isNeeded = false;
  let witness = NONE;
  let data = NONE;
  let helps = false;
  for (const id of r.tracker.voters.incoming) {
    const progress = r.tracker.progress.get(id);
    if (progress === undefined || id === r.id || !progress.recentActive) continue;
    if (r.isWitness(id)) {
      if (witness === NONE || progress.match > matchOf(r, witness)) witness = id;
      if (progress.match < lastIndex && !isBeyondReach(r, id)) helps = true;
    } else if (progress.match === lastIndex) {
      if (data === NONE) data = id;
    } else if (isBeyondReach(r, id)) {
      lacks = true;
    } else {
      isNeeded = true;
    }
  }
  // For an election timeout at the most: it may have fallen silent, and a data node may need a copy.
  const isHelping = helps && r.log.committed < r.termStart && r.commitSeen === 0;
  if (data !== NONE) return isHelping ? NONE : data;
  return lacks && !isNeeded ? witness : NONE;
}
