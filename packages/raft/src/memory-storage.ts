/**
 * `Storage` in memory. The scenario environment and the simulator use it as it is; the server's node
 * keeps one as a cache of the log's tail in front of its disk.
 *
 * It keeps one run of entries behind a *base*: the position (index, term) just before the first of
 * them, which is where the log was compacted or a snapshot was installed (paper, 7).
 */
import { assert } from "./invariant.ts";
import { LogSegment } from "./log-segment.ts";
import type { Compacted, Storage, Unavailable } from "./storage.ts";
import type { ConfState, Entry, HardState, Index, NodeId, Snapshot, Term } from "./types.ts";
import { EMPTY_HARD_STATE, EMPTY_SNAPSHOT } from "./types.ts";

export class MemoryStorage implements Storage {
  #hardState: HardState = EMPTY_HARD_STATE;
  #confState: ConfState = EMPTY_SNAPSHOT.confState;
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  #baseTerm: Term = 0;
  readonly #log = new LogSegment(1);

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#confState };
  }

  entries(lo: Index, hi: Index, maxSize: number): readonly Entry[] | Compacted | Unavailable {
    if (lo < this.#log.first) return "compacted";
    if (hi > this.#log.end) return "unavailable";
    return this.#log.slice(lo, hi, maxSize);
  }

  term(index: Index): Term | Compacted | Unavailable {
    const first = this.#log.first;
    if (index >= first) return index < this.#log.end ? this.#log.at(index).term : "unavailable";
    return index === first - 1 ? this.#baseTerm : "compacted";
  }

  firstIndex(): Index {
    return this.#log.first;
  }

  lastIndex(): Index {
    return this.#log.end - 1;
  }

  snapshot(_to?: NodeId, _indexMax?: Index): Snapshot | Unavailable {
    return this.#snapshot.index === 0 ? "unavailable" : this.#snapshot;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  setHardState(state: HardState): void {
    this.#hardState = state;
  }

  /** The membership that the next start begins with. */
  setConfState(state: ConfState): void {
    this.#confState = state;
  }

  /**
   * Stores entries over whatever is at their indices and above. What has already been compacted is
   * skipped; a hole is an invariant violation.
   */
  append(entries: readonly Entry[]): void {
    const last = entries[entries.length - 1];
    if (last === undefined || last.index < this.#log.first) return;
    const skipped = Math.max(0, this.#log.first - (last.index - entries.length + 1));
    const fresh = skipped === 0 ? entries : entries.slice(skipped);
    const first = fresh[0];
    assert(first !== undefined, "append lost its entries");
    assert(
      first.index <= this.#log.end,
      () => `missing log entries [last: ${this.lastIndex()}, append at: ${first.index}]`,
    );
    this.#log.truncateFrom(first.index);
    this.#log.append(fresh);
  }

  /** Replaces the whole log by a snapshot. An older snapshot than the stored one is ignored: false. */
  applySnapshot(snapshot: Snapshot): boolean {
    if (snapshot.index <= this.#snapshot.index) return false;
    this.#snapshot = snapshot;
    this.#confState = snapshot.confState;
    this.#baseTerm = snapshot.term;
    this.#log.reset(snapshot.index + 1);
    return true;
  }

  /** Records a snapshot of applied state, for followers; the log stays. False if it is outdated. */
  setSnapshot(snapshot: Snapshot): boolean {
    if (snapshot.index <= this.#snapshot.index) return false;
    assert(
      snapshot.index <= this.lastIndex(),
      () => `snapshot ${snapshot.index} is out of bound lastindex(${this.lastIndex()})`,
    );
    this.#snapshot = snapshot;
    return true;
  }

  /**
   * Drops the entries up to and including `index` (which must be applied, as the core does not look
   * below what is). "compacted" if that has been done before.
   */
  compact(index: Index): "ok" | Compacted {
    if (index < this.#log.first) return "compacted";
    assert(
      index <= this.lastIndex(),
      () => `compact ${index} is out of bound lastindex(${this.lastIndex()})`,
    );
    this.#baseTerm = this.#log.at(index).term;
    this.#log.dropBefore(index + 1);
    return "ok";
  }

  /** Starts the log behind (index, term) without a snapshot, for a cache in front of another store. */
  startAfter(index: Index, term: Term): void {
    assert(this.#log.length === 0, "startAfter needs an empty log");
    this.#baseTerm = term;
    this.#log.reset(index + 1);
  }
}
