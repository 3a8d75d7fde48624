// The simulator as a test: a fixed range of seeds, so that a red build means a changed program. Where somebody
// watches there are a few random ones as well, which are printed, so that each run also looks where none has looked before.
import { randomInt } from "node:crypto";
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { Coverage } from "../src/coverage.ts";
import { runSeeds } from "../src/pool.ts";
import type { SeedResult } from "../src/run-seed.ts";

const FIRST = 1;
const FIXED = 500;
const RANDOM = process.env.CI === undefined ? 5 : 0;
const FAILURES_SHOWN = 3;

test(`every promise holds over ${FIXED} fixed seeds and some random ones`, {
  timeout: 2_400_000,
}, async () => {
  const seeds = Array.from({ length: FIXED }, (_, i) => FIRST + i);
  const base = randomInt(2 ** 31);
  for (let i = 0; i < RANDOM; i++) seeds.push(base + i);
  const others = RANDOM === 0 ? "" : ` and ${base} … ${base + RANDOM - 1}`;
  console.log(`seeds ${FIRST} … ${FIRST + FIXED - 1}${others}`);
  const coverage = new Coverage();
  const failures: SeedResult[] = [];
  let virtualSeconds = 0;
  await runSeeds({
    seeds,
    jobs: Math.min(4, availableParallelism()),
    isEnough: () => failures.length >= FAILURES_SHOWN,
    onResult: (result) => {
      coverage.merge(result.coverage);
      virtualSeconds += result.virtualSeconds;
      if (result.violation !== undefined) failures.push(result);
    },
  });
  const told = failures.map(
    ({ seed, violation }) =>
      `seed ${seed}: ${violation?.property}: ${violation?.detail}\n  replay: npm run sim -- --seed ${seed}`,
  );
  expect(told).toEqual([]);
  expect(virtualSeconds).toBeGreaterThan(60 * FIXED);
  // A run that never exercised something has shown nothing about it.
  expect(coverage.missing()).toEqual([]);
});
