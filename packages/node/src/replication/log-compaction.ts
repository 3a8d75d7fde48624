// Keeps the log short: entries that are durably applied go once the log is long or large, but a tail
// stays for followers that are a little behind (DESIGN section 5, "Truncation"). With witnesses everything stays that a
// data node may still need (section 7).
import type { NodeTuning } from "../config.ts";
import type { ChatStore, Clock, Logger, LogStore } from "../ports.ts";
import type { LogCache } from "./log-cache.ts";

/** How often the size on disk is asked for, and how soon an attempt that forgot nothing is repeated. */
const LOOK_MS = 1_000;
/** The tail may take this share of the log's bound in bytes. */
const TAIL_SHARE = 4;
/**
 * For a follower that is on its way the log is kept up to so many times its bound in bytes, or as large as a copy
 * of the chat file, which would have to be sent instead.
 */
const PATIENCE = 4;

export interface CompactionPorts {
  readonly clock: Clock;
  readonly logStore: LogStore;
  readonly chatStore: ChatStore;
  readonly logger: Logger;
}

export type FollowersNeed = () => {
  /** The lowest entry that somebody on its way still needs; infinity = nobody. */
  readonly neededFrom: number;
  /** What a copy takes; 0 = there is none to compare with. */
  readonly copyBytes: number;
  /** With witnesses: no entry above it may go, whatever that costs (see `witness.ts` of the core). Infinity without. */
  readonly dataFloor: number;
};

export class LogCompaction {
  readonly #cache: LogCache;
  readonly #tuning: NodeTuning;
  readonly #ports: CompactionPorts;
  readonly #followers: FollowersNeed;
  readonly #onFailed: (error: unknown) => void;
  #sizeBytes = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #idleUntilMs = Number.NEGATIVE_INFINITY;
  #isUnderWay = false;
  /** How often entries were forgotten. */
  truncations = 0;

  constructor(
    cache: LogCache,
    tuning: NodeTuning,
    ports: CompactionPorts,
    followers: FollowersNeed,
    onFailed: (error: unknown) => void,
  ) {
    this.#cache = cache;
    this.#tuning = tuning;
    this.#ports = ports;
    this.#followers = followers;
    this.#onFailed = onFailed;
  }

  /** Bytes that the log takes on disk, as of the last look. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * The log is as long as it may be, and is kept for a data node that is away: nothing may be added to it until that one has
   * come back or is removed.
   */
  get isFull(): boolean {
    const { witnessLogBytesMax } = this.#tuning;
    return this.#sizeBytes > witnessLogBytesMax && Number.isFinite(this.#followers().dataFloor);
  }

  /** To be called now and then. */
  check(applied: number): void {
    const now = this.#ports.clock.monotonicMs();
    if (now - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = now;
      this.#ports.logStore.sizeBytes().then((bytes) => {
        this.#sizeBytes = bytes;
      }, this.#onFailed);
    }
    if (this.#isUnderWay || now < this.#idleUntilMs) return;
    const target = this.#target(applied);
    if (target <= this.#cache.compactedIndex) return;
    this.#isUnderWay = true;
    this.#compact(target).then(
      (hasForgotten) => {
        this.#isUnderWay = false;
        this.#idleUntilMs = hasForgotten ? now : now + LOOK_MS;
      },
      (error: unknown) => this.#onFailed(error),
    );
  }

  async #compact(target: number): Promise<boolean> {
    const { chatStore, logger } = this.#ports;
    const from = this.#cache.compactedIndex;
    let durable = chatStore.durableApplied;
    if (durable < target) durable = await chatStore.checkpoint();
    const index = Math.min(target, durable);
    const { dataFloor } = this.#followers();
    const floor = Number.isFinite(dataFloor) ? dataFloor : 0;
    if (index <= from || !(await this.#cache.compact(index, floor))) return false;
    this.truncations += 1;
    logger.info({ from, to: this.#cache.compactedIndex }, "the log was compacted");
    return true;
  }

  /** Up to where the log may go now; 0 = it is short enough. */
  #target(applied: number): number {
    const { logEntriesMax, logBytesMax, logTailEntries } = this.#tuning;
    const { compactedIndex, damagedIndex } = this.#cache;
    const entries = this.#cache.lastIndex() - compactedIndex;
    const fill = Math.max(entries / logEntriesMax, this.#sizeBytes / logBytesMax);
    // Without what is damaged: followers then get a copy instead of it. Also above the data floor, where nothing else may go: whoever
    // needs an entry below the damaged one needs that one too, so for nobody is anything lost with them (docs/witnesses.md, rule 1).
    const damaged = damagedIndex > compactedIndex ? damagedIndex : 0;
    if (fill <= 1) return damaged;
    const entryBytes = Math.max(1, this.#sizeBytes / Math.max(1, entries));
    const tail = Math.min(logTailEntries, Math.floor(logBytesMax / TAIL_SHARE / entryBytes));
    const target = Math.min(applied, this.#cache.lastIndex() - tail);
    const { neededFrom, copyBytes, dataFloor } = this.#followers();
    const isPatient = this.#sizeBytes <= Math.max(PATIENCE * logBytesMax, copyBytes);
    const kept = Math.min(isPatient ? Math.min(target, neededFrom - 1) : target, dataFloor);
    return Math.max(kept, damaged);
  }
}
