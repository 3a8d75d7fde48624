// The same log gives the same tables on every node, whatever it holds and however it is cut.
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Admission, type AppliedEntry, ChatMachine, ChatReader } from "../src/index.ts";
import { arbitraryCuts, arbitraryLog, asEntries, cut, type LogEntry } from "./arbitrary-log.ts";
import { dump } from "./world.ts";

function fresh(): { db: DatabaseSync; machine: ChatMachine } {
  const db = new DatabaseSync(":memory:");
  return { db, machine: ChatMachine.open(db) };
}

function applyAll(machine: ChatMachine, batches: readonly LogEntry[][]): AppliedEntry[] {
  return batches.flatMap((batch) => machine.apply(batch).entries);
}

/** What a mirror knows, in an order that does not depend on how it came to know it. */
function mirrored(admission: Admission, ids: number): unknown {
  const known: unknown[] = [];
  for (let id = 1; id <= ids; id++) {
    known.push(
      admission.account(id),
      admission.session(id),
      admission.room(id),
      [...admission.roomsOf(id)].sort((x, y) => x - y),
      [...admission.roomMembers(id)]
        .sort((x, y) => x - y)
        .map((accountId) => admission.membership(id, accountId)),
      [...admission.sessionsOf(id)].sort((x, y) => x - y),
    );
  }
  return known;
}

test("P3, P5: replay equality: outcomes, events, tables and hash do not depend on the batching", () => {
  fc.assert(
    fc.property(arbitraryLog, arbitraryCuts, arbitraryCuts, (commands, cutsA, cutsB) => {
      const log = asEntries(commands);
      const [a, b] = [fresh(), fresh()];
      const appliedA = applyAll(a.machine, cut(log, cutsA));
      const appliedB = applyAll(b.machine, cut(log, cutsB));
      expect(appliedB).toEqual(appliedA);
      expect(dump(b.db)).toBe(dump(a.db));
      expect(a.machine.stateHash(0)).toEqual(b.machine.stateHash(0));
      expect(a.machine.recomputeHash()).toBe(a.machine.stateHash(0)?.hash);
    }),
    { numRuns: 60 },
  );
});

test("reopening in the middle of a log changes nothing", () => {
  fc.assert(
    fc.property(arbitraryLog, arbitraryCuts, fc.nat(), (commands, cuts, at) => {
      const batches = cut(asEntries(commands), cuts);
      const [a, b] = [fresh(), fresh()];
      applyAll(a.machine, batches);
      const reopenAt = at % batches.length;
      applyAll(b.machine, batches.slice(0, reopenAt));
      const reopened = ChatMachine.open(b.db);
      expect(reopened.stateHash(0)).toEqual(b.machine.stateHash(0));
      expect(reopened.stampMs).toBe(b.machine.stampMs);
      applyAll(reopened, batches.slice(reopenAt));
      expect(dump(b.db)).toBe(dump(a.db));
    }),
    { numRuns: 40 },
  );
});

test("the mirror for admission follows the changes to where a snapshot leads", () => {
  fc.assert(
    fc.property(arbitraryLog, arbitraryCuts, (commands, cuts) => {
      const { machine } = fresh();
      const following = new Admission();
      following.load(machine.admissionSnapshot());
      for (const entry of applyAll(machine, cut(asEntries(commands), cuts))) {
        following.applyEntry(entry);
      }
      const loaded = new Admission();
      loaded.load(machine.admissionSnapshot());
      expect(following.appliedIndex).toBe(loaded.appliedIndex);
      expect(mirrored(following, commands.length)).toEqual(mirrored(loaded, commands.length));
    }),
    { numRuns: 40 },
  );
});

const UNREAD = `SELECT 1 FROM follows f JOIN messages m ON m.room_id = f.room_id AND m.thread_root_seq = f.thread_root_seq
  WHERE f.following = 1 AND m.seq > f.read_seq AND m.author_id <> f.account_id`;
/** What tables, and no outcome, say has happened. */
const IN_TABLES: Readonly<Record<string, string>> = {
  reactions: "SELECT 1 FROM reactions",
  pins: "SELECT 1 FROM messages WHERE pinned_revision > 0",
  "invites used": "SELECT 1 FROM invites WHERE use_count > 0",
  "passwords set by link": "SELECT 1 FROM accounts WHERE password_hash = 'phc3'",
  preferences: "SELECT 1 FROM members WHERE preference_revision > 0",
  mentions: "SELECT 1 FROM mentions",
  "live replies unread": `${UNREAD} AND m.deleted = 0`,
  "deleted replies unread": `${UNREAD} AND m.deleted = 1`,
  files: "SELECT 1 FROM files WHERE message_id > 0",
  previews: "SELECT 1 FROM files WHERE preview IS NOT NULL",
};
const LOGS_AT_ONCE = 120;
const SEEDS_MAX = 10;

test("the random logs reach every kind of outcome (or the properties above say little)", () => {
  const kinds = [
    ...Object.keys(IN_TABLES),
    "ok",
    "empty",
    "events",
    "MUTED",
    "MALFORMED",
    "INVALID_ARGUMENT",
    "TOO_LARGE",
    "PROTOCOL_VERSION",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_A_MEMBER",
    "BANNED",
    "ACCOUNT_NOT_FOUND",
    "BLOCKED",
    "ROOM_NOT_FOUND",
    "MESSAGE_NOT_FOUND",
    "SESSION_NOT_FOUND",
    "USERNAME_TAKEN",
    "REGISTRATION_CLOSED",
    "INVITE_REQUIRED",
    "INVITE_NOT_FOUND",
    "PASSWORD_LINK_NOT_FOUND",
    "ROOM_NAME_TAKEN",
    "ALREADY_A_MEMBER",
    "LAST_OWNER",
    "DIRECT_ROOM",
    "ID_REUSED",
    "ID_EXPIRED",
    "PREDECESSOR_MISSING",
    "CREDENTIALS_CHANGED",
  ];
  const seen = new Map<string, number>();
  const add = (kind: string) => seen.set(kind, (seen.get(kind) ?? 0) + 1);
  const missing = () => kinds.filter((kind) => !seen.has(kind));
  for (let seed = 1; missing().length > 0 && seed <= SEEDS_MAX; seed += 1) {
    for (const commands of fc.sample(arbitraryLog, { numRuns: LOGS_AT_ONCE, seed })) {
      const { db, machine } = fresh();
      for (const { outcome, deliveries } of applyAll(machine, [asEntries(commands)])) {
        const kind = outcome.kind === "refused" ? outcome.error.reason : outcome.kind;
        add(kind);
        if (deliveries.length > 0) add("events");
      }
      for (const [what, sql] of Object.entries(IN_TABLES)) {
        if (db.prepare(sql).get() !== undefined) add(what);
      }
    }
  }
  expect(missing()).toEqual([]);
  expect(seen.get("ok") ?? 0).toBeGreaterThan(1000);
});

test("the recomputed hash notices a changed row", () => {
  const [commands] = fc.sample(arbitraryLog, { numRuns: 1, seed: 7 });
  const { db, machine } = fresh();
  applyAll(machine, [asEntries(commands ?? [])]);
  expect(machine.recomputeHash()).toBe(machine.stateHash(0)?.hash);
  db.exec("UPDATE rooms SET topic = 'forged' WHERE id = (SELECT min(id) FROM rooms)");
  expect(machine.recomputeHash()).not.toBe(machine.stateHash(0)?.hash);
  const answer = new ChatReader(db).read({ kind: "recompute-hash" });
  expect(answer).toMatchObject({ kind: "hash", hash: machine.recomputeHash() });
});

test("the state hash is kept for round indices, the newest 64 of them, and is the same later", () => {
  const { db, machine } = fresh();
  const empty = new Uint8Array(0);
  const [commands] = fc.sample(arbitraryLog, { numRuns: 1, seed: 3 });
  const log = asEntries([
    ...(commands ?? []),
    ...Array.from({ length: 256 * 66 }, () => empty),
  ]).slice(0, 256 * 66 + 3);
  machine.apply(log.slice(0, 256));
  const at256 = machine.stateHash(0);
  expect(machine.stateHash(256)).toEqual(at256);
  machine.apply(log.slice(256, 600));
  expect(machine.stateHash(256)).toEqual(at256);
  expect(machine.stateHash(512)?.appliedIndex).toBe(512);
  expect(machine.stateHash(511)).toBeUndefined();
  machine.apply(log.slice(600));
  expect(machine.stateHash(256)).toBeUndefined();
  expect(machine.stateHash(256 * 3)?.appliedIndex).toBe(256 * 3);
  expect(db.prepare("SELECT count(*) AS n FROM state_hashes").get()).toEqual({ n: 64 });
});
