import { expect, test } from "vitest";
import { DEFAULT_TUNING } from "../config.ts";
import type { Logger } from "../ports.ts";
import type { LogCache } from "./log-cache.ts";
import { type CompactionPorts, LogCompaction } from "./log-compaction.ts";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const LAST = 1_000;

interface Needs {
  /** An entry of the log that can't be read; 0 = none. */
  readonly damagedIndex?: number;
  readonly neededFrom?: number;
  readonly dataFloor?: number;
  readonly durableApplied?: number;
}

/** Where a log of so many entries begins after a look at it, all of them applied. */
async function compactedTo(logEntriesMax: number, needs: Needs): Promise<number> {
  const { damagedIndex = 0, neededFrom = Number.POSITIVE_INFINITY } = needs;
  const { dataFloor = Number.POSITIVE_INFINITY, durableApplied = LAST } = needs;
  let compactedIndex = 0;
  const cache = {
    damagedIndex,
    get compactedIndex() {
      return compactedIndex;
    },
    lastIndex: () => LAST,
    async compact(index: number) {
      compactedIndex = index;
      return true;
    },
  } as unknown as LogCache;
  const ports = {
    clock: { monotonicMs: () => 0 },
    logger: SILENT,
    logStore: { sizeBytes: async () => 100 * LAST },
    chatStore: { durableApplied, checkpoint: async () => durableApplied },
  } as unknown as CompactionPorts;
  const compaction = new LogCompaction(
    cache,
    { ...DEFAULT_TUNING, logEntriesMax, logTailEntries: 100 },
    ports,
    () => ({ neededFrom, copyBytes: 0, dataFloor }),
    (error) => {
      throw error;
    },
  );
  compaction.check(LAST);
  await new Promise((resolve) => setImmediate(resolve));
  return compactedIndex;
}

test("a long log goes up to its tail, but not past what a follower needs, the data floor, or what is durable", async () => {
  expect(await compactedTo(10_000, {})).toBe(0);
  expect(await compactedTo(500, {})).toBe(900);
  expect(await compactedTo(500, { neededFrom: 300 })).toBe(299);
  expect(await compactedTo(500, { dataFloor: 200 })).toBe(200);
  expect(await compactedTo(500, { durableApplied: 150 })).toBe(150);
});

test("a damaged entry goes with all before it, whoever needs them, and nothing after it", async () => {
  expect(await compactedTo(10_000, { damagedIndex: 400 })).toBe(400);
  expect(await compactedTo(500, { damagedIndex: 400, neededFrom: 300 })).toBe(400);
  // Who needs what is below it needs it as well: the data floor keeps what is of use to somebody.
  expect(await compactedTo(500, { damagedIndex: 400, dataFloor: 200 })).toBe(400);
  expect(await compactedTo(500, { damagedIndex: 400, dataFloor: 600 })).toBe(600);
  expect(await compactedTo(10_000, { damagedIndex: 400, durableApplied: 150 })).toBe(150);
});
