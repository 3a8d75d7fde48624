import { describe, expect, it } from "vitest";
import { makeEntry } from "./entry.ts";
import type { Entry, Snapshot } from "./types.ts";
import { EMPTY_CONF_STATE, NO_BYTES, NO_LIMIT } from "./types.ts";
import { Unstable } from "./unstable.ts";

function entry(term: number, index: number): Entry {
  return makeEntry("EntryNormal", term, index);
}

function snapshot(term: number, index: number): Snapshot {
  return { term, index, confState: EMPTY_CONF_STATE, data: NO_BYTES };
}

function unstable(offset: number, ...terms: number[]): Unstable {
  const tail = new Unstable(offset, {});
  tail.truncateAndAppend(terms.map((term, i) => entry(term, offset + i)));
  return tail;
}

function terms(tail: Unstable): number[] {
  return tail.slice(tail.offset, tail.end, NO_LIMIT).map(({ term }) => term);
}

describe("what has to be written", () => {
  it("is offered once", () => {
    const tail = unstable(5, 1, 1);
    expect(tail.nextEntries().map(({ index }) => index)).toEqual([5, 6]);
    tail.acceptInProgress();
    expect(tail.hasNextEntries()).toBe(false);
    tail.truncateAndAppend([entry(1, 7)]);
    expect(tail.nextEntries().map(({ index }) => index)).toEqual([7]);
  });

  it("is offered again where it was overwritten while being written", () => {
    const tail = unstable(5, 1, 1, 1);
    tail.acceptInProgress();
    tail.truncateAndAppend([entry(2, 6)]);
    expect(terms(tail)).toEqual([1, 2]);
    expect(tail.offsetInProgress).toBe(6);
    expect(tail.nextEntries().map(({ index }) => index)).toEqual([6]);
  });

  it("takes over entries that were stored already", () => {
    const tail = unstable(5, 1);
    tail.truncateAndAppend([entry(2, 3), entry(2, 4)]);
    expect([tail.offset, tail.offsetInProgress, tail.end]).toEqual([3, 3, 5]);
  });

  it("includes a snapshot, once", () => {
    const tail = unstable(5, 1, 1);
    tail.restore(snapshot(2, 20));
    expect([tail.offset, tail.end, tail.length]).toEqual([21, 21, 0]);
    expect(tail.nextSnapshot()?.index).toBe(20);
    tail.acceptInProgress();
    expect(tail.nextSnapshot()).toBeNull();
    expect(tail.snapshot?.index).toBe(20);
    tail.stableSnapTo(19);
    expect(tail.snapshot).not.toBeNull();
    tail.stableSnapTo(20);
    expect(tail.snapshot).toBeNull();
  });
});

describe("what is stored", () => {
  it("leaves, up to the entry that was written", () => {
    const tail = unstable(5, 1, 1, 2);
    tail.acceptInProgress();
    tail.stableTo(6, 1);
    expect([tail.offset, tail.offsetInProgress, tail.length]).toEqual([7, 8, 1]);
  });

  it("stays while the entry in the log is another one than was written", () => {
    const tail = unstable(5, 1);
    tail.acceptInProgress();
    tail.truncateAndAppend([entry(2, 5)]);
    tail.stableTo(5, 1);
    expect(tail.offset).toBe(5);
    expect(terms(tail)).toEqual([2]);
  });

  it("is not moved by the end of a write of what left already, or is a snapshot", () => {
    const told: string[] = [];
    const tail = new Unstable(5, { info: (text) => told.push(text) });
    tail.stableTo(4, 1);
    tail.restore(snapshot(2, 20));
    tail.stableTo(20, 2);
    expect(tail.offset).toBe(21);
    expect(told).toEqual([
      "entry at index 4 missing from unstable log; ignoring",
      "entry at index 20 matched unstable snapshot; ignoring",
    ]);
  });
});

describe("terms", () => {
  it("are known of the entries and of the snapshot", () => {
    const tail = unstable(5, 1, 3);
    expect([4, 5, 6, 7].map((index) => tail.term(index))).toEqual([-1, 1, 3, -1]);
    tail.restore(snapshot(4, 9));
    expect([8, 9, 10].map((index) => tail.term(index))).toEqual([-1, 4, -1]);
  });
});
