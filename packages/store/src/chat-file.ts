/**
 * The chat file: the replicated state in SQLite, applied to on one connection. It may lose its last
 * transactions (`synchronous = NORMAL`), because the log still has them; it may not be wrong.
 * Synchronous: it lives on the apply thread.
 */
import { existsSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { AdmissionSnapshot, AppliedBatch, CommittedEntry } from "@parley/chat";
import type { Membership } from "@parley/node/ports";
import { decodeConfState, encodeConfState } from "./conf-state-codec.ts";
import { StorageError } from "./errors.ts";
import { syncDirectoryOf } from "./files.ts";

/** What this package uses of `ChatMachine`. */
export interface ChatEngine {
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  apply(entries: readonly CommittedEntry[], confState?: Uint8Array): AppliedBatch;
  admissionSnapshot(): AdmissionSnapshot;
  confState(): Uint8Array | undefined;
  stateHash(atIndex: number): { readonly appliedIndex: number; readonly hash: string } | undefined;
  recomputeHash(): string;
  /** Whether a slice of the full-text index is due. */
  readonly indexingDue: boolean;
  /** Brings it one slice further. */
  index(): void;
}

export interface ChatEngineModule {
  readonly ChatMachine: { open(db: DatabaseSync): ChatEngine };
}

/**
 * Frames of the WAL that are not in the main file yet: above this a checkpoint is due. However often a page
 * was written since the last one (the newest of each index is, all the time), it is moved once.
 */
const CHECKPOINT_FRAMES = 4_000;
/** A WAL that readers keep from starting over: above this they are waited for, for a moment. */
const WAL_FRAMES_MAX = 16_000;
const CACHE_KIB = 32_768;
const BUSY_TIMEOUT_MS = 1_000;

/** Damage that the check at the start found; the file can be made again from the log. */
export class ChatFileDamage extends Error {
  override readonly name = "ChatFileDamage";
}

export class ChatFile {
  readonly path: string;
  /** A copy is being made: its read transaction is longer than anybody should wait for. */
  isBeingCopied = false;
  private readonly db: DatabaseSync;
  private readonly engine: ChatEngine;
  /** Tells how long the WAL is, and moves nothing. */
  private readonly walState: StatementSync;
  private durable: number;

  private constructor(path: string, db: DatabaseSync, engine: ChatEngine, durable: number) {
    this.path = path;
    this.db = db;
    this.engine = engine;
    this.walState = db.prepare("PRAGMA wal_checkpoint(NOOP)");
    this.durable = durable;
  }

  /**
   * Opens or creates the file. One without a membership that is as of `logBeginsAfter` (a new one, or a restored backup)
   * gets `initial`, durably. Files up to
   * `verifyBytesMax` are verified before anything of them is served: SQLite compares indexes with
   * tables, and the state hash is recomputed from the rows. Throws {@link ChatFileDamage}, or a
   * StorageError.
   */
  static open(
    path: string,
    module: ChatEngineModule,
    initial: Membership | undefined,
    logBeginsAfter: number,
    verifyBytesMax: number,
  ): ChatFile {
    const existed = existsSync(path);
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      db.exec("PRAGMA journal_mode = WAL");
      db.exec("PRAGMA synchronous = NORMAL");
      db.exec("PRAGMA secure_delete = ON");
      db.exec("PRAGMA wal_autocheckpoint = 0");
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      const verify = existed && bytesOf(db) <= verifyBytesMax;
      if (verify) verifyStructure(db);
      const engine = module.ChatMachine.open(db);
      if (verify) verifyHash(engine);
      const fresh = engine.appliedIndex === logBeginsAfter && engine.confState() === undefined;
      if (fresh && initial !== undefined) engine.apply([], encodeConfState(initial));
      const file = new ChatFile(path, db, engine, 0);
      // Decoded once here, so that a damaged one is found now.
      file.confState();
      file.checkpoint();
      if (!existed) syncDirectoryOf(path);
      return file;
    } catch (cause) {
      db?.close();
      const error = StorageError.from(cause, path, "opening the chat file");
      if (cause instanceof ChatFileDamage || !existed) throw cause;
      // Whatever stumbles over an old file's contents, rather than over the disk, is damage.
      const isDamage = error.kind === "corrupt" || error.kind === "defect";
      throw isDamage ? new ChatFileDamage(error.message) : error;
    }
  }

  get appliedIndex(): number {
    return this.engine.appliedIndex;
  }

  /** Everything up to here is in the main file and synced. */
  get durableApplied(): number {
    return this.durable;
  }

  admissionSnapshot(): AdmissionSnapshot {
    return this.engine.admissionSnapshot();
  }

  confState(): Membership | undefined {
    const bytes = this.engine.confState();
    return bytes === undefined ? undefined : decodeConfState(bytes);
  }

  apply(entries: readonly CommittedEntry[], confState: Uint8Array | undefined): AppliedBatch {
    return this.engine.apply(entries, confState);
  }

  get indexingDue(): boolean {
    return this.engine.indexingDue;
  }

  index(): void {
    this.engine.index();
  }

  stateHash(atIndex: number): ReturnType<ChatEngine["stateHash"]> {
    return this.engine.stateHash(atIndex);
  }

  get checkpointDue(): boolean {
    const { log, checkpointed } = resultOf(this.walState);
    return log - checkpointed >= CHECKPOINT_FRAMES;
  }

  /**
   * Moves the WAL into the main file and syncs it. Only a checkpoint that was not kept from anything
   * moves {@link durableApplied}, to the applied index from before it (P1: the log is truncated by it).
   */
  checkpoint(): number {
    const applied = this.engine.appliedIndex;
    let done = this.runCheckpoint("PASSIVE");
    if (done.log > WAL_FRAMES_MAX && !this.isBeingCopied) done = this.runCheckpoint("TRUNCATE");
    if (done.busy === 0 && done.log === done.checkpointed) this.durable = applied;
    return this.durable;
  }

  close(): void {
    this.db.close();
  }

  private runCheckpoint(mode: "PASSIVE" | "TRUNCATE"): CheckpointResult {
    return resultOf(this.db.prepare(`PRAGMA wal_checkpoint(${mode})`));
  }
}

interface CheckpointResult {
  readonly busy: number;
  /** Frames in the WAL. */
  readonly log: number;
  /** Of these, how many are in the main file. */
  readonly checkpointed: number;
}

function resultOf(pragma: StatementSync): CheckpointResult {
  const { busy, log, checkpointed } = pragma.get() ?? {};
  if (typeof busy !== "number" || typeof log !== "number" || typeof checkpointed !== "number") {
    throw new TypeError("SQLite did not say how the checkpoint went");
  }
  return { busy, log, checkpointed };
}

function bytesOf(db: DatabaseSync): number {
  const row = db
    .prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size")
    .get();
  return typeof row?.bytes === "number" ? row.bytes : 0;
}

/** SQLite's own check, indexes against tables included. Throws {@link ChatFileDamage}. */
export function verifyStructure(db: DatabaseSync): void {
  // Not quick_check: an index that misses a row would let a message be stored twice (P2).
  const row = db.prepare("PRAGMA integrity_check(1)").get();
  const found = row === undefined ? "nothing" : Object.values(row)[0];
  if (found !== "ok") throw new ChatFileDamage(`its structure: ${String(found)}`);
}

/** The rows against the hash that apply keeps. Throws {@link ChatFileDamage}. */
export function verifyHash(engine: ChatEngine): void {
  const kept = engine.stateHash(0);
  if (kept === undefined) return;
  const recomputed = engine.recomputeHash();
  if (recomputed !== kept.hash) {
    throw new ChatFileDamage(
      `the rows hash to ${recomputed}, but ${kept.hash} was computed when index ${kept.appliedIndex} was applied`,
    );
  }
}
