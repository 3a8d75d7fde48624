import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvariantViolation } from "../invariant.ts";
import { Inflights } from "./inflights.ts";

describe("the window of messages in flight", () => {
  it("is full at the number of messages", () => {
    const window = new Inflights(2, 1_000);
    window.add(1, 10);
    expect(window.full()).toBe(false);
    window.add(2, 10);
    expect(window.full()).toBe(true);
    expect(() => window.add(3, 1)).toThrow(InvariantViolation);
  });

  it("is full at the number of bytes, which the last message may overshoot", () => {
    const window = new Inflights(100, 15);
    window.add(1, 14);
    expect(window.full()).toBe(false);
    window.add(2, 500);
    expect([window.full(), window.bytes]).toEqual([true, 514]);
    window.freeUpTo(2);
    expect([window.full(), window.bytes, window.count]).toEqual([false, 0, 0]);
  });

  it("does what a list does", () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), n: fc.nat(50) }),
      fc.record({ kind: fc.constant("free" as const), n: fc.nat(20) }),
      fc.record({ kind: fc.constant("clear" as const), n: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const window = new Inflights(40, 600);
        let model: { index: number; bytes: number }[] = [];
        let next = 1;
        for (const { kind, n } of operations) {
          const bytes = model.reduce((sum, each) => sum + each.bytes, 0);
          expect([window.count, window.bytes]).toEqual([model.length, bytes]);
          const full = model.length >= 40 || bytes >= 600;
          expect(window.full()).toBe(full);
          if (kind === "add" && !full) {
            window.add(next, n);
            model.push({ index: next++, bytes: n });
          } else if (kind === "free") {
            const upTo = Math.max(0, next - 1 - n);
            window.freeUpTo(upTo);
            model = model.filter(({ index }) => index > upTo);
          } else if (kind === "clear") {
            window.clear();
            model = [];
          }
        }
      }),
    );
  });
});
