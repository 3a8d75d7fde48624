// Runs worlds with a planted bug until a checker finds it.
import { runSeeds } from "../pool.ts";
import type { SeedResult } from "../run-seed.ts";
import type { Mutant } from "./mutant.ts";

export type Verdict =
  /** One of the checkers that must find it did. */
  | "caught"
  /** Something broke, but not where it was expected: the patch or the list of checkers is wrong. */
  | "elsewhere"
  | "missed";

export interface Hunt {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  /** Seeds that it took; all of them when it was missed. */
  readonly seeds: number;
  /** The first failure, by the order of seeds. */
  readonly result: SeedResult | undefined;
  readonly virtualSeconds: number;
}

/** Seeds 1, 2, 3 … up to the mutant's bound, in `jobs` processes. */
export async function hunt(mutant: Mutant, jobs: number): Promise<Hunt> {
  let first: SeedResult | undefined;
  let virtualSeconds = 0;
  await runSeeds({
    seeds: Array.from({ length: mutant.seedsMax }, (_, i) => i + 1),
    jobs,
    mutant: mutant.name,
    isEnough: () => first !== undefined,
    onResult: (result) => {
      virtualSeconds += result.virtualSeconds;
      if (result.violation === undefined) return;
      // Seeds end out of order; the lowest counts, so that the answer is always the same.
      if (first === undefined || result.seed < first.seed) first = result;
    },
  });
  const property = first?.violation?.property;
  const verdict: Verdict =
    property === undefined ? "missed" : mutant.caughtBy.includes(property) ? "caught" : "elsewhere";
  return { mutant, verdict, seeds: first?.seed ?? mutant.seedsMax, result: first, virtualSeconds };
}
