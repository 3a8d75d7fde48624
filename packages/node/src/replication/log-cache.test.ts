import type { Entry } from "@parley/raft";
import { expect, test } from "vitest";
import type { LogStore } from "../ports.ts";
import { LogCache } from "./log-cache.ts";

function entry(index: number): Entry {
  return { type: "EntryNormal", term: 1, index, data: new Uint8Array(100) };
}

test("a follower far behind is led from disk into the window, and nothing is read that is not there", async () => {
  const entries = Array.from({ length: 40 }, (_, at) => entry(at + 1));
  const failures: unknown[] = [];
  let loaded = 0;
  const store = {
    read: async (lo: number, hi: number) => {
      if (lo < 1 || hi <= lo || hi > 41) throw new Error(`entries ${lo} … ${hi - 1}`);
      return entries.slice(lo - 1, hi - 1);
    },
  } as unknown as LogStore;
  const cache = await LogCache.load(
    store,
    {
      identity: undefined,
      hardState: { term: 1, vote: 0, commit: 40 },
      compactedIndex: 0,
      compactedTerm: 0,
      lastIndex: 40,
      lastTerm: 1,
      dataFloor: 0,
    },
    { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
    40,
    1_500,
    {
      onLoaded: () => {
        loaded += 1;
      },
      onFailed: (error) => failures.push(error),
      onDamaged: (damaged) => failures.push(damaged),
      snapshot: () => "unavailable",
    },
  );
  cache.trim(40);
  expect(cache.entries(1, 41, 1e9)).toBe("unavailable");
  await new Promise((resolve) => setImmediate(resolve));
  expect(loaded).toBe(1);
  expect(cache.entries(1, 41, 1e9)).toEqual(entries);
  await new Promise((resolve) => setImmediate(resolve));
  expect(failures).toEqual([]);
  expect(cache.term(40)).toBe(1);
});
