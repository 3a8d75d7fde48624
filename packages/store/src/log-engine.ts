/**
 * The log's rules, on top of the raft file and the high-water record: what order makes an
 * acknowledgement true (P1), and what is believed after a restart (P9). Synchronous; see
 * `log-worker.ts` for its thread.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { LogState, LogWrite, NodeIdentity } from "@parley/node/ports";
import type { Entry, HardState } from "@parley/raft";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeHardState, encodeHardState } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";
import { highWaterPath } from "./files.ts";
import {
  EMPTY_HIGH_WATER,
  type HighWater,
  IDENTITY_BOOTSTRAPPED,
  IDENTITY_FRESH,
  IDENTITY_NONE,
  type IdentityStage,
  loweredHighWater,
  raisedHighWater,
  recoveryVerdict,
} from "./high-water.ts";
import { HighWaterFile } from "./high-water-file.ts";
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

const NO_HARD_STATE: HardState = { term: 0, vote: 0, commit: 0 };

interface Contents {
  readonly identity: NodeIdentity | undefined;
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly chatGeneration: number;
  readonly durableApplied: number;
}

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
    const contents = readContents(file);
    const recordPath = highWaterPath(file.path);
    const record = HighWaterFile.find(recordPath);
    const verdict = recoveryVerdict(record, {
      term: contents.hardState.term,
      vote: contents.hardState.vote,
      compactedIndex: 0,
      lastIndex: contents.lastIndex,
      identity: identityStage(contents.identity),
      termAt: (index) => {
        if (index > contents.lastIndex) return undefined;
        try {
          return file.read(index, index + 1, 1, 0)[0]?.term;
        } catch {
          return undefined;
        }
      },
    });
    if (verdict.kind === "wiped") throw wipedError(file.path, verdict.found);

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
   * throw leaves the engine unusable.
   */
  append(writes: readonly LogWrite[]): void {
    const lowest = this.checkWrites(writes);
    if (lowest <= this.lastIndex) this.prepareReplacement(lowest);
    let { lastIndex, lastTerm } = this;
    let hardState: HardState | undefined;
    this.file.transaction(() => {
      for (const write of writes) {
        hardState = write.hardState ?? hardState;
        const [first] = write.entries;
        const last = write.entries.at(-1);
        if (first === undefined || last === undefined) continue;
        if (first.index <= lastIndex) this.file.truncateFrom(first.index);
        this.file.insert(write.entries);
        lastIndex = last.index;
        lastTerm = last.term;
        for (const entry of write.entries) this.bytesSinceCheckpoint += entry.data.byteLength;
      }
      if (hardState !== undefined) this.file.setState("hard-state", encodeHardState(hardState));
      this.writeDurableApplied();
    });
    this.lastIndex = lastIndex;
    this.lastTerm = lastTerm;
    this.hardState = hardState ?? this.hardState;
    this.groupsSinceCheckpoint += 1;
    this.raiseHighWater();
  }

  setIdentity(identity: NodeIdentity): void {
    this.file.transaction(() => this.file.setState("identity", encodeIdentity(identity)));
    this.identity = identity;
    this.raiseHighWater();
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
    this.file.transaction(() =>
      this.file.setState("chat-generation", new ByteWriter(8).u53(generation).finish()),
    );
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
    this.file.checkpoint();
    this.groupsSinceCheckpoint = 0;
    this.bytesSinceCheckpoint = 0;
  }

  close(): void {
    try {
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

/** Reads and verifies everything that the node must be able to trust before it takes part. */
function readContents(file: RaftFile): Contents {
  if (!file.hasSchema) {
    return {
      identity: undefined,
      hardState: NO_HARD_STATE,
      lastIndex: 0,
      lastTerm: 0,
      chatGeneration: 1,
      durableApplied: 0,
    };
  }
  try {
    const damage = file.structuralDamage();
    if (damage !== undefined) throw wipedError(file.path, `the file's structure: ${damage}`);
    const identity = file.state("identity");
    const hardState = file.state("hard-state");
    const generation = file.state("chat-generation");
    const durableApplied = readCounter(file.state("durable-applied"), 0);
    const bounds = file.bounds();
    if (bounds !== undefined && bounds.first !== 1) {
      throw wipedError(file.path, `the log begins at index ${bounds.first} instead of 1`);
    }
    const lastIndex = bounds?.last ?? 0;
    return {
      identity: identity === undefined ? undefined : decodeIdentity(identity),
      hardState: hardState === undefined ? NO_HARD_STATE : decodeHardState(hardState),
      lastIndex,
      lastTerm: verifyEntries(file, Math.min(durableApplied, lastIndex - 1), lastIndex),
      chatGeneration: readCounter(generation, 1),
      durableApplied: Math.min(durableApplied, lastIndex),
    };
  } catch (cause) {
    throw asWiped(cause, file.path);
  }
}

/** Checks every entry above `above`; returns the last one's term. */
function verifyEntries(file: RaftFile, above: number, lastIndex: number): number {
  let lastTerm = 0;
  for (let next = Math.max(above, 0) + 1; next <= lastIndex; ) {
    const slice = file.read(next, lastIndex + 1, SLICE_ENTRIES_MAX, Number.MAX_SAFE_INTEGER);
    next += slice.length;
    lastTerm = slice.at(-1)?.term ?? lastTerm;
  }
  return lastTerm;
}

function readCounter(bytes: Uint8Array | undefined, missing: number): number {
  return bytes === undefined ? missing : new ByteReader(bytes).u53();
}

function identityStage(identity: NodeIdentity | undefined): IdentityStage {
  if (identity === undefined) return IDENTITY_NONE;
  return identity.bootstrap === undefined ? IDENTITY_FRESH : IDENTITY_BOOTSTRAPPED;
}

function encodeIdentity(identity: NodeIdentity): Uint8Array {
  const writer = new ByteWriter().text(identity.serverUuid);
  writer.u8(identity.bootstrap === undefined ? 0 : 1);
  if (identity.bootstrap !== undefined) writer.bytes(identity.bootstrap);
  return writer.finish();
}

function decodeIdentity(bytes: Uint8Array): NodeIdentity {
  const reader = new ByteReader(bytes);
  const serverUuid = reader.text();
  return { serverUuid, bootstrap: reader.u8() === 0 ? undefined : reader.bytes().slice() };
}

function syncWal(path: string): void {
  const wal = `${path}-wal`;
  if (!existsSync(wal)) return;
  try {
    const fd = openSync(wal, "r+");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw StorageError.from(cause, wal, "syncing the write-ahead log");
  }
}

/** Damage that is found at the start: what a node can't read, it can't keep its promises by. */
function asWiped(cause: unknown, path: string): StorageError {
  const error = StorageError.from(cause, path, "reading the raft log");
  return error.kind === "corrupt" ? wipedError(path, error.message) : error;
}

function wipedError(path: string, found: string): StorageError {
  return new StorageError(
    "wiped",
    path,
    `${path}: this node's disk lost or damaged acknowledged data: ${found}. It counts as a wiped ` +
      "disk: the node must not vote or acknowledge under its old identity, so it does not start. " +
      "Keep the files for a look, and have the node re-admitted as a new server with an empty db_path.",
  );
}
