// P1: a process that is killed with -9 at any moment loses nothing that it had acknowledged.
import type { LogStore } from "@parley/node/ports";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SqliteLogStore } from "../../src/index.ts";
import { readWhole } from "../contract/log-store-contract.ts";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import { type Child, startChild } from "./child.ts";
import {
  EMPTY_MODEL,
  type ModelLog,
  type ModelWrite,
  modelAfter,
  modelEntry,
  seededRandom,
} from "./log-model.ts";

const ROUNDS = 20;
const CONCURRENCY = 4;

let directory: ScratchDirectory;
let child: Child | undefined;
beforeEach(() => {
  directory = scratchDirectory();
});
afterEach(async () => {
  child?.kill();
  await child?.ended;
  directory.remove();
});

test(`P1: ${ROUNDS} rounds of kill -9 lose nothing acknowledged, and no vote is forgotten`, async () => {
  const seed = Math.trunc(Math.random() * 2 ** 31);
  const random = seededRandom(seed);
  let model = EMPTY_MODEL;
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const acks = 1 + random(60);
    child = startChild("log-writer.ts", [
      directory.dbPath,
      String(seed + round),
      String(CONCURRENCY),
    ]);
    await child.waitFor((_, lines) => lines.filter(isAck).length >= acks);
    child.kill();
    expect(await child.ended, `seed ${seed}`).toBe(null);

    const found = await readLog(new SqliteLogStore(directory.dbPath));
    const candidates = possibleLogs(model, child.lines);
    acknowledged += child.lines.filter(isAck).length;
    expect(candidates, `seed ${seed}, round ${round}`).toContainEqual(found);
    model = found;
  }
  expect(acknowledged).toBeGreaterThanOrEqual(ROUNDS);
});

test("P9: a file that a live process holds can't be opened; kill -9 lets go of it at once", async () => {
  child = startChild("log-writer.ts", [directory.dbPath, "1", "1"]);
  await child.waitFor(isAck);
  const store = new SqliteLogStore(directory.dbPath);
  await expect(store.open()).rejects.toMatchObject({
    kind: "locked",
    message: expect.stringMatching(/n1\.db.*Stop the other process/),
  });
  child.kill();
  await child.ended;
  const { lastIndex } = await readLogState(directory.dbPath);
  expect(lastIndex).toBeGreaterThan(0);
});

async function readLogState(dbPath: string): Promise<{ readonly lastIndex: number }> {
  const store = new SqliteLogStore(dbPath);
  const state = await store.open();
  await store.close();
  return state;
}

function isAck(line: string): boolean {
  return line.startsWith("ack ");
}

/** The log after everything acknowledged, and after each further write that had been begun. */
function possibleLogs(start: ModelLog, lines: readonly string[]): ModelLog[] {
  const begun = lines.filter((line) => line.startsWith("begin ")).map(parse);
  let log = start;
  const acks = lines.filter(isAck).length;
  for (const write of begun.slice(0, acks)) log = modelAfter(log, write);
  const possible = [log];
  for (const write of begun.slice(acks)) {
    log = modelAfter(log, write);
    possible.push(log);
  }
  return possible;
}

function parse(line: string): ModelWrite {
  const [first = 0, last = 0, term = 0, vote = 0] = line.split(" ").slice(1).map(Number);
  return { first, last, term, vote };
}

/** Reads everything and checks every byte. */
async function readLog(store: LogStore): Promise<ModelLog> {
  const { lastIndex, hardState } = await store.open();
  const terms: number[] = [];
  while (terms.length < lastIndex) {
    for (const entry of await readWhole(store, terms.length + 1, lastIndex + 1, 1 << 20)) {
      expect(entry).toEqual(modelEntry(terms.length + 1, entry.term));
      terms.push(entry.term);
    }
  }
  await store.close();
  return { terms, term: hardState.term, vote: hardState.vote };
}
