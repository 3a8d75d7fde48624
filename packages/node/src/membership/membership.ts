// The membership as a value: the configuration of the consensus group and the table of its servers, which
// change together, entry by entry, the same on every node (thesis 4). Pure arithmetic.
//
// A server has two ids. Its *node id* is the operator's, and names a place in the cluster. Its *raft id* names
// one disk: a server that lost its disk comes back to its place under another raft id, and no raft id is
// ever given twice, so what the lost disk had promised can't be taken for the new one's word (P9).
import {
  type BootstrapRecord,
  MemberRole,
  MembershipChange,
  type ServerRecord,
} from "@parley/protocol";
import { type ConfChange, type ConfState, EMPTY_CONF_STATE } from "@parley/raft";
import type { Membership } from "../ports.ts";

/** The membership before the first entry. */
export function genesisMembership({ members }: BootstrapRecord): Membership {
  const servers = inOrder(members);
  const ids = (learners: boolean) =>
    servers.filter((server) => isLearnerRole(server) === learners).map(({ raftId }) => raftId);
  return {
    ...EMPTY_CONF_STATE,
    voters: ids(false),
    learners: ids(true),
    servers,
    nextRaftId: Math.max(0, ...servers.map(({ raftId }) => raftId)) + 1,
    lastChangeId: "",
  };
}

/** The membership after a configuration change that led to `confState`. Total: no context makes it throw. */
export function afterChange(
  before: Membership,
  change: ConfChange,
  confState: ConfState,
): Membership {
  const { changeId, servers } = decodeContext(change.context);
  const byId = new Map(before.servers.map((server) => [server.raftId, server]));
  for (const server of servers) byId.set(server.raftId, server);
  const held = memberIds(confState);
  const kept = [...byId.values()].filter(({ raftId }) => held.has(raftId));
  return {
    ...confState,
    servers: inOrder(kept),
    nextRaftId: Math.max(before.nextRaftId, ...[...held].map((raftId) => raftId + 1)),
    lastChangeId: changeId === "" ? before.lastChangeId : changeId,
  };
}

export function encodeContext(changeId: string, servers: readonly ServerRecord[]): Uint8Array {
  return MembershipChange.encode({ changeId, servers: [...servers] }).finish();
}

function decodeContext(context: Uint8Array): MembershipChange {
  try {
    return MembershipChange.decode(context);
  } catch {
    // No correct leader proposes that; the configuration alone decides then, as on every other node.
    return { changeId: "", servers: [] };
  }
}

/** Everyone that the configuration holds, in either half of a joint one. */
export function memberIds(state: ConfState): ReadonlySet<number> {
  return new Set([
    ...state.voters,
    ...state.votersOutgoing,
    ...state.learners,
    ...state.learnersNext,
  ]);
}

/** Whether everyone of `membership` is in `state`. */
export function holdsAll(state: ConfState, membership: ConfState): boolean {
  const held = memberIds(state);
  return [...memberIds(membership)].every((raftId) => held.has(raftId));
}

export function isJoint(state: ConfState): boolean {
  return state.votersOutgoing.length > 0;
}

/** Whether it has a vote now, in either half. */
export function isVoter(state: ConfState, raftId: number): boolean {
  return state.voters.includes(raftId) || state.votersOutgoing.includes(raftId);
}

/** The server that has this place now; while one replaces another, the newer one. */
export function serverOfNode(membership: Membership, nodeId: number): ServerRecord | undefined {
  return membership.servers.findLast((server) => server.nodeId === nodeId);
}

export function serverOfRaftId(membership: Membership, raftId: number): ServerRecord | undefined {
  return membership.servers.find((server) => server.raftId === raftId);
}

/** One server for each place, in the order of the node ids. */
export function currentServers({ servers }: Membership): readonly ServerRecord[] {
  const byNode = new Map(servers.map((server) => [server.nodeId, server]));
  return [...byNode.values()].sort((a, b) => a.nodeId - b.nodeId);
}

/** It votes and keeps the log, and has no chat state. */
export function isWitness({ role }: Pick<ServerRecord, "role">): boolean {
  return role === MemberRole.MEMBER_ROLE_WITNESS;
}

/** Those of these members that have a chat state. */
export function dataMembers(
  { servers }: Pick<Membership, "servers">,
  raftIds: readonly number[],
): readonly number[] {
  const witnesses = new Set(servers.filter(isWitness).map(({ raftId }) => raftId));
  return raftIds.filter((raftId) => !witnesses.has(raftId));
}

export type Standing =
  | "member"
  /** Not in it yet: whoever looks may be behind. */
  | "expected"
  /** It was in it and never will be again. */
  | "removed";

export function standingOf(membership: Membership, raftId: number): Standing {
  if (memberIds(membership).has(raftId)) return "member";
  return raftId < membership.nextRaftId ? "removed" : "expected";
}

/** More than half. */
export function majorityOf(voters: readonly number[]): number {
  return Math.floor(voters.length / 2) + 1;
}

/** Whether a majority of these voters is alive. */
export function hasLiveMajority(
  voters: readonly number[],
  isLive: (raftId: number) => boolean,
): boolean {
  return voters.filter(isLive).length >= majorityOf(voters);
}

function isLearnerRole({ role }: ServerRecord): boolean {
  return role === MemberRole.MEMBER_ROLE_LEARNER;
}

function inOrder(servers: readonly ServerRecord[]): readonly ServerRecord[] {
  return [...servers].sort((a, b) => a.raftId - b.raftId);
}
