// The core's view of the durable log: synchronous, so the tail is kept in memory, and older entries,
// which only a follower far behind needs, are read from disk on demand ("unavailable" meanwhile).
import type {
  Compacted,
  ConfState,
  Entry,
  HardState,
  Snapshot,
  Storage,
  Unavailable,
} from "@parley/raft";
import type { DamagedEntry, LogState, LogStore } from "../ports.ts";

/** Bytes that an entry counts for in every bound on entries. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 16;
}

const CHUNK_BYTES_MAX = 1024 * 1024;
const CHUNKS_MAX = 8;
/**
 * Applied entries that are loaded at the start: a follower that is a little behind catches up without a read
 * from disk.
 */
const HISTORY_ENTRIES = 512;

export interface LogCacheEvents {
  /** Entries that were "unavailable" have arrived. */
  onLoaded(): void;
  onFailed(error: unknown): void;
  /** An applied entry can't be read any more; followers that need it must get a copy of the chat file. */
  onDamaged(damaged: DamagedEntry): void;
  /** What the log continues, for a follower: the newest copy of the chat file; for a witness something else. */
  snapshot(to: number, indexMax: number): Snapshot | Unavailable;
}

/** Entries read back from disk for a follower far behind. */
interface Chunk {
  readonly first: number;
  readonly entries: readonly Entry[];
}

/**
 * Implements the core's `Storage`. Invariants: the window is contiguous and ends at the last durable
 * entry; everything above the applied index is in the window.
 */
export class LogCache implements Storage {
  readonly #store: LogStore;
  readonly #bytesMax: number;
  readonly #initial: { readonly hardState: HardState; readonly confState: ConfState };
  readonly #events: LogCacheEvents;
  #compactedIndex: number;
  #compactedTerm: number;
  /** What the log's last compaction knew, before this process began. */
  readonly dataFloor: number;
  /** The store has been asked to forget everything up to here. */
  #compactingTo = 0;
  #damagedIndex = 0;

  /** #window[#start + i] is the entry at index #first + i. */
  #window: Entry[] = [];
  #start = 0;
  #first: number;
  #lastIndex: number;
  #bytes = 0;
  #chunks: Chunk[] = [];
  #loading = new Set<number>();

  private constructor(
    store: LogStore,
    state: LogState,
    confState: ConfState,
    bytesMax: number,
    events: LogCacheEvents,
  ) {
    this.#store = store;
    this.#bytesMax = bytesMax;
    this.#initial = { hardState: state.hardState, confState };
    this.#compactedIndex = state.compactedIndex;
    this.#compactedTerm = state.compactedTerm;
    this.dataFloor = state.dataFloor;
    this.#first = state.lastIndex + 1;
    this.#lastIndex = state.lastIndex;
    this.#events = events;
  }

  /** Loads the tail: all that is not applied yet, and before it as much as fits. */
  static async load(
    store: LogStore,
    state: LogState,
    confState: ConfState,
    applied: number,
    bytesMax: number,
    events: LogCacheEvents,
  ): Promise<LogCache> {
    const cache = new LogCache(store, state, confState, bytesMax, events);
    const from = Math.max(state.compactedIndex, applied - HISTORY_ENTRIES) + 1;
    let next = from;
    cache.#first = Math.min(from, state.lastIndex + 1);
    while (next <= state.lastIndex) {
      const entries = await store.read(next, state.lastIndex + 1, CHUNK_BYTES_MAX);
      if ("damagedIndex" in entries) {
        cache.#damaged(entries);
        // What it did is in the chat file: the window begins behind it.
        next = entries.damagedIndex + 1;
        cache.#window = [];
        cache.#bytes = 0;
        cache.#first = next;
        continue;
      }
      for (const entry of entries) {
        cache.#window.push(entry);
        cache.#bytes += entryBytes(entry);
      }
      next += entries.length;
    }
    return cache;
  }

  /** The index that the log begins after. */
  get compactedIndex(): number {
    return this.#compactedIndex;
  }

  /** The newest applied entry that can't be read any more; 0 = none is known. */
  get damagedIndex(): number {
    return this.#damagedIndex;
  }

  /**
   * Forgets entries up to `index`, here and on disk; it is durably applied. Resolves once that is done, with
   * whether anything was forgotten.
   */
  async compact(index: number, dataFloor: number): Promise<boolean> {
    this.#compactingTo = Math.max(this.#compactingTo, index);
    const compacted = await this.#store.compact(index, dataFloor);
    // A copy may have been installed meanwhile.
    if (compacted.index <= this.#compactedIndex) return false;
    this.#compactedIndex = compacted.index;
    this.#compactedTerm = compacted.term;
    while (this.#first <= compacted.index) this.#dropOldest();
    this.#giveRoomBack();
    this.#chunks = this.#chunks.filter(
      ({ first, entries }) => first + entries.length > compacted.index + 1,
    );
    return true;
  }

  /** A copy of the chat file took the place of the log up to its index; entries behind it are gone too. */
  reset(state: LogState): void {
    this.#compactedIndex = state.compactedIndex;
    this.#compactedTerm = state.compactedTerm;
    this.#window = [];
    this.#start = 0;
    this.#bytes = 0;
    this.#chunks = [];
    this.#first = state.lastIndex + 1;
    this.#lastIndex = state.lastIndex;
  }

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return this.#initial;
  }

  firstIndex(): number {
    return this.#compactedIndex + 1;
  }

  lastIndex(): number {
    return this.#lastIndex;
  }

  term(index: number): number | Compacted | Unavailable {
    if (index === this.#compactedIndex) return this.#compactedTerm;
    if (index < this.#compactedIndex) return "compacted";
    if (index > this.#lastIndex) return "unavailable";
    const entry = index >= this.#first ? this.#at(index) : this.#inChunks(index);
    if (entry !== undefined) return entry.term;
    // Whoever looks for the place where two logs part goes downward from here.
    this.#load(Math.max(this.#compactedIndex, index - HISTORY_ENTRIES) + 1, index);
    return "unavailable";
  }

  entries(lo: number, hi: number, maxSize: number): readonly Entry[] | Compacted | Unavailable {
    if (lo <= this.#compactedIndex) return "compacted";
    if (hi > this.#lastIndex + 1) return "unavailable";
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = lo; index < hi; index += 1) {
      const entry = index >= this.#first ? this.#at(index) : this.#fromChunks(index);
      // The end of a chunk: fewer entries than asked for is a valid answer, none is not. The next chunk is
      // on its way already.
      if (entry === undefined) break;
      bytes += entryBytes(entry);
      if (found.length > 0 && bytes > maxSize) break;
      found.push(entry);
    }
    return found.length === 0 ? "unavailable" : found;
  }

  snapshot(to: number, indexMax: number): Snapshot | Unavailable {
    return this.#events.snapshot(to, indexMax);
  }

  /** What has just become durable; replaces everything at and above its first index. */
  append(entries: readonly Entry[]): void {
    const head = entries[0];
    if (head === undefined) return;
    if (head.index <= this.#lastIndex) this.#truncate(head.index);
    for (const entry of entries) {
      this.#window.push(entry);
      this.#bytes += entryBytes(entry);
    }
    this.#lastIndex = head.index + entries.length - 1;
  }

  /** Lets go of what is over the bound in bytes, oldest first, never the entry at `applied` or above it. */
  trim(applied: number): void {
    while (this.#bytes > this.#bytesMax && this.#first < applied) {
      if (this.#window[this.#start] === undefined) return;
      this.#dropOldest();
    }
    this.#giveRoomBack();
  }

  #dropOldest(): void {
    const entry = this.#window[this.#start];
    if (entry !== undefined) {
      this.#bytes -= entryBytes(entry);
      this.#start += 1;
    }
    this.#first += 1;
  }

  #giveRoomBack(): void {
    if (this.#start > 4096 && this.#start * 2 > this.#window.length) {
      this.#window = this.#window.slice(this.#start);
      this.#start = 0;
    }
  }

  #at(index: number): Entry | undefined {
    return this.#window[this.#start + index - this.#first];
  }

  #truncate(from: number): void {
    this.#chunks = this.#chunks.filter((chunk) => chunk.first + chunk.entries.length <= from);
    const keep = Math.max(0, from - this.#first);
    for (let at = this.#start + keep; at < this.#window.length; at += 1) {
      const entry = this.#window[at];
      if (entry !== undefined) this.#bytes -= entryBytes(entry);
    }
    this.#window.length = this.#start + keep;
    if (from < this.#first) this.#first = from;
  }

  #fromChunks(index: number): Entry | undefined {
    const entry = this.#inChunks(index);
    if (entry === undefined) this.#load(index);
    return entry;
  }

  #inChunks(index: number): Entry | undefined {
    for (const chunk of this.#chunks) {
      const entry = chunk.entries[index - chunk.first];
      if (index >= chunk.first && entry !== undefined) return entry;
    }
    return undefined;
  }

  /** Reads what begins at `index`, so much of it that `wanted` is in it. */
  #load(index: number, wanted = index): void {
    if (this.#loading.size >= CHUNKS_MAX || this.#loading.has(index)) return;
    this.#loading.add(index);
    this.#store.read(index, Math.min(index + 4096, this.#first), CHUNK_BYTES_MAX).then(
      (entries) => {
        this.#loading.delete(index);
        if ("damagedIndex" in entries) {
          this.#damaged(entries);
          return;
        }
        // Durable entries below the window never change while they are below the commit index.
        this.#chunks.push({ first: index, entries });
        if (this.#chunks.length > CHUNKS_MAX) this.#chunks.shift();
        if (index + entries.length <= wanted) this.#load(wanted);
        this.#events.onLoaded();
      },
      (error: unknown) => {
        this.#loading.delete(index);
        // Forgotten between the asking and the reading.
        if (index <= Math.max(this.#compactingTo, this.#compactedIndex)) return;
        this.#events.onFailed(error);
      },
    );
  }

  #damaged(damaged: DamagedEntry): void {
    if (damaged.damagedIndex <= this.#damagedIndex) return;
    this.#damagedIndex = damaged.damagedIndex;
    this.#events.onDamaged(damaged);
  }
}
