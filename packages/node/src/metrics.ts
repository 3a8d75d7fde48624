// One node in plain numbers, for operators. Whoever serves them gives them names and a format. Nothing in
// them names an account, a room or a caller.
import type { Reason } from "@parley/protocol";

/** Another member, or the node itself, as the node sees it. */
export interface MemberMetrics {
  readonly id: number;
  /** Entries behind the leader's commit index. */
  readonly lag: number;
  readonly lastContactMs: number;
  readonly healthy: boolean;
}

export interface NodeMetrics {
  readonly isLeader: boolean;
  /** 0 = none known. */
  readonly leaderId: number;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly hasQuorum: boolean;
  readonly staleMs: number;
  readonly members: readonly MemberMetrics[];
  /** Leaders that this node has followed or been, since it started. */
  readonly leadersSeen: number;
  /** Times at which the loop had stalled so long that several ticks were owed at once. */
  readonly stalls: number;
  /** Writes of this node's clients on their way through the log. */
  readonly proposals: number;
  readonly forwarded: number;
  readonly forwardsAnswered: number;
  /** Writes that had to be placed again: another leader, a lost answer. */
  readonly replaced: number;
  readonly pendingWrites: number;
  readonly pendingReads: number;
  readonly sessions: number;
  readonly eventStreams: number;
  readonly subscribers: number;
  readonly refusals: ReadonlyMap<Reason, number>;
  /** Copies of the chat file that were made, sent to others, and taken from others. */
  readonly copiesMade: number;
  readonly copiesSent: number;
  readonly copiesInstalled: number;
  /** How often the log was made shorter. */
  readonly compactions: number;
  /** How long the oldest write to the log has waited for the disk; 0 = none waits. */
  readonly diskStallMs: number;
}
