/**
 * A run of consecutive entries, held in memory: what both the unstable tail and `MemoryStorage` are
 * made of.
 *
 * Appending, dropping a prefix and dropping a suffix are amortised O(1) for each entry: a dropped prefix only
 * moves `#head`, and the array is moved down once more than half of it is dead.
 */
import { entrySize, makeEntry } from "./entry.ts";
import { assert } from "./invariant.ts";
import type { Entry, Index } from "./types.ts";

const DEAD = makeEntry("EntryNormal", 0, 0);
/** Below this many dead slots moving the array isn't worth it. */
const MOVE_MIN = 64;

export class LogSegment {
  #items: Entry[] = [];
  #head = 0;
  #first: Index;

  /** An empty run whose first entry will have index `first`. */
  constructor(first: Index) {
    this.#first = first;
  }

  /** Index of the first entry (the one to come, if empty). */
  get first(): Index {
    return this.#first;
  }

  /** Index after the last entry. */
  get end(): Index {
    return this.#first + this.#items.length - this.#head;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The entry at `index`, which must be in [first, end). */
  at(index: Index): Entry {
    const entry = this.#items[this.#head + index - this.#first];
    assert(
      index >= this.#first && entry !== undefined,
      () => `entry ${index} is outside of [${this.#first}, ${this.end})`,
    );
    return entry;
  }

  /** Appends entries; the first must continue the run. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index === this.end, () => `entry ${first.index} does not follow ${this.end - 1}`);
    for (const entry of entries) this.#items.push(entry);
  }

  /** Drops the entries at `index` and above. */
  truncateFrom(index: Index): void {
    assert(index >= this.#first, () => `can't truncate at ${index}, before ${this.#first}`);
    if (index >= this.end) return;
    this.#items.length = this.#head + index - this.#first;
  }

  /** Drops the entries below `index`; `index` may be at most `end`. */
  dropBefore(index: Index): void {
    if (index <= this.#first) return;
    assert(index <= this.end, () => `can't drop up to ${index}, after ${this.end}`);
    const newHead = this.#head + index - this.#first;
    // Dead slots must not keep payloads alive until the array is moved.
    this.#items.fill(DEAD, this.#head, newHead);
    this.#head = newHead;
    this.#first = index;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= MOVE_MIN && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Forgets everything; the next entry will have index `first`. */
  reset(first: Index): void {
    this.#items = [];
    this.#head = 0;
    this.#first = first;
  }

  /**
   * A copy of [lo, hi), cut after the last entry that keeps the sum of the sizes within `maxSize`, but never
   * before the first one. Looks only at what it returns.
   */
  slice(lo: Index, hi: Index, maxSize: number): Entry[] {
    assert(
      lo >= this.#first && hi <= this.end && lo <= hi,
      () => `[${lo}, ${hi}) is outside of [${this.#first}, ${this.end})`,
    );
    const from = this.#head + lo - this.#first;
    const to = this.#head + hi - this.#first;
    return this.#items.slice(from, sizeLimit(this.#items, from, to, maxSize));
  }
}

/** The end of the longest prefix of items[from, to) that fits, or of the first entry alone. */
function sizeLimit(items: readonly Entry[], from: number, to: number, maxSize: number): number {
  if (maxSize === Number.MAX_SAFE_INTEGER) return to;
  let size = 0;
  for (let i = from; i < to; i++) {
    const entry = items[i];
    if (entry === undefined) return i;
    size += entrySize(entry);
    if (size > maxSize && i > from) return i;
  }
  return to;
}
