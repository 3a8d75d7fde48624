/**
 * The log's rules, on top of the raft file and the high-water record: what order makes an
 * acknowledgement true (P1), and what is believed after a restart (P9). Synchronous; see
 * `log-worker.ts` for its thread.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { LogState, LogWrite, NodeIdentity } from "@parley/node/ports";
import type { Entry, HardState } from "@parley/raft";
import { ByteWriter } from "./bytes.ts";
import { encodeHardState } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";
import { highWaterPath } from "./files.ts";
import {
  EMPTY_HIGH_WATER,
  type HighWater,
  loweredHighWater,
  raisedHighWater,
} from "./high-water.ts";
import { HighWaterFile } from "./high-water-file.ts";
import {
  asWiped,
  type Contents,
  encodeIdentity,
  identityStage,
  recoverLog,
  syncWal,
} from "./log-recovery.ts";
import { RaftFile, type SyncMode } from "./raft-file.ts";

export interface LogEngineOptions {
  /** "OFF" syncs nothing and breaks P1; it exists so that a test can see the difference. */
  readonly synchronous?: SyncMode;
  /** Pages of 4 KiB that the raft file may have at the most; more is `disk-full`. */
  readonly pagesMax?: number;
}

/** Entries that are read from the file at once. */
const SLICE_ENTRIES_MAX = 512;
/** The WAL is moved into the main file after this many groups or bytes, whichever comes first. */
const CHECKPOINT_GROUPS = 1_000;
const CHECKPOINT_BYTES = 4 * 1024 * 1024;

export class LogEngine {
  private readonly file: RaftFile;
  private readonly highWaterFile: HighWaterFile;
  private identity: NodeIdentity | undefined;
  private hardState: HardState;
  private lastIndex: number;
  private lastTerm: number;
  private generation: number;
  private durableApplied: number;
  private durableAppliedWritten: number;
  private groupsSinceCheckpoint = 0;
  private bytesSinceCheckpoint = 0;
  /** Rises whenever entries are replaced, so that a read in slices notices. */
  private replacements = 0;
  /** The hard state's commit is newer than the file's. */
  private commitIsAhead = false;
  private isBroken = false;

  private constructor(file: RaftFile, highWaterFile: HighWaterFile, contents: Contents) {
    this.file = file;
    this.highWaterFile = highWaterFile;
    this.identity = contents.identity;
    this.hardState = contents.hardState;
    this.lastIndex = contents.lastIndex;
    this.lastTerm = contents.lastTerm;
    this.generation = contents.chatGeneration;
    this.durableApplied = contents.durableApplied;
    this.durableAppliedWritten = contents.durableApplied;
  }

  /**
   * Opens or creates the log at `path`, locks it and decides whether it is whole. Throws a
   * StorageError: `wiped` (P9), `locked`, `disk-full`, `io`. Nothing is repaired or cut.
   */
  static open(path: string, options: LogEngineOptions = {}): LogEngine {
    try {
      mkdirSync(dirname(path), { recursive: true });
    } catch (cause) {
      throw StorageError.from(cause, path, "creating the directory");
    }
    let file: RaftFile;
    try {
      file = RaftFile.open(path, options.synchronous ?? "FULL", options.pagesMax);
    } catch (cause) {
      throw asWiped(cause, path);
    }
    try {
      return LogEngine.recover(file);
    } catch (cause) {
      file.close();
      throw asWiped(cause, path);
    }
  }

  private static recover(file: RaftFile): LogEngine {
    const { contents, record } = recoverLog(file);
    const recordPath = highWaterPath(file.path);
    if (record.kind === "absent") HighWaterFile.create(recordPath);
    if (!file.hasSchema) file.createSchema();
    // A killed process leaves commits in the page cache that were never synced. They are about to be
    // told to the consensus core as durable, so they are made so before the record is raised to them.
    syncWal(file.path);
    file.checkpoint();
    const highWater = record.kind === "found" ? record.highWater : EMPTY_HIGH_WATER;
    const engine = new LogEngine(file, HighWaterFile.open(recordPath, highWater), contents);
    engine.raiseHighWater();
    return engine;
  }

  get state(): LogState {
    return {
      identity: this.identity,
      hardState: this.hardState,
      compactedIndex: 0,
      compactedTerm: 0,
      lastIndex: this.lastIndex,
      lastTerm: this.lastTerm,
    };
  }

  get highWater(): HighWater {
    return this.highWaterFile.highWater;
  }

  /** Which chat file is current; see `chatPath`. */
  get chatGeneration(): number {
    return this.generation;
  }

  /**
   * One group: all the writes in order, in one transaction, durable and recorded when it returns. A
   * throw leaves the engine unusable. A change of the commit index alone is not worth a sync: it is a
   * hint that Raft can lose (paper, figure 2: volatile state), and goes along with the next group.
   * Returns whether anything was synced.
   */
  append(writes: readonly LogWrite[]): boolean {
    const lowest = this.checkWrites(writes);
    const hardState = writes.findLast((write) => write.hardState !== undefined)?.hardState;
    if (lowest === Number.POSITIVE_INFINITY && !this.isPromise(hardState)) {
      if (hardState !== undefined) {
        this.hardState = hardState;
        this.commitIsAhead = true;
      }
      return false;
    }
    this.unlessItFails(() => {
      if (lowest <= this.lastIndex) this.prepareReplacement(lowest);
      const last = this.writeGroup(writes, hardState ?? this.hardState);
      this.lastIndex = last.index;
      this.lastTerm = last.term;
      this.hardState = hardState ?? this.hardState;
      this.groupsSinceCheckpoint += 1;
      this.raiseHighWater();
    });
    return true;
  }

  private writeGroup(
    writes: readonly LogWrite[],
    hardState: HardState,
  ): { readonly index: number; readonly term: number } {
    let { lastIndex, lastTerm } = this;
    this.file.transaction(() => {
      for (const { entries } of writes) {
        const [first] = entries;
        const last = entries.at(-1);
        if (first === undefined || last === undefined) continue;
        if (first.index <= lastIndex) this.file.truncateFrom(first.index);
        this.file.insert(entries);
        lastIndex = last.index;
        lastTerm = last.term;
        for (const entry of entries) this.bytesSinceCheckpoint += entry.data.byteLength;
      }
      this.writeHardState(hardState);
      this.writeDurableApplied();
    });
    return { index: lastIndex, term: lastTerm };
  }

  /** Inside a transaction. */
  private writeHardState(hardState: HardState): void {
    if (hardState === this.hardState && !this.commitIsAhead) return;
    this.file.setState("hard-state", encodeHardState(hardState));
    this.commitIsAhead = false;
  }

  /** Whether a hard state says more than the commit index: a term or a vote must never be lost. */
  private isPromise(hardState: HardState | undefined): boolean {
    if (hardState === undefined) return false;
    return hardState.term !== this.hardState.term || hardState.vote !== this.hardState.vote;
  }

  private unlessItFails(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.isBroken = true;
      throw cause;
    }
  }

  setIdentity(identity: NodeIdentity): void {
    this.unlessItFails(() => {
      this.file.transaction(() => this.file.setState("identity", encodeIdentity(identity)));
      this.identity = identity;
      this.raiseHighWater();
    });
  }

  /** Switches to another chat file, durably. Generations only rise. */
  setChatGeneration(generation: number): void {
    if (generation <= this.generation) {
      throw new StorageError(
        "invalid",
        this.file.path,
        `chat generation ${generation} follows ${this.generation}: generations only rise`,
      );
    }
    this.unlessItFails(() => {
      this.file.transaction(() => {
        this.file.setState("chat-generation", new ByteWriter(8).u53(generation).finish());
        // Nothing is applied to the new file yet.
        this.durableApplied = 0;
        this.writeDurableApplied();
      });
    });
    this.generation = generation;
  }

  /**
   * Everything up to `index` is durably applied: a later start verifies the entries above it before
   * it trusts the log, and those below when they are read. Written along with the next group.
   */
  noteDurableApplied(index: number): void {
    if (index > this.durableApplied && index <= this.lastIndex) this.durableApplied = index;
  }

  /**
   * A part of the read lo … hi - 1: at least one entry, ended by `bytesMax` or by a bound of its own,
   * so that appends get their turn between parts.
   */
  readSlice(lo: number, hi: number, bytesMax: number): Entry[] {
    if (lo < 1 || hi <= lo || hi > this.lastIndex + 1) {
      throw new StorageError(
        "invalid",
        this.file.path,
        `entries ${lo} … ${hi - 1} were asked for, but the log has 1 … ${this.lastIndex}`,
      );
    }
    return this.file.read(lo, hi, SLICE_ENTRIES_MAX, bytesMax);
  }

  /** Changes whenever entries are replaced. */
  get replacementCount(): number {
    return this.replacements;
  }

  get checkpointDue(): boolean {
    return (
      this.groupsSinceCheckpoint >= CHECKPOINT_GROUPS ||
      this.bytesSinceCheckpoint >= CHECKPOINT_BYTES
    );
  }

  checkpoint(): void {
    this.unlessItFails(() => this.file.checkpoint());
    this.groupsSinceCheckpoint = 0;
    this.bytesSinceCheckpoint = 0;
  }

  close(): void {
    try {
      if (this.commitIsAhead && !this.isBroken) {
        this.file.transaction(() => this.writeHardState(this.hardState));
      }
      this.file.close();
    } finally {
      this.highWaterFile.close();
    }
  }

  /** Asserts the contract of the port; returns the lowest index that is written. */
  private checkWrites(writes: readonly LogWrite[]): number {
    let { lastIndex } = this;
    let { term } = this.hardState;
    let lowest = Number.POSITIVE_INFINITY;
    for (const { hardState, entries } of writes) {
      if (hardState !== undefined) {
        if (hardState.term < term) this.refuse(`term ${hardState.term} follows ${term}`);
        term = hardState.term;
      }
      const [first] = entries;
      if (first === undefined) continue;
      if (first.index < 1 || first.index > lastIndex + 1) {
        this.refuse(`entry ${first.index} does not continue a log that ends at ${lastIndex}`);
      }
      for (const [offset, entry] of entries.entries()) {
        if (entry.index !== first.index + offset) this.refuse("entries are not contiguous");
      }
      lowest = Math.min(lowest, first.index);
      lastIndex = first.index + entries.length - 1;
    }
    return lowest;
  }

  private refuse(what: string): never {
    throw new StorageError("invalid", this.file.path, `${this.file.path}: ${what}`);
  }

  private prepareReplacement(firstIndex: number): void {
    this.replacements += 1;
    const termBefore =
      firstIndex === 1 ? 0 : (this.file.read(firstIndex - 1, firstIndex, 1, 0)[0]?.term ?? 0);
    const lowered = loweredHighWater(this.highWater, firstIndex, termBefore);
    if (lowered !== undefined) this.highWaterFile.write(lowered);
  }

  private raiseHighWater(): void {
    const raised = raisedHighWater(this.highWater, {
      term: this.hardState.term,
      vote: this.hardState.vote,
      lastIndex: this.lastIndex,
      lastTerm: this.lastTerm,
      identity: identityStage(this.identity),
    });
    if (raised !== undefined) this.highWaterFile.write(raised);
  }

  private writeDurableApplied(): void {
    if (this.durableApplied === this.durableAppliedWritten) return;
    this.file.setState("durable-applied", new ByteWriter(8).u53(this.durableApplied).finish());
    this.durableAppliedWritten = this.durableApplied;
  }
}
