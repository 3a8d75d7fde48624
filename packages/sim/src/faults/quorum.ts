// Who can go on without all the others (P6), while the membership changes: more than a majority of the newest configuration, as some of
// them may not know of it yet, and what one of them has in its log may come to pass.
import type { Membership } from "@parley/node";
import { MemberRole } from "@parley/protocol";
import { type ConfChange, decodeConfChange, type Entry } from "@parley/raft";
import type { Prng } from "../world/prng.ts";

/** What is seen of a server. */
export interface Survivor {
  readonly id: number;
  readonly raftId: number;
  readonly isWitness: boolean;
  readonly logDisk: {
    readonly durableHardState: { readonly commit: number };
    wholeLog(): readonly Entry[];
  };
}

export interface Growth {
  /** Clients and servers with empty disks know only those with ids up to here. */
  readonly founders: number;
  /** The membership in force as of an index, and all later ones, each with the index from which it is in force. */
  from(index: number): readonly { readonly index: number; readonly membership: Membership }[];
}

/** A random smallest set of those that is enough: the first in their order that are, without those that are not needed. */
export function smallestSet<T>(
  ordered: readonly T[],
  isEnough: (some: readonly T[]) => boolean,
): readonly T[] | undefined {
  const first = ordered.findIndex((_, at) => isEnough(ordered.slice(0, at + 1)));
  if (first < 0) return undefined;
  let chosen = ordered.slice(0, first + 1);
  for (const one of chosen) {
    const others = chosen.filter((other) => other !== one);
    if (isEnough(others)) chosen = others;
  }
  return chosen;
}

/** And some more, at random, as long as it stays enough. */
export function andSomeMore<T>(
  chosen: readonly T[],
  ordered: readonly T[],
  random: Prng,
  isEnough: (some: readonly T[]) => boolean,
): readonly T[] {
  let all = chosen;
  for (const one of ordered) {
    if (all.includes(one) || !random.chance(0.4)) continue;
    if (isEnough([...all, one])) all = [...all, one];
  }
  return all;
}

/** Whether these servers can elect a leader, commit, finish every change that may be under way, and be found by clients, all by themselves. */
export function canGoOnAlone(servers: readonly Survivor[], { from, founders }: Growth): boolean {
  const newest = from(Number.POSITIVE_INFINITY)[0];
  if (newest === undefined) return false;
  const { voters, votersOutgoing, learners, servers: records } = newest.membership;
  const voting = servers.filter(
    ({ raftId }) => voters.includes(raftId) || votersOutgoing.includes(raftId),
  );
  const isMember = ({ raftId }: Survivor) => records.some((record) => record.raftId === raftId);
  const isEnough = (half: readonly number[]): boolean => {
    const ours = servers.filter((server) => isMember(server) && half.includes(server.raftId));
    return ours.length > half.length / 2 && ours.some(({ isWitness }) => !isWitness);
  };
  const known = Math.min(...voting.map(({ logDisk }) => logDisk.durableHardState.commit));
  const past = from(known).flatMap(({ membership }) =>
    membership.votersOutgoing.length === 0
      ? [membership.voters]
      : [membership.voters, membership.votersOutgoing],
  );
  const future = voting.flatMap(({ logDisk }) => comingVoters(newest, logDisk.wholeLog()));
  // A leader may take a learner that has just fallen silent for one that has caught up.
  const meant = records.filter(
    ({ raftId, role, nodeId }) =>
      role !== MemberRole.MEMBER_ROLE_LEARNER &&
      learners.includes(raftId) &&
      !servers.some(({ id }) => id === nodeId),
  );
  const promoted = [...voters, ...meant.map(({ raftId }) => raftId)];
  return (
    [...past, ...future, promoted].every(isEnough) &&
    voting.some(({ id, isWitness }) => id <= founders && !isWitness)
  );
}

/** Who votes after each change in a log that nobody has applied. */
function comingVoters(
  { index, membership }: { readonly index: number; readonly membership: Membership },
  log: readonly Entry[],
): readonly (readonly number[])[] {
  const coming: (readonly number[])[] = [];
  let voters: readonly number[] = membership.voters;
  for (const entry of log.slice(index)) {
    if (entry.type === "EntryNormal") continue;
    const decoded = decodeConfChange(entry.data);
    if (!decoded.ok) continue;
    voters = votersAfter(voters, decoded.change);
    coming.push(voters);
  }
  return coming;
}

function votersAfter(voters: readonly number[], change: ConfChange): readonly number[] {
  const changes = "changes" in change ? change.changes : [];
  const left = voters.filter((id) => !changes.some(({ nodeId }) => nodeId === id));
  return [...left, ...changes.filter(({ kind }) => kind === "add-voter").map((one) => one.nodeId)];
}
