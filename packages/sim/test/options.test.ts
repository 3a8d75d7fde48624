import { expect, test } from "vitest";
import { ACTIVE_US_MIN, isSparse } from "../src/density.ts";
import { FAULTS_MIN, OPERATIONS_MIN, optionsOf } from "../src/options.ts";

const SEEDS = Array.from({ length: 1_000 }, (_, i) => i + 1);

test("two thirds of the seeds are dense, a third is sparse, and all are long enough", () => {
  expect(SEEDS.filter(isSparse)).toHaveLength(333);
  for (const seed of SEEDS) {
    const { activeUs } = optionsOf(seed);
    expect(activeUs).toBeGreaterThanOrEqual((isSparse(seed) ? 4.5 : 1) * ACTIVE_US_MIN);
    expect(activeUs).toBeLessThan((isSparse(seed) ? 7.5 : 1) * 1.14 * ACTIVE_US_MIN);
  }
});

test("a sparse seed has as many faults for each deed as a dense one at the least, and enough of both", () => {
  const densest = 46_000 / 3_000_000;
  for (const seed of SEEDS) {
    const { activeUs, clients, faultGapUs, operationGapUs } = optionsOf(seed);
    const deeds = (activeUs * clients) / operationGapUs;
    const faults = activeUs / faultGapUs;
    expect(deeds).toBeGreaterThan(0.8 * OPERATIONS_MIN);
    expect(faults).toBeGreaterThanOrEqual(2 * FAULTS_MIN - 1e-6);
    expect(faults / deeds).toBeGreaterThan(densest - 1e-6);
  }
});
