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
import type { LogState, LogStore } from "./ports.ts";

/** Bytes that an entry counts for in every bound on entries. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 16;
}

const CHUNK_BYTES_MAX = 1024 * 1024;
const CHUNKS_MAX = 8;

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
  readonly #compactedIndex: number;
  readonly #compactedTerm: number;
  /** Called when entries that were "unavailable" have arrived. */
  readonly #onLoaded: () => void;
  readonly #onFailed: (error: unknown) => void;

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
    onLoaded: () => void,
    onFailed: (error: unknown) => void,
  ) {
    this.#store = store;
    this.#bytesMax = bytesMax;
    this.#initial = { hardState: state.hardState, confState };
    this.#compactedIndex = state.compactedIndex;
    this.#compactedTerm = state.compactedTerm;
    this.#first = state.lastIndex + 1;
    this.#lastIndex = state.lastIndex;
    this.#onLoaded = onLoaded;
    this.#onFailed = onFailed;
  }

  /** Loads the tail: all that is not applied yet, and before it as much as fits. */
  static async load(
    store: LogStore,
    state: LogState,
    confState: ConfState,
    applied: number,
    bytesMax: number,
    onLoaded: () => void,
    onFailed: (error: unknown) => void,
  ): Promise<LogCache> {
    const cache = new LogCache(store, state, confState, bytesMax, onLoaded, onFailed);
    // A few hundred entries before the applied index let a follower that is a little behind catch up
    // without a read from disk.
    const from = Math.max(state.compactedIndex, applied - 512) + 1;
    let next = from;
    cache.#first = Math.min(from, state.lastIndex + 1);
    while (next <= state.lastIndex) {
      const entries = await store.read(next, state.lastIndex + 1, CHUNK_BYTES_MAX);
      for (const entry of entries) {
        cache.#window.push(entry);
        cache.#bytes += entryBytes(entry);
      }
      next += entries.length;
    }
    return cache;
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
    const entry = index >= this.#first ? this.#at(index) : this.#fromChunks(index);
    return entry === undefined ? "unavailable" : entry.term;
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

  snapshot(): Snapshot | Unavailable {
    return "unavailable";
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
      const entry = this.#window[this.#start];
      if (entry === undefined) return;
      this.#bytes -= entryBytes(entry);
      this.#start += 1;
      this.#first += 1;
    }
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
    for (const chunk of this.#chunks) {
      const entry = chunk.entries[index - chunk.first];
      if (index >= chunk.first && entry !== undefined) return entry;
    }
    this.#load(index);
    return undefined;
  }

  #load(index: number): void {
    if (this.#loading.size >= CHUNKS_MAX || this.#loading.has(index)) return;
    this.#loading.add(index);
    this.#store.read(index, Math.min(index + 4096, this.#first), CHUNK_BYTES_MAX).then(
      (entries) => {
        this.#loading.delete(index);
        // Durable entries below the window never change while they are below the commit index.
        this.#chunks.push({ first: index, entries });
        if (this.#chunks.length > CHUNKS_MAX) this.#chunks.shift();
        this.#onLoaded();
      },
      (error: unknown) => {
        this.#loading.delete(index);
        this.#onFailed(error);
      },
    );
  }
}
