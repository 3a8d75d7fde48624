/**
 * The raft file: log, hard state and identity in one SQLite database, laid out for appending. This
 * class knows SQL and checksums; `log-engine.ts` adds the high-water record and decides what may be
 * trusted. Synchronous: it lives on the log's own thread.
 */
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Entry } from "@parley/raft";
import { entryChecksum, entryTypeCode, entryTypeOf } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";
import { syncDirectoryOf } from "./files.ts";

/** "PlyR": other programs' databases are refused instead of being written to. */
const APPLICATION_ID = 0x506c_7952;
const SCHEMA_VERSION = 1;
/** Up to this size a structural check at the start is a matter of tens of milliseconds. */
const QUICK_CHECK_PAGES_MAX = 16_384;

const SCHEMA = `
  CREATE TABLE entry (
    idx INTEGER PRIMARY KEY,
    term INTEGER NOT NULL,
    type INTEGER NOT NULL,
    data BLOB NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE state (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** The rows of the `state` table. */
export type StateName =
  | "hard-state"
  | "identity"
  | "chat-generation"
  | "durable-applied"
  /** All the state of a witness, in the place of a chat file. */
  | "witness"
  /** Index and term of the entry before the first one kept. */
  | "compacted"
  /** With witnesses: the index up to which every data voter is known to have the log. */
  | "data-floor";

export type SyncMode = "FULL" | "OFF";

export class RaftFile {
  readonly path: string;
  private readonly db: DatabaseSync;
  private insertEntry: StatementSync | undefined;
  private deleteFrom: StatementSync | undefined;
  private putState: StatementSync | undefined;

  private constructor(path: string, db: DatabaseSync) {
    this.path = path;
    this.db = db;
  }

  /**
   * Opens or creates the file and locks it against every other process until this one closes it or
   * dies. Throws a StorageError: `locked`, `corrupt` (not a database, or not this program's), `io`.
   */
  static open(path: string, synchronous: SyncMode, pagesMax: number | undefined): RaftFile {
    let db: DatabaseSync;
    try {
      db = new DatabaseSync(path);
    } catch (cause) {
      throw StorageError.from(cause, path, "opening the raft log");
    }
    try {
      // Exclusive before the first access: the lock is then held for good, SQLite keeps the WAL
      // index in memory instead of a shared file, and the kernel drops the lock with the process.
      db.exec("PRAGMA locking_mode = EXCLUSIVE");
      db.exec("PRAGMA journal_mode = WAL");
      db.exec(`PRAGMA synchronous = ${synchronous}`);
      // Checkpoints are explicit: an automatic one hides its failures inside a later commit.
      db.exec("PRAGMA wal_autocheckpoint = 0");
      // What is compacted leaves the file: deleted messages must not live on in free pages.
      db.exec("PRAGMA secure_delete = ON");
      if (pagesMax !== undefined) db.exec(`PRAGMA max_page_count = ${pagesMax}`);
      const file = new RaftFile(path, db);
      file.checkIdentityOfFile();
      return file;
    } catch (cause) {
      db.close();
      throw StorageError.from(cause, path, "opening the raft log");
    }
  }

  /** False for a file that has never been written to. */
  get hasSchema(): boolean {
    return numberOf(this.pragma("user_version")) !== 0;
  }

  createSchema(): void {
    this.transaction(() => this.db.exec(SCHEMA));
    syncDirectoryOf(this.path);
  }

  /** Runs SQLite's structural check where the file is small enough; undefined = nothing found. */
  structuralDamage(): string | undefined {
    if (numberOf(this.pragma("page_count")) > QUICK_CHECK_PAGES_MAX) return undefined;
    const found = this.pragma("quick_check(1)");
    return found === "ok" ? undefined : String(found);
  }

  /** Index of the first and of the last entry; undefined where there is none. */
  bounds(): { readonly first: number; readonly last: number } | undefined {
    const row = this.db
      .prepare("SELECT (SELECT min(idx) FROM entry) AS first, (SELECT max(idx) FROM entry) AS last")
      .get();
    if (row === undefined || row.first === null || row.last === null) return undefined;
    return { first: numberOf(row.first), last: numberOf(row.last) };
  }

  /**
   * Entries lo … hi - 1, at most `countMax`, ending early once they have `bytesMax` bytes of data.
   * Each is checked. Throws a StorageError `corrupt` that names the index, also for a gap.
   */
  read(lo: number, hi: number, countMax: number, bytesMax: number): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    try {
      const rows = this.db
        .prepare(
          "SELECT idx, term, type, data, checksum FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?",
        )
        .iterate(lo, hi, countMax);
      for (const row of rows) {
        const entry = this.checkedEntry(row, lo + entries.length);
        entries.push(entry);
        bytes += entry.data.byteLength;
        if (bytes >= bytesMax) break;
      }
    } catch (cause) {
      throw StorageError.from(cause, this.path, `reading the log from index ${lo}`);
    }
    if (entries.length === 0 && lo < hi) throw this.damagedEntry(lo, "it is missing");
    return entries;
  }

  /** Undefined = never written. Throws `corrupt` for a row whose checksum does not fit. */
  state(name: StateName): Uint8Array | undefined {
    const row = this.db.prepare("SELECT value, checksum FROM state WHERE name = ?").get(name);
    if (row === undefined) return undefined;
    const value = row.value;
    if (!(value instanceof Uint8Array) || row.checksum !== stateChecksum(name, value)) {
      throw new StorageError("corrupt", this.path, `${this.path}: the ${name} row is damaged.`);
    }
    return value;
  }

  /** Commits whatever `work` writes; durable when it returns. After a throw the file is unusable. */
  transaction(work: () => void): void {
    try {
      this.db.exec("BEGIN IMMEDIATE");
      work();
      this.db.exec("COMMIT");
    } catch (cause) {
      throw StorageError.from(cause, this.path, "writing the raft log");
    }
  }

  /** Inside a transaction: removes every entry from `index` on. */
  truncateFrom(index: number): void {
    this.deleteFrom ??= this.db.prepare("DELETE FROM entry WHERE idx >= ?");
    this.deleteFrom.run(index);
  }

  /** Inside a transaction: removes every entry up to `index`. */
  deleteUpTo(index: number): void {
    this.db.prepare("DELETE FROM entry WHERE idx <= ?").run(index);
  }

  /** Bytes of pages that are in use. */
  get usedBytes(): number {
    const pages = numberOf(this.pragma("page_count")) - numberOf(this.pragma("freelist_count"));
    return pages * numberOf(this.pragma("page_size"));
  }

  /** Inside a transaction. */
  insert(entries: readonly Entry[]): void {
    this.insertEntry ??= this.db.prepare(
      "INSERT INTO entry (idx, term, type, data, checksum) VALUES (?, ?, ?, ?, ?)",
    );
    for (const { index, term, type, data } of entries) {
      const code = entryTypeCode(type);
      this.insertEntry.run(index, term, code, data, entryChecksum(index, term, code, data));
    }
  }

  /** Inside a transaction. */
  setState(name: StateName, value: Uint8Array): void {
    this.putState ??= this.db.prepare(
      "INSERT INTO state (name, value, checksum) VALUES (?, ?, ?) " +
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
    );
    this.putState.run(name, value, stateChecksum(name, value));
  }

  /**
   * Syncs the WAL, moves it into the main file and syncs that; the next commit then starts the WAL
   * over. Throws on any failure.
   */
  checkpoint(): void {
    try {
      const row = this.db.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
      if (row?.busy !== 0) throw new Error("the write-ahead log is busy");
    } catch (cause) {
      throw StorageError.from(cause, this.path, "checkpointing the raft log");
    }
  }

  close(): void {
    try {
      this.db.close();
    } catch (cause) {
      throw StorageError.from(cause, this.path, "closing the raft log");
    }
  }

  private pragma(name: string): SQLOutputValue | undefined {
    const row = this.db.prepare(`PRAGMA ${name}`).get();
    return row === undefined ? undefined : Object.values(row)[0];
  }

  private checkIdentityOfFile(): void {
    const application = numberOf(this.pragma("application_id"));
    const version = numberOf(this.pragma("user_version"));
    if (application === 0 && version === 0) {
      const tables = this.db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get();
      if (tables?.tables === 0) return;
    }
    if (application !== APPLICATION_ID) {
      throw new StorageError(
        "corrupt",
        this.path,
        `${this.path} is a database, but not a raft log of Parley. Give the node a db_path of its own.`,
      );
    }
    if (version !== SCHEMA_VERSION) {
      throw new StorageError(
        "corrupt",
        this.path,
        `${this.path} has the layout ${version}; this version of Parley reads ${SCHEMA_VERSION}.`,
      );
    }
  }

  private checkedEntry(row: Record<string, SQLOutputValue>, expected: number): Entry {
    const { idx: index, term, type: code, data, checksum } = row;
    if (index !== expected) throw this.damagedEntry(expected, "it is missing");
    if (
      typeof term !== "number" ||
      typeof code !== "number" ||
      !(data instanceof Uint8Array) ||
      checksum !== entryChecksum(expected, term, code, data)
    ) {
      throw this.damagedEntry(expected, "its checksum does not fit");
    }
    const type = entryTypeOf(code);
    if (type === undefined) throw this.damagedEntry(expected, `its type ${code} is unknown`);
    return { type, term, index: expected, data };
  }

  private damagedEntry(index: number, found: string): StorageError {
    return new StorageError(
      "corrupt",
      this.path,
      `${this.path}: the log entry at index ${index} is damaged (${found}); it is not served.`,
      index,
    );
  }
}

function stateChecksum(name: StateName, value: Uint8Array): number {
  return crc32(value, crc32(name));
}

function numberOf(value: SQLOutputValue | undefined): number {
  if (typeof value !== "number") throw new TypeError(`${String(value)} is not a number`);
  return value;
}
