// A chat as small as can be, with the interface of the real one: each command is a row. It lets the
// storage be tested for what it promises, with commands that fail on purpose.

import type { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type {
  AdmissionSnapshot,
  AppliedBatch,
  AppliedEntry,
  ChatAnswer,
  ChatQuery,
  CommittedEntry,
} from "@parley/chat";
import { ParleyError } from "@parley/protocol";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (
    id INTEGER PRIMARY KEY, applied INTEGER, term INTEGER, hash INTEGER, conf BLOB
  );
  INSERT OR IGNORE INTO meta VALUES (1, 0, 0, 0, NULL);
  CREATE TABLE IF NOT EXISTS row (idx INTEGER PRIMARY KEY, body BLOB NOT NULL);
`;
const decoder = new TextDecoder();

export class ChatMachine {
  private readonly db: DatabaseSync;
  appliedIndex = 0;
  appliedTerm = 0;
  private hash = 0;

  constructor(db: DatabaseSync) {
    this.db = db;
    const { tables } = db.prepare("SELECT count(*) AS tables FROM sqlite_schema").get() as {
      tables: number;
    };
    if (tables === 0) db.exec(SCHEMA);
    const row = db.prepare("SELECT applied, term, hash FROM meta").get();
    this.appliedIndex = Number(row?.applied);
    this.appliedTerm = Number(row?.term);
    this.hash = Number(row?.hash);
  }

  static open(db: DatabaseSync): ChatMachine {
    return new ChatMachine(db);
  }

  confState(): Uint8Array | undefined {
    const row = this.db.prepare("SELECT conf FROM meta").get();
    return row?.conf instanceof Uint8Array ? row.conf : undefined;
  }

  apply(entries: readonly CommittedEntry[], confState?: Uint8Array): AppliedBatch {
    this.db.exec("BEGIN IMMEDIATE");
    const applied: AppliedEntry[] = [];
    for (const entry of entries) applied.push(this.applyOne(entry));
    if (confState !== undefined) this.db.prepare("UPDATE meta SET conf = ?").run(confState);
    this.db
      .prepare("UPDATE meta SET applied = ?, term = ?, hash = ?")
      .run(this.appliedIndex, this.appliedTerm, this.hash);
    this.db.exec("COMMIT");
    return { appliedIndex: this.appliedIndex, entries: applied };
  }

  admissionSnapshot(): AdmissionSnapshot {
    const { appliedIndex, appliedTerm } = this;
    return { appliedIndex, appliedTerm, stampMs: 0, changes: [] };
  }

  stateHash(atIndex: number): { appliedIndex: number; hash: string } | undefined {
    if (atIndex !== 0 && atIndex !== this.appliedIndex) return undefined;
    return { appliedIndex: this.appliedIndex, hash: this.hash.toString(16) };
  }

  get indexingDue(): boolean {
    return false;
  }

  index(): void {}

  recomputeHash(): string {
    return hashOfRows(this.db);
  }

  private applyOne({ index, term, command }: CommittedEntry): AppliedEntry {
    if (index !== this.appliedIndex + 1) throw new Error(`${index} after ${this.appliedIndex}`);
    this.appliedIndex = index;
    this.appliedTerm = term;
    if (command.byteLength === 0) {
      return { index, term, outcome: { kind: "empty" }, changes: [], deliveries: [] };
    }
    const text = decoder.decode(command);
    if (text === "break") throw new Error("told to break");
    this.db.prepare("INSERT INTO row VALUES (?, ?)").run(index, command);
    this.hash = (this.hash ^ hashOfRow(index, command)) >>> 0;
    return {
      index,
      term,
      outcome:
        text === "refuse"
          ? {
              kind: "refused",
              error: new ParleyError("INVALID_ARGUMENT", "refused").toWire(),
            }
          : { kind: "ok", response: command },
      changes: [{ kind: "session-ended", sessionId: index }],
      deliveries: [
        { audience: { kind: "everyone" }, event: command },
        { audience: { kind: "room", roomId: 7, exceptAccountId: index }, event: command },
        { audience: { kind: "account", accountId: index }, event: command },
      ],
    };
  }
}

export class ChatReader {
  private readonly db: DatabaseSync;
  constructor(db: DatabaseSync) {
    this.db = db;
  }

  read(query: ChatQuery): ChatAnswer {
    this.db.exec("BEGIN");
    try {
      return this.answer(query);
    } finally {
      this.db.exec("COMMIT");
    }
  }

  private answer(query: ChatQuery): ChatAnswer {
    const revision = Number(this.db.prepare("SELECT applied FROM meta").get()?.applied);
    switch (query.kind) {
      case "operation":
        return { kind: "response", revision, response: query.request };
      case "catch-up": {
        const rows = this.db
          .prepare("SELECT idx, body FROM row WHERE idx > ? ORDER BY idx")
          .all(query.afterRevision);
        const events = rows.map((row) => ({
          revision: Number(row.idx),
          event: row.body as Uint8Array,
        }));
        return { kind: "page", revision, events, upToRevision: revision };
      }
      case "recompute-hash":
        return { kind: "hash", revision, hash: hashOfRows(this.db), keptHash: hashOfRows(this.db) };
      case "catch-up-count":
        return { kind: "count", revision, count: 0 };
      case "credentials":
        return {
          kind: "credentials",
          revision,
          accountId: 0,
          passwordHash: "",
          credentialsRevision: 0,
        };
      case "unread":
      case "registration":
        throw new TypeError("told to break");
    }
  }
}

function hashOfRow(index: number, body: Uint8Array): number {
  return crc32(body, crc32(String(index)));
}

function hashOfRows(db: DatabaseSync): string {
  let hash = 0;
  for (const row of db.prepare("SELECT idx, body FROM row").iterate()) {
    hash = (hash ^ hashOfRow(Number(row.idx), row.body as Uint8Array)) >>> 0;
  }
  return hash.toString(16);
}
