// Same seed, same world: the trace hash covers every event, frame, operation and decision.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runSeed } from "../src/run-seed.ts";

const SEED = 11;
const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

test("a seed gives the same trace hash twice in one process, and in two more", async () => {
  const first = await runSeed(SEED);
  const lines: string[] = [];
  const second = await runSeed(SEED, { onTrace: (line) => lines.push(line) });
  expect(second.traceHash).toBe(first.traceHash);
  expect(second.events).toBe(first.events);
  expect(lines.length).toBeGreaterThan(1_000);
  for (let i = 0; i < 2; i++) {
    const output = execFileSync(process.execPath, [MAIN, "--seed", String(SEED), "--quiet"], {
      encoding: "utf8",
    });
    expect(output).toContain(`trace hash ${first.traceHash}`);
  }
}, 480_000);

test("another seed gives another world", async () => {
  const one = await runSeed(SEED);
  const other = await runSeed(SEED + 2);
  expect(other.traceHash).not.toBe(one.traceHash);
}, 240_000);
