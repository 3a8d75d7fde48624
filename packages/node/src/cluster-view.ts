// What operators and clients are told of the cluster, put together from the core, the gossip and the
// contacts.
import {
  type ClusterView,
  type Member,
  type MemberPosition,
  MemberRole,
  MemberState,
  type NodeReport,
  type StatusResponse,
} from "@parley/protocol";
import type { RawNode, StateType } from "@parley/raft";
import type { ConfiguredNode } from "./config.ts";
import type { Contacts } from "./contacts.ts";

export function memberState(state: StateType): MemberState {
  switch (state) {
    case "StateLeader":
      return MemberState.MEMBER_STATE_LEADER;
    case "StateCandidate":
    case "StatePreCandidate":
      return MemberState.MEMBER_STATE_CANDIDATE;
    case "StateFollower":
      return MemberState.MEMBER_STATE_FOLLOWER;
    default:
      return state satisfies never;
  }
}

export class ClusterObserver {
  readonly #clusterId: string;
  readonly #nodeId: number;
  readonly #nodes: readonly ConfiguredNode[];
  readonly #raft: RawNode;
  readonly #contacts: Contacts;
  readonly #applied: () => number;
  readonly #isConnected: (nodeId: number) => boolean;
  #matches: ReadonlyMap<number, number> | undefined;

  constructor(
    clusterId: string,
    nodeId: number,
    nodes: readonly ConfiguredNode[],
    raft: RawNode,
    contacts: Contacts,
    applied: () => number,
    isConnected: (nodeId: number) => boolean,
  ) {
    this.#clusterId = clusterId;
    this.#nodeId = nodeId;
    this.#nodes = nodes;
    this.#raft = raft;
    this.#contacts = contacts;
    this.#applied = applied;
    this.#isConnected = isConnected;
  }

  /** The positions that `replicasAt` counts are out of date. */
  invalidate(): void {
    this.#matches = undefined;
  }

  /** How many members are known to have `revision` on disk; at least a majority once it is applied. */
  replicasAt(revision: number): number {
    this.#matches ??= this.#knownMatches();
    let count = 0;
    for (const match of this.#matches.values()) if (match >= revision) count += 1;
    return Math.max(count, Math.floor(this.#nodes.length / 2) + 1);
  }

  /** This node's line of gossip; from the leader with everyone's positions. */
  report(): NodeReport {
    const matches: MemberPosition[] = [];
    if (this.#raft.state === "StateLeader") {
      for (const [raftId, progress] of this.#raft.status().progress) {
        matches.push({ raftId, matchIndex: progress.match });
      }
    }
    return {
      raftId: this.#nodeId,
      term: this.#raft.term,
      commitIndex: this.#raft.commit,
      appliedIndex: this.#applied(),
      state: memberState(this.#raft.state),
      matches,
    };
  }

  view(): ClusterView {
    return {
      clusterId: this.#clusterId,
      nodes: this.#nodes.map(({ id, address, httpAddress }) => ({ id, address, httpAddress })),
      leaderId: this.#raft.lead,
      term: this.#raft.term,
      hasQuorum: this.#contacts.hasQuorum(),
      staleMs: this.#contacts.staleMs(),
    };
  }

  status(): StatusResponse {
    const matches = this.#knownMatches();
    const config = this.#raft.status().config;
    const commit = Math.max(
      this.#raft.commit,
      ...this.#nodes.map((node) => this.#contacts.reportOf(node.id)?.commitIndex ?? 0),
    );
    return {
      clusterId: this.#clusterId,
      leaderId: this.#raft.lead,
      term: this.#raft.term,
      members: this.#nodes.map((node) => this.#member(node, matches, config.learners, commit)),
      nodeId: this.#nodeId,
      hasQuorum: this.#contacts.hasQuorum(),
      staleMs: this.#contacts.staleMs(),
    };
  }

  #member(
    node: ConfiguredNode,
    matches: ReadonlyMap<number, number>,
    learners: readonly number[],
    commit: number,
  ): Member {
    const isSelf = node.id === this.#nodeId;
    const isLive = isSelf || (this.#contacts.isLive(node.id) && this.#isConnected(node.id));
    const report = isSelf ? this.report() : this.#contacts.reportOf(node.id);
    const applied = report?.appliedIndex ?? 0;
    return {
      id: node.id,
      raftId: node.id,
      role: learners.includes(node.id)
        ? MemberRole.MEMBER_ROLE_LEARNER
        : MemberRole.MEMBER_ROLE_VOTER,
      state: isLive
        ? ((report?.state ?? MemberState.MEMBER_STATE_UNSPECIFIED) as MemberState)
        : MemberState.MEMBER_STATE_UNSPECIFIED,
      address: node.address,
      httpAddress: node.httpAddress,
      commitIndex: report?.commitIndex ?? 0,
      appliedIndex: applied,
      matchIndex: matches.get(node.id) ?? 0,
      lastContactMs: isSelf ? 0 : Math.round(this.#contacts.lastContactMs(node.id)),
      healthy: isLive,
      term: report?.term ?? 0,
      lag: Math.max(0, commit - applied),
    };
  }

  #knownMatches(): ReadonlyMap<number, number> {
    const matches = new Map<number, number>();
    if (this.#raft.state === "StateLeader") {
      for (const [id, progress] of this.#raft.status().progress) matches.set(id, progress.match);
      return matches;
    }
    const leader = this.#contacts.reportOf(this.#raft.lead);
    for (const { raftId, matchIndex } of leader?.matches ?? []) matches.set(raftId, matchIndex);
    // What is applied here is on disk here.
    matches.set(this.#nodeId, Math.max(matches.get(this.#nodeId) ?? 0, this.#applied()));
    return matches;
  }
}
