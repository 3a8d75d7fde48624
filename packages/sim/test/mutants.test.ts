// A test that cannot fail is a defect. Bugs are planted into running clusters, and the checkers must find
// them; the cheapest here, all of them with `npm run sim:mutants`.
import { describe, expect, test } from "vitest";
import { MUTANTS, mutantNamed } from "../src/mutants/catalogue.ts";
import { hunt } from "../src/mutants/hunt.ts";
import { checkFits, patched } from "../src/mutants/plant.ts";

/** One of each layer; each shows within its first seeds. */
const CHEAP = [
  "ack-before-durable",
  "heartbeat-commits-past-the-match",
  "retry-applied-twice",
  "local-linearizable-reads",
];

test("every planted bug still fits the sources", () => {
  for (const mutant of MUTANTS) checkFits(mutant);
});

test("every planted bug has a name of its own, a checker and a bound", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  for (const { caughtBy, seedsMax } of MUTANTS) {
    expect(caughtBy.length).toBeGreaterThan(0);
    expect(seedsMax).toBeGreaterThan(0);
  }
});

test("a patch whose text is not there, or there twice, fails loudly", () => {
  const edit = { file: "a.ts", search: "x = 1", replacement: "x = 2" };
  expect(patched("let x = 1;", [edit])).toBe("let x = 2;");
  expect(() => patched("let y = 1;", [edit])).toThrow("does not have the text");
  expect(() => patched("x = 1; x = 1;", [edit])).toThrow("more than once");
});

describe("a planted bug is found", () => {
  for (const name of CHEAP) {
    test(name, { timeout: 240_000 }, async () => {
      const { verdict, result } = await hunt(mutantNamed(name), 1);
      expect(result?.violation).toBeDefined();
      expect(verdict).toBe("caught");
    });
  }
});
