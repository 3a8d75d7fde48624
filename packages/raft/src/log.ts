/**
 * The replicated log (paper, 5.3 and 5.4): stored entries, the unstable tail after them, and how far they
 * are committed, being applied and applied.
 *
 * Invariants: applied <= applying <= committed <= lastIndex; a committed entry is never overwritten
 * (Leader Completeness, State Machine Safety); two logs that agree on an entry's index and term agree on
 * all before it (Log Matching), which `maybeAppend` keeps up.
 */
import { entriesSize } from "./entry.ts";
import { assert } from "./invariant.ts";
import type { Compacted, Storage, Unavailable } from "./storage.ts";
import type { Entry, Index, Logger, NodeId, Snapshot, Term } from "./types.ts";
import { Unstable } from "./unstable.ts";

/** A log's end, which decides who may become leader (paper, 5.4.1). */
export interface EntryId {
  readonly term: Term;
  readonly index: Index;
}

const NO_ENTRIES: readonly Entry[] = [];
const SCAN_PAGE_BYTES = 1_048_576;

export class RaftLog {
  readonly #storage: Storage;
  readonly #logger: Logger;
  readonly #maxApplyingSize: number;
  readonly unstable: Unstable;
  committed: Index;
  /** Up to here entries have been handed out for applying. */
  applying: Index;
  applied: Index;
  #applyingSize = 0;
  /** Nothing more is handed out until something that is being applied is done. */
  #applyingPaused = false;

  constructor(storage: Storage, logger: Logger, maxApplyingSize: number) {
    const beforeFirst = storage.firstIndex() - 1;
    this.#storage = storage;
    this.#logger = logger;
    this.#maxApplyingSize = maxApplyingSize;
    this.unstable = new Unstable(storage.lastIndex() + 1, logger);
    this.committed = beforeFirst;
    this.applying = beforeFirst;
    this.applied = beforeFirst;
  }

  toString(): string {
    return `committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, unstable.offset=${this.unstable.offset}, unstable.offsetInProgress=${this.unstable.offsetInProgress}, len(unstable.Entries)=${this.unstable.length}`;
  }

  firstIndex(): Index {
    const snapshot = this.unstable.snapshot;
    return snapshot !== null ? snapshot.index + 1 : this.#storage.firstIndex();
  }

  lastIndex(): Index {
    if (this.unstable.length > 0) return this.unstable.end - 1;
    const snapshot = this.unstable.snapshot;
    return snapshot !== null ? snapshot.index : this.#storage.lastIndex();
  }

  lastEntryId(): EntryId {
    const index = this.lastIndex();
    const term = this.term(index);
    assert(typeof term === "number", () => `the term of the last entry ${index} is ${term}`);
    return { term, index };
  }

  /** The term at `index`, known from one before the first index to the last one. */
  term(index: Index): Term | Compacted | Unavailable {
    const unstable = this.unstable.term(index);
    if (unstable !== -1) return unstable;
    if (index + 1 < this.firstIndex()) return "compacted";
    if (index > this.lastIndex()) return "unavailable";
    return this.#storage.term(index);
  }

  /** The term at `index`, or 0 where it isn't known. */
  termOrZero(index: Index): Term {
    const term = this.term(index);
    return typeof term === "number" ? term : 0;
  }

  matchTerm(index: Index, term: Term): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends in `their` holds everything that this one may have committed (5.4.1). */
  isUpToDate(their: EntryId): boolean {
    const our = this.lastEntryId();
    return their.term > our.term || (their.term === our.term && their.index >= our.index);
  }

  /**
   * Appends what follows the entry (prevIndex, prevTerm), if this log has that one, and commits up to
   * `committed` within it. Returns the last index of what matches now, -1 if it doesn't.
   */
  maybeAppend(
    prevIndex: Index,
    prevTerm: Term,
    entries: readonly Entry[],
    committed: Index,
  ): Index | -1 {
    if (!this.matchTerm(prevIndex, prevTerm)) return -1;
    const last = prevIndex + entries.length;
    const conflict = this.#findConflict(entries);
    if (conflict !== 0) {
      assert(
        conflict > this.committed,
        () => `entry ${conflict} conflict with committed entry [committed(${this.committed})]`,
      );
      const known = conflict - prevIndex - 1;
      this.append(known === 0 ? entries : entries.slice(known));
    }
    this.commitTo(Math.min(committed, last));
    return last;
  }

  /** Appends entries over whatever is at their indices and above, which is not committed. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(
      first.index > this.committed,
      () => `after(${first.index - 1}) is out of range [committed(${this.committed})]`,
    );
    this.unstable.truncateAndAppend(entries);
  }

  /** Index of the first entry that this log lacks or has otherwise; 0 if it has them all. */
  #findConflict(entries: readonly Entry[]): Index | 0 {
    for (const { index, term } of entries) {
      if (this.matchTerm(index, term)) continue;
      if (index <= this.lastIndex()) {
        this.#logger.info?.(
          `found conflict at index ${index} [existing term: ${this.termOrZero(index)}, conflicting term: ${term}]`,
        );
      }
      return index;
    }
    return 0;
  }

  /**
   * Where this log may end matching another one, of which only the entry (index, term) is known: the
   * highest position up to `index` with a term of at most `term`, as terms never fall along a log
   * (paper, end of 5.3). Its term is 0 if that is unknown.
   */
  findConflictByTerm(index: Index, term: Term): EntryId {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (typeof ours !== "number") return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  /** Commits up to `index` if that is an entry of `term`: only a leader's own term counts (5.4.2). */
  maybeCommit(index: Index, term: Term): boolean {
    if (term === 0 || index <= this.committed || !this.matchTerm(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  commitTo(index: Index): void {
    if (index <= this.committed) return;
    assert(
      index <= this.lastIndex(),
      () =>
        `tocommit(${index}) is out of range [lastIndex(${this.lastIndex()})]. Was the raft log corrupted, truncated, or lost?`,
    );
    this.committed = index;
  }

  /** The highest index that may be applied; entries of which only others have a durable copy may or may not count. */
  #maxAppliable(allowUnstable: boolean): Index {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    return (
      !this.#applyingPaused &&
      this.unstable.snapshot === null &&
      this.applying < this.#maxAppliable(allowUnstable)
    );
  }

  /** Committed entries that have not been handed out for applying, within the size limit. */
  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return NO_ENTRIES;
    const room = this.#maxApplyingSize - this.#applyingSize;
    assert(room > 0, () => `applying ${this.#applyingSize} bytes, but not paused`);
    const entries = this.slice(this.applying + 1, this.#maxAppliable(allowUnstable) + 1, room);
    assert(typeof entries !== "string", () => `committed entries are ${String(entries)}`);
    return entries;
  }

  /** Entries up to `index`, of `size` bytes, are being applied. */
  acceptApplying(index: Index, size: number, allowUnstable: boolean): void {
    assert(
      index <= this.committed,
      () => `applying(${index}) is out of range [committed(${this.committed})]`,
    );
    this.applying = index;
    this.#applyingSize += size;
    // Entries held back by the size limit wait as well, even if they are smaller than what is left of it.
    this.#applyingPaused =
      this.#applyingSize >= this.#maxApplyingSize || index < this.#maxAppliable(allowUnstable);
  }

  /** Entries up to `index` have been applied, `size` bytes of them handed out before. */
  appliedTo(index: Index, size: number): void {
    assert(
      index >= this.applied && index <= this.committed,
      () => `applied(${index}) is out of range [${this.applied}, ${this.committed}]`,
    );
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingSize = Math.max(0, this.#applyingSize - size);
    this.#applyingPaused = this.#applyingSize >= this.#maxApplyingSize;
  }

  /** The newest snapshot, to be sent to `to`; not past `indexMax`. */
  snapshot(to: NodeId, indexMax: Index): Snapshot | Unavailable {
    const { snapshot } = this.unstable;
    if (snapshot !== null && snapshot.index <= indexMax) return snapshot;
    return this.#storage.snapshot(to, indexMax);
  }

  /** A snapshot takes the place of the whole log; its storing and applying are yet to come. */
  restore(snapshot: Snapshot): void {
    this.#logger.info?.(
      `log [${this}] starts to restore snapshot [index: ${snapshot.index}, term: ${snapshot.term}]`,
    );
    this.committed = snapshot.index;
    this.unstable.restore(snapshot);
  }

  /**
   * Entries from `lo` to the end, within `maxSize` but at least one if there are any. "unavailable" when
   * the storage has yet to fetch them.
   */
  entriesFrom(lo: Index, maxSize: number): readonly Entry[] | Compacted | Unavailable {
    return lo > this.lastIndex() ? NO_ENTRIES : this.slice(lo, this.lastIndex() + 1, maxSize);
  }

  /** Entries of [lo, hi), fewer if they exceed `maxSize`, but at least one. */
  slice(lo: Index, hi: Index, maxSize: number): readonly Entry[] | Compacted | Unavailable {
    assert(lo < hi && hi <= this.lastIndex() + 1, () => `slice [${lo}, ${hi}) is out of bounds`);
    if (lo < this.firstIndex()) return "compacted";
    const offset = this.unstable.offset;
    if (lo >= offset) return this.unstable.slice(lo, hi, maxSize);

    const cut = Math.min(hi, offset);
    const stored = this.#storage.entries(lo, cut, maxSize);
    if (typeof stored === "string") return stored;
    if (hi <= offset || stored.length < cut - lo) return stored;

    const size = entriesSize(stored);
    if (size >= maxSize) return stored;
    const rest = this.unstable.slice(offset, hi, maxSize - size);
    // `slice` returns at least one entry, which may be too much here.
    if (rest.length === 1 && size + entriesSize(rest) > maxSize) return stored;
    return stored.concat(rest);
  }

  /** Whether any entry of (applied, committed] satisfies `test`; reads in bounded pages. */
  someUnapplied(test: (entry: Entry) => boolean): boolean {
    const hi = this.committed + 1;
    const pageSize = Math.min(this.#maxApplyingSize, SCAN_PAGE_BYTES);
    let lo = Math.max(this.applied + 1, this.firstIndex());
    while (lo < hi) {
      const page = this.slice(lo, hi, pageSize);
      assert(typeof page !== "string", () => `unapplied entries at ${lo} are ${String(page)}`);
      if (page.some(test)) return true;
      lo += page.length;
    }
    return false;
  }
}
