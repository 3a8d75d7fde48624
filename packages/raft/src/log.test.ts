import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entriesSize, makeEntry } from "./entry.ts";
import { InvariantViolation } from "./invariant.ts";
import { RaftLog } from "./log.ts";
import { MemoryStorage } from "./memory-storage.ts";
import type { Entry } from "./types.ts";
import { EMPTY_CONF_STATE, NO_BYTES, NO_LIMIT } from "./types.ts";

function run(first: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => makeEntry("EntryNormal", term, first + i));
}

/** The first `stored` entries of these terms are in storage, the others unstable. */
function logOf(terms: readonly number[], stored = 0, maxApplying = NO_LIMIT): RaftLog {
  const storage = new MemoryStorage();
  storage.append(run(1, ...terms.slice(0, stored)));
  const log = new RaftLog(storage, {}, maxApplying);
  log.append(run(stored + 1, ...terms.slice(stored)));
  return log;
}

function termsOf(log: RaftLog): number[] {
  const terms: number[] = [];
  for (let i = log.firstIndex(); i <= log.lastIndex(); i++) terms.push(log.termOrZero(i));
  return terms;
}

/** Logs in which terms never fall. */
const terms = fc
  .array(fc.nat(2), { maxLength: 12 })
  .map((steps) => steps.map((_, i) => 1 + steps.slice(0, i + 1).reduce((a, b) => a + b, 0)));

describe("appending (5.3)", () => {
  it("rejects what does not follow a matching entry", () => {
    const log = logOf([1, 2, 3]);
    expect(log.maybeAppend(3, 2, run(4, 4), 0)).toBe(-1);
    expect(log.maybeAppend(4, 4, run(5, 4), 0)).toBe(-1);
    expect(log.maybeAppend(3, 3, run(4, 4), 0)).toBe(4);
    expect(termsOf(log)).toEqual([1, 2, 3, 4]);
  });

  it("keeps entries that match, even after those in the message", () => {
    const log = logOf([1, 2, 3]);
    expect(log.maybeAppend(0, 0, run(1, 1, 2), 0)).toBe(2);
    expect(termsOf(log)).toEqual([1, 2, 3]);
  });

  it("replaces the first conflicting entry and all after it", () => {
    const log = logOf([1, 2, 2, 2]);
    expect(log.maybeAppend(1, 1, run(2, 2, 3), 0)).toBe(3);
    expect(termsOf(log)).toEqual([1, 2, 3]);
  });

  it("never replaces a committed entry", () => {
    const log = logOf([1, 2, 3]);
    log.commitTo(2);
    expect(() => log.maybeAppend(1, 1, run(2, 3), 0)).toThrow(InvariantViolation);
    expect(() => log.append(run(2, 3))).toThrow(InvariantViolation);
  });

  it("commits what the leader has, but not beyond the entries of the message", () => {
    const log = logOf([1, 1, 1]);
    log.maybeAppend(1, 1, run(2, 1), 3);
    expect(log.committed).toBe(2);
    log.maybeAppend(3, 1, [], 9);
    expect(log.committed).toBe(3);
    log.maybeAppend(3, 1, [], 1);
    expect(log.committed).toBe(3);
  });

  it("leads to the leader's log from any other, one matching position at a time", () => {
    fc.assert(
      fc.property(terms, terms, fc.nat(12), (leader, follower, stored) => {
        const log = logOf(follower, Math.min(stored, follower.length));
        for (let prev = leader.length; prev >= 0; prev--) {
          const rest = run(prev + 1, ...leader.slice(prev));
          const last = log.maybeAppend(prev, leader[prev - 1] ?? 0, rest, 0);
          if (last === -1) continue;
          expect(last).toBe(leader.length);
          expect(termsOf(log).slice(prev, leader.length)).toEqual(leader.slice(prev));
          return;
        }
        expect.unreachable("even the empty prefix does not match");
      }),
    );
  });
});

describe("finding where logs meet (end of 5.3)", () => {
  it("is the last entry with at most the given term", () => {
    const log = logOf([2, 2, 5, 5, 5]);
    expect(log.findConflictByTerm(5, 5)).toEqual({ index: 5, term: 5 });
    expect(log.findConflictByTerm(5, 4)).toEqual({ index: 2, term: 2 });
    expect(log.findConflictByTerm(5, 1)).toEqual({ index: 0, term: 0 });
    expect(log.findConflictByTerm(9, 5)).toEqual({ index: 9, term: 0 });
  });

  it("never skips an entry that matches", () => {
    fc.assert(
      fc.property(terms, terms, (ours, theirs) => {
        const log = logOf(ours);
        const last = Math.min(ours.length, theirs.length);
        const guess = log.findConflictByTerm(last, theirs[last - 1] ?? 0);
        for (let at = guess.index + 1; at <= last; at++) {
          expect(ours[at - 1]).not.toBe(theirs[at - 1]);
        }
      }),
    );
  });
});

describe("terms and slices", () => {
  it("span storage and unstable entries", () => {
    const log = logOf([1, 2, 3, 4], 2);
    expect([0, 1, 2, 3, 4, 5].map((i) => log.term(i))).toEqual([0, 1, 2, 3, 4, "unavailable"]);
    expect(log.slice(2, 5, NO_LIMIT)).toEqual(run(2, 2, 3, 4));
    expect(log.slice(1, 3, NO_LIMIT)).toEqual(run(1, 1, 2));
    expect(log.slice(3, 5, NO_LIMIT)).toEqual(run(3, 3, 4));
  });

  it("are cut by size anywhere, after at least one entry", () => {
    fc.assert(
      fc.property(fc.nat(6), fc.integer({ min: 1, max: 6 }), fc.nat(60), (stored, lo, maxSize) => {
        const all = run(1, 1, 1, 1, 1, 1, 1);
        const slice = logOf([1, 1, 1, 1, 1, 1], stored).slice(lo, 7, maxSize);
        if (typeof slice === "string") return expect.unreachable(slice);
        expect(slice).toEqual(all.slice(lo - 1, lo - 1 + slice.length));
        expect(slice.length === 1 || entriesSize(slice) <= maxSize).toBe(true);
        const oneMore = all.slice(lo - 1, lo + slice.length);
        expect(oneMore.length === slice.length || entriesSize(oneMore) > maxSize).toBe(true);
      }),
    );
  });

  it("say so when compacted", () => {
    const storage = new MemoryStorage();
    storage.append(run(1, 1, 1, 2));
    storage.compact(2);
    const log = new RaftLog(storage, {}, NO_LIMIT);
    expect(log.slice(2, 4, NO_LIMIT)).toBe("compacted");
    expect([log.term(1), log.term(2), log.firstIndex()]).toEqual(["compacted", 1, 3]);
  });
});

describe("up to date (5.4.1)", () => {
  it.each([
    { term: 3, index: 1, expected: true, why: "a later last term" },
    { term: 2, index: 3, expected: true, why: "the same term, longer" },
    { term: 2, index: 2, expected: true, why: "the same" },
    { term: 2, index: 1, expected: false, why: "the same term, shorter" },
    { term: 1, index: 9, expected: false, why: "an earlier last term, however long" },
  ])("$why: $expected", ({ term, index, expected }) => {
    expect(logOf([1, 2]).isUpToDate({ term, index })).toBe(expected);
  });
});

describe("committing (5.4.2)", () => {
  it("needs an entry of the leader's own term", () => {
    const log = logOf([1, 1, 2]);
    expect(log.maybeCommit(2, 2)).toBe(false);
    expect(log.committed).toBe(0);
    expect(log.maybeCommit(3, 2)).toBe(true);
    expect(log.committed).toBe(3);
    expect(log.maybeCommit(3, 2)).toBe(false);
  });

  it("stops when told of an entry that isn't there: the log has been lost", () => {
    expect(() => logOf([1]).commitTo(2)).toThrow("Was the raft log corrupted, truncated, or lost?");
  });
});

describe("applying", () => {
  it("hands out what is committed and, in the asynchronous contract, stored", () => {
    const log = logOf([1, 1, 1], 1);
    log.commitTo(2);
    expect(log.nextCommitted(false)).toEqual(run(1, 1));
    expect(log.nextCommitted(true)).toEqual(run(1, 1, 1));
  });

  it("hands nothing out twice", () => {
    const log = logOf([1, 1, 1], 3);
    log.commitTo(2);
    log.acceptApplying(2, 0, true);
    expect(log.hasNextCommitted(true)).toBe(false);
    log.commitTo(3);
    expect(log.nextCommitted(true)).toEqual(run(3, 1));
  });

  it("waits while as much as allowed is being applied", () => {
    const [entry] = run(1, 1);
    const size = entriesSize(entry === undefined ? [] : [entry]);
    const log = logOf([1, 1, 1, 1], 4, 2 * size);
    log.commitTo(4);
    expect(log.nextCommitted(true)).toHaveLength(2);
    log.acceptApplying(2, 2 * size, true);
    expect(log.hasNextCommitted(true)).toBe(false);
    log.appliedTo(1, size);
    expect(log.nextCommitted(true)).toEqual(run(3, 1));
  });

  it("waits for a snapshot that is being installed", () => {
    const log = logOf([1], 1);
    log.commitTo(1);
    log.restore({ index: 5, term: 2, confState: EMPTY_CONF_STATE, data: NO_BYTES });
    expect([log.committed, log.lastIndex(), log.firstIndex(), log.term(5)]).toEqual([5, 5, 6, 2]);
    expect(log.hasNextCommitted(true)).toBe(false);
    log.unstable.stableSnapTo(5);
    log.appliedTo(5, 0);
    expect(log.hasNextCommitted(true)).toBe(false);
  });

  it("goes forward only, and not beyond what is committed", () => {
    const log = logOf([1, 1], 2);
    log.commitTo(1);
    expect(() => log.appliedTo(2, 0)).toThrow(InvariantViolation);
    log.appliedTo(1, 0);
    expect(() => log.appliedTo(0, 0)).toThrow(InvariantViolation);
  });

  it("finds unapplied entries of a kind", () => {
    const log = logOf([1, 1], 2);
    log.append([makeEntry("EntryConfChange", 1, 3)]);
    const isChange = (entry: Entry): boolean => entry.type === "EntryConfChange";
    log.commitTo(2);
    expect(log.someUnapplied(isChange)).toBe(false);
    log.commitTo(3);
    expect(log.someUnapplied(isChange)).toBe(true);
    log.appliedTo(3, 0);
    expect(log.someUnapplied(isChange)).toBe(false);
  });
});
