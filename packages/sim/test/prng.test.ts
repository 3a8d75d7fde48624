import { expect, test } from "vitest";
import { Prng } from "../src/world/prng.ts";

/** Written down once: if these change, every recorded seed means another world. */
const FIRST_OF_SEED_42 = [2_502_731_012, 2_967_562_618, 320_139_644];

test("the same seed gives the same numbers on every machine", () => {
  const random = new Prng(42);
  expect([random.uint32(), random.uint32(), random.uint32()]).toEqual(FIRST_OF_SEED_42);
  expect(new Prng(43).uint32()).not.toBe(FIRST_OF_SEED_42[0]);
});

test("seeds beyond 32 bits differ from those below", () => {
  expect(new Prng(2 ** 40 + 1).uint32()).not.toBe(new Prng(1).uint32());
});

test("branches are independent of what is drawn from one another", () => {
  const first = new Prng(7);
  const a = first.branch("a");
  const b = first.branch("b");
  const second = new Prng(7);
  const a2 = second.branch("a");
  for (let i = 0; i < 100; i++) a2.uint32();
  const b2 = second.branch("b");
  expect(b2.uint32()).toBe(b.uint32());
  expect(a.uint32()).not.toBe(b.uint32());
});

test("numbers are in their range and reach all of it", () => {
  const random = new Prng(1);
  const seen = new Set<number>();
  for (let i = 0; i < 1_000; i++) {
    const value = random.between(3, 9);
    expect(value).toBeGreaterThanOrEqual(3);
    expect(value).toBeLessThanOrEqual(9);
    seen.add(value);
  }
  expect(seen.size).toBe(7);
});

test("a weight of zero is never picked", () => {
  const random = new Prng(5);
  for (let i = 0; i < 500; i++) expect(random.weighted({ a: 1, never: 0, b: 2 })).not.toBe("never");
});
