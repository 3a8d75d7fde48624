// P1, P9: a process that is killed with -9 anywhere in copying, installing and compacting leaves the old or the new,
// and never a log that begins after what the chat file has.
import { readdirSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SqliteChatStore, SqliteLogStore } from "../../src/index.ts";
import { fakeChat, silentLogger } from "../fake-chat-store.ts";
import { type ScratchDirectory, scratchDirectory } from "../scratch-directory.ts";
import { type Child, startChild } from "./child.ts";
import { THREE } from "./copy-model.ts";

const ROUNDS = 8;

let directories: { readonly from: ScratchDirectory; readonly to: ScratchDirectory };
let child: Child | undefined;
beforeEach(() => {
  directories = { from: scratchDirectory(), to: scratchDirectory() };
});
afterEach(async () => {
  child?.kill();
  await child?.ended;
  for (const directory of Object.values(directories)) directory.remove();
});

function newest(lines: readonly string[], what: string): number {
  const found = lines.filter((line) => line.startsWith(`${what} `));
  return Number(found.at(-1)?.split(" ")[1] ?? 0);
}

test(`P1: ${ROUNDS} rounds of kill -9 while copies are made, sent, installed, and the log is compacted`, {
  timeout: 300_000,
}, async () => {
  let acknowledged = 0;
  let installed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const running = startChild("./copy-writer.ts", [
      directories.from.dbPath,
      directories.to.dbPath,
    ]);
    child = running;
    await running.waitFor((line) => line.startsWith("open "));
    // Somewhere after so many more lines, in whatever it does then.
    const lines = 1 + Math.floor(Math.random() * 6);
    await running.waitFor((_, all) => all.length > lines);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    running.kill();
    await running.ended;
    acknowledged = Math.max(acknowledged, newest(running.lines, "ack"));
    installed = Math.max(installed, newest(running.lines, "installed"));

    const from = await look(directories.from);
    expect(from.lastIndex).toBeGreaterThanOrEqual(acknowledged);
    const to = await look(directories.to);
    expect(to.applied).toBeGreaterThanOrEqual(installed);
    expect(to.compactedIndex).toBe(to.applied);
  }
  expect(installed).toBeGreaterThan(0);
});

/** Opens a node's files, and expects them to fit one another. */
async function look(directory: ScratchDirectory) {
  const { dbPath } = directory;
  const log = new SqliteLogStore(dbPath);
  const { compactedIndex, lastIndex } = await log.open();
  const logger = silentLogger();
  const chat = new SqliteChatStore({ dbPath, owner: log, logger, module: fakeChat });
  try {
    const { admission, confState } = await chat.open(THREE, compactedIndex);
    expect(confState).toEqual(THREE);
    expect(logger.complaints).toEqual([]);
    const applied = admission.appliedIndex;
    expect(applied).toBeGreaterThanOrEqual(compactedIndex);
    expect(applied).toBeLessThanOrEqual(lastIndex);
    const recomputed = await chat.read({ kind: "recompute-hash" });
    expect(recomputed).toMatchObject({ hash: (await chat.stateHash(0))?.hash });
    const generations = readdirSync(directory.path).filter((name) => /-chat-\d+$/.test(name));
    expect(generations).toHaveLength(1);
    return { compactedIndex, lastIndex, applied };
  } finally {
    await chat.close();
    await log.close();
  }
}
