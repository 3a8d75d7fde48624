/**
 * Majority quorums (paper, 5.2 and 5.3): what a set of voters has agreed on, and how a vote stands.
 * A configuration is its voters' ids in ascending order; there is no Raft in here.
 */
import type { Index, NodeId } from "../types.ts";

/** Voters in ascending order, without duplicates. */
export type MajorityConfig = readonly NodeId[];

export type VoteResult = "won" | "lost" | "pending";

/** What an empty configuration has committed: it never holds another one back. */
export const EVERYTHING: Index = Number.MAX_SAFE_INTEGER;

/** How many voters make a majority of `n`. */
export function majorityOf(n: number): number {
  return Math.floor(n / 2) + 1;
}

/** Acknowledged indices, highest first; reused, as this runs for every acknowledgement. */
const acked: Index[] = [];

/** The highest index that a majority has acknowledged. `ackedIndex` answers 0 for who hasn't any. */
export function majorityCommitted(
  voters: MajorityConfig,
  ackedIndex: (id: NodeId) => Index,
): Index {
  const n = voters.length;
  if (n === 0) return EVERYTHING;
  // Insertion sort: n is a handful, and nothing is allocated.
  for (let i = 0; i < n; i++) {
    const index = ackedIndex(voters[i] as NodeId);
    let at = i;
    while (at > 0 && (acked[at - 1] as Index) < index) {
      acked[at] = acked[at - 1] as Index;
      at--;
    }
    acked[at] = index;
  }
  return acked[majorityOf(n) - 1] as Index;
}

/** How a vote stands; `vote` answers undefined for who hasn't voted yet. An empty electorate agrees to all. */
export function majorityVote(
  voters: MajorityConfig,
  vote: (id: NodeId) => boolean | undefined,
): VoteResult {
  if (voters.length === 0) return "won";
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const answer = vote(id);
    if (answer === undefined) missing++;
    else if (answer) granted++;
  }
  const needed = majorityOf(voters.length);
  if (granted >= needed) return "won";
  return granted + missing >= needed ? "pending" : "lost";
}

/** `(1 2 3)` */
export function describeMajority(voters: MajorityConfig): string {
  return `(${voters.join(" ")})`;
}
