// A full disk: a clear error, a store that stays broken, nothing acknowledged lost, and a start that
// works once there is room.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ChatStore, LogStore } from "@parley/node/ports";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SqliteChatStore, SqliteLogStore, type StorageError } from "../../src/index.ts";
import { readWhole } from "../contract/log-store-contract.ts";
import { fakeChat, silentLogger } from "../fake-chat-store.ts";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import { modelEntry } from "./log-model.ts";

/** More writes than any of these disks holds. */
const WRITES_MAX = 20_000;

let directory: ScratchDirectory;
let open: (LogStore | ChatStore)[] = [];
beforeEach(() => {
  directory = scratchDirectory();
});
afterEach(async () => {
  for (const store of open.reverse()) await store.close().catch(() => {});
  open = [];
  directory.remove();
});

/** Appends until the disk is full; returns the last acknowledged index and the error. */
async function fill(store: LogStore): Promise<{ acknowledged: number; error: StorageError }> {
  let { lastIndex: acknowledged } = await store.open();
  for (let left = WRITES_MAX; left > 0; left--) {
    const entry = modelEntry(acknowledged + 1, 1);
    try {
      await store.append({ hardState: undefined, entries: [entry] });
    } catch (cause) {
      return { acknowledged, error: cause as StorageError };
    }
    acknowledged += 1;
  }
  throw new Error("the disk never got full");
}

async function expectBroken(store: LogStore, acknowledged: number): Promise<void> {
  const again = { hardState: undefined, entries: [modelEntry(acknowledged + 1, 1)] };
  await expect(store.append(again)).rejects.toMatchObject({ kind: "disk-full" });
  await expect(store.read(1, 2, 0)).rejects.toMatchObject({ kind: "disk-full" });
}

async function expectAll(store: LogStore, acknowledged: number): Promise<void> {
  const { lastIndex } = await store.open();
  expect(lastIndex).toBeGreaterThanOrEqual(acknowledged);
  for (let next = 1; next <= lastIndex; ) {
    for (const entry of await readWhole(store, next, lastIndex + 1, 1 << 20)) {
      expect(entry).toEqual(modelEntry(next, 1));
      next += 1;
    }
  }
  const more = { hardState: undefined, entries: [modelEntry(lastIndex + 1, 1)] };
  await store.append(more);
}

function opened<Store extends LogStore | ChatStore>(store: Store): Store {
  open.push(store);
  return store;
}

test("P1: a bound on the file's size stops the node, and loses nothing acknowledged", async () => {
  const store = opened(new SqliteLogStore(directory.dbPath, { pagesMax: 64 }));
  const { acknowledged, error } = await fill(store);
  expect(error).toMatchObject({ name: "StorageError", kind: "disk-full", file: directory.dbPath });
  expect(error.message).toMatch(/n1\.db.*full.*make room/);
  expect(acknowledged).toBeGreaterThan(100);
  await expectBroken(store, acknowledged);
  await store.close();
  await expectAll(opened(new SqliteLogStore(directory.dbPath)), acknowledged);
});

/** A real file system of that size, where this process may mount one. */
function mountSmallDisk(path: string, size: string): boolean {
  mkdirSync(path);
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]).status === 0;
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

describe("a disk that is really full", () => {
  let disk: string;
  let isMounted = false;
  beforeEach(() => {
    disk = join(directory.path, "disk");
    isMounted = mountSmallDisk(disk, "2m");
  });
  afterEach(async () => {
    for (const store of open.reverse()) await store.close().catch(() => {});
    open = [];
    if (isMounted) run("umount", disk);
  });

  test("P1: the log stops, loses nothing acknowledged, and goes on when there is room", async ({
    skip,
  }) => {
    skip(!isMounted, "mounting a tmpfs needs root; the bound on the file's size is tested above");
    const dbPath = join(disk, "n1.db");
    const store = opened(new SqliteLogStore(dbPath));
    const { acknowledged, error } = await fill(store);
    expect(error).toMatchObject({ kind: "disk-full" });
    expect(acknowledged).toBeGreaterThan(100);
    await expectBroken(store, acknowledged);
    await store.close().catch(() => {});

    // While the disk is full a start either works or says why it does not; it never takes the
    // node for wiped.
    const early = opened(new SqliteLogStore(dbPath));
    const state = await early.open().catch((cause: StorageError) => cause.kind);
    if (typeof state === "string") expect(state).toBe("disk-full");
    else expect(state.lastIndex).toBeGreaterThanOrEqual(acknowledged);
    await early.close().catch(() => {});

    run("mount", "-o", "remount,size=64m", disk);
    const later = opened(new SqliteLogStore(dbPath));
    await expectAll(later, acknowledged);
    expect(await later.freeBytes()).toBeGreaterThan(32 * 1024 * 1024);
  });

  test("applying stops, and goes on from what was applied when there is room", async ({ skip }) => {
    skip(!isMounted, "mounting a tmpfs needs root");
    const dbPath = join(directory.path, "n1.db");
    const log = opened(new SqliteLogStore(dbPath));
    await log.open();
    const options = { owner: log, logger: silentLogger(), module: fakeChat };
    const small = { ...options, dbPath: join(disk, "n1.db") };
    const chat = opened(new SqliteChatStore(small));
    await chat.open(undefined);
    const command = new Uint8Array(1_000).fill(65);
    let applied = 0;
    let failure: unknown;
    while (failure === undefined && applied < WRITES_MAX) {
      const entries = [{ index: applied + 1, term: 1, command }];
      await chat.apply({ entries, confState: undefined }).then(
        () => {
          applied += 1;
        },
        (cause: unknown) => {
          failure = cause;
        },
      );
    }
    expect(failure).toMatchObject({ name: "StorageError", kind: "disk-full" });
    await expect(chat.apply({ entries: [], confState: undefined })).rejects.toMatchObject({
      kind: "disk-full",
    });
    await chat.close().catch(() => {});

    run("mount", "-o", "remount,size=64m", disk);
    const again = opened(new SqliteChatStore(small));
    const { admission } = await again.open(undefined);
    expect(admission.appliedIndex).toBeLessThanOrEqual(applied + 1);
    const entries = [{ index: admission.appliedIndex + 1, term: 1, command }];
    const { appliedIndex } = await again.apply({ entries, confState: undefined });
    expect(appliedIndex).toBe(admission.appliedIndex + 1);
  });
});
