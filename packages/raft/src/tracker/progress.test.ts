import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvariantViolation } from "../invariant.ts";
import { Inflights } from "./inflights.ts";
import { describeProgress, Progress } from "./progress.ts";

function progress(match: number, next: number): Progress {
  const member = new Progress(next, new Inflights(3, 1_000), false);
  member.match = match;
  return member;
}

describe("probing", () => {
  it("sends one message with entries at a time", () => {
    const member = progress(0, 5);
    member.sentEntries(0, 0);
    expect(member.isPaused()).toBe(false);
    member.sentEntries(2, 20);
    expect([member.isPaused(), member.next]).toEqual([true, 5]);
  });

  it("goes down to the hint, or one at least, but not to what matches", () => {
    const cases: [match: number, next: number, rejected: number, hint: number, expected: number][] =
      [
        [0, 10, 9, 4, 5],
        [0, 10, 9, 20, 9],
        [6, 10, 9, 2, 7],
        [0, 2, 1, 0, 1],
      ];
    for (const [match, next, rejected, hint, expected] of cases) {
      const member = progress(match, next);
      member.sentEntries(1, 0);
      expect(member.maybeDecrease(rejected, hint)).toBe(true);
      expect([member.next, member.isPaused()]).toEqual([expected, false]);
    }
  });

  it("ignores the rejection of another probe", () => {
    const member = progress(0, 10);
    expect(member.maybeDecrease(5, 4)).toBe(false);
    expect(member.next).toBe(10);
  });
});

describe("replicating", () => {
  it("sends ahead until the window is full", () => {
    const member = progress(4, 5);
    member.becomeReplicate();
    member.sentEntries(2, 10);
    member.sentEntries(1, 10);
    expect([member.next, member.isPaused()]).toEqual([8, false]);
    member.sentEntries(1, 10);
    expect([member.next, member.isPaused(), member.inflights.full()]).toEqual([9, true, true]);
    member.maybeUpdate(6);
    member.inflights.freeUpTo(6);
    expect([member.match, member.next, member.isPaused()]).toEqual([6, 9, false]);
  });

  it("falls back to what matches when rejected", () => {
    const member = progress(4, 5);
    member.becomeReplicate();
    member.sentEntries(3, 10);
    expect(member.maybeDecrease(4, 0)).toBe(false);
    expect(member.maybeDecrease(7, 5)).toBe(true);
    expect(member.next).toBe(5);
  });
});

describe("a snapshot", () => {
  it("stops everything until it is there, and is probed behind", () => {
    const member = progress(2, 3);
    member.becomeSnapshot(9);
    expect([member.isPaused(), member.next, member.pendingSnapshot]).toEqual([true, 10, 9]);
    expect(() => member.sentEntries(1, 1)).toThrow(InvariantViolation);
    member.becomeProbe();
    expect([member.state, member.next, member.isPaused()]).toEqual(["StateProbe", 10, false]);
  });

  it("that failed is probed from what matches", () => {
    const member = progress(2, 3);
    member.becomeSnapshot(9);
    member.pendingSnapshot = 0;
    member.becomeProbe();
    expect(member.next).toBe(3);
  });
});

describe("the commit index sent", () => {
  it("is worth sending again only if that could raise the member's", () => {
    const member = progress(4, 5);
    member.becomeReplicate();
    member.sentEntries(3, 1);
    member.sentCommit(5);
    expect(member.canBumpCommit(5)).toBe(false);
    expect(member.canBumpCommit(6)).toBe(true);
    member.sentCommit(7);
    expect(member.canBumpCommit(8)).toBe(false);
  });

  it("counts as lost with the messages after it", () => {
    const member = progress(4, 5);
    member.becomeReplicate();
    member.sentEntries(3, 1);
    member.sentCommit(7);
    member.becomeProbe();
    member.maybeUpdate(5);
    expect(member.canBumpCommit(7)).toBe(true);
  });
});

describe("any order of events", () => {
  it("keeps match below next, and match from falling", () => {
    const event = fc.record({ kind: fc.nat(6), n: fc.nat(20), m: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const member = progress(0, 10);
        for (const { kind, n, m } of events) {
          const before = member.match;
          if (kind === 0 && !member.isPaused()) member.sentEntries(n % 3, m);
          if (kind === 1) member.maybeUpdate(n);
          if (kind === 2) member.maybeDecrease(n, m);
          if (kind === 3) member.becomeProbe();
          if (kind === 4) member.becomeReplicate();
          if (kind === 5) member.becomeSnapshot(member.match + n);
          if (kind === 6) member.inflights.freeUpTo(n);
          expect(member.match).toBeGreaterThanOrEqual(before);
          expect(member.match).toBeLessThan(member.next);
        }
      }),
    );
  });
});

describe("describing", () => {
  it("says what differs from the usual", () => {
    const member = new Progress(5, new Inflights(1, 100), true);
    expect(describeProgress(member.status())).toBe("StateProbe match=0 next=5 learner inactive");
    member.recentActive = true;
    member.becomeReplicate();
    member.sentEntries(1, 1);
    expect(`${member}`).toBe("StateReplicate match=0 next=2 learner paused inflight=1[full]");
    member.becomeSnapshot(7);
    expect(`${member}`).toBe("StateSnapshot match=0 next=8 learner paused pendingSnap=7");
  });
});
