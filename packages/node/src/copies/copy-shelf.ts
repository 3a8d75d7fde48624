// The copies of the chat file that this node has at hand for others: made on demand, shared by all who
// need one, bounded in number, and removed when nobody uses them any more.
import type { ConfState, Snapshot, Unavailable } from "@parley/raft";
import type { NodeTuning } from "../config.ts";
import { uuidV4 } from "../ids.ts";
import { holdsAll } from "../membership/membership.ts";
import type { ChatStore, Clock, Logger, LogStore, Random } from "../ports.ts";
import { type ChatFileDamaged, type CopyHead, isChatFileDamaged } from "./copy-ports.ts";

/** Copies on disk at once; one more is not made before one of them has gone (P11). */
const COPIES_MAX = 3;
/** After a failure (a full disk, mostly) none is made for this long. */
const PAUSE_MS = 5_000;
/** A copy older than this is not begun to be sent: what came since would have to follow it anyway. */
const FRESH_MS_MAX = 10 * 60_000;

interface ShelvedCopy {
  readonly head: CopyHead;
  readonly madeMs: number;
  usedMs: number;
  /** Transfers that read it now. */
  readers: number;
}

export interface CopyShelfPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logStore: LogStore;
  readonly chatStore: ChatStore;
  readonly logger: Logger;
}

export interface CopyUsage {
  readonly count: number;
  readonly bytes: number;
  /** Of the oldest one; 0 = there is none. */
  readonly ageMs: number;
}

/** Where the log begins, how far it is applied, and who is a member as of that. */
export interface LogEnds {
  readonly compactedIndex: number;
  readonly applied: number;
  readonly membership: ConfState;
}

export interface CopyShelfEvents {
  /** A copy that was "unavailable" is at hand. */
  onReady(): void;
  /** No copy can be made of this node's chat file. */
  onDamaged(error: ChatFileDamaged): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class CopyShelf {
  readonly #ports: CopyShelfPorts;
  readonly #tuning: NodeTuning;
  readonly #log: LogEnds;
  readonly #events: CopyShelfEvents;
  #copies: ShelvedCopy[] = [];
  #making: Promise<CopyHead> | undefined;
  /** The log must continue what is being made. */
  #makingFrom = Number.POSITIVE_INFINITY;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  /** For metrics and coverage. */
  made = 0;

  constructor(ports: CopyShelfPorts, tuning: NodeTuning, log: LogEnds, events: CopyShelfEvents) {
    this.#ports = ports;
    this.#tuning = tuning;
    this.#log = log;
    this.#events = events;
  }

  get usage(): CopyUsage {
    const now = this.#ports.clock.monotonicMs();
    let bytes = 0;
    for (const { head } of this.#copies) bytes += head.bytes;
    const oldest = this.#copies[0];
    const ageMs = oldest === undefined ? 0 : Math.round(now - oldest.madeMs);
    return { count: this.#copies.length, bytes, ageMs };
  }

  /** For the core: the newest copy that the log continues, or "unavailable" while one is being made. */
  snapshot(): Snapshot | Unavailable {
    const copy = this.#usable();
    if (copy === undefined) {
      if (this.#making === undefined && !this.#isPaused) {
        this.#make().then(this.#events.onReady, () => {});
      }
      return "unavailable";
    }
    const { copyId, index, term, confState } = copy.head;
    return { index, term, confState, data: encoder.encode(copyId) };
  }

  /** The head of the copy that the core was given as this snapshot, if it is still here. */
  headOf(snapshot: Snapshot): CopyHead | undefined {
    const copyId = decoder.decode(snapshot.data);
    return this.#copies.find(({ head }) => head.copyId === copyId)?.head;
  }

  /** A copy as of `minIndex` at least, for a peer or an operator who asked for it. Rejects with why there is none. */
  async take(minIndex: number): Promise<CopyHead> {
    const copy = this.#usable();
    if (copy !== undefined && copy.head.index >= minIndex) return copy.head;
    if (this.#making !== undefined) await this.#making.catch(() => {});
    const next = this.#usable();
    return next !== undefined && next.head.index >= minIndex ? next.head : await this.#make();
  }

  /** It is being read: it stays, and so does the log behind it. */
  hold(head: CopyHead): void {
    const copy = this.#copies.find((one) => one.head === head);
    if (copy !== undefined) copy.readers += 1;
  }

  release(head: CopyHead): void {
    const copy = this.#copies.find((one) => one.head === head);
    if (copy === undefined) return;
    copy.readers -= 1;
    copy.usedMs = this.#ports.clock.monotonicMs();
  }

  /** It was found to be damaged: nobody gets it any more. */
  drop(head: CopyHead): void {
    this.#remove(({ head: one }) => one === head);
  }

  /** The lowest entry that whoever gets one of these copies needs after it; infinity = nobody gets any. */
  get neededFrom(): number {
    let lowest = this.#makingFrom;
    for (const { head, readers, usedMs } of this.#copies) {
      // Whoever has just got it has not caught up yet.
      const isAwaited =
        readers > 0 || this.#ports.clock.monotonicMs() - usedMs < this.#tuning.copyIdleMs;
      if (isAwaited) lowest = Math.min(lowest, head.index + 1);
    }
    return lowest;
  }

  /** What the largest copy takes. */
  get largestBytes(): number {
    return Math.max(0, ...this.#copies.map(({ head }) => head.bytes));
  }

  /** To be called now and then. */
  tidy(): void {
    const now = this.#ports.clock.monotonicMs();
    const { copyIdleMs } = this.#tuning;
    this.#remove(({ readers, usedMs }) => readers === 0 && now - usedMs >= copyIdleMs);
  }

  get #isPaused(): boolean {
    return this.#ports.clock.monotonicMs() < this.#pausedUntilMs;
  }

  #usable(): ShelvedCopy | undefined {
    const now = this.#ports.clock.monotonicMs();
    const newest = this.#copies.at(-1);
    if (newest === undefined || now - newest.madeMs > FRESH_MS_MAX) return undefined;
    const { compactedIndex, membership } = this.#log;
    // Whoever was added since would not take it: a member finds itself in the membership that it brings.
    const { index, confState } = newest.head;
    return index >= compactedIndex && holdsAll(confState, membership) ? newest : undefined;
  }

  #make(): Promise<CopyHead> {
    this.#making ??= this.#makeNow().finally(() => {
      this.#making = undefined;
      this.#makingFrom = Number.POSITIVE_INFINITY;
    });
    return this.#making;
  }

  async #makeNow(): Promise<CopyHead> {
    const { clock, random, chatStore, logger } = this.#ports;
    const startedMs = clock.monotonicMs();
    this.#makingFrom = this.#log.applied + 1;
    try {
      if (this.#copies.length >= COPIES_MAX) this.#remove(({ readers }) => readers === 0);
      if (this.#copies.length >= COPIES_MAX) throw new Error("too many copies are in use");
      await this.#checkRoom();
      const head = await chatStore.copies.make(uuidV4(random));
      const madeMs = clock.monotonicMs();
      this.#copies.push({ head, madeMs, usedMs: madeMs, readers: 0 });
      this.made += 1;
      const { index, bytes } = head;
      logger.info({ index, bytes, ms: Math.round(madeMs - startedMs) }, "a copy was made");
      return head;
    } catch (error) {
      this.#pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
      const detail = error instanceof Error ? error.message : String(error);
      logger.error({ detail }, "making a copy of the chat file failed; it will be tried again");
      if (isChatFileDamaged(error)) this.#events.onDamaged(error);
      throw error;
    }
  }

  /** The disk's reserve is for the log. */
  async #checkRoom(): Promise<void> {
    const { logStore, chatStore } = this.#ports;
    const [free, bytes] = await Promise.all([logStore.freeBytes(), chatStore.sizeBytes()]);
    if (free - bytes >= this.#tuning.diskReserveBytes) return;
    throw new Error(`a copy takes up to ${bytes} bytes, but the disk has only ${free} left`);
  }

  #remove(which: (copy: ShelvedCopy) => boolean): void {
    const gone = this.#copies.filter(which);
    if (gone.length === 0) return;
    this.#copies = this.#copies.filter((copy) => !gone.includes(copy));
    for (const { head } of gone) {
      this.#ports.chatStore.copies.remove(head.copyId).catch((error: unknown) => {
        this.#ports.logger.warn({ error }, "removing a copy failed; the next start removes it");
      });
    }
  }
}
