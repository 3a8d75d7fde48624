/**
 * Joint quorums (thesis, 4.3): a decision needs a majority of the incoming *and* of the outgoing voters. With
 * no outgoing voters it is a plain majority.
 */
import type { Index, NodeId } from "../types.ts";
import type { MajorityConfig, VoteResult } from "./majority.ts";
import { describeMajority, majorityCommitted, majorityVote } from "./majority.ts";

export interface JointConfig {
  readonly incoming: MajorityConfig;
  readonly outgoing: MajorityConfig;
}

/** The highest index that both majorities have acknowledged. */
export function jointCommitted(config: JointConfig, ackedIndex: (id: NodeId) => Index): Index {
  const incoming = majorityCommitted(config.incoming, ackedIndex);
  if (config.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityCommitted(config.outgoing, ackedIndex));
}

/** Won if both majorities grant, lost as soon as one can't. */
export function jointVote(
  config: JointConfig,
  vote: (id: NodeId) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(config.incoming, vote);
  if (config.outgoing.length === 0) return incoming;
  const outgoing = majorityVote(config.outgoing, vote);
  if (incoming === outgoing) return incoming;
  return incoming === "lost" || outgoing === "lost" ? "lost" : "pending";
}

export function isVoter(config: JointConfig, id: NodeId): boolean {
  return config.incoming.includes(id) || config.outgoing.includes(id);
}

/** All voters of both halves, in ascending order, each once. */
export function jointVoters(config: JointConfig): NodeId[] {
  const ids = new Set([...config.incoming, ...config.outgoing]);
  return [...ids].sort((a, b) => a - b);
}

/** `(1 2)&&(1)` while joint, `(1 2)` else. */
export function describeJoint(config: JointConfig): string {
  const incoming = describeMajority(config.incoming);
  return config.outgoing.length === 0
    ? incoming
    : `${incoming}&&${describeMajority(config.outgoing)}`;
}
