import { closeSync, existsSync, openSync, readdirSync, statSync, writeSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterEach, expect, test } from "vitest";
import {
  MemoryChatDisk,
  MemoryChatStore,
  MemoryLogDisk,
  MemoryLogStore,
  SqliteChatStore,
  SqliteLogStore,
} from "../src/index.ts";
import { chatEntries } from "./contract/chat-script.ts";
import { THREE_VOTERS } from "./contract/chat-store-contract.ts";
import { copyStoreContract } from "./contract/copy-store-contract.ts";
import { silentLogger } from "./fake-chat-store.ts";
import { scratchDirectory } from "./scratch-directory.ts";

copyStoreContract("memory", () => {
  const disks = {
    from: { log: new MemoryLogDisk(), chat: new MemoryChatDisk() },
    to: { log: new MemoryLogDisk(), chat: new MemoryChatDisk() },
  };
  return {
    stores: (disk) => {
      const log = new MemoryLogStore(disks[disk].log);
      return { log, chat: new MemoryChatStore(disks[disk].chat, log) };
    },
    dispose: () => {},
  };
});

copyStoreContract("SQLite", () => {
  const directories = { from: scratchDirectory(), to: scratchDirectory() };
  return {
    stores: (disk) => {
      const { dbPath } = directories[disk];
      const log = new SqliteLogStore(dbPath);
      return { log, chat: new SqliteChatStore({ dbPath, owner: log, logger: silentLogger() }) };
    },
    dispose: () => {
      for (const directory of Object.values(directories)) directory.remove();
    },
  };
});

let closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

async function openOn(directory: ReturnType<typeof scratchDirectory>, copyPagesMax?: number) {
  const { dbPath } = directory;
  const log = new SqliteLogStore(dbPath);
  await log.open();
  const options = { dbPath, owner: log, logger: silentLogger() };
  const chat = new SqliteChatStore(
    copyPagesMax === undefined ? options : { ...options, copyPagesMax },
  );
  await chat.open(THREE_VOTERS);
  closing.push(
    () => directory.remove(),
    () => log.close(),
    () => chat.close(),
  );
  return { log, chat };
}

test("a copy is made while the node goes on: the loop is not held, and applying is not kept waiting", {
  timeout: 240_000,
}, async () => {
  const { chat } = await openOn(scratchDirectory());
  const entries = chatEntries(24_000);
  const half = entries.length / 2;
  for (let at = 0; at < half; at += 200) {
    await chat.apply({ entries: entries.slice(at, at + 200), confState: undefined });
  }
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let isMaking = true;
  const made = chat.copies.make("one").finally(() => {
    isMaking = false;
  });
  let longestApplyMs = 0;
  let applied = 0;
  for (let at = half; isMaking && at < entries.length; at += 20) {
    const startedMs = performance.now();
    await chat.apply({ entries: entries.slice(at, at + 20), confState: undefined });
    longestApplyMs = Math.max(longestApplyMs, performance.now() - startedMs);
    applied += 20;
  }
  const head = await made;
  delay.disable();
  console.log(
    `a copy of ${(head.bytes / 2 ** 20).toFixed(1)} MiB: longest stall of the loop ${(delay.max / 1e6).toFixed(1)} ms, ` +
      `${applied} entries applied meanwhile, the slowest batch took ${longestApplyMs.toFixed(1)} ms`,
  );
  expect(head.index).toBeGreaterThanOrEqual(half);
  expect(applied).toBeGreaterThan(0);
  // Generous, for a machine that does much else; what it is on a quiet one stands in DESIGN.md.
  expect(delay.max / 1e6).toBeLessThan(1_000);
});

test("a full disk while a copy is made: it says so, leaves nothing, and the node goes on", async () => {
  const directory = scratchDirectory();
  const { chat } = await openOn(directory, 10);
  const entries = chatEntries(100);
  await chat.apply({ entries, confState: undefined });
  await expect(chat.copies.make("one")).rejects.toThrow(/full/);
  expect(readdirSync(directory.path).filter((name) => name.includes("-copy-"))).toEqual([]);
  expect((await chat.stateHash(0))?.appliedIndex).toBe(100);
});

/** Makes the bytes of one page in the middle of a file meaningless. */
function damagePage(path: string): void {
  const pageBytes = 4_096;
  const pages = Math.floor(statSync(path).size / pageBytes);
  expect(pages).toBeGreaterThan(20);
  const fd = openSync(path, "r+");
  writeSync(fd, new Uint8Array(pageBytes).fill(0xa5), 0, pageBytes, (pages >> 1) * pageBytes);
  closeSync(fd);
}

test("a chat file that is damaged is named when no copy can be made of it; the next start puts it aside, however large it is", async () => {
  const directory = scratchDirectory();
  const { dbPath } = directory;
  const first = await openOn(directory);
  await first.chat.apply({ entries: chatEntries(2_000), confState: undefined });
  await first.chat.checkpoint();
  const path = `${dbPath}-chat-000001`;
  damagePage(path);
  await expect(first.chat.copies.make("one")).rejects.toMatchObject({
    kind: "corrupt",
    file: path,
    message: expect.stringMatching(/chat-000001: the chat file is damaged/),
  });
  expect(readdirSync(directory.path).filter((name) => name.includes("-copy-"))).toEqual([]);
  await first.chat.close();
  await first.log.close();

  const log = new SqliteLogStore(dbPath);
  await log.open();
  closing.push(() => log.close());
  const options = { dbPath, owner: log, logger: silentLogger(), verifyBytesMax: 0 };
  const chat = new SqliteChatStore(options);
  closing.push(() => chat.close());
  expect((await chat.open(THREE_VOTERS)).admission.appliedIndex).toBe(0);
  expect(existsSync(`${path}-corrupt`)).toBe(true);
  expect(readdirSync(directory.path).filter((name) => name.includes("-suspect"))).toEqual([]);
});

test("P1: copies and chat files that a process left behind are gone at the next start", async () => {
  const directory = scratchDirectory();
  const first = await openOn(directory);
  await first.chat.apply({ entries: chatEntries(50), confState: undefined });
  const head = await first.chat.copies.make("left");
  await first.chat.copies.receive(head);
  await first.chat.copies.write(0, await first.chat.copies.read("left", 0, 1_000));
  await first.chat.close();
  await first.log.close();
  closing = [];
  const again = await openOn(directory);
  const copies = readdirSync(directory.path).filter((name) => name.includes("-copy-"));
  expect(copies).toEqual([]);
  // What was received stays, to go on from.
  expect(existsSync(`${directory.dbPath}-incoming`)).toBe(true);
  expect((await again.chat.stateHash(0))?.appliedIndex).toBe(50);
});
