/**
 * The log's rules, on top of the raft file and the high-water record: what order makes an
 * acknowledgement true (P1), and what is believed after a restart (P9). Synchronous; see
 * `log-worker.ts` for its thread.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { LogPosition, LogState, LogWrite, NodeIdentity } from "@parley/node/ports";
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
  encodePosition,
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

/** A copy of the chat file that is about to become the current one, and what the log is after that. */
export interface LogInstall {
  /** The chat file's, which is complete and synced under its final name. */
  readonly generation: number;
  /** What the copy is as of. Entries that continue it are kept, all others dropped (paper, figure 13). */
  readonly position: LogPosition;
  /** Undefined = unchanged, but for a commit index that the copy proves. */
  readonly hardState: HardState | undefined;
  /** A witness's state, when it is one that is installed. */
  readonly witness?: Uint8Array;
}

/** Entries that are read from the file at once. */
const SLICE_ENTRIES_MAX = 512;
/** Entries that are forgotten in one transaction: appends wait for no more than that. */
const COMPACT_ENTRIES_MAX = 1_024;
/** The WAL is moved into the main file after this many groups or bytes, whichever comes first. */
const CHECKPOINT_GROUPS = 1_000;
const CHECKPOINT_BYTES = 4 * 1024 * 1024;

export class LogEngine {
  private readonly file: RaftFile;
  private readonly highWaterFile: HighWaterFile;
  private identity: NodeIdentity | undefined;
  private hardState: HardState;
  private compacted: LogPosition;
  private dataFloor: number;
  private lastIndex: number;
  private lastTerm: number;
  private generation: number;
  private durableApplied: number;
  private durableAppliedWritten: number;
  private witness: Uint8Array | undefined;
  /** A witness's state that goes to disk with the next transaction. */
  private witnessUnwritten: Uint8Array | undefined;
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
    this.compacted = contents.compacted;
    this.lastIndex = contents.lastIndex;
    this.lastTerm = contents.lastTerm;
    this.dataFloor = contents.dataFloor;
    this.generation = contents.chatGeneration;
    this.durableApplied = contents.durableApplied;
    this.durableAppliedWritten = contents.durableApplied;
    this.witness = contents.witness;
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
      compactedIndex: this.compacted.index,
      compactedTerm: this.compacted.term,
      lastIndex: this.lastIndex,
      lastTerm: this.lastTerm,
      dataFloor: this.dataFloor,
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
    this.checkGeneration(generation);
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

  /** What a witness has in the place of a chat file, as it was noted last. */
  get witnessState(): Uint8Array | undefined {
    return this.witness;
  }

  /**
   * The state of a witness that has applied everything up to `index`. Written along with the next group, or with the compaction
   * that rests on it: until then a crash brings the earlier state back, and the log what came after it.
   */
  noteWitness(index: number, state: Uint8Array): void {
    this.witness = state;
    this.witnessUnwritten = state;
    this.noteDurableApplied(index);
  }

  /**
   * Everything up to `index` is durably applied: a later start verifies the entries above it before
   * it trusts the log, and those below when they are read. Written along with the next group.
   */
  noteDurableApplied(index: number): void {
    if (index > this.durableApplied && index <= this.lastIndex) this.durableApplied = index;
  }

  /**
   * Forgets entries up to `index`, a bounded number of them, durably; true = there are more to forget. Never
   * what the chat file may not have: `index` is durably applied. `dataFloor`: see `LogStore.compact`.
   */
  compactSlice(index: number, dataFloor = 0): boolean {
    if (index > this.durableApplied) {
      this.refuse(
        `entries up to ${index} are to go, but only ${this.durableApplied} is durably applied`,
      );
    }
    if (index <= this.compacted.index) return false;
    const target = Math.min(index, this.compacted.index + COMPACT_ENTRIES_MAX);
    const position = this.readablePosition(target);
    if (position === undefined) return false;
    this.unlessItFails(() => {
      this.file.transaction(() => {
        this.file.deleteUpTo(position.index);
        this.file.setState("compacted", encodePosition(position));
        if (dataFloor > this.dataFloor) {
          this.file.setState("data-floor", new ByteWriter(8).u53(dataFloor).finish());
        }
        this.writeDurableApplied();
      });
      this.compacted = position;
      this.dataFloor = Math.max(this.dataFloor, dataFloor);
      this.groupsSinceCheckpoint += 1;
    });
    return position.index < index;
  }

  get compactedPosition(): LogPosition {
    return this.compacted;
  }

  /**
   * Makes a copy of the chat file the current one, in one transaction with what that means for the
   * log: a crash leaves the old or the new (P1). The entries that it drops are in the copy, or in conflict with it and
   * so never were committed.
   */
  install({ generation, position, hardState, witness }: LogInstall): void {
    const { index, term } = position;
    this.checkGeneration(generation);
    if (index < this.compacted.index) {
      this.refuse(
        `a copy as of ${index} leaves a gap: the log begins after ${this.compacted.index}`,
      );
    }
    const continues = index <= this.lastIndex && this.termAt(index) === term;
    if (!continues && index === this.compacted.index) {
      this.refuse(
        `a copy as of ${index} has term ${term}, but ${this.compacted.term} is compacted`,
      );
    }
    const known = hardState ?? this.hardState;
    const next: HardState = { ...known, commit: Math.max(known.commit, index) };
    this.unlessItFails(() => {
      this.replacements += 1;
      if (!continues) this.lowerHighWater(index);
      this.file.transaction(() => {
        this.file.setState("chat-generation", new ByteWriter(8).u53(generation).finish());
        this.file.setState("compacted", encodePosition(position));
        this.file.setState("hard-state", encodeHardState(next));
        if (continues) this.file.deleteUpTo(index);
        else this.file.truncateFrom(0);
        if (witness !== undefined) {
          this.witness = witness;
          this.witnessUnwritten = witness;
        }
        this.durableApplied = index;
        this.writeDurableApplied();
      });
      this.generation = generation;
      this.compacted = position;
      this.hardState = next;
      this.commitIsAhead = false;
      if (!continues) {
        this.lastIndex = index;
        this.lastTerm = term;
      }
      this.groupsSinceCheckpoint += 1;
      this.raiseHighWater();
    });
  }

  /** Bytes that the log takes, without freed pages. */
  get usedBytes(): number {
    return this.file.usedBytes;
  }

  /** The nearest place to `index` whose entry can be read: at it, else above what is damaged, else below. */
  private readablePosition(index: number): LogPosition | undefined {
    const ways = [
      { from: index, to: this.durableApplied + 1, step: 1 },
      { from: index - 1, to: this.compacted.index, step: -1 },
    ];
    for (const { from, to, step } of ways) {
      for (let at = from; at !== to; at += step) {
        const term = this.readableTermAt(at);
        if (term !== undefined) return { index: at, term };
      }
    }
    return undefined;
  }

  private readableTermAt(index: number): number | undefined {
    try {
      return this.termAt(index);
    } catch (cause) {
      const error = StorageError.from(cause, this.file.path, "reading the raft log");
      if (error.entryIndex === undefined) throw error;
      return undefined;
    }
  }

  /** The term at an index from the compacted one to the last. */
  private termAt(index: number): number | undefined {
    if (index === this.compacted.index) return this.compacted.term;
    return this.file.read(index, index + 1, 1, 0)[0]?.term;
  }

  /**
   * A part of the read lo … hi - 1: at least one entry, ended by `bytesMax` or by a bound of its own,
   * so that appends get their turn between parts.
   */
  readSlice(lo: number, hi: number, bytesMax: number): Entry[] {
    const first = this.compacted.index + 1;
    if (lo < first || hi <= lo || hi > this.lastIndex + 1) {
      this.refuse(
        `entries ${lo} … ${hi - 1} were asked for, but the log has ${first} … ${this.lastIndex}`,
      );
    }
    return this.file.read(lo, hi, SLICE_ENTRIES_MAX, bytesMax);
  }

  /** Whether the log can do without the entry: what it did is in the chat file for good. */
  canSpare(index: number): boolean {
    return index <= this.durableApplied;
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
      if (first.index <= this.compacted.index) {
        this.refuse(
          `entry ${first.index} is compacted: the log begins after ${this.compacted.index}`,
        );
      }
      if (first.index > lastIndex + 1) {
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

  private checkGeneration(generation: number): void {
    if (generation > this.generation) return;
    this.refuse(`chat generation ${generation} follows ${this.generation}: generations only rise`);
  }

  private prepareReplacement(firstIndex: number): void {
    this.replacements += 1;
    this.lowerHighWater(firstIndex);
  }

  /** The record must not vouch for entries from `firstIndex` on while they may be the old or the new ones. */
  private lowerHighWater(firstIndex: number): void {
    if (firstIndex > this.highWater.lastIndex) return;
    const termBefore = this.termAt(firstIndex - 1) ?? 0;
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

  /** Inside a transaction: it, and the state of a witness that has applied so much. */
  private writeDurableApplied(): void {
    if (this.witnessUnwritten !== undefined) {
      this.file.setState("witness", this.witnessUnwritten);
      this.witnessUnwritten = undefined;
    }
    if (this.durableApplied === this.durableAppliedWritten) return;
    this.file.setState("durable-applied", new ByteWriter(8).u53(this.durableApplied).finish());
    this.durableAppliedWritten = this.durableApplied;
  }
}
