import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { MemoryLogDisk, MemoryLogStore, SqliteLogStore } from "../src/index.ts";
import { entriesOf, hardStateOf, logStoreContract } from "./contract/log-store-contract.ts";
import { scratchDirectory } from "./scratch-directory.ts";

logStoreContract("memory", () => {
  const disk = new MemoryLogDisk();
  return {
    store: () => new MemoryLogStore(disk),
    durablyApplied: async () => {},
    dispose: () => {},
  };
});

logStoreContract("SQLite", () => {
  const directory = scratchDirectory();
  return {
    store: () => new SqliteLogStore(directory.dbPath),
    durablyApplied: async (store, index) => {
      if (store instanceof SqliteLogStore) await store.noteDurableApplied(index);
    },
    dispose: () => directory.remove(),
  };
});

test("P1: what is not durably applied is never forgotten", async () => {
  const directory = scratchDirectory();
  const store = new SqliteLogStore(directory.dbPath);
  await store.open();
  await store.append({ hardState: hardStateOf(1), entries: entriesOf(1, 101) });
  await store.noteDurableApplied(40);
  await expect(store.compact(41)).rejects.toMatchObject({ kind: "invalid" });
  expect(await store.compact(40)).toEqual({ index: 40, term: 1 });
  await store.close();
  directory.remove();
});

test("a damaged entry that is durably applied is named, and the log can do without it", async () => {
  const directory = scratchDirectory();
  const { dbPath } = directory;
  let store = new SqliteLogStore(dbPath);
  await store.open();
  await store.append({ hardState: hardStateOf(1), entries: entriesOf(1, 101) });
  await store.noteDurableApplied(80);
  await store.append({ hardState: undefined, entries: entriesOf(101, 102) });
  await store.close();
  const db = new DatabaseSync(dbPath);
  db.exec("UPDATE entry SET data = zeroblob(3) WHERE idx IN (50, 60)");
  db.close();

  store = new SqliteLogStore(dbPath);
  await store.open();
  const damaged = await store.read(45, 60, 1e9);
  expect(damaged).toMatchObject({ damagedIndex: 50 });
  expect("found" in damaged ? damaged.found : "").toMatch(/index 50 is damaged/);
  expect(await store.read(51, 60, 1e9)).toEqual(entriesOf(51, 60));
  // The entry at 60 can't be read either: the log begins after the next one that can.
  expect(await store.compact(60)).toEqual({ index: 61, term: 1 });
  expect(await store.read(62, 102, 1e9)).toEqual(entriesOf(62, 102));
  await store.close();
  directory.remove();
});
