/**
 * The tail of the log that is not known to be durable yet (paper, 5.3; thesis, 10.2.1: the leader
 * writes in parallel with its followers), and a snapshot on its way to storage.
 *
 * Entries below `offsetInProgress` have been handed out for writing, those below `offset` are stored. A write that
 * is acknowledged counts only if the entry at that position is still the one that was written: the tail may
 * have been overwritten by another leader meanwhile, even back and forth (the ABA race).
 */
import { LogSegment } from "./log-segment.ts";
import type { Entry, Index, Logger, Snapshot, Term } from "./types.ts";
import { NO_LIMIT } from "./types.ts";

export class Unstable {
  readonly #entries: LogSegment;
  readonly #logger: Logger;
  #offsetInProgress: Index;
  #snapshot: Snapshot | null = null;
  #snapshotInProgress = false;

  constructor(offset: Index, logger: Logger) {
    this.#entries = new LogSegment(offset);
    this.#offsetInProgress = offset;
    this.#logger = logger;
  }

  /** The first index that is not known to be stored. */
  get offset(): Index {
    return this.#entries.first;
  }

  /** The first index that has not been handed out for writing. */
  get offsetInProgress(): Index {
    return this.#offsetInProgress;
  }

  /** The index after the last entry. */
  get end(): Index {
    return this.#entries.end;
  }

  get length(): number {
    return this.#entries.length;
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** The term of an entry here, or of the snapshot; -1 if `index` is neither. */
  term(index: Index): Term | -1 {
    if (index < this.#entries.first) {
      return this.#snapshot !== null && this.#snapshot.index === index ? this.#snapshot.term : -1;
    }
    return index < this.#entries.end ? this.#entries.at(index).term : -1;
  }

  /** Entries that have not been handed out for writing. */
  nextEntries(): readonly Entry[] {
    return this.#entries.slice(this.#offsetInProgress, this.#entries.end, NO_LIMIT);
  }

  hasNextEntries(): boolean {
    return this.#offsetInProgress < this.#entries.end;
  }

  /** The snapshot, unless it has been handed out for writing. */
  nextSnapshot(): Snapshot | null {
    return this.#snapshotInProgress ? null : this.#snapshot;
  }

  /** What `nextEntries` and `nextSnapshot` returned is being written. */
  acceptInProgress(): void {
    this.#offsetInProgress = this.#entries.end;
    if (this.#snapshot !== null) this.#snapshotInProgress = true;
  }

  /** Everything up to the entry (term, index) is stored. */
  stableTo(index: Index, term: Term): void {
    const found = this.term(index);
    if (found === -1) {
      this.#logger.info?.(`entry at index ${index} missing from unstable log; ignoring`);
      return;
    }
    if (index < this.offset) {
      this.#logger.info?.(`entry at index ${index} matched unstable snapshot; ignoring`);
      return;
    }
    if (found !== term) {
      this.#logger.info?.(
        `entry at (index,term)=(${index},${term}) mismatched with entry at (${index},${found}) in unstable log; ignoring`,
      );
      return;
    }
    this.#entries.dropBefore(index + 1);
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.offset);
  }

  /** The snapshot at `index` is stored. */
  stableSnapTo(index: Index): void {
    if (this.#snapshot === null || this.#snapshot.index !== index) return;
    this.#snapshot = null;
    this.#snapshotInProgress = false;
  }

  /** The snapshot takes the place of the whole log. */
  restore(snapshot: Snapshot): void {
    this.#entries.reset(snapshot.index + 1);
    this.#offsetInProgress = snapshot.index + 1;
    this.#snapshot = snapshot;
    this.#snapshotInProgress = false;
  }

  /** Appends entries over whatever is at their indices and above. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const from = first.index;
    if (from < this.#entries.end) {
      if (from <= this.offset) {
        this.#logger.info?.(`replace the unstable entries from index ${from}`);
        this.#entries.reset(from);
        this.#offsetInProgress = from;
      } else {
        this.#logger.info?.(`truncate the unstable entries before index ${from}`);
        this.#entries.truncateFrom(from);
        // What is left keeps its state; what comes now has to be written.
        this.#offsetInProgress = Math.min(this.#offsetInProgress, from);
      }
    }
    this.#entries.append(entries);
  }

  /** A copy of [lo, hi), at most `maxSize` bytes but at least one entry. */
  slice(lo: Index, hi: Index, maxSize: number): readonly Entry[] {
    return this.#entries.slice(lo, hi, maxSize);
  }
}
