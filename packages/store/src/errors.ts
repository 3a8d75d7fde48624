/**
 * One error class for what can go wrong with the disk. Every one of them is final (P1): the store
 * that rejected with it answers every later call with it too, and the node must stop.
 */

export type StorageErrorKind =
  /** The disk lost what this node had acknowledged: it counts as a new server (P9). */
  | "wiped"
  /** What was read is not what was written. */
  | "corrupt"
  /** Another process, or this one, has the file open. */
  | "locked"
  /** No room left; make room and start again. */
  | "disk-full"
  /** The operating system refused a write, a read or a sync. */
  | "io"
  /** What was asked for makes no sense; a read that is refused so harms nothing else. */
  | "invalid"
  /** The program met what cannot be, and stops rather than guess. */
  | "defect"
  | "closed";

/** A storage error as plain data, so that it crosses threads. */
export interface StorageErrorData {
  readonly kind: StorageErrorKind;
  readonly file: string;
  readonly message: string;
  readonly entryIndex: number | undefined;
}

/** What happened to which file, and in its message what to do about it. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly kind: StorageErrorKind;
  /** The path of the file that it is about. */
  readonly file: string;
  /** The log entry that it is about, if it is about one. */
  readonly entryIndex: number | undefined;

  constructor(kind: StorageErrorKind, file: string, message: string, entryIndex?: number) {
    super(message);
    this.kind = kind;
    this.file = file;
    this.entryIndex = entryIndex;
  }

  toData(): StorageErrorData {
    const { kind, file, message, entryIndex } = this;
    return { kind, file, message, entryIndex };
  }

  static fromData(data: StorageErrorData): StorageError {
    return new StorageError(data.kind, data.file, data.message, data.entryIndex);
  }

  /** Whatever SQLite, the file system or the code threw while working on `file`. */
  static from(cause: unknown, file: string, doing: string): StorageError {
    if (cause instanceof StorageError) return cause;
    const kind = kindOf(cause);
    const text = cause instanceof Error ? cause.message : String(cause);
    return new StorageError(kind, file, `${file}: ${doing} failed: ${text}. ${ADVICE[kind]}`);
  }
}

const ADVICE: Readonly<Record<StorageErrorKind, string>> = {
  wiped: "This node counts as wiped: it must not vote under its old identity.",
  corrupt: "The file is damaged; the node stops instead of serving it.",
  locked: "Stop the other process, or give this node a db_path of its own.",
  "disk-full":
    "The disk is full: make room, then start the node again; nothing acknowledged is lost.",
  io: "The node stops and does not retry: after a failed write or sync the disk's state is unknown.",
  invalid: "This is a defect of the program.",
  defect: "This is a defect of the program; the node stops.",
  closed: "",
};

// Primary result codes of SQLite (sqlite3.h).
const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_NOMEM = 7;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** Whether SQLite says that what is in a file makes no sense. */
export function isSqliteDamage(cause: unknown): cause is Error {
  if (!(cause instanceof Error) || !("errcode" in cause)) return false;
  const code = typeof cause.errcode === "number" ? cause.errcode & 0xff : 0;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function kindOf(cause: unknown): StorageErrorKind {
  if (typeof cause !== "object" || cause === null) return "defect";
  if ("errcode" in cause && typeof cause.errcode === "number") {
    switch (cause.errcode & 0xff) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return "locked";
      case SQLITE_FULL:
        return "disk-full";
      case SQLITE_PERM:
      case SQLITE_NOMEM:
      case SQLITE_READONLY:
      case SQLITE_IOERR:
      case SQLITE_CANTOPEN:
        return "io";
      default:
        // SQLITE_CORRUPT and NOTADB, but also a column or table that is suddenly not there: the
        // statements never change, so the file has.
        return "corrupt";
    }
  }
  const code = "code" in cause ? cause.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") return "disk-full";
  // An integer that no JavaScript number holds can only come from a damaged row: none was written.
  if (code === "ERR_OUT_OF_RANGE") return "corrupt";
  return "syscall" in cause ? "io" : "defect";
}
