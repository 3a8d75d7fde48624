import { expect, test } from "vitest";
import { SeededRandom } from "../test/virtual-world.ts";
import { Uuid7Source } from "./uuid7.ts";

const clockAt = (now: () => number) => ({
  monotonicMs: () => 0,
  wallMs: now,
  after: () => ({ cancel: () => {} }),
});

test("ids have the version, the variant and the time", () => {
  const id = new Uuid7Source(
    clockAt(() => 0x0190_1234_5678),
    new SeededRandom(1),
  ).next();
  expect(id).toMatch(/^01901234-5678-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("each id is greater than the one before, in one millisecond and when the clock goes back", () => {
  let now = 1_700_000_000_000;
  const source = new Uuid7Source(
    clockAt(() => now),
    new SeededRandom(2),
  );
  let last = "";
  for (let round = 0; round < 20_000; round++) {
    if (round % 5_000 === 4_999) now -= 1_000;
    const id = source.next();
    expect(id > last).toBe(true);
    last = id;
  }
});

test("two sources do not meet", () => {
  const ids = new Set<string>();
  for (const seed of [1, 2, 3, 4]) {
    const source = new Uuid7Source(
      clockAt(() => 5),
      new SeededRandom(seed),
    );
    for (let round = 0; round < 1_000; round++) ids.add(source.next());
  }
  expect(ids.size).toBe(4_000);
});
