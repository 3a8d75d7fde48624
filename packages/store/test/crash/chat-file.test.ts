// The chat file after crashes and damage: older than it was, or exactly right, or refused and made
// again from the log. Never wrong.
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as chat from "@parley/chat";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ChatFile, ChatFileDamage } from "../../src/chat-file.ts";
import { chatPath } from "../../src/files.ts";
import { SqliteChatStore, SqliteLogStore } from "../../src/index.ts";
import { bodyOf, chatEntries, ROOM } from "../contract/chat-script.ts";
import { fakeChat, silentLogger } from "../fake-chat-store.ts";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import { type Child, startChild } from "./child.ts";
import { seededRandom } from "./log-model.ts";

const ENTRIES = chatEntries(600);
const VERIFY_ALL = Number.MAX_SAFE_INTEGER;
const seed = Math.trunc(Math.random() * 2 ** 31);
const random = seededRandom(seed);

let directory: ScratchDirectory;
let closing: (() => Promise<void> | void)[] = [];
beforeEach(() => {
  directory = scratchDirectory();
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
  directory.remove();
});

function openFile(path: string): ChatFile {
  return ChatFile.open(path, chat, undefined, 0, VERIFY_ALL);
}

/** The state hash at every applied index, from an undamaged machine: what a file may be found at. */
function referenceHashes(): string[] {
  const machine = chat.ChatMachine.open(new DatabaseSync(":memory:"));
  const hashes = [machine.recomputeHash()];
  for (const entry of ENTRIES) {
    machine.apply([entry]);
    hashes.push(machine.stateHash(0)?.hash ?? "");
  }
  return hashes;
}

let pictures = 0;
function writePicture(main: Uint8Array, wal: Uint8Array | undefined): string {
  pictures += 1;
  const path = join(directory.path, `picture-${pictures}`);
  writeFileSync(path, main);
  if (wal !== undefined) writeFileSync(`${path}-wal`, wal);
  return path;
}

/** Opens a picture; undefined = refused as damaged. Whatever opens must be some true state. */
function openPicture(path: string, hashes: readonly string[]): number | undefined {
  let file: ChatFile;
  try {
    file = openFile(path);
  } catch (cause) {
    if (cause instanceof ChatFileDamage) return undefined;
    throw cause;
  }
  const { appliedIndex } = file;
  expect(file.stateHash(0)?.hash, `seed ${seed}`).toBe(hashes[appliedIndex]);
  file.close();
  const db = new DatabaseSync(path, { readOnly: true });
  const reader = new chat.ChatReader(db);
  expect(reader.read({ kind: "recompute-hash" })).toMatchObject({ hash: hashes[appliedIndex] });
  db.close();
  return appliedIndex;
}

/** Where the file holds the bodies of messages; those found twice are left out: one may be in unused room. */
function bodiesIn(main: Buffer): { readonly at: number; readonly bytes: number }[] {
  const db = new DatabaseSync(join(directory.path, "chat"), { readOnly: true });
  const rows = db.prepare("SELECT body FROM messages WHERE body <> ''").all();
  db.close();
  return rows.flatMap(({ body }) => {
    const bytes = Buffer.from(String(body));
    const at = main.indexOf(bytes);
    return at >= 0 && main.indexOf(bytes, at + 1) < 0 ? [{ at, bytes: bytes.length }] : [];
  });
}

describe("a damaged chat file", () => {
  test("a flipped byte in the main file is detected before anything is served", () => {
    const hashes = referenceHashes();
    const path = join(directory.path, "chat");
    const file = openFile(path);
    file.apply(ENTRIES, undefined);
    file.close();
    const main = readFileSync(path);
    const refusedAt = (at: number): boolean => {
      const damaged = Buffer.from(main);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << random(8));
      const applied = openPicture(writePicture(damaged, undefined), hashes);
      if (applied !== undefined) expect(applied, `seed ${seed}, byte ${at}`).toBe(ENTRIES.length);
      return applied === undefined;
    };
    // Anywhere: about half of the file is unused room, where damage changes nothing.
    for (let round = 0; round < 120; round++) refusedAt(random(main.length));
    // In what people wrote: each time.
    const bodies = bodiesIn(main);
    expect(bodies.length).toBeGreaterThan(100);
    for (let round = 0; round < 60; round++) {
      const body = bodies[random(bodies.length)];
      if (body === undefined) throw new Error("no body");
      const at = body.at + random(body.bytes);
      expect(refusedAt(at), `seed ${seed}, byte ${at}`).toBe(true);
    }
  });

  test("a torn or damaged WAL gives an older true state, or is refused; none older than durable", () => {
    const hashes = referenceHashes();
    const path = join(directory.path, "chat");
    const file = openFile(path);
    file.apply(ENTRIES.slice(0, 200), undefined);
    const durable = file.checkpoint();
    expect(durable).toBe(200);
    for (let at = 200; at < ENTRIES.length; at += 20) {
      file.apply(ENTRIES.slice(at, at + 20), undefined);
    }
    const main = readFileSync(path);
    const wal = readFileSync(`${path}-wal`);
    file.close();
    const found = new Set<number | undefined>();
    for (let round = 0; round < 120; round++) {
      const at = random(wal.length);
      const damaged = round % 2 === 0 ? wal.subarray(0, at) : Buffer.from(wal);
      if (round % 2 === 1) damaged[at] = (damaged[at] ?? 0) ^ (1 << random(8));
      const applied = openPicture(writePicture(main, damaged), hashes);
      if (applied !== undefined) expect(applied).toBeGreaterThanOrEqual(durable);
      found.add(applied);
    }
    expect(found.size).toBeGreaterThan(3);
    expect(openPicture(writePicture(main, undefined), hashes)).toBe(durable);
  });

  test("is put aside and made again from the log, and says so", async () => {
    const { dbPath } = directory;
    const owner = new SqliteLogStore(dbPath);
    await owner.open();
    closing.push(() => owner.close());
    const logger = silentLogger();
    const hashes = referenceHashes();
    for (let generation = 1; generation <= 3; generation++) {
      const store = new SqliteChatStore({ dbPath, owner, logger });
      const { admission } = await store.open(undefined);
      expect(admission.appliedIndex).toBe(0);
      expect(logger.complaints).toHaveLength(generation - 1);
      await store.apply({ entries: ENTRIES, confState: undefined });
      expect((await store.stateHash(0))?.hash).toBe(hashes[ENTRIES.length]);
      await store.close();
      expect(owner.chatGeneration).toBe(generation);
      damageBody(chatPath(dbPath, generation));
    }
    // Only the newest damaged file is kept (P11).
    const aside = readdirSync(directory.path).filter((name) => name.includes("corrupt"));
    expect(aside).toEqual(["n1.db-chat-000002-corrupt"]);
  });

  test("the switch to another generation survives a restart", async () => {
    const { dbPath } = directory;
    const first = new SqliteLogStore(dbPath);
    await first.open();
    await first.setChatGeneration(2);
    await expect(first.setChatGeneration(2)).rejects.toMatchObject({ kind: "invalid" });
    await first.close();
    const second = new SqliteLogStore(dbPath);
    closing.push(() => second.close());
    await second.open();
    expect(second.chatGeneration).toBe(2);
  });

  test("one that is no database at all is put aside as well", async () => {
    const { dbPath } = directory;
    writeFileSync(chatPath(dbPath, 1), "This is a letter, not a database. ".repeat(300));
    const owner = new SqliteLogStore(dbPath);
    await owner.open();
    const store = new SqliteChatStore({ dbPath, owner, logger: silentLogger() });
    closing.push(
      () => owner.close(),
      () => store.close(),
    );
    expect((await store.open(undefined)).admission.appliedIndex).toBe(0);
    expect(existsSync(`${chatPath(dbPath, 1)}-corrupt`)).toBe(true);
  });
});

/** Changes one letter of a stored message. */
function damageBody(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(bodyOf(301));
  expect(at).toBeGreaterThan(0);
  bytes[at] = "M".charCodeAt(0);
  writeFileSync(path, bytes);
}

describe("durable_applied", () => {
  test("is in the main file alone", () => {
    const path = join(directory.path, "chat");
    const file = openFile(path);
    file.apply(ENTRIES.slice(0, 100), undefined);
    expect(file.durableApplied).toBe(0);
    expect(file.checkpoint()).toBe(100);
    file.apply(ENTRIES.slice(100, 200), undefined);
    expect(file.durableApplied).toBe(100);
    const alone = join(directory.path, "alone");
    copyFileSync(path, alone);
    file.close();
    const found = openFile(alone);
    expect(found.appliedIndex).toBe(100);
    found.close();
  });

  test("does not move while a reader keeps the checkpoint from finishing", () => {
    const path = join(directory.path, "chat");
    const file = openFile(path);
    file.apply(ENTRIES.slice(0, 100), undefined);
    expect(file.checkpoint()).toBe(100);
    file.apply(ENTRIES.slice(100, 200), undefined);
    const reader = new DatabaseSync(path, { readOnly: true });
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM messages").get();
    file.apply(ENTRIES.slice(200, 300), undefined);
    expect(file.checkpoint()).toBe(100);
    reader.exec("COMMIT");
    expect(file.checkpoint()).toBe(300);
    reader.close();
    file.close();
  });

  test("moves by itself, and the WAL stays bounded (P11)", async () => {
    const { dbPath } = directory;
    const owner = new SqliteLogStore(dbPath);
    await owner.open();
    const store = new SqliteChatStore({ dbPath, owner, logger: silentLogger(), module: fakeChat });
    closing.push(
      () => owner.close(),
      () => store.close(),
    );
    await store.open(undefined);
    const command = new Uint8Array(8_000).fill(65);
    let index = 0;
    // 64 MB in all: eight times of what is to be checkpointed.
    while (index < 8_000) {
      const entries = Array.from({ length: 40 }, () => {
        index += 1;
        return { index, term: 1, command };
      });
      await store.apply({ entries, confState: undefined });
    }
    expect(store.durableApplied).toBeGreaterThan(index / 2);
    expect(statSync(`${chatPath(dbPath, 1)}-wal`).size).toBeLessThan(24 * 1024 * 1024);
    expect(await store.checkpoint()).toBe(index);
  });
});

test("deleted bodies leave the chat file", () => {
  const path = join(directory.path, "chat");
  const file = openFile(path);
  file.apply(ENTRIES, undefined);
  file.checkpoint();
  const rows = new DatabaseSync(path, { readOnly: true });
  const deleted = rows
    .prepare("SELECT id FROM messages WHERE room_id = ? AND deleted = 1")
    .all(ROOM)
    .map((row) => Number(row.id));
  rows.close();
  file.close();
  expect(deleted.length).toBeGreaterThan(5);
  const bytes = readFileSync(path);
  for (const id of deleted) expect(bytes.includes(bodyOf(id)), `message ${id}`).toBe(false);
  expect(bytes.includes(bodyOf(500 - 1))).toBe(true);
});

describe("failures of the chat", () => {
  async function openFake(): Promise<SqliteChatStore> {
    const { dbPath } = directory;
    const owner = new SqliteLogStore(dbPath);
    await owner.open();
    const store = new SqliteChatStore({ dbPath, owner, logger: silentLogger(), module: fakeChat });
    closing.push(
      () => owner.close(),
      () => store.close(),
    );
    await store.open(undefined);
    return store;
  }

  function entryOf(index: number, text: string) {
    return { index, term: 1, command: new TextEncoder().encode(text) };
  }

  test("a defect in apply is final: the node must stop", async () => {
    const store = await openFake();
    await store.apply({ entries: [entryOf(1, "fine")], confState: undefined });
    const broken = { entries: [entryOf(2, "break")], confState: undefined };
    await expect(store.apply(broken)).rejects.toMatchObject({ kind: "defect" });
    const next = { entries: [entryOf(2, "fine")], confState: undefined };
    await expect(store.apply(next)).rejects.toMatchObject({ kind: "defect" });
    await expect(store.read({ kind: "recompute-hash" })).rejects.toMatchObject({ kind: "defect" });
  });

  test("a defect that a read meets fails that read alone", async () => {
    const store = await openFake();
    await store.apply({ entries: [entryOf(1, "fine")], confState: undefined });
    await expect(store.read({ kind: "unread", accountId: 1 })).rejects.toMatchObject({
      name: "StorageError",
      kind: "invalid",
    });
    expect(await store.read({ kind: "recompute-hash" })).toMatchObject({ revision: 1 });
    await store.apply({ entries: [entryOf(2, "fine")], confState: undefined });
  });
});

describe("a process that is killed while it applies", () => {
  const ROUNDS = 6;
  let child: Child | undefined;
  afterEach(async () => {
    child?.kill();
    await child?.ended;
  });

  test("P1: goes on from a true state, no older than what was applied", async () => {
    let applied = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const batches = 2 + random(25);
      child = startChild("chat-writer.ts", [directory.dbPath, String(1 + random(12))]);
      const isDone = (line: string): boolean => line.startsWith("applied ");
      await child.waitFor((_, lines) => lines.filter(isDone).length >= batches);
      child.kill();
      await child.ended;
      const said = child.lines.filter(isDone).at(-1)?.split(" ").map(Number) ?? [];
      const [, saidApplied = 0, , durable = 0] = said;
      expect(durable).toBeLessThanOrEqual(saidApplied);

      const path = chatPath(directory.dbPath, 1);
      const file = openFile(path);
      expect(file.appliedIndex, `seed ${seed}`).toBeGreaterThanOrEqual(saidApplied);
      expect(file.appliedIndex).toBeGreaterThan(applied);
      applied = file.appliedIndex;
      const reference = chat.ChatMachine.open(new DatabaseSync(":memory:"));
      reference.apply(chatEntries(applied));
      expect(file.stateHash(0), `seed ${seed}`).toEqual(reference.stateHash(0));
      file.close();
    }
  });
});
