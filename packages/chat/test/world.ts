// A machine on a database in memory, with the least that it takes to put commands through it.
import { DatabaseSync } from "node:sqlite";
import { Command, Event, type Message, ParleyError, SendResponse } from "@parley/protocol";
import {
  type Actor,
  Admission,
  type AppliedEntry,
  ChatMachine,
  type ChatQuery,
  ChatReader,
  createRoomCommand,
  createSessionCommand,
  mentionsIn,
  raiseStateVersionCommand,
  registerCommand,
  STATE_VERSION,
  sendCommand,
  stampCommand,
} from "../src/index.ts";

/** Noon of some day; the tests' replicated time starts here. */
export const START_MS = 1_800_000_000_000;
export const HOUR_MS = 60 * 60 * 1000;
export const TTL_MS = 30 * 24 * HOUR_MS;

/** A UUIDv7 of the given time; `n` tells them apart. */
export function uuid(timeMs: number, n: number): string {
  const time = timeMs.toString(16).padStart(12, "0");
  const tail = n.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}`;
}

/** 32 bytes that stand for the hash of the n-th token. */
export function tokenHash(n: number): Uint8Array {
  const hash = new Uint8Array(32);
  new DataView(hash.buffer).setUint32(0, n);
  return hash;
}

export interface SeenEvent {
  readonly to: AppliedEntry["deliveries"][number]["audience"];
  readonly event: Event;
}

export class World {
  readonly db: DatabaseSync;
  machine: ChatMachine;
  readonly admission = new Admission();
  readonly log: { index: number; term: number; command: Uint8Array }[] = [];
  nowMs = START_MS;
  #next = 0;

  constructor(path = ":memory:") {
    this.db = new DatabaseSync(path);
    this.machine = ChatMachine.open(this.db);
    this.admission.load(this.machine.admissionSnapshot());
  }

  get revision(): number {
    return this.machine.appliedIndex;
  }

  /** A fresh request id of now. */
  id(): string {
    this.#next += 1;
    return uuid(this.nowMs, this.#next);
  }

  token(): Uint8Array {
    this.#next += 1;
    return tokenHash(this.#next);
  }

  applyBytes(command: Uint8Array): AppliedEntry {
    const entry = { index: this.revision + 1, term: 1, command };
    this.log.push(entry);
    const batch = this.machine.apply([entry]);
    const applied = batch.entries[0];
    if (applied === undefined) throw new Error("nothing was applied");
    this.admission.applyEntry(applied);
    return applied;
  }

  apply(command: Command): AppliedEntry {
    return this.applyBytes(stampCommand(Command.encode(command).finish(), this.nowMs));
  }

  /** The encoded response; throws the refusal. */
  ok(command: Command): Uint8Array {
    const { outcome } = this.apply(command);
    if (outcome.kind === "refused") throw ParleyError.fromWire(outcome.error);
    if (outcome.kind === "empty") throw new Error("an empty entry");
    return outcome.response;
  }

  /** The reason of the refusal; "ok" when there is none. */
  reason(command: Command): string {
    const { outcome } = this.apply(command);
    return outcome.kind === "refused" ? outcome.error.reason : outcome.kind;
  }

  events(command: Command): SeenEvent[] {
    const applied = this.apply(command);
    if (applied.outcome.kind === "refused") throw ParleyError.fromWire(applied.outcome.error);
    return seen(applied);
  }

  register(username: string): Actor & { readonly credentialsRevision: number } {
    this.ok(
      registerCommand(
        { username, displayName: "", requestId: this.id() },
        {
          passwordHash: `phc-${username}`,
          device: "",
          tokenHash: this.token(),
          tokenTtlMs: TTL_MS,
        },
      ),
    );
    const revision = this.revision;
    return { accountId: revision, sessionId: revision, credentialsRevision: revision };
  }

  login(account: Actor & { readonly credentialsRevision: number }): Actor {
    this.ok(
      createSessionCommand(
        { device: "", requestId: this.id() },
        account.accountId,
        account.credentialsRevision,
        { tokenHash: this.token(), tokenTtlMs: TTL_MS },
      ),
    );
    return { accountId: account.accountId, sessionId: this.revision };
  }

  reopen(): void {
    this.machine = ChatMachine.open(this.db);
    this.admission.load(this.machine.admissionSnapshot());
  }

  /** All servers have been upgraded: what came with newer state versions may be done. */
  upgrade(): void {
    this.ok(raiseStateVersionCommand(STATE_VERSION));
  }

  room(actor: Actor, name: string, visibility: 1 | 2 = 1): number {
    this.ok(createRoomCommand({ name, visibility, topic: "", requestId: this.id() }, actor));
    return this.revision;
  }

  sendOf(actor: Actor, roomId: number, body: string, more: Partial<SendParts> = {}): Command {
    this.#next += 1;
    const id = `c${this.#next}`;
    const parts = {
      clientMessageId: id,
      replyToSeq: 0,
      threadRootSeq: 0,
      afterClientMessageId: "",
      clientFileIds: [] as string[],
    };
    return sendCommand(
      { roomId, body, ...parts, ...more },
      actor,
      mentionsIn(body, this.admission),
    );
  }

  send(actor: Actor, roomId: number, body: string, more: Partial<SendParts> = {}): Message {
    const response = SendResponse.decode(this.ok(this.sendOf(actor, roomId, body, more)));
    if (response.message === undefined) throw new Error("a response without its message");
    return response.message;
  }

  read(query: ChatQuery) {
    return new ChatReader(this.db).read(query);
  }
}

export interface SendParts {
  readonly clientMessageId: string;
  readonly replyToSeq: number;
  readonly threadRootSeq: number;
  readonly afterClientMessageId: string;
  readonly clientFileIds: string[];
}

export function seen(applied: AppliedEntry): SeenEvent[] {
  return applied.deliveries.map(({ audience, event }) => ({
    to: audience,
    event: Event.decode(event),
  }));
}

/** Every row of every table, in the order of its key. */
export function dump(db: DatabaseSync): string {
  const tables = db
    .prepare(
      // What the full-text index holds stands in tables of its own.
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL %' ORDER BY name",
    )
    .all() as { name: string }[];
  const lines: string[] = [];
  for (const { name } of tables) {
    for (const row of db.prepare(`SELECT * FROM ${name} ORDER BY 1, 2`).all()) {
      lines.push(`${name} ${JSON.stringify(row)}`);
    }
  }
  return lines.join("\n");
}
