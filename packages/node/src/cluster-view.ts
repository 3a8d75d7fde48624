// What operators and clients are told of the cluster, put together from the core, the gossip and the
// contacts.
import {
  type ClusterView,
  type Member,
  type MemberPosition,
  MemberRole,
  MemberState,
  type MemberStorage,
  type NodeReport,
  type Positions,
  type ServerRecord,
  type StatusResponse,
} from "@parley/protocol";
import type { RawNode, StateType } from "@parley/raft";
import { bytesToGo, type CopyUnderWay } from "./bytes-to-go.ts";
import { MemberViews } from "./member-views.ts";
import { isJoint, isVoter, isWitness, majorityOf } from "./membership/membership.ts";
import type { Roster } from "./membership/roster.ts";
import { knownVersion } from "./membership/state-versions.ts";
import type { Contacts } from "./peers/contacts.ts";

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

interface Versions {
  /** What this node's program knows, and what the state has. */
  readonly known: number;
  state(): number;
}

export class ClusterObserver {
  readonly #clusterId: string;
  readonly #roster: Roster;
  readonly #raft: RawNode;
  readonly #contacts: Contacts;
  readonly #applied: () => number;
  readonly #isConnected: (raftId: number) => boolean;
  readonly #storage: () => MemberStorage;
  readonly #versions: Versions;
  readonly #priority: () => number;
  readonly #copyUnderWay: (raftId: number) => CopyUnderWay | undefined;
  readonly #memberViews = new MemberViews();
  #nodesNow: ClusterView["nodes"] = [];
  /** The servers that `#nodesNow` was made of. */
  #nodesOf: readonly ServerRecord[] | undefined;
  #matches: ReadonlyMap<number, number> | undefined;

  constructor(
    clusterId: string,
    roster: Roster,
    raft: RawNode,
    contacts: Contacts,
    applied: () => number,
    isConnected: (raftId: number) => boolean,
    storage: () => MemberStorage,
    versions: Versions,
    priority: () => number,
    copyUnderWay: (raftId: number) => CopyUnderWay | undefined,
  ) {
    this.#clusterId = clusterId;
    this.#roster = roster;
    this.#raft = raft;
    this.#contacts = contacts;
    this.#applied = applied;
    this.#isConnected = isConnected;
    this.#storage = storage;
    this.#versions = versions;
    this.#priority = priority;
    this.#copyUnderWay = copyUnderWay;
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
    return Math.max(count, majorityOf(this.#roster.membership.voters));
  }

  /** What `replicasAt` counts, member by member. */
  positions(): Positions {
    this.#matches ??= this.#knownMatches();
    const matches = this.#matches;
    const nodes = this.#roster.servers().map(({ nodeId, raftId }) => ({
      nodeId,
      revision: matches.get(raftId) ?? 0,
    }));
    return { nodes };
  }

  /** This node's line of gossip; from the leader with everyone's positions. */
  report(): NodeReport {
    const matches: MemberPosition[] = [];
    if (this.#raft.state === "StateLeader") {
      for (const [raftId, matchIndex] of this.#leaderMatches()) {
        matches.push({ raftId, matchIndex, bytesToGo: this.#bytesToGo(raftId, matchIndex) });
      }
    }
    return {
      raftId: this.#roster.raftId,
      term: this.#raft.term,
      commitIndex: this.#raft.commit,
      appliedIndex: this.#applied(),
      state: memberState(this.#raft.state),
      matches,
      storage: this.#storage(),
      stateVersion: this.#versions.known,
      priority: this.#priority(),
    };
  }

  view(): ClusterView {
    const { lead } = this.#raft;
    return {
      clusterId: this.#clusterId,
      nodes: this.#nodes(),
      leaderId: this.#roster.isWitness(lead) ? 0 : this.#roster.nodeIdOf(lead),
      term: this.#raft.term,
      hasQuorum: this.#contacts.hasQuorum() && !this.#isRemoved,
      staleMs: this.#contacts.staleMs(),
      members: this.#memberViews.now,
    };
  }

  /** Brings what `view` says of the members up to now. */
  lookAtMembers(nowMs: number): void {
    const members = this.#roster.servers().map((server) => ({
      nodeId: server.nodeId,
      role: this.#roleOf(server),
      heard: this.#isHeard(server.raftId),
    }));
    this.#memberViews.look(members, nowMs);
  }

  /** Whom clients may turn to; the same list until the servers change. */
  #nodes(): ClusterView["nodes"] {
    const servers = this.#roster.servers();
    if (servers !== this.#nodesOf) {
      this.#nodesOf = servers;
      // Clients have no business with witnesses.
      this.#nodesNow = servers
        .filter((server) => !isWitness(server))
        .map(({ nodeId, address, httpAddress }) => ({ id: nodeId, address, httpAddress }));
    }
    return this.#nodesNow;
  }

  status(): StatusResponse {
    const matches = this.#knownMatches();
    const servers = this.#roster.servers();
    const commit = Math.max(
      this.#raft.commit,
      ...servers.map(({ raftId }) => this.#contacts.reportOf(raftId)?.commitIndex ?? 0),
    );
    return {
      clusterId: this.#clusterId,
      leaderId: this.#roster.nodeIdOf(this.#raft.lead),
      term: this.#raft.term,
      members: servers.map((server) => this.#member(server, matches, commit)),
      nodeId: this.#roster.self.nodeId,
      hasQuorum: this.#contacts.hasQuorum() && !this.#isRemoved,
      staleMs: this.#contacts.staleMs(),
      removed: this.#isRemoved,
      joint: isJoint(this.#roster.membership),
      stateVersion: this.#versions.state(),
    };
  }

  get #isRemoved(): boolean {
    return this.#roster.standing === "removed";
  }

  #member(server: ServerRecord, matches: ReadonlyMap<number, number>, commit: number): Member {
    const { raftId } = server;
    const isSelf = raftId === this.#roster.raftId;
    const isLive = this.#isHeard(raftId);
    const report = isSelf ? this.report() : this.#contacts.reportOf(raftId);
    const applied = report?.appliedIndex ?? 0;
    const match = matches.get(raftId) ?? 0;
    return {
      id: server.nodeId,
      raftId,
      role: this.#roleOf(server),
      state: isLive
        ? ((report?.state ?? MemberState.MEMBER_STATE_UNSPECIFIED) as MemberState)
        : MemberState.MEMBER_STATE_UNSPECIFIED,
      address: server.address,
      httpAddress: server.httpAddress,
      commitIndex: report?.commitIndex ?? 0,
      appliedIndex: applied,
      matchIndex: match,
      lastContactMs: isSelf ? 0 : Math.round(this.#contacts.lastContactMs(raftId)),
      healthy: isLive,
      term: report?.term ?? 0,
      lag: Math.max(0, commit - applied),
      serverUuid: server.serverUuid,
      targetRole: server.role,
      storage: report?.storage,
      stateVersion: report === undefined ? 0 : knownVersion(report.stateVersion),
      priority: report?.priority ?? 0,
      bytesToGo: this.#bytesToGo(raftId, match),
    };
  }

  /** Or is this node. */
  #isHeard(raftId: number): boolean {
    if (raftId === this.#roster.raftId) return true;
    return this.#contacts.isLive(raftId) && this.#isConnected(raftId);
  }

  /** As the leader knows it. */
  #bytesToGo(raftId: number, match: number): number {
    if (this.#raft.state !== "StateLeader") {
      const told = this.#contacts.reportOf(this.#raft.lead)?.matches ?? [];
      return told.find((one) => one.raftId === raftId)?.bytesToGo ?? 0;
    }
    const { lastIndex } = this.#raft.status();
    const { compactedIndex, logBytes, chatBytes } = this.#storage();
    // A witness gets no chat, only where its log begins.
    const copyBytes = this.#roster.isWitness(raftId) ? 0 : chatBytes;
    const log = { compactedIndex, lastIndex, logBytes, chatBytes: copyBytes };
    return bytesToGo(match, log, this.#copyUnderWay(raftId));
  }

  #roleOf(server: ServerRecord): MemberRole {
    if (!isVoter(this.#roster.membership, server.raftId)) return MemberRole.MEMBER_ROLE_LEARNER;
    return isWitness(server) ? MemberRole.MEMBER_ROLE_WITNESS : MemberRole.MEMBER_ROLE_VOTER;
  }

  /** Up to where each member has the log on its disk, this leader too: P1 is shown by it. */
  #leaderMatches(): ReadonlyMap<number, number> {
    const matches = new Map<number, number>();
    const { id, stableIndex, progress } = this.#raft.status();
    for (const [raftId, { match }] of progress) {
      matches.set(raftId, raftId === id ? Math.min(match, stableIndex) : match);
    }
    return matches;
  }

  #knownMatches(): ReadonlyMap<number, number> {
    if (this.#raft.state === "StateLeader") return this.#leaderMatches();
    const matches = new Map<number, number>();
    const leader = this.#contacts.reportOf(this.#raft.lead);
    for (const { raftId, matchIndex } of leader?.matches ?? []) matches.set(raftId, matchIndex);
    // What is applied here is on disk here.
    const { raftId } = this.#roster;
    matches.set(raftId, Math.max(matches.get(raftId) ?? 0, this.#applied()));
    return matches;
  }
}
