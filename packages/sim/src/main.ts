// npm run sim -- [--seeds N] [--from S] [--jobs J]     runs N seeds, S, S + 1, …
// npm run sim -- --seed S [--trace FILE] [--quiet]     replays one, with its trace
import { randomInt } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { Coverage } from "./coverage.ts";
import { isSparse } from "./density.ts";
import { runSeeds } from "./pool.ts";
import { runSeed, type SeedResult } from "./run-seed.ts";

const DEFAULT_SEEDS = 20;
const TRACE_LINES_SHOWN = 40;
/** Lines of a replay that go to the terminal; a file gets them all. */
const REPLAY_LINES_MAX = 200_000;

const USAGE = `usage:
  npm run sim -- [--seeds N] [--from S] [--jobs J]   run N seeds (default ${DEFAULT_SEEDS}) from S (default random)
  npm run sim -- --seed S [--trace FILE] [--quiet]   replay one seed with its trace`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      from: { type: "string" },
      seed: { type: "string" },
      jobs: { type: "string" },
      trace: { type: "string" },
      quiet: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  if (values.seed !== undefined) {
    return replay(numberOf("seed", values.seed), values.trace, values.quiet === true);
  }
  const count = numberOf("seeds", values.seeds ?? String(DEFAULT_SEEDS));
  const from = values.from === undefined ? randomInt(2 ** 31) : numberOf("from", values.from);
  const jobs = numberOf("jobs", values.jobs ?? "2");
  return runMany(from, count, Math.max(1, jobs));
}

async function runMany(from: number, count: number, jobs: number): Promise<number> {
  console.log(`seeds ${from} … ${from + count - 1} in ${jobs} processes`);
  const coverage = new Coverage();
  const begun = process.hrtime.bigint();
  let passed = 0;
  const failed: SeedResult[] = [];
  const dense = new Speed();
  const sparse = new Speed();
  await runSeeds({
    seeds: Array.from({ length: count }, (_, i) => from + i),
    jobs,
    onResult: (result) => {
      coverage.merge(result.coverage);
      (isSparse(result.seed) ? sparse : dense).add(result);
      if (result.violation === undefined) {
        passed += 1;
        return;
      }
      failed.push(result);
      tellFailure(result);
    },
  });
  const realSeconds = Number(process.hrtime.bigint() - begun) / 1e9;
  console.log(`coverage\n${coverage.toString()}`);
  const missing = coverage.missing();
  if (missing.length > 0) console.log(`not exercised: ${missing.join(", ")}`);
  const all = dense.and(sparse);
  console.log(
    `${all.virtualSeconds.toFixed(0)} virtual seconds in ${realSeconds.toFixed(0)} s: ` +
      `${(all.virtualSeconds / realSeconds).toFixed(0)} a second in all, ${all.told}`,
  );
  console.log(`dense seeds: ${dense.told}; sparse seeds: ${sparse.told}`);
  for (const { seed, violation } of failed) {
    console.log(`seed ${seed} failed: ${violation?.property}: npm run sim -- --seed ${seed}`);
  }
  console.log(`${passed} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

/** What seeds have lived through, and what it took. */
class Speed {
  virtualSeconds = 0;
  #cpuSeconds = 0;
  #operations = 0;
  #faults = 0;

  add({ virtualSeconds, cpuSeconds, operations, faults }: SeedResult): void {
    this.virtualSeconds += virtualSeconds;
    this.#cpuSeconds += cpuSeconds;
    this.#operations += operations;
    this.#faults += faults;
  }

  and(other: Speed): Speed {
    const sum = new Speed();
    sum.virtualSeconds = this.virtualSeconds + other.virtualSeconds;
    sum.#cpuSeconds = this.#cpuSeconds + other.#cpuSeconds;
    sum.#operations = this.#operations + other.#operations;
    sum.#faults = this.#faults + other.#faults;
    return sum;
  }

  get told(): string {
    const cpuSeconds = Math.max(0.001, this.#cpuSeconds);
    const each = Math.max(0.001, this.virtualSeconds);
    return (
      `${(this.virtualSeconds / cpuSeconds).toFixed(0)} per second of processor time ` +
      `(${this.#cpuSeconds.toFixed(0)} s of it; per virtual second ${(this.#operations / each).toFixed(1)} operations and ${(this.#faults / each).toFixed(2)} faults)`
    );
  }
}

function tellFailure(result: SeedResult): void {
  console.log(`seed ${result.seed} FAILED: ${result.violation?.property}`);
  console.log(`  ${result.violation?.detail}`);
  for (const line of result.traceTail.slice(-TRACE_LINES_SHOWN)) console.log(`  ${line}`);
  console.log(`  replay: npm run sim -- --seed ${result.seed}`);
}

async function replay(seed: number, file: string | undefined, quiet: boolean): Promise<number> {
  const descriptor = file === undefined ? undefined : openSync(file, "w");
  let lines = 0;
  let block = "";
  const flush = (): void => {
    if (block === "") return;
    // Standard output may be a pipe that is full, which a stream waits for.
    if (descriptor === undefined) process.stdout.write(block);
    else writeSync(descriptor, block);
    block = "";
  };
  const onTrace = (line: string): void => {
    lines += 1;
    if (descriptor === undefined && lines > REPLAY_LINES_MAX) return;
    block += `${line}\n`;
    if (block.length > 65_536) flush();
  };
  const result = await runSeed(seed, quiet && file === undefined ? {} : { onTrace });
  flush();
  if (descriptor !== undefined) closeSync(descriptor);
  if (descriptor === undefined && lines > REPLAY_LINES_MAX) {
    console.log(`… ${lines - REPLAY_LINES_MAX} more lines; --trace FILE has them all`);
  }
  console.log(
    `seed ${seed}: ${result.virtualSeconds.toFixed(1)} virtual seconds in ${result.realSeconds.toFixed(1)} s (${result.cpuSeconds.toFixed(1)} s of processor time), ` +
      `${result.operations} operations, ${result.faults} faults, ${result.events} events`,
  );
  console.log(`trace hash ${result.traceHash}`);
  if (result.violation !== undefined) {
    console.log(`VIOLATION of ${result.violation.property}: ${result.violation.detail}`);
  }
  console.log(result.violation === undefined ? "1 passed, 0 failed" : "0 passed, 1 failed");
  return result.violation === undefined ? 0 : 1;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`--${name} takes a whole number, not ${text}\n${USAGE}`);
    process.exit(2);
  }
  return value;
}

process.exitCode = await main();
