import { describe, expect, it } from "vitest";
import { entrySize, makeEntry } from "./entry.ts";
import { InvariantViolation } from "./invariant.ts";
import { MemoryStorage } from "./memory-storage.ts";
import type { Entry, Snapshot } from "./types.ts";
import { EMPTY_CONF_STATE, NO_BYTES, NO_LIMIT } from "./types.ts";

function run(first: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => makeEntry("EntryNormal", term, first + i));
}

function snapshot(index: number, term: number): Snapshot {
  const confState = { ...EMPTY_CONF_STATE, voters: [1] };
  return { index, term, confState, data: NO_BYTES };
}

/** Entries 4, 5, 6 of terms 4, 5, 6, compacted up to 3. */
function storage(): MemoryStorage {
  const store = new MemoryStorage();
  store.applySnapshot(snapshot(3, 3));
  store.append(run(4, 4, 5, 6));
  return store;
}

describe("a new storage", () => {
  it("is an empty log before index 1", () => {
    const store = new MemoryStorage();
    expect([store.firstIndex(), store.lastIndex(), store.term(0)]).toEqual([1, 0, 0]);
    expect(store.initialState().hardState).toEqual({ term: 0, vote: 0, commit: 0 });
    expect(store.snapshot()).toBe("unavailable");
  });
});

describe("terms and entries", () => {
  it("are known from the base to the last index", () => {
    const store = storage();
    expect([2, 3, 4, 5, 6, 7].map((index) => store.term(index))).toEqual([
      "compacted",
      3,
      4,
      5,
      6,
      "unavailable",
    ]);
    expect(store.entries(3, 5, NO_LIMIT)).toBe("compacted");
    expect(store.entries(6, 8, NO_LIMIT)).toBe("unavailable");
    expect(store.entries(4, 6, NO_LIMIT)).toEqual(run(4, 4, 5));
  });

  it("are cut by size after the first", () => {
    const store = storage();
    const size = entrySize(run(4, 4)[0] as Entry);
    expect(store.entries(4, 7, 2 * size)).toHaveLength(2);
    expect(store.entries(4, 7, 0)).toHaveLength(1);
  });
});

describe("append", () => {
  it("replaces from the first new entry on", () => {
    const store = storage();
    store.append(run(5, 7));
    expect([store.lastIndex(), store.term(4), store.term(5)]).toEqual([5, 4, 7]);
  });

  it("skips what is compacted", () => {
    const store = storage();
    store.append(run(2, 3, 3, 4, 8));
    expect([store.firstIndex(), store.lastIndex(), store.term(5)]).toEqual([4, 5, 8]);
    store.append(run(1, 1));
    expect(store.lastIndex()).toBe(5);
  });

  it("refuses a hole", () => {
    expect(() => storage().append(run(8, 8))).toThrow(InvariantViolation);
  });
});

describe("compact", () => {
  it("drops up to the index and remembers its term", () => {
    const store = storage();
    expect(store.compact(5)).toBe("ok");
    expect([store.firstIndex(), store.lastIndex(), store.term(5), store.term(4)]).toEqual([
      6,
      6,
      5,
      "compacted",
    ]);
    expect(store.compact(5)).toBe("compacted");
    expect(() => store.compact(9)).toThrow(InvariantViolation);
  });
});

describe("snapshots", () => {
  it("take the place of the log when installed, unless older", () => {
    const store = storage();
    expect(store.applySnapshot(snapshot(9, 8))).toBe(true);
    expect([store.firstIndex(), store.lastIndex(), store.term(9)]).toEqual([10, 9, 8]);
    expect(store.initialState().confState.voters).toEqual([1]);
    expect(store.applySnapshot(snapshot(8, 8))).toBe(false);
  });

  it("leave the log when made from applied state", () => {
    const store = storage();
    expect(store.setSnapshot(snapshot(5, 5))).toBe(true);
    expect(store.firstIndex()).toBe(4);
    expect(store.snapshot()).toMatchObject({ index: 5 });
    expect(store.setSnapshot(snapshot(4, 4))).toBe(false);
    expect(() => store.setSnapshot(snapshot(7, 6))).toThrow(InvariantViolation);
  });
});

describe("startAfter", () => {
  it("begins behind a position that another store knows", () => {
    const store = new MemoryStorage();
    store.startAfter(41, 6);
    expect([store.firstIndex(), store.lastIndex(), store.term(41)]).toEqual([42, 41, 6]);
    store.append(run(42, 6));
    expect(() => store.startAfter(1, 1)).toThrow(InvariantViolation);
  });
});
