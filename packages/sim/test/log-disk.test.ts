import { type Entry, NO_BYTES } from "@parley/raft";
import { StorageError } from "@parley/store";
import { describe, expect, test } from "vitest";
import { LogDisk } from "../src/world/log-disk.ts";
import { Prng } from "../src/world/prng.ts";
import { VirtualProcess } from "../src/world/process.ts";
import { Scheduler } from "../src/world/scheduler.ts";

function entry(index: number, term: number): Entry {
  return { type: "EntryNormal", index, term, data: NO_BYTES };
}

function world(seed = 1) {
  const scheduler = new Scheduler();
  const durable: number[] = [];
  const disk = new LogDisk(
    "n1",
    scheduler,
    new Prng(seed),
    { syncUsMin: 1_000, syncUsMean: 1_500, readUsMean: 100, capacityBytes: 1_000_000 },
    {
      onIdentity: () => {},
      onWrite: () => {},
      onCompact: () => {},
      onInstalled: () => {},
      committedTerm: () => 1,
      onDurable: (write) => durable.push(...write.entries.map((one) => one.index)),
    },
  );
  const boot = async () => {
    const process = new VirtualProcess("p", scheduler);
    const store = disk.openFor(process);
    const state = store.open();
    await scheduler.run(scheduler.nowUs + 10_000);
    return { process, store, state };
  };
  return { scheduler, disk, durable, boot };
}

function write(...entries: Entry[]) {
  return { hardState: { term: entries[0]?.term ?? 1, vote: 1, commit: 0 }, entries };
}

test("a write is durable when its promise resolves, and not before", async () => {
  const { scheduler, disk, boot } = world();
  const { store } = await boot();
  let resolved = false;
  store.append(write(entry(1, 1))).then(() => {
    resolved = true;
  });
  expect(disk.durableLastIndex).toBe(0);
  await scheduler.run(scheduler.nowUs + 500);
  expect(resolved).toBe(false);
  await scheduler.run(scheduler.nowUs + 50_000);
  expect(resolved).toBe(true);
  expect(disk.durableLastIndex).toBe(1);
});

test("writes that arrive during a sync share the next one", async () => {
  const { scheduler, disk, boot } = world();
  const { store } = await boot();
  for (let i = 1; i <= 5; i++) store.append(write(entry(i, 1)));
  await scheduler.run(scheduler.nowUs + 100_000);
  expect(disk.durableLastIndex).toBe(5);
  expect(disk.counts.syncsShared).toBe(1);
});

test("a crash keeps any prefix of what was not synced, never a hole, always what was", async () => {
  const kept = new Set<number>();
  for (let seed = 1; seed <= 60; seed++) {
    const { scheduler, disk, boot } = world(seed);
    const { process, store } = await boot();
    store.append(write(entry(1, 1), entry(2, 1)));
    await scheduler.run(scheduler.nowUs + 100_000);
    for (let i = 3; i <= 6; i++) store.append(write(entry(i, 1)));
    process.kill();
    expect(disk.durableLastIndex).toBeGreaterThanOrEqual(2);
    expect(disk.durableLog().map((one) => one.index)).toEqual(
      Array.from({ length: disk.durableLastIndex }, (_, i) => i + 1),
    );
    kept.add(disk.durableLastIndex);
    const { state } = await boot();
    expect((await state).lastIndex).toBe(disk.durableLastIndex);
  }
  expect([...kept].sort()).toEqual([2, 3, 4, 5, 6]);
});

test("a write that replaces a tail is durable as a whole, and is no wiped disk", async () => {
  const { scheduler, disk, boot } = world();
  const { process, store } = await boot();
  store.append(write(entry(1, 1), entry(2, 1), entry(3, 1)));
  await scheduler.run(scheduler.nowUs + 100_000);
  store.append(write(entry(2, 2)));
  await scheduler.run(scheduler.nowUs + 100_000);
  expect(disk.durableLog().map((one) => one.term)).toEqual([1, 2]);
  process.kill();
  const { state } = await boot();
  expect((await state).lastTerm).toBe(2);
});

describe("failures", () => {
  test("a failed sync rejects every write from there on", async () => {
    const { scheduler, disk, boot } = world();
    const { store } = await boot();
    disk.failNextSync("io");
    const first = store.append(write(entry(1, 1)));
    const outcomes = Promise.allSettled([first]);
    await scheduler.run(scheduler.nowUs + 100_000);
    expect((await outcomes)[0]?.status).toBe("rejected");
    await expect(store.append(write(entry(2, 1)))).rejects.toBeInstanceOf(StorageError);
  });

  test("a full disk refuses the write, and shows how much is free", async () => {
    const { scheduler, disk, boot } = world();
    const { store } = await boot();
    disk.fill(10);
    const outcomes = Promise.allSettled([store.freeBytes(), store.append(write(entry(1, 1)))]);
    await scheduler.run(scheduler.nowUs + 100_000);
    const [free, append] = await outcomes;
    expect(free).toMatchObject({ status: "fulfilled", value: 10 });
    expect(append).toMatchObject({ status: "rejected", reason: { kind: "disk-full" } });
  });

  test("a stalled disk syncs nothing until it goes on", async () => {
    const { scheduler, disk, boot } = world();
    const { store } = await boot();
    disk.stall(3_000_000);
    store.append(write(entry(1, 1)));
    await scheduler.run(scheduler.nowUs + 2_900_000);
    expect(disk.durableLastIndex).toBe(0);
    await scheduler.run(scheduler.nowUs + 300_000);
    expect(disk.durableLastIndex).toBe(1);
  });

  test("P9: a flipped byte that shortens the log makes the disk count as wiped", async () => {
    const { scheduler, disk, boot } = world();
    const { process, store } = await boot();
    store.append(write(entry(1, 1), entry(2, 1), entry(3, 1)));
    await scheduler.run(scheduler.nowUs + 100_000);
    process.kill();
    expect(disk.flipByte()).toBeLessThan(3);
    const again = disk.openFor(new VirtualProcess("p2", scheduler));
    const opened = Promise.allSettled([again.open()]);
    await scheduler.run(scheduler.nowUs + 100_000);
    expect((await opened)[0]).toMatchObject({ status: "rejected", reason: { kind: "wiped" } });
  });

  test("a paused process hears of a finished sync when it goes on", async () => {
    const { scheduler, disk, boot } = world();
    const { process, store } = await boot();
    let resolved = false;
    store.append(write(entry(1, 1))).then(() => {
      resolved = true;
    });
    process.pause();
    await scheduler.run(scheduler.nowUs + 100_000);
    expect(disk.durableLastIndex).toBe(1);
    expect(resolved).toBe(false);
    process.resume();
    await scheduler.run(scheduler.nowUs + 100_000);
    expect(resolved).toBe(true);
  });
});
