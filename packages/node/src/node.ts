// One Parley node: the first file to read here. It joins or makes its cluster (bootstrap.ts), keeps
// links to its peers (peer-mesh.ts), drives the consensus core (driver.ts), and offers the chat service
// (service/) a replicated log to write to (replica.ts).
import { Admission, type AppliedBatch, type AppliedEntry, checkCommand } from "@parley/chat";
import {
  type BootstrapRecord,
  BootstrapRecord as BootstrapRecordCodec,
  type ClusterView,
  Command,
  ForwardReply,
  ForwardRequest,
  joinBytes,
  NodeReport,
  ParleyError,
  type PeerFrame,
  PresenceReport,
  type StatusResponse,
  varintField,
} from "@parley/protocol";
import { type ConfState, EMPTY_CONF_STATE, type Message } from "@parley/raft";
import { AppliedWaiters } from "./applied-waiters.ts";
import { Bootstrap, StartupError } from "./bootstrap.ts";
import { ClusterObserver } from "./cluster-view.ts";
import type { NodeConfig } from "./config.ts";
import { Contacts } from "./contacts.ts";
import { Driver } from "./driver.ts";
import { LogCache } from "./log-cache.ts";
import { PeerMesh } from "./peer-mesh.ts";
import type {
  ChatStore,
  Clock,
  Logger,
  LogState,
  LogStore,
  PasswordHasher,
  PeerTransport,
  Random,
  Sha256,
  Timer,
} from "./ports.ts";
import { Presence } from "./presence.ts";
import { type PlaceResult, Proposals } from "./proposals.ts";
import { encodeMessage, messageFromWire } from "./raft-codec.ts";
import { ReadRounds } from "./read-rounds.ts";
import type { AppliedListener, ProposeOptions, Replica } from "./replica.ts";
import { ChatService } from "./service/chat-service.ts";
import { ClusterService } from "./service/cluster-service.ts";

export interface NodePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logStore: LogStore;
  readonly chatStore: ChatStore;
  readonly transport: PeerTransport;
  readonly hasher: PasswordHasher;
  readonly sha256: Sha256;
  readonly logger: Logger;
  /** Storage failed or an invariant broke: the process must end. Called at most once. */
  readonly onFatal: (error: unknown) => void;
}

/** What a running node offers to the transports. */
export interface NodeServices {
  readonly chat: ChatService;
  readonly cluster: ClusterService;
}

/** Field of Command that the leader fills in. */
const STAMP_FIELD = 2;
const HOUSEKEEPING_MS = 50;
const REPORT_UNCHANGED_MS = 500;
const DISK_CHECK_MS = 5_000;
/** A disk that has not synced for this long makes a leader hand leadership over. */
const DISK_STALL_MS = 1_000;
/** After a death notice, an election that came to nothing is tried again this soon, so many times. */
const CAMPAIGN_AGAIN_MS = 120;
const CAMPAIGNS_MAX = 5;
/** A peer that is away for this long takes its online accounts with it. */
const PRESENCE_KEPT_MS = 10_000;

export class Node {
  readonly #config: NodeConfig;
  readonly #ports: NodePorts;
  readonly #mesh: PeerMesh;
  #bootstrap: Bootstrap | undefined;
  #running: RunningNode | undefined;
  #startup: PromiseWithResolvers<void> | undefined;
  #stopped = false;

  constructor(config: NodeConfig, ports: NodePorts) {
    this.#config = config;
    this.#ports = ports;
    this.#mesh = new PeerMesh(
      config.nodeId,
      config.nodes,
      ports,
      {
        hello: () => this.#started().hello(),
        uuidOf: (peerId) => this.#started().uuidOf(peerId),
        accept: (hello) =>
          this.#bootstrap === undefined
            ? new ParleyError("NOT_READY", "the node is still starting", { retryAfterMs: 50 })
            : this.#bootstrap.accept(hello),
      },
      {
        onPeerUp: (peerId) => {
          this.#offerRecord(peerId);
          this.#running?.peerUp(peerId);
        },
        onPeerDown: (peerId) => this.#running?.peerDown(peerId),
        onPeerDead: (peerId) => this.#running?.peerDead(peerId),
        onFrame: (peerId, frame) => this.#receive(peerId, frame),
        onRejected: (peerId, error) => this.#bootstrap?.rejected(peerId, error),
        onDrain: () => {},
      },
    );
  }

  /** Undefined until the node belongs to a cluster. */
  get services(): NodeServices | undefined {
    return this.#running?.services;
  }

  /** The replicated log as this node sees it; undefined until the node belongs to a cluster. */
  get replica(): Replica | undefined {
    return this.#running;
  }

  /**
   * Resolves when the node belongs to a cluster and serves (perhaps without a leader yet): on the first
   * start not before all configured nodes have been seen. Rejects with a StartupError or a storage error
   * when the node must not run.
   */
  async start(): Promise<void> {
    const state = await this.#ports.logStore.open();
    const identity = await Bootstrap.identity(
      state.identity,
      this.#ports.logStore,
      this.#ports.random,
    );
    const startup = Promise.withResolvers<void>();
    this.#startup = startup;
    this.#bootstrap = new Bootstrap(this.#config, identity, this.#ports, {
      onMember: (record) => {
        this.#run(record, state).then(startup.resolve, startup.reject);
      },
      onFatal: (error) => {
        startup.reject(error);
        this.#fatal(error);
      },
    });
    await this.#bootstrap.begin();
    if (!this.#stopped) this.#mesh.dialAll();
    await startup.promise;
  }

  /** Hands leadership over, tells clients to go elsewhere, flushes and closes. At most `graceMs`. */
  async stop(options: { readonly graceMs: number }): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#startup?.reject(new StartupError("stopped before the node belonged to a cluster"));
    await this.#running?.stop(options.graceMs);
    this.#mesh.close();
    await this.#ports.chatStore.close();
    await this.#ports.logStore.close();
  }

  async #run(record: BootstrapRecord, log: LogState): Promise<void> {
    const initial: ConfState = {
      ...EMPTY_CONF_STATE,
      voters: record.members.map((member) => member.raftId).sort((a, b) => a - b),
    };
    const chat = await this.#ports.chatStore.open(initial);
    const applied = chat.admission.appliedIndex;
    if (applied > log.lastIndex) {
      throw new StartupError(
        `The chat file has revision ${applied} but the log ends at ${log.lastIndex}: the log lost acknowledged ` +
          "entries. This node counts as wiped and may not vote; restore its files or take it out of the cluster.",
      );
    }
    const cache = await LogCache.load(
      this.#ports.logStore,
      log,
      chat.confState ?? initial,
      applied,
      this.#config.tuning.logCacheBytesMax,
      () => this.#running?.poke(),
      (error) => this.#fatal(error),
    );
    if (this.#stopped) return;
    const admission = new Admission();
    admission.load(chat.admission);
    this.#running = new RunningNode(
      this.#config,
      this.#ports,
      record,
      this.#mesh,
      cache,
      admission,
      { index: applied, stampMs: chat.admission.stampMs },
      (error) => this.#fatal(error),
    );
    this.#running.start();
    for (const peerId of this.#mesh.peerIds) this.#offerRecord(peerId);
  }

  #receive(peerId: number, frame: PeerFrame): void {
    if (frame.bootstrap !== undefined && this.#running === undefined) {
      this.#bootstrap?.offered(frame.bootstrap).catch((error: unknown) => this.#fatal(error));
    }
    this.#running?.receive(peerId, frame);
  }

  #offerRecord(peerId: number): void {
    const bootstrap = this.#bootstrap;
    if (bootstrap?.record === undefined || !bootstrap.needsRecord(peerId)) return;
    this.#mesh.queue(peerId, "bootstrap", BootstrapRecordCodec.encode(bootstrap.record).finish());
    this.#mesh.flush(() => {});
  }

  #started(): Bootstrap {
    if (this.#bootstrap === undefined) throw new Error("a link was made before the node started");
    return this.#bootstrap;
  }

  #fatal(error: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#running?.halt();
    this.#mesh.close();
    this.#ports.onFatal(error);
  }
}

/** A node that belongs to a cluster: the replicated log at work. */
class RunningNode implements Replica {
  readonly admission: Admission;
  readonly services: NodeServices;
  readonly #config: NodeConfig;
  readonly #ports: NodePorts;
  readonly #mesh: PeerMesh;
  readonly #driver: Driver;
  readonly #contacts: Contacts;
  readonly #presence = new Presence();
  readonly #proposals: Proposals;
  readonly #reads: ReadRounds;
  readonly #waiters: AppliedWaiters;
  readonly #observer: ClusterObserver;
  readonly #listeners: AppliedListener[] = [];
  readonly #viewListeners: ((view: ClusterView) => void)[] = [];
  readonly #fatal: (error: unknown) => void;
  #applied: number;
  #stampMs: number;
  #timer: Timer | undefined;
  #lastView = "";
  #lastReport = "";
  #lastReportMs = 0;
  #diskLow = false;
  #diskCheckedMs = 0;
  #stopping = false;
  #halted = false;

  constructor(
    config: NodeConfig,
    ports: NodePorts,
    record: BootstrapRecord,
    mesh: PeerMesh,
    cache: LogCache,
    admission: Admission,
    applied: { readonly index: number; readonly stampMs: number },
    fatal: (error: unknown) => void,
  ) {
    const { tuning, nodeId } = config;
    this.#config = config;
    this.#ports = ports;
    this.#mesh = mesh;
    this.#fatal = fatal;
    this.admission = admission;
    this.#applied = applied.index;
    this.#stampMs = applied.stampMs;
    this.#contacts = new Contacts(ports.clock, 2 * tuning.electionTicks * tuning.tickMs);
    this.#driver = new Driver(nodeId, applied.index, cache, tuning, ports, {
      send: (message) => this.#send(message),
      flush: () => this.#flush(),
      onApplied: (batch) => this.#onApplied(batch),
      onReadState: (state) => this.#reads.confirmed(roundOf(state.context), state.index),
      onSoftState: () => this.#onLeaderChanged(),
      onTerm: () => this.#onLeaderChanged(),
      onFatal: (error) => this.#fatal(error),
    });
    this.#proposals = new Proposals(
      { place: (id, command) => this.#place(id, command) },
      ports.clock,
      tuning.pendingWritesMax,
      applied.index,
    );
    this.#reads = new ReadRounds(
      (round) => this.#askReadIndex(round),
      ports.clock,
      tuning.pendingReadsMax,
    );
    this.#waiters = new AppliedWaiters(ports.clock, tuning.pendingReadsMax, applied.index);
    this.#observer = new ClusterObserver(
      record.clusterId,
      nodeId,
      config.nodes,
      this.#driver.raft,
      this.#contacts,
      () => this.#applied,
      (peerId) => mesh.isUp(peerId),
    );
    const chat = new ChatService({
      replica: this,
      chatStore: ports.chatStore,
      clock: ports.clock,
      random: ports.random,
      hasher: ports.hasher,
      sha256: ports.sha256,
      logger: ports.logger,
      tuning,
      nodeId,
    });
    const cluster = new ClusterService({
      replica: this,
      chatStore: ports.chatStore,
      clock: ports.clock,
      authentication: chat.authentication,
      requiresLogin: config.statusRequiresLogin,
    });
    this.services = { chat, cluster };
  }

  // ---- Replica ---------------------------------------------------------------------------------

  get appliedRevision(): number {
    return this.#applied;
  }

  propose(command: Command, options: ProposeOptions): Promise<AppliedEntry> {
    if (this.#stopping) {
      return Promise.reject(
        new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 }),
      );
    }
    if (this.#diskLow) {
      return Promise.reject(
        new ParleyError("DISK_FULL", "this node's disk is nearly full", { retryAfterMs: 1_000 }),
      );
    }
    const encoded = Command.encode({ ...command, stampMs: 0 }).finish();
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

  staleMs(): number {
    return this.#contacts.staleMs();
  }

  isOnline(accountId: number): boolean {
    return this.#presence.isOnline(accountId);
  }

  setLocalPresence(accountId: number, online: boolean): void {
    this.#presence.setLocal(accountId, online);
  }

  // ---- Life ------------------------------------------------------------------------------------

  start(): void {
    this.#driver.start();
    if (this.#config.nodes.length === 1) this.#driver.guard(() => this.#driver.raft.campaign());
    this.#armHousekeeping();
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const deadline = this.#ports.clock.monotonicMs() + graceMs;
    this.#handOver("the node is stopping");
    await this.#until(
      deadline,
      () => this.#driver.raft.state !== "StateLeader" || this.#config.nodes.length === 1,
    );
    await this.services.chat.close(Math.max(0, deadline - this.#ports.clock.monotonicMs()));
    await this.#until(deadline, () => this.#driver.isQuiet);
    this.halt();
  }

  /** Stops at once; what waits is told. */
  halt(): void {
    if (this.#halted) return;
    this.#halted = true;
    this.#stopping = true;
    this.#timer?.cancel();
    this.#driver.stop();
    this.#proposals.close();
    this.#reads.close();
    this.#waiters.close();
  }

  /** Something that the core waited for is there. */
  poke(): void {
    this.#driver.schedulePump();
  }

  // ---- Peers -----------------------------------------------------------------------------------

  peerUp(peerId: number): void {
    this.#mesh.queue(peerId, "presence", PresenceReport.encode(this.#presence.full()).finish());
    if (this.#driver.raft.lead === peerId) this.#proposals.placeWaiting();
    this.#driver.schedulePump();
  }

  peerDown(peerId: number): void {
    this.#driver.guard(() => this.#driver.raft.reportUnreachable(peerId));
    // Requests on their way to the leader, and its answers, are lost with the link.
    if (this.#driver.raft.lead === peerId) this.#proposals.placeAgain();
    this.#driver.schedulePump();
  }

  /**
   * The death notice (P7): the leader's process is gone, so there is no point in waiting for the election
   * timeout. Safe even when wrong: pre-vote and the term decide.
   */
  peerDead(peerId: number): void {
    const raft = this.#driver.raft;
    if (raft.lead !== peerId || this.#halted) return;
    this.#ports.logger.info({ leader: peerId }, "the leader's process is gone");
    this.#driver.guard(() => raft.forgetLeader());
    this.#driver.schedulePump();
    this.#campaignInTurn(peerId, 0);
  }

  /**
   * The survivors campaign one after the other, by id, so that they do not split the vote; who was
   * refused (the others may not have noticed the death yet) tries again soon, because a pre-campaign disturbs nobody.
   */
  #campaignInTurn(deadId: number, attempt: number): void {
    const { clock, random } = this.#ports;
    const { nodeId, nodes, tuning } = this.#config;
    const before = nodes.filter(
      (node) => node.id < nodeId && node.id !== deadId && this.#contacts.isLive(node.id),
    );
    const turnMs = tuning.deathNoticeDelayMsMax / Math.max(1, nodes.length - 2);
    const pauseMs = attempt === 0 ? 0 : CAMPAIGN_AGAIN_MS + random.int(Math.ceil(turnMs) + 1);
    clock.after(before.length * turnMs + pauseMs, () => {
      const { raft } = this.#driver;
      if (this.#halted || raft.lead !== 0 || attempt >= CAMPAIGNS_MAX) return;
      this.#driver.guard(() => raft.campaign());
      this.#driver.schedulePump();
      this.#campaignInTurn(deadId, attempt + 1);
    });
  }

  receive(peerId: number, frame: PeerFrame): void {
    if (this.#halted) return;
    this.#contacts.heard(peerId);
    for (const wire of frame.messages) {
      const message = messageFromWire(wire);
      if (message === undefined || message.from !== peerId || message.to !== this.#config.nodeId) {
        this.#ports.logger.warn(
          { peer: peerId, type: wire.type },
          "dropped a message that is not a peer's own",
        );
        continue;
      }
      this.#driver.step(message);
      this.#noteLeaderContact(message);
    }
    for (const forward of frame.forwards) this.#answerForward(peerId, forward);
    for (const reply of frame.forwardReplies) this.#takeForwardReply(reply);
    if (frame.report !== undefined && frame.report.raftId === peerId) {
      this.#contacts.report(frame.report);
      this.#observer.invalidate();
    }
    if (frame.presence !== undefined) this.#presence.take(peerId, frame.presence);
  }

  #noteLeaderContact(message: Message): void {
    const raft = this.#driver.raft;
    if (message.from !== raft.lead || message.term !== raft.term) return;
    if (
      message.type === "MsgApp" ||
      message.type === "MsgHeartbeat" ||
      message.type === "MsgSnap"
    ) {
      this.#contacts.heardLeader();
    }
  }

  #send(message: Message): void {
    if (!this.#mesh.queue(message.to, "messages", encodeMessage(message))) {
      this.#driver.raft.reportUnreachable(message.to);
    }
  }

  #flush(): void {
    this.#mesh.flush((peerId) => {
      this.#driver.raft.reportUnreachable(peerId);
      if (this.#driver.raft.lead === peerId) this.#proposals.placeAgain();
    });
  }

  // ---- Writes ----------------------------------------------------------------------------------

  #place(id: number, command: Uint8Array): PlaceResult {
    const raft = this.#driver.raft;
    if (this.#halted) return { kind: "no-leader" };
    if (raft.state === "StateLeader") return this.#append(command);
    const leader = raft.lead;
    if (leader === 0 || !this.#mesh.isUp(leader)) return { kind: "no-leader" };
    this.#mesh.queue(leader, "forwards", ForwardRequest.encode({ id, command }).finish());
    this.#driver.schedulePump();
    return { kind: "forwarded", to: leader };
  }

  /** Stamps a command and appends it to this leader's log. */
  #append(command: Uint8Array): PlaceResult {
    this.#stampMs = Math.max(this.#stampMs, Math.floor(this.#ports.clock.wallMs()));
    const stamped = joinBytes([command, varintField(STAMP_FIELD, this.#stampMs)]);
    const result = this.#driver.raft.propose([stamped]);
    this.#driver.schedulePump();
    if (result.ok) {
      return result.kind === "appended"
        ? { kind: "placed", placement: { term: result.term, index: result.first } }
        : { kind: "no-leader" };
    }
    if (result.reason !== "uncommitted-limit") return { kind: "no-leader" };
    return {
      kind: "refused",
      error: new ParleyError("OVERLOADED", "the leader has too much uncommitted data", {
        retryAfterMs: 100,
      }),
    };
  }

  #answerForward(peerId: number, forward: ForwardRequest): void {
    const answer = this.#placeForPeer(forward.command);
    this.#mesh.queue(
      peerId,
      "forwardReplies",
      ForwardReply.encode(ForwardReply.fromPartial({ id: forward.id, ...answer })).finish(),
    );
    this.#driver.schedulePump();
  }

  #placeForPeer(command: Uint8Array): Partial<ForwardReply> {
    const malformed = checkCommand(command);
    if (malformed !== undefined) return { error: malformed.toWire() };
    if (this.#stopping || this.#driver.raft.state !== "StateLeader") {
      return {
        error: new ParleyError("NOT_LEADER", "this node does not lead", {
          leaderId: this.#driver.raft.lead,
        }).toWire(),
      };
    }
    if (this.#diskLow) {
      return {
        error: new ParleyError("DISK_FULL", "the leader's disk is nearly full", {
          retryAfterMs: 1_000,
        }).toWire(),
      };
    }
    let placed: PlaceResult = { kind: "no-leader" };
    this.#driver.guard(() => {
      placed = this.#append(command);
    });
    return forwardAnswer(placed);
  }

  #takeForwardReply(reply: ForwardReply): void {
    if (reply.error !== undefined)
      this.#proposals.refused(reply.id, ParleyError.fromWire(reply.error));
    else this.#proposals.placedAt(reply.id, { term: reply.term, index: reply.index });
  }

  // ---- Applied entries and reads ---------------------------------------------------------------

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

  #askReadIndex(round: number): boolean {
    const context = new Uint8Array(8);
    new DataView(context.buffer).setFloat64(0, round);
    let asked = false;
    this.#driver.guard(() => {
      this.#driver.catchUpTicks();
      asked = this.#driver.raft.readIndex(context).ok;
    });
    this.#driver.schedulePump();
    return asked;
  }

  // ---- Leadership and housekeeping -------------------------------------------------------------

  #onLeaderChanged(): void {
    const raft = this.#driver.raft;
    if (raft.state === "StateLeader") this.#contacts.heardLeader();
    if (raft.lead !== 0) {
      this.#proposals.placeAgain();
      this.#reads.poke(true);
    }
    this.#tellView();
  }

  /** Transfers leadership to the live voter that has the most. */
  #handOver(why: string): void {
    const raft = this.#driver.raft;
    if (raft.state !== "StateLeader") return;
    let best: { readonly id: number; readonly match: number } | undefined;
    for (const [id, progress] of raft.status().progress) {
      if (id === this.#config.nodeId || progress.isLearner || !this.#contacts.isLive(id)) continue;
      if (best === undefined || progress.match > best.match) best = { id, match: progress.match };
    }
    if (best === undefined) return;
    const target = best.id;
    this.#ports.logger.info({ to: target }, `handing leadership over: ${why}`);
    this.#driver.guard(() => raft.transferLeader(target));
    this.#driver.schedulePump();
  }

  #armHousekeeping(): void {
    this.#timer = this.#ports.clock.after(HOUSEKEEPING_MS, () => {
      if (this.#halted) return;
      this.#housekeep();
      this.#armHousekeeping();
    });
  }

  #housekeep(): void {
    const raft = this.#driver.raft;
    if (raft.state === "StateLeader") {
      this.#contacts.leading(this.#config.nodeId, raft.status().config.voters);
      if (this.#driver.diskStallMs() > DISK_STALL_MS) this.#handOver("the disk stalls");
      else if (this.#diskLow) this.#handOver("the disk is nearly full");
    }
    for (const peerId of this.#mesh.peerIds) {
      if ((this.#contacts.lastContactMs(peerId) ?? 0) > PRESENCE_KEPT_MS)
        this.#presence.forget(peerId);
    }
    this.#proposals.placeWaiting();
    this.#reads.poke(false);
    this.#gossip();
    this.#tellView();
    this.#checkDisk();
  }

  #gossip(): void {
    const now = this.#ports.clock.monotonicMs();
    const report = NodeReport.encode(this.#observer.report()).finish();
    const text = report.join();
    const changes = this.#presence.takeChanges();
    const isDue = text !== this.#lastReport || now - this.#lastReportMs >= REPORT_UNCHANGED_MS;
    if (!isDue && changes === undefined) return;
    this.#lastReport = text;
    this.#lastReportMs = now;
    for (const peerId of this.#mesh.peerIds) {
      this.#mesh.queue(peerId, "report", report);
      if (changes !== undefined) {
        this.#mesh.queue(peerId, "presence", PresenceReport.encode(changes).finish());
      }
    }
    this.#flush();
  }

  #tellView(): void {
    const view = this.#observer.view();
    const key = `${view.leaderId} ${view.term} ${view.hasQuorum}`;
    if (key === this.#lastView) return;
    this.#lastView = key;
    for (const listener of this.#viewListeners) listener(view);
  }

  #checkDisk(): void {
    const now = this.#ports.clock.monotonicMs();
    if (now - this.#diskCheckedMs < DISK_CHECK_MS) return;
    this.#diskCheckedMs = now;
    this.#ports.logStore.freeBytes().then(
      (free) => {
        const low = free < this.#config.tuning.diskReserveBytes;
        if (low !== this.#diskLow)
          this.#ports.logger.warn(
            { freeBytes: free },
            low ? "the disk is nearly full: writes are refused" : "the disk has room again",
          );
        this.#diskLow = low;
      },
      (error: unknown) => {
        if (!this.#halted) this.#fatal(error);
      },
    );
  }

  #until(deadlineMs: number, done: () => boolean): Promise<void> {
    const { clock } = this.#ports;
    return new Promise((resolve) => {
      const look = () => {
        if (done() || clock.monotonicMs() >= deadlineMs) resolve();
        else clock.after(5, look);
      };
      look();
    });
  }
}

function roundOf(context: Uint8Array): number {
  return context.length === 8
    ? new DataView(context.buffer, context.byteOffset, 8).getFloat64(0)
    : 0;
}

function forwardAnswer(placed: PlaceResult): Partial<ForwardReply> {
  switch (placed.kind) {
    case "placed":
      return placed.placement;
    case "refused":
      return { error: placed.error.toWire() };
    case "forwarded":
    case "no-leader":
      return { error: new ParleyError("NOT_LEADER", "this node does not lead now").toWire() };
    default:
      return placed satisfies never;
  }
}
