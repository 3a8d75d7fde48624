// What every LogStore must do; the memory and the SQLite one run the same suite, so that tests on
// memory speak for the server.
import type { LogStore } from "@parley/node/ports";
import type { Entry, EntryType, HardState } from "@parley/raft";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StorageError } from "../../src/index.ts";

export interface LogStoreHarness {
  /** Another store on the same disk, not open yet. */
  store(): LogStore;
  /** Everything up to `index` is durably applied: it may be compacted. */
  durablyApplied(store: LogStore, index: number): Promise<void>;
  dispose(): void;
}

export function entryOf(index: number, term = 1, text = `entry ${index}`): Entry {
  return { index, term, type: "EntryNormal", data: new TextEncoder().encode(text) };
}

export function entriesOf(lo: number, hi: number, term = 1): Entry[] {
  return Array.from({ length: hi - lo }, (_, offset) => entryOf(lo + offset, term));
}

export function hardStateOf(term: number, vote = 1, commit = 0): HardState {
  return { term, vote, commit };
}

const ALL = Number.MAX_SAFE_INTEGER;

/** Entries that are expected to be whole. */
export async function readWhole(
  store: LogStore,
  lo: number,
  hi: number,
  bytesMax: number,
): Promise<readonly Entry[]> {
  const entries = await store.read(lo, hi, bytesMax);
  if ("damagedIndex" in entries) throw new Error(entries.found);
  return entries;
}

export function logStoreContract(name: string, makeHarness: () => LogStoreHarness): void {
  describe(`LogStore contract: ${name}`, () => {
    let harness: LogStoreHarness;
    let store: LogStore;

    beforeEach(() => {
      harness = makeHarness();
      store = harness.store();
    });
    afterEach(async () => {
      await store.close();
      harness.dispose();
    });

    async function reopen(): Promise<Awaited<ReturnType<LogStore["open"]>>> {
      await store.close();
      store = harness.store();
      return store.open();
    }

    test("a new log is empty", async () => {
      expect(await store.open()).toEqual({
        identity: undefined,
        hardState: { term: 0, vote: 0, commit: 0 },
        compactedIndex: 0,
        compactedTerm: 0,
        lastIndex: 0,
        lastTerm: 0,
        dataFloor: 0,
      });
    });

    test("P1: what was appended is there after a restart, byte for byte", async () => {
      await store.open();
      const types: EntryType[] = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];
      const entries: Entry[] = [
        { index: 1, term: 1, type: "EntryNormal", data: new Uint8Array(0) },
        ...types.map((type, at) => ({
          index: at + 2,
          term: 3,
          type,
          data: new Uint8Array([at, 255]),
        })),
        { index: 5, term: 2 ** 40, type: "EntryNormal", data: new Uint8Array(100_000).fill(7) },
      ];
      await store.append({ hardState: hardStateOf(2 ** 40, 5, 3), entries });
      const state = await reopen();
      expect(state).toMatchObject({
        hardState: { term: 2 ** 40, vote: 5, commit: 3 },
        lastIndex: 5,
        lastTerm: 2 ** 40,
      });
      expect(await store.read(1, 6, ALL)).toEqual(entries);
    });

    test("an entry that is a view into a larger buffer is stored without what lies around it", async () => {
      await store.open();
      const frame = new Uint8Array([1, 2, 3, 4, 5]);
      await store.append({
        hardState: undefined,
        entries: [{ ...entryOf(1), data: frame.subarray(1, 3) }],
      });
      frame.fill(9);
      expect((await readWhole(store, 1, 2, ALL))[0]?.data).toEqual(new Uint8Array([2, 3]));
    });

    test("hard state and entries are each optional", async () => {
      await store.open();
      await store.append({ hardState: hardStateOf(4, 2), entries: [] });
      await store.append({ hardState: undefined, entries: entriesOf(1, 3, 4) });
      await store.append({ hardState: undefined, entries: [] });
      expect(await reopen()).toMatchObject({
        hardState: { term: 4, vote: 2, commit: 0 },
        lastIndex: 2,
        lastTerm: 4,
      });
    });

    test("P1: a change of the commit index alone is not answered before the entries ahead of it are durable", async () => {
      await store.open();
      await store.append({ hardState: hardStateOf(1), entries: entriesOf(1, 3) });
      const answered: string[] = [];
      const note = (what: string) => () => {
        answered.push(what);
      };
      const commit = (index: number) => ({ hardState: hardStateOf(1, 1, index), entries: [] });
      const first = store.append({ hardState: undefined, entries: entriesOf(3, 60) });
      // One in the same turn, and one when the entries are on their way.
      const second = store.append(commit(2)).then(note("gathered with them"));
      const entries = first.then(note("entries"));
      await Promise.resolve();
      await Promise.resolve();
      const third = store.append(commit(3)).then(note("while they are synced"));
      await Promise.all([entries, second, third]);
      expect(answered.at(-1)).toBe("while they are synced");
      expect(answered.indexOf("entries")).toBeLessThan(2);
      expect((await reopen()).hardState.commit).toBe(3);
    });

    test("a change of the commit index alone is kept when the log is closed, or written to", async () => {
      await store.open();
      await store.append({ hardState: hardStateOf(4, 2, 0), entries: entriesOf(1, 4, 4) });
      await store.append({ hardState: hardStateOf(4, 2, 2), entries: [] });
      expect((await reopen()).hardState).toEqual({ term: 4, vote: 2, commit: 2 });
      await store.append({ hardState: hardStateOf(4, 2, 3), entries: [] });
      await store.append({ hardState: undefined, entries: [entryOf(4, 4)] });
      expect((await reopen()).hardState).toEqual({ term: 4, vote: 2, commit: 3 });
    });

    test("an append replaces the suffix from its first index on", async () => {
      await store.open();
      await store.append({ hardState: hardStateOf(1), entries: entriesOf(1, 11, 1) });
      await store.append({ hardState: hardStateOf(2), entries: entriesOf(5, 8, 2) });
      expect(await store.read(1, 8, ALL)).toEqual([...entriesOf(1, 5, 1), ...entriesOf(5, 8, 2)]);
      await expect(store.read(8, 9, ALL)).rejects.toMatchObject({ kind: "invalid" });
      expect(await reopen()).toMatchObject({ lastIndex: 7, lastTerm: 2 });
      expect(await store.read(1, 8, ALL)).toEqual([...entriesOf(1, 5, 1), ...entriesOf(5, 8, 2)]);
    });

    test("the whole log can be replaced", async () => {
      await store.open();
      await store.append({ hardState: hardStateOf(1), entries: entriesOf(1, 5, 1) });
      await store.append({ hardState: hardStateOf(2), entries: [entryOf(1, 2)] });
      expect(await reopen()).toMatchObject({ lastIndex: 1, lastTerm: 2 });
    });

    test("writes take effect in the order of the calls, replacements in one group too", async () => {
      await store.open();
      const settled: number[] = [];
      const writes = [
        { hardState: hardStateOf(1, 1), entries: entriesOf(1, 6, 1) },
        { hardState: hardStateOf(2, 2), entries: entriesOf(3, 5, 2) },
        { hardState: hardStateOf(3, 3), entries: entriesOf(4, 9, 3) },
        { hardState: undefined, entries: entriesOf(9, 10, 3) },
      ];
      await Promise.all(
        writes.map((write, at) => store.append(write).then(() => settled.push(at))),
      );
      expect(settled).toEqual([0, 1, 2, 3]);
      expect(await reopen()).toMatchObject({
        hardState: { term: 3, vote: 3 },
        lastIndex: 9,
        lastTerm: 3,
      });
      expect(await store.read(1, 10, ALL)).toEqual([
        ...entriesOf(1, 3, 1),
        ...entriesOf(3, 4, 2),
        ...entriesOf(4, 10, 3),
      ]);
    });

    test("a read after an append, without waiting for it, sees it", async () => {
      await store.open();
      const appended = store.append({ hardState: undefined, entries: entriesOf(1, 3) });
      expect(await store.read(1, 3, ALL)).toEqual(entriesOf(1, 3));
      await appended;
    });

    test("a thousand appends at once are all there, in order", async () => {
      await store.open();
      await Promise.all(
        entriesOf(1, 1001).map((entry) => store.append({ hardState: undefined, entries: [entry] })),
      );
      expect(await store.read(1, 1001, ALL)).toEqual(entriesOf(1, 1001));
    });

    test("reads end early at bytesMax, but give at least one entry (P11)", async () => {
      await store.open();
      const entries = Array.from({ length: 3_000 }, (_, at) => ({
        ...entryOf(at + 1),
        data: new Uint8Array(1_000).fill(at),
      }));
      await store.append({ hardState: undefined, entries });
      expect(await store.read(7, 3_001, 0)).toEqual([entries[6]]);
      const some = await readWhole(store, 1, 3_001, 600_000);
      expect(some.length).toBeGreaterThan(500);
      expect(some.length).toBeLessThanOrEqual(600);
      expect(some).toEqual(entries.slice(0, some.length));
      expect(await store.read(1, 3_001, ALL)).toEqual(entries);
      expect(await store.read(2_999, 3_001, ALL)).toEqual(entries.slice(2_998));
    });

    test("P1: compaction forgets up to an index, for good, and the log goes on behind it", async () => {
      await store.open();
      await store.append({ hardState: hardStateOf(1), entries: entriesOf(1, 3_001) });
      await harness.durablyApplied(store, 2_500);
      const before = await store.sizeBytes();
      const under = store.compact(2_500, 2_600);
      await store.append({ hardState: undefined, entries: entriesOf(3_001, 3_003) });
      expect(await under).toEqual({ index: 2_500, term: 1 });
      expect(await store.sizeBytes()).toBeLessThan(before);
      await expect(store.read(2_500, 2_502, ALL)).rejects.toMatchObject({ kind: "invalid" });
      expect(await store.read(2_501, 3_003, ALL)).toEqual(entriesOf(2_501, 3_003));
      expect(await reopen()).toMatchObject({
        compactedIndex: 2_500,
        compactedTerm: 1,
        lastIndex: 3_002,
        lastTerm: 1,
        dataFloor: 2_600,
      });
      await store.append({ hardState: hardStateOf(2), entries: entriesOf(2_501, 2_511, 2) });
      await harness.durablyApplied(store, 2_510);
      expect(await store.compact(2_510)).toEqual({ index: 2_510, term: 2 });
      // Nothing is left of it, and it is a log all the same.
      expect(await reopen()).toMatchObject({
        hardState: hardStateOf(2),
        compactedIndex: 2_510,
        compactedTerm: 2,
        lastIndex: 2_510,
        lastTerm: 2,
        dataFloor: 2_600,
      });
      await store.append({ hardState: undefined, entries: entriesOf(2_511, 2_512, 2) });
      expect(await store.read(2_511, 2_512, ALL)).toEqual(entriesOf(2_511, 2_512, 2));
      await expect(
        store.append({ hardState: undefined, entries: entriesOf(2_510, 2_511, 3) }),
      ).rejects.toMatchObject({ kind: "invalid" });
    });

    test("reads outside of the log are refused and harm nothing", async () => {
      await store.open();
      await store.append({ hardState: undefined, entries: entriesOf(1, 4) });
      for (const [lo, hi] of [
        [0, 2],
        [2, 2],
        [3, 2],
        [4, 5],
        [1, 5],
      ] as const) {
        await expect(store.read(lo, hi, ALL)).rejects.toMatchObject({ kind: "invalid" });
      }
      expect(await store.read(1, 4, ALL)).toEqual(entriesOf(1, 4));
      await store.append({ hardState: undefined, entries: [entryOf(4)] });
    });

    test("P9: the identity survives, and its adoption of a cluster too", async () => {
      await store.open();
      await store.setIdentity({ serverUuid: "0197-uuid", bootstrap: undefined });
      expect((await reopen()).identity).toEqual({ serverUuid: "0197-uuid", bootstrap: undefined });
      const bootstrap = new Uint8Array([9, 8, 7]);
      await store.setIdentity({ serverUuid: "0197-uuid", bootstrap });
      expect((await reopen()).identity).toEqual({ serverUuid: "0197-uuid", bootstrap });
    });

    test.each([
      ["a gap after the last entry", { hardState: undefined, entries: [entryOf(5)] }],
      ["a gap between entries", { hardState: undefined, entries: [entryOf(4), entryOf(6)] }],
      ["an index of 0", { hardState: undefined, entries: [entryOf(0)] }],
      ["a term that goes back", { hardState: hardStateOf(1), entries: [] }],
    ])("%s is refused, and the store is broken from then on", async (_, write) => {
      await store.open();
      await store.append({ hardState: hardStateOf(2), entries: entriesOf(1, 4) });
      await expect(store.append(write)).rejects.toBeInstanceOf(StorageError);
      await expect(
        store.append({ hardState: undefined, entries: [entryOf(4)] }),
      ).rejects.toBeInstanceOf(StorageError);
      expect(await reopen()).toMatchObject({ hardState: { term: 2 }, lastIndex: 3 });
    });

    test("a log that is open can't be opened again, until it is closed", async () => {
      await store.open();
      const second = harness.store();
      await expect(second.open()).rejects.toMatchObject({ kind: "locked" });
      await second.close();
      await store.append({ hardState: undefined, entries: [entryOf(1)] });
      expect(await reopen()).toMatchObject({ lastIndex: 1 });
    });

    test("a closed log refuses everything", async () => {
      await store.open();
      await store.close();
      await expect(
        store.append({ hardState: undefined, entries: [entryOf(1)] }),
      ).rejects.toMatchObject({ kind: "closed" });
      await expect(store.read(1, 2, ALL)).rejects.toMatchObject({ kind: "closed" });
      await store.close();
    });

    test("closing waits for what was asked before", async () => {
      await store.open();
      const appended = store.append({ hardState: undefined, entries: entriesOf(1, 4) });
      await store.close();
      await appended;
      expect(await reopen()).toMatchObject({ lastIndex: 3 });
    });

    test("the free space is told", async () => {
      await store.open();
      expect(await store.freeBytes()).toBeGreaterThan(0);
    });
  });
}
