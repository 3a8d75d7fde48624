// Drives the core on asynchronous storage writes (DESIGN section 3): ready → persist and send in
// parallel → apply → answer. Everything here runs on the loop; the disk work is behind the ports.
import type { AppliedBatch } from "@parley/chat";
import {
  type ConfChange,
  type ConfState,
  decodeConfChange,
  type Entry,
  type HardState,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  type Message,
  NO_LIMIT,
  RawNode,
  type ReadState,
  type StateType,
} from "@parley/raft";
import type { NodeTuning } from "../config.ts";
import { type Install, InstallQueue } from "../copies/install-queue.ts";
import type {
  ChatStore,
  ChatStoreState,
  Clock,
  CopyHead,
  Logger,
  LogStore,
  Membership,
  Random,
  Timer,
} from "../ports.ts";
import type { LogCache } from "./log-cache.ts";

const MAX_SIZE_PER_MESSAGE = 512 * 1024;
const MAX_COMMITTED_SIZE = 1024 * 1024;
const MAX_UNCOMMITTED_BYTES = 32 * 1024 * 1024;
const MAX_INFLIGHT_MESSAGES = 256;
const MAX_INFLIGHT_BYTES = 8 * 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

export interface DriverEvents {
  /** To a peer; the driver calls `flush` when a turn's messages are out. */
  send(message: Message): void;
  flush(): void;
  /** Proposes what came in this turn; called before the core is asked what it has ready. */
  propose(): void;
  /** Entries were applied and are visible to reads. */
  onApplied(batch: AppliedBatch): void;
  /** A copy of the chat file has taken its place, and is visible to reads. */
  onInstalled(chat: ChatStoreState): void;
  onReadState(state: ReadState): void;
  /** A configuration change was applied to the core; what it returns is stored with its entry. */
  onConfChange(index: number, change: ConfChange, confState: ConfState): Membership;
  /** This node's leader, its own role or its term is another one now; once for all that changed in a turn. */
  onLeadershipChanged(): void;
  /** Storage failed or an invariant broke: the node must stop, at once and for good. */
  onFatal(error: unknown): void;
}

export interface DriverPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logStore: LogStore;
  /** Undefined while this node has no chat state: it votes and stores entries, and applies nothing. */
  readonly chatStore: Pick<ChatStore, "apply" | "install"> | undefined;
  readonly logger: Logger;
}

/** What the driver has to know of the membership that the core has. */
export interface MembershipInForce {
  /** Configuration changes up to this index are in it. */
  readonly asOf: number;
  isWitness(raftId: number): boolean;
}

export class Driver {
  readonly raft: RawNode;
  readonly #ports: DriverPorts;
  readonly #cache: LogCache;
  readonly #tuning: NodeTuning;
  readonly #events: DriverEvents;
  readonly #membership: MembershipInForce;
  readonly #installs = new InstallQueue();
  #applyQueue: { readonly entries: readonly Entry[]; readonly responses: readonly Message[] }[] =
    [];
  #applying = false;
  #pumpScheduled = false;
  #pumping = false;
  #stopped = false;
  #tickTimer: Timer | undefined;
  #lastTickMs: number;
  #leadership: { readonly lead: number; readonly state: StateType; readonly term: number };
  #appendsPending = 0;
  #oldestAppendMs = 0;
  /** Ticks that were owed at once after a stall; for coverage. */
  stalls = 0;

  constructor(
    raftId: number,
    applied: number,
    cache: LogCache,
    tuning: NodeTuning,
    ports: DriverPorts,
    events: DriverEvents,
    membership: MembershipInForce = { asOf: 0, isWitness: () => false },
  ) {
    this.#membership = membership;
    this.#ports = ports;
    this.#cache = cache;
    this.#tuning = tuning;
    this.#events = events;
    this.raft = new RawNode({
      id: raftId,
      storage: cache,
      applied,
      electionTick: tuning.electionTicks,
      heartbeatTick: tuning.heartbeatTicks,
      random: (bound) => ports.random.int(bound),
      asyncStorageWrites: true,
      maxSizePerMsg: MAX_SIZE_PER_MESSAGE,
      maxCommittedSizePerReady: MAX_COMMITTED_SIZE,
      maxUncommittedEntriesSize: MAX_UNCOMMITTED_BYTES,
      maxInflightMsgs: MAX_INFLIGHT_MESSAGES,
      maxInflightBytes: MAX_INFLIGHT_BYTES,
      checkQuorum: true,
      preVote: true,
      readOnly: "safe",
      // Forwarded proposals can be lost silently; the node forwards requests itself.
      disableProposalForwarding: true,
      stepDownOnRemoval: true,
      isWitness: (id) => membership.isWitness(id),
      dataFloor: cache.dataFloor,
      logger: {
        info: (text) => ports.logger.debug({}, text),
        warn: (text) => ports.logger.warn({ source: "raft" }, text),
      },
    });
    const { lead, state, term } = this.raft;
    this.#leadership = { lead, state, term };
    this.#lastTickMs = ports.clock.monotonicMs();
  }

  start(): void {
    this.#lastTickMs = this.#ports.clock.monotonicMs();
    this.#armTick();
    this.schedulePump();
  }

  stop(): void {
    this.#stopped = true;
    this.#tickTimer?.cancel();
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Where the log must stay for a data node that lacks what follows; infinity without witnesses. */
  get dataFloor(): number {
    const { dataFloor } = this.raft;
    return dataFloor === NO_LIMIT ? Number.POSITIVE_INFINITY : dataFloor;
  }

  /** How long the oldest write that isn't durable yet has been under way, in milliseconds. */
  diskStallMs(): number {
    return this.#appendsPending === 0 ? 0 : this.#ports.clock.monotonicMs() - this.#oldestAppendMs;
  }

  /** Nothing is being written or applied. */
  get isQuiet(): boolean {
    return this.#appendsPending === 0 && !this.#applying && this.#applyQueue.length === 0;
  }

  /**
   * A leader offers a snapshot of what this log has already, because an acknowledgement was lost: the core
   * acknowledges again. False: it is news.
   */
  acknowledgeSnapshot(message: Message): boolean {
    const { snapshot } = message;
    if (snapshot === null) return false;
    const { index, term } = snapshot;
    if (index > this.raft.commit && this.#cache.term(index) !== term) return false;
    this.step(message);
    return true;
  }

  /**
   * Takes in a leader's snapshot, of which the copy `head` has been received and verified. Resolves once it has taken the
   * place of the chat file, or with false at once when the core has no use for it.
   */
  async stepSnapshot(message: Message, head: CopyHead): Promise<boolean> {
    const installed = this.#installs.offer(head);
    this.step(message);
    this.pump();
    return this.#installs.isTaken(head) ? await installed : this.#installs.withdraw(head);
  }

  /** Entries that weren't at hand are now: followers far behind get them at once. */
  entriesLoaded(): void {
    this.guard(() => this.raft.retryAppends());
    this.schedulePump();
  }

  /** Takes in a peer's message. Ticks that are owed come first: a lease may have run out meanwhile. */
  step(message: Message): void {
    if (this.#stopped) return;
    this.guard(() => {
      this.catchUpTicks();
      const result = this.raft.step(message);
      if (!result.ok) this.#ports.logger.debug({ type: message.type }, result.detail);
    });
    this.schedulePump();
  }

  /** Runs `action` on the core; whatever it throws stops the node. */
  guard(action: () => void): void {
    if (this.#stopped) return;
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Does the work that the core has ready, once for everything that arrives in this turn. */
  schedulePump(): void {
    if (this.#pumpScheduled || this.#stopped) return;
    this.#pumpScheduled = true;
    this.#ports.clock.after(0, () => {
      this.#pumpScheduled = false;
      this.pump();
    });
  }

  pump(): void {
    // Handing out applied entries may propose; the loop below takes that in.
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    this.guard(() => {
      do {
        this.#events.propose();
        while (this.raft.hasReady() && !this.#stopped) this.#handleReady();
        this.#noteLeadership();
      } while (this.raft.hasReady() && !this.#stopped);
      this.#events.flush();
    });
    this.#pumping = false;
  }

  /** Ticks by elapsed time (DESIGN section 5), so that a loop that stalled gives leadership up. */
  catchUpTicks(): void {
    const elapsed = this.#ports.clock.monotonicMs() - this.#lastTickMs;
    const owed = Math.floor(elapsed / this.#tuning.tickMs);
    if (owed <= 0) return;
    this.#lastTickMs += owed * this.#tuning.tickMs;
    // Three election timeouts change everything that time can change.
    const ticks = Math.min(owed, 3 * this.#tuning.electionTicks);
    if (ticks >= this.#tuning.electionTicks) this.stalls += 1;
    for (let i = 0; i < ticks; i += 1) this.raft.tick();
  }

  #armTick(): void {
    this.#tickTimer = this.#ports.clock.after(this.#tuning.tickMs, () => {
      if (this.#stopped) return;
      this.guard(() => this.catchUpTicks());
      this.pump();
      this.#armTick();
    });
  }

  #noteLeadership(): void {
    const { lead, state, term } = this.raft;
    const known = this.#leadership;
    if (lead === known.lead && state === known.state && term === known.term) return;
    this.#leadership = { lead, state, term };
    this.#events.onLeadershipChanged();
  }

  #handleReady(): void {
    const ready = this.raft.ready();
    for (const state of ready.readStates) this.#events.onReadState(state);
    for (const message of ready.messages) {
      if (message.to === LOCAL_APPEND_THREAD) this.#append(message);
      else if (message.to === LOCAL_APPLY_THREAD) {
        const { entries, responses } = message;
        this.#applyQueue.push({ entries, responses });
        this.#applyNext();
      } else this.#events.send(message);
    }
  }

  #append(message: Message): void {
    // The log store gets everything in the core's order, and an install waits for what is being applied.
    if (this.#installs.hold(message)) return;
    if (message.snapshot !== null) {
      this.#installs.take(message, message.snapshot);
      this.#applyNext();
      return;
    }
    const hardState = hardStateOf(message);
    if (this.#appendsPending === 0) this.#oldestAppendMs = this.#ports.clock.monotonicMs();
    this.#appendsPending += 1;
    this.#ports.logStore.append({ hardState, entries: message.entries }).then(
      () => {
        this.#appendsPending -= 1;
        this.#oldestAppendMs = this.#ports.clock.monotonicMs();
        if (this.#stopped) return;
        this.guard(() => {
          this.catchUpTicks();
          this.#cache.append(message.entries);
          this.#deliver(message.responses);
        });
        this.schedulePump();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** All entries at hand go to the chat store in order; a configuration change ends its batch. */
  #applyNext(): void {
    if (this.#applying || this.#stopped) return;
    if (this.#installs.next !== undefined) {
      this.#installNext(this.#installs.next);
      return;
    }
    if (this.#applyQueue.length === 0) return;
    this.#applying = true;
    // As much as the core lets be under way at once: that bounds it.
    const jobs = this.#applyQueue;
    this.#applyQueue = [];
    this.#apply(jobs.flatMap((job) => job.entries)).then(
      () => this.#chatWorkDone(jobs.flatMap((job) => job.responses)),
      (error: unknown) => this.#fail(error),
    );
  }

  /** What stood before the copy in the queue is in it. */
  #installNext({ message, head }: Install): void {
    this.#applying = true;
    const stale = this.#applyQueue;
    this.#applyQueue = [];
    this.#install(message, head).then(
      () => {
        const responses = [...stale.flatMap((job) => job.responses), ...message.responses];
        this.#chatWorkDone(responses, this.#installs.finish(head));
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** `held`: writes of the core that had to wait. */
  #chatWorkDone(responses: readonly Message[], held: readonly Message[] = []): void {
    this.#applying = false;
    if (this.#stopped) return;
    this.guard(() => {
      this.#deliver(responses);
      this.#cache.trim(this.raft.applied);
      for (const message of held) this.#append(message);
    });
    this.#applyNext();
    this.schedulePump();
  }

  /** The copy takes the place of the chat file and of the log, in one transaction of the log store. */
  async #install(message: Message, head: CopyHead): Promise<void> {
    const { chatStore, logger } = this.#ports;
    if (chatStore === undefined) throw new Error("nothing to install a copy into");
    const installed = await chatStore.install(head, hardStateOf(message));
    if (this.#stopped) return;
    this.#cache.reset(installed.log);
    logger.info({ index: head.index, bytes: head.bytes }, "a copy of the chat file was installed");
    this.#events.onInstalled(installed.chat);
  }

  async #apply(entries: readonly Entry[]): Promise<void> {
    const { chatStore } = this.#ports;
    if (chatStore === undefined) return;
    let from = 0;
    // The core has gone on to the membership of a snapshot that waits: nothing from before it may change that.
    while (from < entries.length && this.#installs.next === undefined) {
      let to = from;
      while (to < entries.length && entries[to]?.type === "EntryNormal") to += 1;
      const isChange = to < entries.length;
      if (isChange) to += 1;
      const part = entries.slice(from, to);
      const confState = isChange ? this.#applyConfChange(part.at(-1)) : undefined;
      const batch = await chatStore.apply({
        entries: part.map((entry) => ({
          index: entry.index,
          term: entry.term,
          command: entry.type === "EntryNormal" ? entry.data : NO_BYTES,
        })),
        confState,
      });
      if (this.#stopped) return;
      this.#events.onApplied(batch);
      from = to;
    }
  }

  #applyConfChange(entry: Entry | undefined): Membership | undefined {
    if (entry === undefined) return undefined;
    const decoded = decodeConfChange(entry.data);
    // What can't be decoded was never proposed by a correct leader; it changes nothing anywhere.
    if (!decoded.ok) return undefined;
    // A witness's membership may be newer than its log.
    if (entry.index <= this.#membership.asOf) return undefined;
    const confState = this.raft.applyConfChange(decoded.change);
    return this.#events.onConfChange(entry.index, decoded.change, confState);
  }

  #deliver(responses: readonly Message[]): void {
    for (const response of responses) {
      if (response.to === this.raft.id) this.raft.step(response);
      else this.#events.send(response);
    }
  }

  #fail(error: unknown): void {
    if (this.#stopped) return;
    this.stop();
    this.#events.onFatal(error);
  }
}

/** Undefined = unchanged. */
function hardStateOf({ term, vote, commit }: Message): HardState | undefined {
  return term === 0 && vote === 0 && commit === 0 ? undefined : { term, vote, commit };
}
