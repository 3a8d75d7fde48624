// A test that cannot fail is a defect: each of these plants one into a running cluster, and the
// checker whose promise it breaks must find it.
import { describe, expect, test } from "vitest";
import type { Sabotage } from "../src/options.ts";
import { runSeed } from "../src/run-seed.ts";

/** Seeds tried until the defect shows: a lost vote, say, only matters in some of them. */
const SEEDS_MAX = 12;

const EXPECTED: Readonly<Record<Sabotage, readonly string[]>> = {
  "ack-before-sync": ["P1 durable"],
  "forget-hard-state": ["Election Safety", "Log Matching", "Leader Completeness"],
  "lose-synced-entries": [
    "Leader Completeness",
    "State Machine Safety",
    "P1 durable",
    "no node fails by itself",
  ],
  "wiped-keeps-identity": ["P9 a wiped disk is a new server"],
  "divergent-apply": ["State Machine Safety"],
  "local-reads": ["P4 no going back"],
  "fresh-retry-ids": ["P2 once"],
  "lost-events": ["P5 no gap"],
};

describe("a planted defect is found", () => {
  for (const [sabotage, properties] of Object.entries(EXPECTED)) {
    test(sabotage, { timeout: 240_000 }, async () => {
      let property: string | undefined;
      for (let seed = 1; seed <= SEEDS_MAX && property === undefined; seed++) {
        // Disks are lost only where servers come and go.
        const spares = sabotage === "wiped-keeps-identity" ? { spares: 2 } : {};
        const override = { sabotage: sabotage as Sabotage, ...spares };
        const result = await runSeed(seed, { override });
        property = result.violation?.property;
      }
      expect(properties).toContain(property);
    });
  }
});
