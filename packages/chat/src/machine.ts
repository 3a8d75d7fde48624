// The replicated state machine: committed entries in; rows, outcomes and events out. The same log
// gives the same tables on every node, however it is cut into batches. Total: no bytes of a command
// make it throw; what it does throw at (an entry out of order, a command of a newer version, an error
// of SQLite) stops the node.
import type { Command } from "@parley/protocol";
import { applyCommand } from "./apply/apply-command.ts";
import {
  ApplyContext,
  accountChange,
  blockedChange,
  memberChange,
  roomChange,
  sessionChange,
} from "./apply/context.ts";
import { commandProblem, decodeCommand } from "./check-command.ts";
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "./database.ts";
import { InvariantViolation, invariant, present } from "./invariant.ts";
import { firstArray, metaChecksum, openSchema, recomputeStateHash } from "./schema.ts";
import { SearchIndex } from "./search/index-table.ts";
import { ChatState } from "./state.ts";
import { STATE_VERSION, STATE_VERSION_FIRST } from "./state-version.ts";
import type {
  AdmissionChange,
  AdmissionSnapshot,
  AppliedBatch,
  AppliedEntry,
  CommittedEntry,
  Outcome,
} from "./types.ts";

/** The state hash is kept for every index that this divides, … */
export const HASH_INTERVAL = 256;
/** … the newest so many of them. */
export const HASHES_KEPT = 64;

export interface StateHash {
  readonly appliedIndex: number;
  /** 16 hexadecimal digits; equal on every node at an equal applied index. */
  readonly hash: string;
}

export class ChatMachine {
  readonly #db: ChatDatabase;
  readonly #state: ChatState;
  readonly #search: SearchIndex;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #writeMeta: Statement;
  readonly #addHash: Statement;
  readonly #dropHashes: Statement;
  readonly #findHash: Statement;
  #appliedIndex: number;
  #appliedTerm: number;
  #confState: Uint8Array | undefined;
  /** A transaction failed: memory may be ahead of the file, so nothing more is answered. */
  #isBroken = false;

  private constructor(db: ChatDatabase) {
    this.#db = db;
    const meta = present(
      firstArray(
        prepareArrays(
          db,
          `SELECT applied_index, applied_term, stamp_ms, register_floor, hash_a, hash_b, conf_state,
           state_version, registration, checksum, search_indexed, search_followed FROM meta`,
        ),
      ),
      "the chat file has its meta row",
    );
    invariant(metaChecksum(meta.slice(0, 9)) === meta[9], "the meta row fits its checksum");
    const stateVersion = meta[7] as number;
    invariant(
      stateVersion <= STATE_VERSION,
      `the chat's state has version ${stateVersion}, and this program knows versions up to ${STATE_VERSION}: it is too old, ` +
        "start the newer one",
    );
    this.#appliedIndex = meta[0] as number;
    this.#appliedTerm = meta[1] as number;
    this.#confState = (meta[6] as Uint8Array | null) ?? undefined;
    const position = { indexed: meta[10] as number, followed: meta[11] as number };
    this.#search = new SearchIndex(db, position, this.#appliedIndex);
    const kept = {
      stampMs: meta[2] as number,
      registerFloor: meta[3] as string,
      stateVersion,
      registration: meta[8] as number,
      hashA: meta[4] as number,
      hashB: meta[5] as number,
    };
    this.#state = new ChatState(db, kept, this.#search);
    this.#begin = prepare(db, "BEGIN IMMEDIATE");
    this.#commit = prepare(db, "COMMIT");
    this.#writeMeta = prepare(
      db,
      `UPDATE meta SET applied_index = ?, applied_term = ?, stamp_ms = ?, register_floor = ?,
       hash_a = ?, hash_b = ?, conf_state = ?, state_version = ?, registration = ?, checksum = ?,
       search_indexed = ?, search_followed = ?`,
    );
    this.#addHash = prepare(db, "INSERT INTO state_hashes (at_index, hash) VALUES (?, ?)");
    this.#dropHashes = prepare(db, "DELETE FROM state_hashes WHERE at_index <= ?");
    this.#findHash = prepareArrays(db, "SELECT hash FROM state_hashes WHERE at_index = ?");
  }

  /**
   * Creates the tables in an empty file, or checks the version of those that are there and loads what
   * is kept in memory. Pragmas are the caller's. Throws an InvariantViolation on another version.
   */
  static open(db: ChatDatabase): ChatMachine {
    openSchema(db);
    return new ChatMachine(db);
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  /** Replicated time: the newest stamp applied, in milliseconds since the Unix epoch. */
  get stampMs(): number {
    return this.#state.stampMs;
  }

  /** The encoded configuration as of the applied index, opaque here; undefined in a new file. */
  confState(): Uint8Array | undefined {
    return this.#confState;
  }

  /**
   * Applies entries that follow on the applied index, in one transaction with the applied index and,
   * if given, the configuration after the last of them. Throws an InvariantViolation or SQLite's
   * error; then nothing of the batch is in the file, and the machine answers no more.
   */
  apply(entries: readonly CommittedEntry[], confState?: Uint8Array): AppliedBatch {
    this.#assertUsable();
    this.#assertContiguous(entries);
    const applied: AppliedEntry[] = [];
    this.#inTransaction(() => {
      for (const entry of entries) applied.push(this.#applyEntry(entry));
      this.#state.flush();
      this.#saveMeta(confState ?? this.#confState);
    });
    if (confState !== undefined) this.#confState = confState;
    return { appliedIndex: this.#appliedIndex, entries: applied };
  }

  /** Whether so much waits for the full-text index that a slice is worth its transaction. */
  get indexingDue(): boolean {
    return this.#search.isDue;
  }

  /**
   * Brings the full-text index one slice further, some milliseconds, in a transaction of its own. Search does not depend on it but for
   * its speed, nor does anything else. Throws what SQLite throws; then the machine answers no more.
   */
  index(): void {
    this.#assertUsable();
    this.#inTransaction(() => {
      this.#search.advance(this.#appliedIndex);
      this.#saveMeta(this.#confState);
    });
  }

  #inTransaction(write: () => void): void {
    this.#begin.run();
    try {
      write();
      this.#commit.run();
    } catch (cause) {
      this.#isBroken = true;
      this.#rollBack();
      throw cause;
    }
  }

  /** For a cluster of other nodes, which begins with this state. */
  forgetConfiguration(): void {
    this.#assertUsable();
    this.#confState = undefined;
    this.#saveMeta(undefined);
  }

  #saveMeta(confState: Uint8Array | undefined): void {
    const { stampMs, registerFloor, stateVersion, registration, sum } = this.#state;
    const values = [
      this.#appliedIndex,
      this.#appliedTerm,
      stampMs,
      registerFloor,
      sum.a,
      sum.b,
      confState ?? null,
      stateVersion,
      registration,
    ];
    const { indexed, followed } = this.#search.position(this.#appliedIndex);
    this.#writeMeta.run(...values, metaChecksum(values), indexed, followed);
  }

  #rollBack(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself; the error that led here is the one to report.
    }
  }

  #assertUsable(): void {
    if (this.#isBroken)
      throw new InvariantViolation("the chat state failed before and has stopped");
  }

  #assertContiguous(entries: readonly CommittedEntry[]): void {
    let index = this.#appliedIndex;
    let term = this.#appliedTerm;
    for (const entry of entries) {
      invariant(
        entry.index === index + 1,
        `entry ${entry.index} does not follow on the applied index ${index}`,
      );
      invariant(entry.term >= term, `entry ${entry.index} has term ${entry.term} after ${term}`);
      index = entry.index;
      term = entry.term;
    }
  }

  #applyEntry(entry: CommittedEntry): AppliedEntry {
    const { index, term } = entry;
    this.#appliedIndex = index;
    this.#appliedTerm = term;
    let applied: AppliedEntry;
    if (entry.command.length === 0) {
      applied = { index, term, outcome: { kind: "empty" }, changes: [], deliveries: [] };
    } else {
      applied = this.#applyBytes(entry);
    }
    if (index % HASH_INTERVAL === 0) this.#keepHash(index);
    return applied;
  }

  #applyBytes(entry: CommittedEntry): AppliedEntry {
    const { index, term } = entry;
    const decoded = decodeCommand(entry.command);
    if (decoded.kind === "newer-version") {
      throw new InvariantViolation(
        `entry ${index} needs version ${decoded.version} of the state, and this program knows versions up to ${STATE_VERSION}: ` +
          "it is too old, start the newer one",
      );
    }
    const problem = decoded.kind === "malformed" ? decoded.error : commandProblem(decoded.command);
    if (decoded.kind === "malformed" || problem !== undefined) {
      const error = present(problem, "a malformed command has a problem").toWire();
      const outcome: Outcome = { kind: "refused", error };
      return { index, term, outcome, changes: [], deliveries: [] };
    }
    return this.#applyCommand(index, term, decoded.command);
  }

  #applyCommand(index: number, term: number, command: Command): AppliedEntry {
    const state = this.#state;
    state.stampMs = Math.max(state.stampMs, command.stampMs);
    state.requests.purge(state.stampMs);
    const context = new ApplyContext(state, index, state.stampMs);
    const result = applyCommand(context, command);
    const outcome: Outcome =
      result instanceof Uint8Array
        ? { kind: "ok", response: result }
        : { kind: "refused", error: result.toWire() };
    return { index, term, outcome, changes: context.changes, deliveries: context.deliveries };
  }

  #keepHash(index: number): void {
    this.#state.flush();
    this.#addHash.run(index, this.#digest());
    this.#dropHashes.run(index - HASHES_KEPT * HASH_INTERVAL);
  }

  #digest(): string {
    return this.#state.digest(this.#appliedIndex, this.#appliedTerm);
  }

  /** The changes that lead an empty mirror to the state at the applied index. */
  admissionSnapshot(): AdmissionSnapshot {
    this.#assertUsable();
    const { stateVersion } = this.#state;
    const changes: AdmissionChange[] = [];
    if (stateVersion > STATE_VERSION_FIRST) changes.push({ kind: "state-version", stateVersion });
    for (const account of this.#state.accounts()) {
      changes.push(accountChange(account));
      const blocked = this.#state.blockedBy(account.id);
      if (blocked.size > 0) changes.push(blockedChange(account.id, blocked));
    }
    for (const session of this.#state.sessions()) changes.push(sessionChange(session));
    for (const room of this.#state.rooms()) {
      changes.push(roomChange(room));
      for (const member of this.#state.memberRows(room.id)) {
        if (member.role !== 0) changes.push(memberChange(member));
      }
    }
    return {
      appliedIndex: this.#appliedIndex,
      appliedTerm: this.#appliedTerm,
      stampMs: this.#state.stampMs,
      changes,
    };
  }

  /**
   * The state hash at `atIndex` (0 = the applied index) while it is kept: always at the applied index,
   * and at the newest 64 multiples of 256.
   */
  stateHash(atIndex: number): StateHash | undefined {
    this.#assertUsable();
    if (atIndex === 0 || atIndex === this.#appliedIndex) {
      return { appliedIndex: this.#appliedIndex, hash: this.#digest() };
    }
    const values = firstArray(this.#findHash, atIndex);
    return values === undefined ? undefined : { appliedIndex: atIndex, hash: values[0] as string };
  }

  /** The hash from the tables, whole; equal to `stateHash(0)` unless the file was damaged. */
  recomputeHash(): string {
    this.#assertUsable();
    return recomputeStateHash(this.#db);
  }
}
