import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { entrySize, makeEntry } from "./entry.ts";
import { InvariantViolation } from "./invariant.ts";
import { LogSegment } from "./log-segment.ts";
import type { Entry } from "./types.ts";
import { NO_LIMIT } from "./types.ts";

function entries(first: number, count: number, term = 1, bytes = 0): Entry[] {
  return Array.from({ length: count }, (_, i) =>
    makeEntry("EntryNormal", term, first + i, new Uint8Array(bytes)),
  );
}

describe("LogSegment", () => {
  it("holds a run of entries between first and end", () => {
    const segment = new LogSegment(5);
    expect([segment.first, segment.end, segment.length]).toEqual([5, 5, 0]);
    segment.append(entries(5, 3));
    expect([segment.first, segment.end, segment.length]).toEqual([5, 8, 3]);
    expect(segment.at(7).index).toBe(7);
    expect(() => segment.at(8)).toThrow(InvariantViolation);
    expect(() => segment.at(4)).toThrow(InvariantViolation);
  });

  it("refuses a hole", () => {
    const segment = new LogSegment(5);
    expect(() => segment.append(entries(6, 1))).toThrow("does not follow");
  });

  it("refuses to drop more than there is", () => {
    const segment = new LogSegment(5);
    segment.append(entries(5, 2));
    expect(() => segment.dropBefore(8)).toThrow(InvariantViolation);
    expect(() => segment.truncateFrom(4)).toThrow(InvariantViolation);
  });

  it("cuts a slice by size, but returns at least one entry", () => {
    const segment = new LogSegment(1);
    const run = entries(1, 4, 1, 10);
    segment.append(run);
    const size = entrySize(run[0] as Entry);
    expect(segment.slice(1, 5, 2 * size)).toHaveLength(2);
    expect(segment.slice(1, 5, 2 * size - 1)).toHaveLength(1);
    expect(segment.slice(1, 5, 0)).toHaveLength(1);
    expect(segment.slice(1, 5, NO_LIMIT)).toHaveLength(4);
    expect(segment.slice(3, 3, 0)).toEqual([]);
  });

  it("does what an array does, whatever the order of appends, truncations and drops", () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant("append" as const), n: fc.nat(100) }),
      fc.record({ kind: fc.constant("truncate" as const), n: fc.nat(40) }),
      fc.record({ kind: fc.constant("drop" as const), n: fc.nat(120) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const segment = new LogSegment(1);
        let model: Entry[] = [];
        let first = 1;
        for (const [term, { kind, n }] of operations.entries()) {
          const end = first + model.length;
          if (kind === "append") {
            const more = entries(end, n, term);
            segment.append(more);
            model = [...model, ...more];
          } else if (kind === "truncate") {
            const at = Math.max(first, end - n);
            segment.truncateFrom(at);
            model = model.slice(0, at - first);
          } else {
            const at = Math.min(end, first + n);
            segment.dropBefore(at);
            model = model.slice(at - first);
            first = at;
          }
          expect([segment.first, segment.end]).toEqual([first, first + model.length]);
          expect(segment.slice(first, first + model.length, NO_LIMIT)).toEqual(model);
        }
      }),
    );
  });

  it("appends and drops in time proportional to what is appended and dropped", () => {
    // 200,000 entries behind a window of 100,000: copying the window on each drop would be 10^10 steps.
    const segment = new LogSegment(1);
    const total = 200_000;
    for (let next = 1; next <= total; next += 10) {
      segment.append(entries(next, 10));
      if (next > 100_000) segment.dropBefore(segment.first + 10);
    }
    expect(segment.length).toBe(100_000);
    expect(segment.at(total).index).toBe(total);
  }, 10_000);
});
