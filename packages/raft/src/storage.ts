/**
 * What the core needs to read of durable state. Reads are synchronous, so an implementation keeps
 * what the core may ask for in memory (see `MemoryStorage`); writing is the application's business
 * and happens between two Ready structs.
 */
import type { ConfState, Entry, HardState, Index, NodeId, Snapshot, Term } from "./types.ts";

/** The position is below the first index: a snapshot has taken its place. */
export type Compacted = "compacted";
/**
 * The position is above the last index; or what was asked for is stored, but not at hand. The latter is
 * allowed below the applied index only, where nothing but a follower far behind needs it: the leader asks again
 * with each answer to a heartbeat, and when it is told to (`retryAppends`).
 */
export type Unavailable = "unavailable";

export interface Storage {
  /**
   * The hard state last stored and the membership as of the *applied* index, read once on start.
   * `confState` must be the one that `applyConfChange` (or the snapshot) returned last.
   */
  initialState(): { readonly hardState: HardState; readonly confState: ConfState };
  /**
   * Entries of [lo, hi), fewer if they exceed `maxSize` bytes as `entrySize` counts them, but at
   * least one. `lo` is at least 1 and below `hi`; the array belongs to the caller.
   */
  entries(lo: Index, hi: Index, maxSize: number): readonly Entry[] | Compacted | Unavailable;
  /** The term of an entry in [firstIndex - 1, lastIndex]. */
  term(index: Index): Term | Compacted | Unavailable;
  /** Index of the first entry that `entries` can return; 1 for a log that never was compacted. */
  firstIndex(): Index;
  /** Index of the last stored entry (of the snapshot, if there is none after it). */
  lastIndex(): Index;
  /**
   * The newest snapshot, to be sent to the follower `to`, whom the log can't catch up any more. A witness is meant to keep
   * what follows `indexMax`, so its snapshot is not past that; for others there is no such limit.
   * "unavailable" while one is being made: the core asks again later.
   */
  snapshot(to: NodeId, indexMax: Index): Snapshot | Unavailable;
}
