// A node that belongs to a cluster: the replicated log at work, and what the chat service sees of it.
import { type Admission, type AppliedBatch, type AppliedEntry, STATE_VERSION } from "@parley/chat";
import {
  type BootstrapRecord,
  type ClusterView,
  Command,
  encode,
  type ParleyError,
  type PeerFrame,
  type Positions,
  type StatusResponse,
} from "@parley/protocol";
import type { Snapshot, Unavailable } from "@parley/raft";
import { ClusterObserver } from "./cluster-view.ts";
import type { NodeConfig } from "./config.ts";
import { CopyExchange } from "./copies/copy-exchange.ts";
import type { ChatFileDamaged } from "./copies/copy-ports.ts";
import { DiskWatch } from "./disk-watch.ts";
import { LeaderRequests } from "./leader-requests.ts";
import { Admissions } from "./membership/admissions.ts";
import { memberIds, standingOf } from "./membership/membership.ts";
import { MembershipChanges } from "./membership/membership-changes.ts";
import { MembershipOffice } from "./membership/membership-office.ts";
import { outOfTheCluster, removedError } from "./membership/removal.ts";
import type { Roster } from "./membership/roster.ts";
import { StateVersions } from "./membership/state-versions.ts";
import type { NodeMetrics } from "./metrics.ts";
import { Contacts } from "./peers/contacts.ts";
import { Gossip } from "./peers/gossip.ts";
import { PeerFrames } from "./peers/peer-frames.ts";
import type { PeerMesh } from "./peers/peer-mesh.ts";
import { Presence } from "./peers/presence.ts";
import type { ChatStoreState, NodePorts, Timer } from "./ports.ts";
import { PreferredLeader } from "./preferred-leader.ts";
import { ProgressWatch } from "./progress-watch.ts";
import type {
  AppliedListener,
  PresenceListener,
  ProposeOptions,
  Replica,
  TypingListener,
} from "./replica.ts";
import { AppliedWaiters } from "./replication/applied-waiters.ts";
import { Driver } from "./replication/driver.ts";
import type { LogCache } from "./replication/log-cache.ts";
import { LogCompaction } from "./replication/log-compaction.ts";
import { LogWriter } from "./replication/log-writer.ts";
import { Proposals } from "./replication/proposals.ts";
import { ReadRounds } from "./replication/read-rounds.ts";
import { ChatService } from "./service/chat-service.ts";
import { ClusterService } from "./service/cluster-service.ts";
import { Operators } from "./service/operators.ts";
import { StorageWatch } from "./storage-watch.ts";
import { Succession } from "./succession.ts";
import { WriteRefusals } from "./write-refusals.ts";

/** What a running node offers to the transports. */
export interface NodeServices {
  readonly chat: ChatService;
  readonly cluster: ClusterService;
}

const HOUSEKEEPING_MS = 50;
/** A disk that has not synced for this long makes a leader hand leadership over. */
const DISK_STALL_MS = 1_000;
/** All disks may be nearly full, and then leadership must not go round and round. */
const LOW_DISK_HAND_OVER_MS = 10_000;

/** How long a node whose chat file is damaged may take to hand over and to answer its clients. */
const DAMAGED_GRACE_MS = 3_000;

/** How long a removed server's clients may take to get their answers. */
const REMOVED_GRACE_MS = 2_000;

export class RunningNode implements Replica {
  readonly admission: Admission;
  readonly services: NodeServices;
  readonly #record: BootstrapRecord;
  readonly #ports: NodePorts;
  readonly #mesh: PeerMesh;
  readonly #roster: Roster;
  /** This node has no chat state. */
  readonly #isWitness: boolean;
  readonly #driver: Driver;
  readonly #contacts: Contacts;
  readonly #presence = new Presence();
  readonly #writer: LogWriter;
  readonly #proposals: Proposals;
  readonly #reads: ReadRounds;
  readonly #waiters: AppliedWaiters;
  readonly #observer: ClusterObserver;
  readonly #gossip: Gossip;
  readonly #succession: Succession;
  readonly #disk: DiskWatch;
  /** Copies of the chat file, to and from peers. */
  readonly copies: CopyExchange;
  readonly #compaction: LogCompaction;
  readonly #storage: StorageWatch;
  readonly #progress: ProgressWatch;
  readonly #office: MembershipOffice;
  readonly #preferred: PreferredLeader;
  readonly #configuredPriority: number;
  readonly #requests: LeaderRequests;
  readonly #refusals: WriteRefusals;
  readonly #frames: PeerFrames;
  readonly #admissions: Admissions;
  readonly #listeners: AppliedListener[] = [];
  readonly #viewListeners: ((view: ClusterView) => void)[] = [];
  #applied: number;
  #timer: Timer | undefined;
  #lastView: ClusterView | undefined;
  #leadersSeen = 0;
  #lastLeadership = "";
  #lowDiskHandOverMs = Number.NEGATIVE_INFINITY;
  #stopping = false;
  #halted = false;
  #removed = false;

  constructor(
    config: NodeConfig,
    ports: NodePorts,
    record: BootstrapRecord,
    roster: Roster,
    mesh: PeerMesh,
    cache: LogCache,
    admission: Admission,
    applied: number,
    fatal: (error: unknown) => void,
  ) {
    const { tuning, nodeId } = config;
    const { clock, random, chatStore } = ports;
    this.#ports = ports;
    this.#mesh = mesh;
    this.#record = record;
    this.#roster = roster;
    this.#isWitness = roster.isWitness(roster.raftId);
    this.admission = admission;
    this.#applied = applied;
    const freshMs = 2 * tuning.electionTicks * tuning.tickMs;
    this.#contacts = new Contacts(clock, freshMs);
    this.#driver = new Driver(
      roster.raftId,
      applied,
      cache,
      tuning,
      ports,
      {
        send: (message) => this.#frames.send(message),
        flush: () => this.#frames.flush(),
        propose: () => this.#writer.propose(),
        onApplied: (batch) => this.#onApplied(batch),
        onInstalled: (chat) => this.#onInstalled(chat),
        onReadState: (state) => this.#reads.confirmed(state.context, state.index),
        onConfChange: (index, change, confState) => roster.apply(index, change, confState),
        onLeadershipChanged: () => this.#onLeadershipChanged(),
        onFatal: fatal,
      },
      roster,
    );
    this.#disk = new DiskWatch(ports, tuning.diskReserveBytes, (error) => {
      if (!this.#halted) fatal(error);
    });
    this.#writer = new LogWriter(
      nodeId,
      this.#driver,
      mesh,
      clock,
      admission,
      () => this.#refusals.forPeers(),
      {
        placedAt: (from, id, placement) => this.#proposals.placedAt(from, id, placement),
        refused: (from, id, error) => this.#proposals.refused(from, id, error),
      },
    );
    this.#proposals = new Proposals(this.#writer, clock, tuning.pendingWritesMax, applied);
    this.#reads = new ReadRounds(
      (context) => this.#askReadIndex(context),
      clock,
      random,
      tuning.pendingReadsMax,
    );
    this.#waiters = new AppliedWaiters(clock, tuning.pendingReadsMax, applied);
    const versions = new StateVersions(
      config.stateVersion ?? STATE_VERSION,
      admission,
      roster,
      this.#contacts,
      this.#driver,
      ports,
    );
    this.#observer = new ClusterObserver(
      record.clusterId,
      roster,
      this.#driver.raft,
      this.#contacts,
      () => this.#applied,
      (peerId) => mesh.isUp(peerId),
      () => this.#storage.now,
      { known: versions.known, state: () => admission.stateVersion },
      () => this.#priority,
      (peerId) => this.copies.sender.underWay(peerId),
    );
    this.#gossip = new Gossip(
      mesh,
      this.#observer,
      this.#contacts,
      this.#presence,
      clock,
      freshMs / 3,
    );
    this.#succession = new Succession(tuning, roster, this.#driver, this.#contacts, ports);
    this.#office = new MembershipOffice(
      record,
      roster,
      this.#driver,
      this.#contacts,
      this.#succession,
      versions,
      { deadMs: tuning.autopilotDeadMs, votersMin: tuning.autopilotVotersMin },
      (peerId) => mesh.isUp(peerId),
      ports,
    );
    this.#configuredPriority = config.priority ?? 0;
    this.#preferred = new PreferredLeader(
      roster,
      this.#driver,
      this.#contacts,
      this.#succession,
      clock,
    );
    this.#requests = new LeaderRequests(this.#driver, mesh, clock, random, this.#office);
    this.#admissions = new Admissions(record, roster, mesh, this.#office, this.#requests, ports);
    this.#progress = new ProgressWatch(clock);
    this.#storage = new StorageWatch(ports, () => ({
      compactedIndex: cache.compactedIndex,
      logBytes: this.#compaction.sizeBytes,
      dataFloor: Number.isFinite(this.#driver.dataFloor) ? this.#driver.dataFloor : 0,
      copies: this.copies.shelf.usage,
    }));
    this.copies = new CopyExchange(this.#driver, mesh, roster, cache, tuning, ports, (error) =>
      this.#chatDamaged(error, cache.compactedIndex, fatal),
    );
    this.#compaction = new LogCompaction(
      cache,
      tuning,
      ports,
      () => ({
        neededFrom: Math.min(this.copies.neededFrom, this.#neededByFollowers()),
        copyBytes: this.copies.shelf.largestBytes,
        dataFloor: this.#driver.dataFloor,
      }),
      (error) => {
        if (!this.#halted) fatal(error);
      },
    );
    this.#refusals = new WriteRefusals(
      roster,
      this.#driver,
      this.#disk,
      this.#progress,
      this.#compaction,
      () => this.#stopping,
    );
    this.#frames = new PeerFrames({
      roster,
      mesh,
      driver: this.#driver,
      cache,
      contacts: this.#contacts,
      writer: this.#writer,
      proposals: this.#proposals,
      copies: this.copies,
      requests: this.#requests,
      gossip: this.#gossip,
      logger: ports.logger,
    });
    const chat = new ChatService({
      replica: this,
      chatStore,
      clock,
      random,
      hasher: ports.hasher,
      sha256: ports.sha256,
      logger: ports.logger,
      tuning,
      nodeId,
      isWitness: this.#isWitness,
      setupTokenHash: record.setupTokenHash,
      // The record speaks for the instance as it was made; a node of one that was recovered, or moved, for itself.
      inviteOnlyByDefault: record.setupTokenHash.length > 0 || config.statusRequiresLogin,
    });
    const cluster = new ClusterService({
      replica: this,
      chatStore,
      clock,
      copies: this.copies,
      changes: new MembershipChanges(this.#requests, roster, () => this.#driver.raft.lead),
      operators: new Operators({
        replica: this,
        authentication: chat.authentication,
        logger: ports.logger,
        tokenHash: config.operatorTokenHash,
      }),
      requiresLogin: config.statusRequiresLogin,
      isWitness: this.#isWitness,
    });
    this.services = { chat, cluster };
    roster.onChanged(() => this.#onRosterChanged());
  }

  /** Undefined unless the first account is still to come and needs the token with this hash. */
  get awaitedSetupHash(): Uint8Array | undefined {
    // Whoever registers does so elsewhere.
    if (this.#isWitness) return undefined;
    const { setupTokenHash } = this.#record;
    return setupTokenHash.length === 0 || this.admission.hasOwner ? undefined : setupTokenHash;
  }

  // ---- Replica ---------------------------------------------------------------------------------

  get appliedRevision(): number {
    return this.#applied;
  }

  propose(command: Command, options: ProposeOptions): Promise<AppliedEntry> {
    const refusal = this.#refusals.forClients();
    if (refusal !== undefined) return Promise.reject(refusal);
    const encoded = encode(Command, { ...command, stampMs: 0 });
    return this.#proposals.propose(encoded, options.deadlineMs, options.signal);
  }

  readIndex(options: ProposeOptions): Promise<number> {
    return this.#reads.read(options.deadlineMs);
  }

  waitApplied(revision: number, options: ProposeOptions): Promise<void> {
    return this.#waiters.wait(revision, options.deadlineMs);
  }

  onApplied(listener: AppliedListener): void {
    this.#listeners.push(listener);
  }

  view(): ClusterView {
    return this.#observer.view();
  }

  onViewChanged(listener: (view: ClusterView) => void): void {
    this.#viewListeners.push(listener);
  }

  status(): StatusResponse {
    return this.#observer.status();
  }

  replicasAt(revision: number): number {
    return this.#observer.replicasAt(revision);
  }

  positions(): Positions {
    return this.#observer.positions();
  }

  staleMs(): number {
    return this.#contacts.staleMs();
  }

  isOnline(accountId: number): boolean {
    return this.#presence.isOnline(accountId);
  }

  setLocalPresence(accountId: number, online: boolean): void {
    this.#presence.setLocal(accountId, online);
  }

  onPresence(listener: PresenceListener): void {
    this.#presence.onChanged(listener);
  }

  tellTyping(roomId: number, accountId: number): void {
    this.#gossip.tellTyping(roomId, accountId);
    this.#driver.schedulePump();
  }

  onTyping(listener: TypingListener): void {
    this.#gossip.onTyping(listener);
  }

  metrics(): NodeMetrics {
    const { leaderId, term, hasQuorum, staleMs, members } = this.status();
    const { nodeId } = this.#roster.self;
    const self = members.find(({ id }) => id === nodeId);
    return {
      ...this.services.chat.load,
      isLeader: leaderId === nodeId,
      leaderId,
      term,
      commitIndex: self?.commitIndex ?? 0,
      appliedIndex: this.#applied,
      hasQuorum,
      staleMs,
      members: members.map(({ id, lag, lastContactMs, healthy }) => ({
        id,
        lag,
        lastContactMs,
        healthy,
      })),
      leadersSeen: this.#leadersSeen,
      stalls: this.#driver.stalls,
      proposals: this.#proposals.pending,
      forwarded: this.#writer.forwarded,
      forwardsAnswered: this.#writer.forwardsAnswered,
      replaced: this.#proposals.replaced,
      copiesMade: this.copies.shelf.made,
      copiesSent: this.copies.sender.sent,
      copiesInstalled: this.copies.installed,
      compactions: this.#compaction.truncations,
      diskStallMs: this.#driver.diskStallMs(),
    };
  }

  // ---- Life ------------------------------------------------------------------------------------

  start(): void {
    this.#driver.start();
    const { voters } = this.#roster.membership;
    if (voters.length === 1 && voters[0] === this.#roster.raftId) {
      this.#driver.guard(() => this.#driver.raft.campaign());
    }
    this.#connect();
    this.#armHousekeeping();
  }

  /** Hands leadership over, lets clients go, finishes what is under way; `graceMs` at the most. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const { clock } = this.#ports;
    const deadline = clock.monotonicMs() + graceMs;
    // Half of the time is for the clients' answers, whoever leads.
    await this.#until(
      clock.monotonicMs() + graceMs / 2,
      () => !this.#succession.handOver("the node is stopping"),
    );
    await this.services.chat.close(Math.max(0, deadline - clock.monotonicMs()));
    await this.#until(deadline, () => this.#driver.isQuiet);
    this.halt();
  }

  /**
   * The chat file is damaged, and nobody can get a copy of it from here: this node stops as it does when it reads what is damaged, but hands
   * leadership over before. Started again it puts the file aside and gets a copy from the others. So it goes on
   * as long as no other node could give it one.
   */
  #chatDamaged(
    error: ChatFileDamaged,
    compactedIndex: number,
    fatal: (error: unknown) => void,
  ): void {
    if (this.#stopping || this.#removed || !this.#isReplaceable(compactedIndex)) return;
    this.#ports.logger.error({ event: "damaged" }, `this node stops: ${error.message}`);
    this.stop(DAMAGED_GRACE_MS).then(() => fatal(error), fatal);
  }

  /** Another node with the chat leads, or can: one that the log still catches up. */
  #isReplaceable(compactedIndex: number): boolean {
    const { raft } = this.#driver;
    if (raft.state !== "StateLeader") {
      return raft.lead !== 0 && !this.#roster.isWitness(raft.lead);
    }
    const { voters } = this.#roster.membership;
    return [...raft.status().progress].some(
      ([id, { match }]) =>
        id !== raft.id &&
        voters.includes(id) &&
        !this.#roster.isWitness(id) &&
        this.#contacts.isLive(id) &&
        this.#mesh.isUp(id) &&
        match > compactedIndex,
    );
  }

  /** Stops at once; what waits is told. */
  halt(): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#stopping = true;
    this.#timer?.cancel();
    this.#driver.stop();
    this.copies.close();
    this.#proposals.close();
    this.#reads.close();
    this.#waiters.close();
    this.#requests.close();
  }

  /** For the core: what the follower `to` gets that the log can't catch up; no further than `indexMax`. */
  snapshotFor(to: number, indexMax: number): Snapshot | Unavailable {
    return this.#frames.snapshotFor(to, indexMax);
  }

  /** Entries that a follower far behind needs have come from disk. */
  entriesLoaded(): void {
    this.#driver.entriesLoaded();
  }

  // ---- Peers -----------------------------------------------------------------------------------

  peerUp(peerId: number): void {
    this.#gossip.greet(peerId);
    if (this.#driver.raft.lead === peerId) this.#proposals.placeWaiting();
    this.#driver.schedulePump();
  }

  peerDown(peerId: number): void {
    this.#driver.guard(() => this.#driver.raft.reportUnreachable(peerId));
    this.#proposals.giveUpForwards(peerId);
    this.#driver.schedulePump();
  }

  peerDead(peerId: number): void {
    this.#succession.peerDead(peerId);
  }

  /** The link from a peer ended, and with it perhaps answers that were on their way. */
  peerSilent(peerId: number): void {
    this.#proposals.giveUpForwards(peerId);
    this.#proposals.placeWaiting();
  }

  /** A peer refused this node's hello. */
  rejected(peerId: number, error: ParleyError): void {
    // A raft id that was removed never comes back, so one member's word is enough.
    if (error.reason === "REMOVED") this.#leave(error.message);
    else if (error.reason !== "NOT_READY") {
      const peer = this.#roster.nodeIdOf(peerId);
      this.#ports.logger.warn(
        { peer, reason: error.reason },
        `refused by n${peer}: ${error.message}`,
      );
    }
  }

  /** There is room on the link to a peer again. */
  peerDrained(peerId: number): void {
    // What was dropped may have said who came and went.
    this.#gossip.greet(peerId);
    if (this.#driver.raft.lead === peerId) this.#proposals.placeWaiting();
    this.#driver.schedulePump();
  }

  receive(peerId: number, frame: PeerFrame): void {
    if (!this.#halted) this.#frames.receive(peerId, frame);
  }

  // ---- Applied entries, reads, leadership -------------------------------------------------------

  #onApplied(batch: AppliedBatch): void {
    this.#observer.invalidate();
    for (const entry of batch.entries) {
      this.admission.applyEntry(entry);
      this.#applied = entry.index;
      for (const listener of this.#listeners) listener.onEntry(entry);
      this.#proposals.applied(entry);
    }
    this.#applied = batch.appliedIndex;
    this.#waiters.applied(batch.appliedIndex);
    for (const listener of this.#listeners) listener.onBatchEnd(batch);
  }

  /** The state jumped: whoever waited for something below it gets it from there. */
  #onInstalled({ admission, confState, confStateIndex = 0 }: ChatStoreState): void {
    this.#observer.invalidate();
    const asOf = Math.max(admission.appliedIndex, confStateIndex);
    if (confState !== undefined) this.#roster.replace(confState, asOf);
    this.admission.load(admission);
    if (confState !== undefined) this.#roster.replace(confState, asOf);
    for (const listener of this.#listeners) listener.onJump();
    this.#applied = admission.appliedIndex;
    this.#proposals.jumped(admission.appliedIndex);
    this.#waiters.applied(admission.appliedIndex);
  }

  /** The first entry that some follower in contact still needs; infinity where this node doesn't lead. */
  #neededByFollowers(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const [id, { match }] of this.#driver.raft.status().progress) {
      if (this.#contacts.isLive(id)) lowest = Math.min(lowest, match + 1);
    }
    return lowest;
  }

  // ---- Membership ------------------------------------------------------------------------------

  #onRosterChanged(): void {
    this.#observer.invalidate();
    this.#contacts.keep(
      new Set([
        ...memberIds(this.#roster.membership),
        ...this.#roster.peers().map((p) => p.raftId),
      ]),
    );
    if (this.#halted || this.#removed) return;
    if (this.#roster.standing === "removed") {
      // Not in the middle of a batch: what it holds has happened, and whoever waits for it is told so.
      this.#ports.clock.after(0, () => this.#leave("it was removed by an operator"));
    }
    this.#connect();
    this.#admit(true);
    this.#tellView();
  }

  /** Answers the servers that ask this node for admission. */
  #admit(hurry: boolean): void {
    const { state, lead } = this.#driver.raft;
    this.#admissions.tick(state === "StateLeader", lead, hurry);
  }

  /** Removed for good: takes no part any more, sends its clients to the others, and says so. */
  #leave(why: string): void {
    if (this.#halted || this.#removed) return;
    this.#removed = true;
    this.#roster.removed();
    this.#ports.logger.warn(
      { event: "removed" },
      `this server has been removed from the cluster and serves no more: ${why}`,
    );
    this.#timer?.cancel();
    this.#driver.stop();
    this.#proposals.close();
    this.#reads.close();
    this.#waiters.close();
    this.#requests.close();
    const farewell = outOfTheCluster();
    this.#mesh.connect([], () => farewell);
    this.#tellView();
    this.services.chat.close(REMOVED_GRACE_MS).catch((error: unknown) => {
      this.#ports.logger.error({ error: String(error) }, "sending the clients away failed");
    });
  }

  #connect(): void {
    this.#mesh.connect(this.#roster.peers(), (raftId) =>
      standingOf(this.#roster.membership, raftId) === "removed" ? removedError() : undefined,
    );
  }

  #askReadIndex(context: Uint8Array): boolean {
    let asked = false;
    this.#driver.guard(() => {
      this.#driver.catchUpTicks();
      asked = this.#driver.raft.readIndex(context).ok;
    });
    this.#driver.schedulePump();
    return asked;
  }

  #onLeadershipChanged(): void {
    const { state, lead, term } = this.#driver.raft;
    if (state === "StateLeader") this.#contacts.heardLeader();
    if (lead !== 0) {
      const leadership = `${term} ${lead}`;
      if (leadership !== this.#lastLeadership) this.#leadersSeen += 1;
      this.#lastLeadership = leadership;
      this.#proposals.leaderIs(term);
      this.#reads.poke(true);
    }
    this.#tellView();
  }

  #tellView(): void {
    this.#observer.lookAtMembers(this.#ports.clock.monotonicMs());
    const view = this.#observer.view();
    const last = this.#lastView;
    if (last !== undefined && isSameView(view, last)) return;
    this.#lastView = view;
    for (const listener of this.#viewListeners) listener(view);
  }

  // ---- Housekeeping ----------------------------------------------------------------------------

  #armHousekeeping(): void {
    this.#timer = this.#ports.clock.after(HOUSEKEEPING_MS, () => {
      if (this.#halted) return;
      this.#housekeep();
      this.#armHousekeeping();
    });
  }

  #housekeep(): void {
    const { raft } = this.#driver;
    if (raft.state === "StateLeader") {
      this.#contacts.leading(raft.id, raft.status().config);
      this.#office.tick();
      this.#spareDisk();
      this.#preferred.tick(this.#priority);
    }
    this.#proposals.poke();
    this.#reads.poke(false);
    this.#admit(false);
    this.#gossip.tell();
    this.#frames.flush();
    this.#tellView();
    this.#disk.check();
    this.#compaction.check(this.#applied);
    this.copies.tidy();
    this.#storage.check();
    this.#lookForProgress();
  }

  /** Clients' writes would wait for as long as this node is stuck: they are better off elsewhere. */
  #lookForProgress(): void {
    const { raft } = this.#driver;
    const committed = this.#contacts.reportOf(raft.lead)?.commitIndex ?? 0;
    if (this.#progress.look(this.#applied, committed)) this.#proposals.giveUp();
  }

  /** What it was told, unless it would hand leadership over again at once. */
  get #priority(): number {
    const isUnfit = this.#disk.isLow || this.#driver.diskStallMs() > DISK_STALL_MS / 2;
    return isUnfit ? 0 : this.#configuredPriority;
  }

  /** A leader whose disk is slow or nearly full lets another one lead. */
  #spareDisk(): void {
    if (this.#driver.diskStallMs() > DISK_STALL_MS) {
      this.#succession.handOver("the disk stalls");
      return;
    }
    const now = this.#ports.clock.monotonicMs();
    if (!this.#disk.isLow || now - this.#lowDiskHandOverMs < LOW_DISK_HAND_OVER_MS) return;
    this.#lowDiskHandOverMs = now;
    this.#succession.handOver("the disk is nearly full");
  }

  #until(deadlineMs: number, done: () => boolean): Promise<void> {
    const { clock } = this.#ports;
    return new Promise((resolve) => {
      const look = () => {
        if (this.#halted || done() || clock.monotonicMs() >= deadlineMs) resolve();
        else clock.after(5, look);
      };
      look();
    });
  }
}

/** As far as listeners are concerned; the age of the data grows by itself. */
function isSameView(a: ClusterView, b: ClusterView): boolean {
  if (a.leaderId !== b.leaderId || a.term !== b.term || a.hasQuorum !== b.hasQuorum) return false;
  if (a.members !== b.members) return false;
  if (a.nodes === b.nodes) return true;
  const names = ({ nodes }: ClusterView) => nodes.map(({ id, address }) => `${id} ${address}`);
  return names(a).join(" ") === names(b).join(" ");
}
