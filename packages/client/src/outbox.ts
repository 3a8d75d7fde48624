// Messages on their way: first into the outbox, then to a node, in order within each room, several at
// a time, until they are committed (P1, P2, P3; "One send, end to end" of the design).
//
// Each send names the one before it in its room that is still unanswered (`after_client_message_id`),
// so that it is refused rather than stored too early. The link is made anew at every transmission
// from what is then ahead in the queue: the successor of a message that failed for good names the one
// before that, and the successor of a committed one needs no link, since its place is taken already.
import { ParleyError } from "@parley/protocol";
import type { Link } from "./connection.ts";
import {
  type Exchange,
  isTransient,
  type Op,
  type Outcome,
  speaksAgainstNode,
} from "./exchange.ts";
import {
  asFailure,
  failureOf,
  newsOf,
  type OutboxNews,
  type OutboxPeers,
  StallWatch,
} from "./outbox-peers.ts";
import type { Clock, OutboxItem, OutboxStore } from "./ports.ts";
import { retryDelayMs } from "./retry.ts";
import { type Entry, RoomQueue } from "./room-queue.ts";
import {
  type CancelOutcome,
  type OutboxBounds,
  type OutboxChange,
  type QueuedSend,
  refusalOf,
  type SendOptions,
  type SendResult,
  sizeOf,
} from "./sends.ts";
import { TIMING } from "./timing.ts";
import { awaitsDeletion, laterOf, Withdrawals, type WithdrawalsOptions } from "./withdrawals.ts";

export interface OutboxOptions {
  readonly store: OutboxStore;
  readonly bounds: OutboxBounds;
  readonly clock: Clock;
  readonly random: { int(bound: number): number };
  readonly exchange: Exchange;
  readonly newId: () => string;
  readonly newRequestId: () => string;
  readonly deleteMessage: WithdrawalsOptions["deleteMessage"];
  readonly soon: (action: () => void) => void;
  /** Who writes; 0 and "" = not known yet. */
  readonly account: () => { readonly clusterId: string; readonly accountId: number };
  readonly token: () => string;
  readonly observe: (revision: number) => void;
  readonly onUnauthenticated: (link: Link, token: string) => void;
  /** The node can't serve, for now: another one may. */
  readonly onNodeUnfit: (link: Link, reason: string) => void;
  readonly onChange: (change: OutboxChange) => void;
  /** Others that share the store; left out: this client alone sends. */
  readonly peers?: OutboxPeers | undefined;
  /** The node in use could commit a send. */
  readonly hasQuorum: () => boolean;
}

/** Sends in flight for each room. */
export const ROOM_WINDOW = 64;
/** Sends in flight in all rooms together; below the session's bound on unanswered requests. */
export const SENDS_IN_FLIGHT_MAX = 1_024;

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #rooms = new Map<number, RoomQueue>();
  readonly #dirty = new Set<number>();
  #pumping = false;
  #open = false;
  readonly #opening = Promise.withResolvers<void>();
  #ready = false;
  /** Of the clients that share the store, this one sends. */
  #leads = false;
  /** Rises whenever that changes, so that a change which took its time does not undo a later one. */
  #turn = 0;
  readonly #stall: StallWatch;
  readonly #withdrawals: Withdrawals;
  #inFlight = 0;
  #bytes = 0;
  #failed = 0;
  #serial = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#clock = options.clock;
    // Nobody may be waiting for it.
    this.#opening.promise.catch(() => {});
    this.#stall = new StallWatch({
      clock: options.clock,
      couldServe: () => this.#couldServe(),
      onStall: () => options.peers?.claim(),
    });
    this.#withdrawals = new Withdrawals({
      clock: options.clock,
      random: options.random,
      newRequestId: options.newRequestId,
      deleteMessage: options.deleteMessage,
      save: async (item) => {
        // Not kept, it is made anew by whoever repeats it: to delete twice is to delete once.
        await options.store.put(item)?.catch(() => {});
      },
      due: () => this.#dueDeletions(),
      onDone: (entry) => {
        this.#drop(entry);
        this.#changed({ kind: "removed", item: entry.item });
      },
      onRefused: (entry, error) => this.#keepFailed(entry, error),
    });
  }

  /** Messages that wait for their commit, or to be deleted after it; failed ones don't. */
  get pending(): number {
    return this.#entries.size - this.#failed;
  }

  /** Every message that is not committed, failed ones too, in the order in which it was written. */
  items(): readonly OutboxItem[] {
    return [...this.#entries.values()].map((entry) => entry.item);
  }

  /** Loads what an earlier process left; it is sent before anything new. */
  async open(): Promise<void> {
    let items: readonly OutboxItem[];
    try {
      items = await this.#options.store.open();
    } catch (cause) {
      this.#opening.reject(cause);
      throw cause;
    }
    this.#load(items);
    this.#open = true;
    this.#opening.resolve();
    const { peers } = this.#options;
    this.#leads = peers === undefined;
    peers?.join({
      onLead: () => void this.#lead(),
      onFollow: () => this.#follow(),
      onNews: (news) => this.#onNews(news),
    });
    this.#watchSender();
    this.#withdrawals.wake();
    this.#pumpAll();
  }

  /** Takes over what the store holds; what is not in it yet comes after that. */
  #load(items: readonly OutboxItem[]): void {
    const known = new Map(this.#entries);
    this.#entries.clear();
    for (const room of this.#rooms.values()) room.timer?.cancel();
    this.#rooms.clear();
    this.#bytes = 0;
    this.#failed = 0;
    for (const item of items) {
      const mine = known.get(item.clientMessageId);
      known.delete(item.clientMessageId);
      const entry = mine ?? this.#newEntry(item);
      entry.lasts = this.#lasts(item);
      // Whether an earlier sender had sent it is not known.
      entry.transmitted = true;
      if (mine?.state !== "storing") {
        entry.state = "ready";
        entry.item = laterOf(entry.item, item);
      }
      this.#insert(entry);
    }
    for (const entry of known.values()) this.#insert(entry);
  }

  #lasts(item: OutboxItem): boolean {
    return this.#options.store.lasts?.(item.clientMessageId) ?? true;
  }

  /** As the last one of its room, unless it has failed or is there already. */
  #insert(entry: Entry): void {
    this.#entries.set(entry.item.clientMessageId, entry);
    this.#bytes += entry.bytes;
    if (awaitsDeletion(entry.item)) entry.state = "deleting";
    else if (entry.item.failure === undefined) this.#append(entry);
    else {
      entry.state = "failed";
      this.#failed += 1;
    }
  }

  /** Signed in on a session (again), or not any more. */
  setReady(ready: boolean): void {
    this.#ready = ready;
    if (!ready) return;
    this.#watchSender();
    this.#recall((entry) => !this.#mine(entry.item));
    this.#withdrawals.wake();
    this.#pumpAll();
  }

  /** Nobody is signed in any more: what is in flight must not be repeated as somebody else. */
  signedOut(): void {
    this.#ready = false;
    this.#withdrawals.stop();
    this.#recall(() => true);
  }

  #recall(which: (entry: Entry) => boolean): void {
    if (this.#inFlight === 0) return;
    for (const entry of this.#entries.values()) {
      if (entry.state === "sent" && which(entry)) this.#land(entry);
    }
  }

  enqueue(roomId: number, body: string, options: SendOptions = {}): QueuedSend {
    const clientMessageId = options.clientMessageId ?? this.#options.newId();
    const item: OutboxItem = {
      clientMessageId,
      ...this.#options.account(),
      roomId,
      body,
      replyToSeq: options.replyToSeq ?? 0,
      threadRootSeq: options.threadRootSeq ?? 0,
      files: options.files,
      queuedAtMs: this.#clock.wallMs(),
    };
    const entry = this.#newEntry(item);
    const refusal = this.#refusal(entry, options.signal);
    if (refusal !== undefined) {
      const rejected = Promise.reject<never>(refusal);
      rejected.catch(() => {});
      return { clientMessageId, stored: rejected, committed: rejected };
    }
    const committed = new Promise<SendResult>((resolve, reject) => {
      const { signal } = options;
      const onAbort = () => this.#abort(entry);
      signal?.addEventListener("abort", onAbort, { once: true });
      entry.settle = (result) => {
        entry.settle = undefined;
        signal?.removeEventListener("abort", onAbort);
        if ("error" in result) reject(result.error);
        else resolve(result.value);
      };
    });
    // Whoever waits only for `stored` learns of a failure through `onOutbox`.
    committed.catch(() => {});
    this.#insert(entry);
    const stored = this.#store(entry);
    stored.catch(() => {});
    return { clientMessageId, stored, committed };
  }

  /** Takes a message back: certain before transmission; after it the message is deleted once it is committed. */
  cancel(clientMessageId: string): CancelOutcome {
    const entry = this.#entries.get(clientMessageId);
    if (entry === undefined) return "unknown";
    if (entry.state === "failed") return "failed";
    if (!this.#decides(entry)) {
      entry.isCancelled = true;
      this.#options.peers?.announce({ kind: "cancel", clientMessageId, onlyUnsent: false });
      return "asked";
    }
    if (this.#cancelUnsent(entry)) return "cancelled";
    this.#withdraw(entry);
    return "withdrawn";
  }

  /** This client sends it, or no other one knows of it while it is being written. */
  #decides(entry: Entry): boolean {
    return this.#leads || (entry.state === "storing" && !entry.transmitted);
  }

  /** Returns whether that was in time. */
  #cancelUnsent(entry: Entry): boolean {
    if (entry.transmitted) return false;
    this.#removed(entry);
    return true;
  }

  #removed(entry: Entry): void {
    this.#drop(entry);
    entry.settle?.({ error: cancelled() });
    this.#changed({ kind: "removed", item: entry.item });
  }

  #withdraw(entry: Entry): void {
    if (entry.item.withdrawal !== undefined) return;
    entry.item = { ...entry.item, withdrawal: { seq: 0, requestId: "" } };
    this.#options.store.put(entry.item)?.catch(() => {});
    this.#changed({ kind: "withdrawn", item: entry.item });
  }

  /** Forgets a failed message, or one that could not be deleted. Returns whether there was one. */
  dismiss(clientMessageId: string): boolean {
    const entry = this.#entries.get(clientMessageId);
    if (entry?.state !== "failed") return false;
    this.#drop(entry);
    this.#changed({ kind: "removed", item: entry.item });
    return true;
  }

  /** Sends a failed message again, at the end of its room's queue; or tries again to delete one that was taken back. */
  async retry(clientMessageId: string): Promise<boolean> {
    const entry = this.#entries.get(clientMessageId);
    if (entry?.state !== "failed") return false;
    const { failure: _, ...item } = entry.item;
    if (item.withdrawal !== undefined) {
      const { seq } = item.withdrawal;
      this.#deleteLater(entry, { ...item, withdrawal: { seq, requestId: "" } });
      this.#changed({ kind: "withdrawn", item: entry.item });
      await this.#options.store.put(entry.item);
      this.#withdrawals.wake();
      return true;
    }
    this.#revive(entry, { ...item, ...this.#options.account() }, "storing");
    await this.#store(entry);
    return true;
  }

  /** The data now comes from another cluster: messages for the old one can never be sent there. */
  clusterChanged(clusterId: string): void {
    const error = new ParleyError("WRONG_CLUSTER", "the message was written for another cluster");
    for (const entry of [...this.#entries.values()]) {
      if (entry.state === "failed") continue;
      if (entry.item.clusterId === "" || entry.item.clusterId === clusterId) continue;
      this.#fail(entry, error);
    }
  }

  async close(): Promise<void> {
    const error = new ParleyError("CANCELLED", "the client was closed; the message stays queued");
    this.#ready = false;
    this.#leads = false;
    this.#turn += 1;
    this.#stall.stop();
    this.#withdrawals.stop();
    this.#options.peers?.leave();
    for (const room of this.#rooms.values()) room.timer?.cancel();
    for (const entry of this.#entries.values()) entry.settle?.({ error });
    await this.#options.store.close();
  }

  // ---- Sharing ---------------------------------------------------------------------------------

  /** This client sends from now on: first of all what the one before it has left. */
  async #lead(): Promise<void> {
    const turn = ++this.#turn;
    this.#stall.stop();
    const known = [...this.#entries.values()].filter(
      ({ state, lasts }) => state !== "storing" && lasts,
    );
    // A store that can't be read takes nothing away from what is known here.
    const stored = await this.#options.store.open().catch(() => undefined);
    if (turn !== this.#turn) return;
    if (stored !== undefined) {
      const items = new Set(stored.map(({ clientMessageId }) => clientMessageId));
      for (const entry of known) {
        if (!items.has(entry.item.clientMessageId)) this.#vanished(entry);
      }
      this.#load(stored);
    }
    this.#leads = true;
    // The one before it may not have heard of it.
    for (const { isCancelled, item } of [...this.#entries.values()]) {
      if (isCancelled) this.cancel(item.clientMessageId);
    }
    this.#withdrawals.wake();
    this.#pumpAll();
  }

  /** Another client sends now; what is in flight here will be repeated by it. */
  #follow(): void {
    this.#turn += 1;
    this.#leads = false;
    this.#withdrawals.stop();
    this.#recall(() => true);
    this.#watchSender();
  }

  /** The sender before this one took it out of the store, and its news of that did not arrive. */
  #vanished(entry: Entry): void {
    // News of it may have come while the store was read.
    if (this.#entries.get(entry.item.clientMessageId) !== entry) return;
    this.#forget(entry);
    const message = "another tab has sent or removed the message and did not say which";
    entry.settle?.({ error: new ParleyError("OUTCOME_UNKNOWN", message) });
    this.#options.onChange({ kind: "removed", item: entry.item });
  }

  #couldServe(): boolean {
    return !this.#leads && this.#ready && this.pending > 0 && this.#options.hasQuorum();
  }

  #watchSender(): void {
    if (this.#open && !this.#leads && this.#ready && this.pending > 0) this.#stall.watch();
  }

  #onNews(news: OutboxNews): void {
    if (news.kind === "cancel") {
      if (this.#leads) this.#cancelFor(news.clientMessageId, news.onlyUnsent);
      return;
    }
    const { item } = news;
    const entry = this.#entries.get(item.clientMessageId);
    switch (news.kind) {
      case "queued":
        if (entry?.state === "failed") this.#revive(entry, item, "ready");
        else if (entry === undefined) {
          const added = this.#newEntry(item);
          added.state = "ready";
          added.lasts = news.lasts;
          this.#insert(added);
        } else return;
        this.#options.onChange({ kind: "queued", item });
        this.#pumpSoon(item.roomId);
        this.#watchSender();
        return;
      case "committed":
        this.#options.observe(news.result.message.revision);
        if (entry !== undefined && awaitsDeletion(item)) this.#deleteLater(entry, item);
        else if (entry !== undefined) this.#forget(entry);
        entry?.settle?.({ value: news.result });
        this.#options.onChange(news);
        break;
      case "withdrawn":
        if (entry === undefined) return;
        if (awaitsDeletion(item)) this.#deleteLater(entry, item);
        else entry.item = item;
        this.#options.onChange(news);
        this.#withdrawals.wake();
        break;
      case "failed": {
        if (entry === undefined || entry.state === "failed") return;
        const error = failureOf(item);
        this.#markFailed(entry, item);
        entry.settle?.({ error });
        this.#options.onChange({ kind: "failed", item, error });
        break;
      }
      case "removed":
        if (entry === undefined) return;
        this.#forget(entry);
        entry.settle?.({ error: cancelled() });
        this.#options.onChange(news);
        break;
    }
    if (!this.#leads) {
      this.#stall.stop();
      this.#watchSender();
    }
  }

  /** As another client asks. */
  #cancelFor(clientMessageId: string, onlyUnsent: boolean): void {
    const entry = this.#entries.get(clientMessageId);
    if (entry === undefined || entry.state === "failed") return;
    if (!this.#cancelUnsent(entry) && !onlyUnsent) this.#withdraw(entry);
  }

  #changed(change: OutboxChange): void {
    const lasts = this.#entries.get(change.item.clientMessageId)?.lasts ?? true;
    this.#options.peers?.announce(newsOf(change, lasts));
    this.#options.onChange(change);
  }

  // ---- Queueing --------------------------------------------------------------------------------

  #newEntry(item: OutboxItem): Entry {
    const entry: Entry = {
      item,
      bytes: sizeOf(item.body),
      state: "storing",
      lasts: false,
      transmitted: false,
      isCancelled: false,
      exchangeId: 0,
      attempts: 0,
      notBeforeMs: 0,
      sentSerial: 0,
      refusedSerial: 0,
      token: "",
      previous: undefined,
      next: undefined,
      settle: undefined,
      build: () => this.#build(entry),
      answer: (outcome, link) => this.#answer(entry, outcome, link),
    };
    return entry;
  }

  #refusal(entry: Entry, signal: AbortSignal | undefined): ParleyError | undefined {
    if (signal?.aborted === true) return cancelled();
    if (this.#entries.has(entry.item.clientMessageId)) {
      return new ParleyError("ID_REUSED", "a message with this id is in the outbox already");
    }
    const load = { items: this.#entries.size, bytes: this.#bytes };
    return refusalOf(entry.item, load, this.#options.bounds);
  }

  async #store(entry: Entry): Promise<void> {
    try {
      if (!this.#open) await this.#opening.promise;
      // Cancelled before it could be written.
      if (this.#entries.get(entry.item.clientMessageId) !== entry) return;
      const writing = this.#options.store.put(entry.item);
      // A store that is done at once costs no turn.
      if (writing !== undefined) await writing;
    } catch (cause) {
      const { reason, message } = ParleyError.from(cause);
      const error = new ParleyError(reason, `the outbox can't be written: ${message}`);
      if (this.#entries.get(entry.item.clientMessageId) === entry) {
        this.#drop(entry);
        entry.settle?.({ error });
      }
      throw error;
    }
    // It may have been cancelled meanwhile.
    if (entry.state !== "storing" || !this.#entries.has(entry.item.clientMessageId)) return;
    entry.state = "ready";
    entry.lasts = this.#lasts(entry.item);
    this.#changed({ kind: "queued", item: entry.item });
    if (entry.isCancelled) this.cancel(entry.item.clientMessageId);
    this.#pumpSoon(entry.item.roomId);
    this.#watchSender();
  }

  #append(entry: Entry): void {
    let room = this.#rooms.get(entry.item.roomId);
    if (room === undefined) {
      room = new RoomQueue();
      this.#rooms.set(entry.item.roomId, room);
    }
    room.append(entry);
  }

  /** Takes it out of its room's queue, out of flight, but leaves it in the outbox. */
  #unlink(entry: Entry): void {
    this.#land(entry);
    const room = this.#rooms.get(entry.item.roomId);
    if (room?.remove(entry) !== true) return;
    if (room.head === undefined) {
      room.timer?.cancel();
      this.#rooms.delete(entry.item.roomId);
    } else this.#pumpSoon(entry.item.roomId);
  }

  #land(entry: Entry): void {
    if (entry.state !== "sent") return;
    entry.state = "ready";
    this.#inFlight -= 1;
    this.#options.exchange.withdraw(entry.exchangeId);
  }

  #drop(entry: Entry): void {
    this.#forget(entry);
    this.#options.store.remove(entry.item.clientMessageId);
  }

  #forget(entry: Entry): void {
    if (entry.state === "failed") this.#failed -= 1;
    this.#unlink(entry);
    this.#entries.delete(entry.item.clientMessageId);
    this.#bytes -= entry.bytes;
  }

  #markFailed(entry: Entry, item: OutboxItem): void {
    this.#unlink(entry);
    entry.state = "failed";
    entry.item = item;
    this.#failed += 1;
  }

  /** It is there already, and will be deleted. */
  #deleteLater(entry: Entry, item: OutboxItem): void {
    if (entry.state === "failed") this.#failed -= 1;
    this.#unlink(entry);
    entry.item = item;
    entry.attempts = 0;
    entry.state = "deleting";
  }

  #dueDeletions(): readonly Entry[] {
    if (!this.#leads || !this.#ready || !this.#open) return [];
    const { clusterId } = this.#options.account();
    return [...this.#entries.values()].filter(
      ({ state, item }) =>
        state === "deleting" && this.#mine(item) && ["", clusterId].includes(item.clusterId),
    );
  }

  /** A failed message goes to the end of its room's queue again. */
  #revive(entry: Entry, item: OutboxItem, state: "storing" | "ready"): void {
    this.#failed -= 1;
    entry.item = item;
    entry.attempts = 0;
    entry.notBeforeMs = 0;
    entry.state = state;
    this.#append(entry);
  }

  #abort(entry: Entry): void {
    const { clientMessageId } = entry.item;
    if (!this.#decides(entry))
      this.#options.peers?.announce({ kind: "cancel", clientMessageId, onlyUnsent: true });
    else if (this.#cancelUnsent(entry)) return;
    const message = "the waiting was given up; the message may still be delivered";
    entry.settle?.({ error: new ParleyError("CANCELLED", message) });
  }

  // ---- Sending ---------------------------------------------------------------------------------

  #pumpAll(): void {
    for (const roomId of this.#rooms.keys()) this.#dirty.add(roomId);
    this.#schedulePump();
  }

  #pumpSoon(roomId: number): void {
    this.#dirty.add(roomId);
    this.#schedulePump();
  }

  #schedulePump(): void {
    const mayPump = this.#leads && this.#ready && this.#open;
    if (this.#pumping || !mayPump || this.#dirty.size === 0) return;
    this.#pumping = true;
    this.#options.soon(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (!this.#ready || !this.#leads) return;
    for (const roomId of [...this.#dirty]) {
      if (this.#inFlight >= SENDS_IN_FLIGHT_MAX) return;
      this.#dirty.delete(roomId);
      const room = this.#rooms.get(roomId);
      if (room !== undefined) this.#pumpRoom(roomId, room);
    }
  }

  /** Sends what may go, in order; stops at the first that may not, since nothing may overtake it. */
  #pumpRoom(roomId: number, room: RoomQueue): void {
    const nowMs = this.#clock.monotonicMs();
    let inFlight = 0;
    for (let entry = room.head; entry !== undefined; entry = entry.next) {
      if (entry.state !== "sent") {
        if (!this.#mine(entry.item)) continue;
        if (entry.state !== "ready") return;
        if (entry.notBeforeMs > nowMs) {
          this.#wake(roomId, room, entry.notBeforeMs - nowMs);
          return;
        }
        if (this.#awaitsPredecessor(entry)) return;
        if (this.#inFlight >= SENDS_IN_FLIGHT_MAX) {
          this.#dirty.add(roomId);
          return;
        }
        entry.state = "sent";
        this.#inFlight += 1;
        entry.exchangeId = this.#options.exchange.submit(entry);
        entry.sentSerial = ++this.#serial;
      }
      inFlight += 1;
      if (inFlight >= ROOM_WINDOW) return;
    }
  }

  /** A message waits for the account that wrote it; one from before sign-in is the first one's. */
  #mine(item: OutboxItem): boolean {
    return item.accountId === 0 || item.accountId === this.#options.account().accountId;
  }

  /** The same author's nearest message ahead in the room that is not known to be committed. */
  #predecessor(entry: Entry): Entry | undefined {
    let ahead = entry.previous;
    while (ahead !== undefined && !this.#mine(ahead.item)) ahead = ahead.previous;
    return ahead;
  }

  /** Refused for want of a predecessor that has been in flight since before: wait for its answer. */
  #awaitsPredecessor(entry: Entry): boolean {
    const previous = this.#predecessor(entry);
    if (entry.refusedSerial === 0 || previous === undefined) return false;
    return previous.state === "sent" && previous.sentSerial <= entry.refusedSerial;
  }

  #wake(roomId: number, room: RoomQueue, delayMs: number): void {
    room.timer?.cancel();
    room.timer = this.#clock.after(delayMs, () => {
      room.timer = undefined;
      this.#pumpSoon(roomId);
    });
  }

  #build(entry: Entry): { op: Op; timeoutMs: number } {
    entry.transmitted = true;
    entry.token = this.#options.token();
    const { clientMessageId, roomId, body, replyToSeq, threadRootSeq = 0, files = [] } = entry.item;
    const afterClientMessageId = this.#predecessor(entry)?.item.clientMessageId ?? "";
    const value = {
      roomId,
      body,
      clientMessageId,
      replyToSeq,
      threadRootSeq,
      afterClientMessageId,
      clientFileIds: files.map(({ clientFileId }) => clientFileId),
    };
    return { op: { $case: "send", value }, timeoutMs: TIMING.attemptMs };
  }

  #answer(entry: Entry, outcome: Outcome, link: Link): void {
    this.#land(entry);
    if (outcome.kind === "error") {
      this.#refused(entry, outcome.error, link);
      return;
    }
    const { result } = outcome;
    if (result.$case !== "send" || result.value.message === undefined) {
      this.#fail(entry, new ParleyError("INTERNAL", "the node sent a foreign answer"));
      return;
    }
    const sent: SendResult = { message: result.value.message, replicas: result.value.replicas };
    this.#options.observe(sent.message.revision);
    if (entry.item.withdrawal === undefined) this.#drop(entry);
    else {
      const withdrawal = { seq: sent.message.seq, requestId: "" };
      this.#deleteLater(entry, { ...entry.item, withdrawal });
      // Not yet kept after a crash, it is sent again, answered with the same number, and deleted then.
      this.#options.store.put(entry.item)?.catch(() => {});
    }
    entry.settle?.({ value: sent });
    this.#changed({ kind: "committed", item: entry.item, result: sent });
    this.#withdrawals.wake();
    if (this.#dirty.size > 0) this.#schedulePump();
  }

  #refused(entry: Entry, error: ParleyError, link: Link): void {
    if (error.reason === "UNAUTHENTICATED") {
      // It stays where it is until somebody is signed in.
      this.#options.onUnauthenticated(link, entry.token);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (error.reason === "PREDECESSOR_MISSING") {
      entry.refusedSerial = this.#serial;
      // The first refusal is followed at once by the predecessor's own answer; only if it goes on
      // is something else wrong.
      if (entry.attempts > 0) {
        entry.notBeforeMs = nowMs + retryDelayMs(error, entry.attempts, this.#options.random);
      }
      entry.attempts += 1;
      this.#pumpSoon(entry.item.roomId);
      return;
    }
    if (!isTransient(error)) {
      this.#fail(entry, error);
      return;
    }
    entry.notBeforeMs = nowMs + retryDelayMs(error, entry.attempts, this.#options.random);
    entry.attempts += 1;
    this.#pumpSoon(entry.item.roomId);
    if (speaksAgainstNode(error)) this.#options.onNodeUnfit(link, error.reason);
  }

  /** It can never succeed: it is kept for its author to see, and blocks nothing else. */
  #fail(entry: Entry, error: ParleyError): void {
    // Its author took it back.
    if (entry.item.withdrawal !== undefined) this.#removed(entry);
    else this.#keepFailed(entry, error);
  }

  #keepFailed(entry: Entry, error: ParleyError): void {
    this.#markFailed(entry, { ...entry.item, failure: asFailure(error) });
    // Not yet marked on disk after a crash, it is sent again and fails again.
    this.#options.store.put(entry.item)?.catch(() => {});
    entry.settle?.({ error });
    this.#changed({ kind: "failed", item: entry.item, error });
  }
}

function cancelled(): ParleyError {
  return new ParleyError("CANCELLED", "the message was cancelled");
}
