import fc from "fast-check";
import { expect, test } from "vitest";
import { rangeAt, type SeqRange, type SeqRanges, withRange } from "./seq-ranges.ts";

const range = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 12 }))
  .map(([from, length]): SeqRange => ({ from, to: from + length }));

test("ranges hold exactly what was added, ascending and apart", () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 20 }), (added) => {
      let ranges: SeqRanges = [];
      const model = new Set<number>();
      for (const each of added) {
        ranges = withRange(ranges, each);
        for (let seq = each.from; seq <= each.to; seq++) model.add(seq);
      }
      for (let seq = 0; seq <= 80; seq++) {
        expect(rangeAt(ranges, seq) !== undefined).toBe(model.has(seq));
      }
      for (const [at, { from, to }] of ranges.entries()) {
        expect(from).toBeLessThanOrEqual(to);
        const next = ranges[at + 1];
        if (next !== undefined) expect(next.from).toBeGreaterThan(to + 1);
      }
    }),
  );
});

test("an empty range adds nothing", () => {
  expect(withRange([{ from: 1, to: 2 }], { from: 9, to: 8 })).toEqual([{ from: 1, to: 2 }]);
});
