/** Installing snapshots at a follower (paper, 7), and what a leader does when one has been sent. */
import { assert } from "./invariant.ts";
import { appliedTo, restoreMembership } from "./membership.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { ConfState, Message, NodeId, Snapshot } from "./types.ts";
import { EMPTY_SNAPSHOT } from "./types.ts";

export function handleSnapshot(r: RaftState, m: Message): void {
  const snapshot = m.snapshot ?? EMPTY_SNAPSHOT;
  const what = `snapshot [index: ${snapshot.index}, term: ${snapshot.term}]`;
  if (restore(r, snapshot)) {
    r.logger.info?.(`${hex(r.id)} [commit: ${r.log.committed}] restored ${what}`);
    r.send({ type: "MsgAppResp", to: m.from, index: r.log.lastIndex() });
  } else {
    r.logger.info?.(`${hex(r.id)} [commit: ${r.log.committed}] ignored ${what}`);
    r.send({ type: "MsgAppResp", to: m.from, index: r.log.committed });
  }
}

/** Puts the snapshot in place of log and membership. False if it has nothing new. */
function restore(r: RaftState, snapshot: Snapshot): boolean {
  if (snapshot.index <= r.log.committed) return false;
  assert(r.state === "StateFollower", () => `${r.state} restores a snapshot`);
  if (!names(snapshot.confState, r.id)) {
    // Without this member in it, what the snapshot says isn't meant for it.
    r.logger.warn?.(
      `${hex(r.id)} attempted to restore snapshot but it is not in the ConfState; should never happen`,
    );
    return false;
  }
  const what = `snapshot [index: ${snapshot.index}, term: ${snapshot.term}]`;
  if (r.log.matchTerm(snapshot.index, snapshot.term)) {
    // The log has all of it already, and is worth more.
    r.logger.info?.(`${describeLog(r)} fast-forwarded commit to ${what}`);
    r.log.commitTo(snapshot.index);
    return false;
  }
  r.log.restore(snapshot);
  restoreMembership(r, snapshot.confState);
  r.logger.info?.(`${describeLog(r)} restored ${what}`);
  return true;
}

function describeLog(r: RaftState): string {
  const last = r.log.lastEntryId();
  return `${hex(r.id)} [commit: ${r.log.committed}, lastindex: ${last.index}, lastterm: ${last.term}]`;
}

/** `learnersNext` are among the outgoing voters. */
function names(state: ConfState, id: NodeId): boolean {
  return [state.voters, state.learners, state.votersOutgoing].some((ids) => ids.includes(id));
}

/** The application has stored and applied the snapshot. */
export function appliedSnapshot(r: RaftState, snapshot: Snapshot): void {
  r.log.unstable.stableSnapTo(snapshot.index);
  appliedTo(r, snapshot.index, 0);
}

/** The transfer of a snapshot to a member has ended, well or not. */
export function snapshotSent(r: RaftState, to: NodeId, ok: boolean): void {
  const progress = r.tracker.progress.get(to);
  if (r.state !== "StateLeader" || progress === undefined) return;
  if (progress.state !== "StateSnapshot") return;
  // If it failed, what comes next isn't after the snapshot.
  if (!ok) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  r.logger.debug?.(
    `${hex(r.id)} snapshot ${ok ? "succeeded" : "failed"}, resumed sending replication messages to ${hex(to)} [${progress}]`,
  );
  // Done: wait for the member's own answer. Failed: wait for its answer to a heartbeat.
  progress.paused = true;
}
