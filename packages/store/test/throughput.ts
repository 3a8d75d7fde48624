// How fast this machine appends, acknowledges, reads back and applies:
//   node packages/store/test/throughput.ts [directory]
// Prints; asserts nothing, because a machine that does other things is slow. The bare numbers (a
// commit, a record, a hop between threads) stand beside those of the store, to be compared.
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import type { Entry } from "@parley/raft";
import { SqliteChatStore, SqliteLogStore } from "../src/index.ts";
import { chatEntries } from "./contract/chat-script.ts";
import { silentLogger } from "./fake-chat-store.ts";

const ROUNDS = 400;
const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), "parley-throughput-"));
const data = new Uint8Array(250).fill(7);

async function report(name: string, action: () => unknown): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startMs = performance.now();
    await action();
    times.push((performance.now() - startMs) * 1000);
  }
  times.sort((a, b) => a - b);
  const at = (part: number): string => (times[Math.floor(part * ROUNDS)] ?? 0).toFixed(0);
  console.log(`${name.padEnd(44)} ${at(0.5).padStart(6)} µs median ${at(0.95).padStart(6)} µs p95`);
}

function rate(name: string, count: number, startMs: number): void {
  const perSecond = (count / (performance.now() - startMs)) * 1000;
  console.log(`${name.padEnd(44)} ${perSecond.toFixed(0).padStart(6)} a second`);
}

async function bare(): Promise<void> {
  const db = new DatabaseSync(join(directory, "bare.db"));
  db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  db.exec("CREATE TABLE entry (idx INTEGER PRIMARY KEY, data BLOB)");
  const insert = db.prepare("INSERT INTO entry (data) VALUES (?)");
  // The first pass grows the WAL, the second one overwrites it in place, as a running node does.
  for (let pass = 0; pass < 3; pass++) {
    for (let row = 0; row < ROUNDS; row++) insert.run(data);
    db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }
  await report("bare: commit of one row, FULL", () => insert.run(data));
  db.close();
  const fd = openSync(join(directory, "bare"), "w+");
  writeSync(fd, new Uint8Array(8192));
  closeSync(fd);
  const record = openSync(join(directory, "bare"), constants.O_RDWR | constants.O_DSYNC);
  let slot = 0;
  await report("bare: 64 bytes with O_DSYNC", () => {
    slot = 4096 - slot;
    writeSync(record, data, 0, 64, slot);
  });
  closeSync(record);
  const echo = new Worker(
    "const w=require('worker_threads').parentPort;w.on('message',m=>w.postMessage(m))",
    {
      eval: true,
    },
  );
  await report("bare: to a thread and back", () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    echo.once("message", () => resolve());
    echo.postMessage(0);
    return promise;
  });
  await echo.terminate();
}

let lastIndex = 0;
function entries(count: number): Entry[] {
  return Array.from({ length: count }, () => {
    lastIndex += 1;
    return { index: lastIndex, term: 1, type: "EntryNormal", data };
  });
}

async function log(): Promise<void> {
  const store = new SqliteLogStore(join(directory, "n1.db"));
  await store.open();
  const append = (count: number): Promise<void> =>
    store.append({ hardState: { term: 1, vote: 1, commit: lastIndex }, entries: entries(count) });
  for (let round = 0; round < 3_000; round++) await append(1);
  await report("append of 1 entry, one at a time", () => append(1));
  await report("append of 100 entries, one at a time", () => append(100));
  let startMs = performance.now();
  const underWay: Promise<void>[] = [];
  for (let round = 0; round < 1_000; round++) {
    underWay.push(append(100));
    if (underWay.length >= 4) await underWay.shift();
  }
  await Promise.all(underWay);
  rate("append of 100 entries, 4 under way: entries", 100_000, startMs);
  startMs = performance.now();
  for (let next = 1; next <= lastIndex; ) {
    const entries = await store.read(next, lastIndex + 1, 1 << 20);
    if ("damagedIndex" in entries) throw new Error(entries.found);
    next += entries.length;
  }
  rate("read back in megabytes: entries", lastIndex, startMs);
  await store.close();
  startMs = performance.now();
  const again = new SqliteLogStore(join(directory, "n1.db"));
  await again.open();
  rate("verified on opening: entries", lastIndex, startMs);
  await again.close();
}

async function chat(): Promise<void> {
  const dbPath = join(directory, "n2.db");
  const owner = new SqliteLogStore(dbPath);
  await owner.open();
  const store = new SqliteChatStore({ dbPath, owner, logger: silentLogger() });
  await store.open(undefined);
  const all = chatEntries(40_000);
  const startMs = performance.now();
  for (let at = 0; at < all.length; at += 100) {
    await store.apply({ entries: all.slice(at, at + 100), confState: undefined });
  }
  rate("apply in batches of 100: entries", all.length, startMs);
  const query = { kind: "credentials", usernameKey: "alice" } as const;
  await report("read of one account", () => store.read(query));
  await store.close();
  await owner.close();
}

try {
  await bare();
  await log();
  await chat();
} finally {
  rmSync(directory, { recursive: true, force: true });
}
