import type { Entry } from "@parley/raft";
import { expect, test } from "vitest";
import type { LogStore } from "../ports.ts";
import { LogCache } from "./log-cache.ts";

const COUNT = 40;

function entry(index: number): Entry {
  return { type: "EntryNormal", term: 1, index, data: new Uint8Array(100) };
}

/** A cache whose window holds the last entries alone; what is read is at most `readBytes` at a time. */
async function world(readBytes = 1e9) {
  const entries = Array.from({ length: COUNT }, (_, at) => entry(at + 1));
  const failures: unknown[] = [];
  const loads: number[] = [];
  const store = {
    read: async (lo: number, hi: number) => {
      if (lo < 1 || hi <= lo || hi > COUNT + 1) throw new Error(`entries ${lo} … ${hi - 1}`);
      loads.push(lo);
      return entries.slice(lo - 1, Math.min(hi - 1, lo - 1 + readBytes / 100));
    },
  } as unknown as LogStore;
  const cache = await LogCache.load(
    store,
    {
      identity: undefined,
      hardState: { term: 1, vote: 0, commit: COUNT },
      compactedIndex: 0,
      compactedTerm: 0,
      lastIndex: COUNT,
      lastTerm: 1,
      dataFloor: 0,
    },
    { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
    COUNT,
    1_500,
    {
      onLoaded: () => {},
      onFailed: (error) => failures.push(error),
      onDamaged: (damaged) => failures.push(damaged),
      snapshot: () => "unavailable",
    },
  );
  cache.trim(COUNT);
  loads.length = 0;
  return { cache, entries, failures, loads };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a follower far behind is led from disk into the window, and nothing is read that is not there", async () => {
  const { cache, entries, failures, loads } = await world();
  expect(cache.entries(1, COUNT + 1, 1e9)).toBe("unavailable");
  await settled();
  expect(loads).toEqual([1]);
  expect(cache.entries(1, COUNT + 1, 1e9)).toEqual(entries);
  await settled();
  expect(failures).toEqual([]);
  expect(cache.term(COUNT)).toBe(1);
});

test("with a term those before it come as well: where two logs part is found in few reads", async () => {
  const { cache, failures, loads } = await world();
  expect(cache.term(20)).toBe("unavailable");
  await settled();
  for (let index = 20; index > 0; index -= 1) expect(cache.term(index)).toBe(1);
  expect(loads).toEqual([1]);
  expect(failures).toEqual([]);
});

test("a term is read also where those before it are large", async () => {
  const { cache, loads } = await world(500);
  expect(cache.term(20)).toBe("unavailable");
  await settled();
  await settled();
  expect(cache.term(20)).toBe(1);
  expect(loads).toEqual([1, 20]);
});
