// Runs many seeds on several processes: a world is one thread by nature, and a process of its own can
// neither disturb another world nor leave anything behind.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { SeedResult } from "./run-seed.ts";

/** Seeds that one process runs before it is replaced: bounds what a leak could do. */
const SEEDS_PER_PROCESS = 125;
/** A seed that takes longer has hung, even on a machine with much else to do: an endless loop is a finding too. */
const SEED_MS_MAX = 900_000;

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
const MUTANT_WORKER = fileURLToPath(new URL("./mutants/worker.ts", import.meta.url));

/** Saves each process half a second of reading TypeScript. */
const COMPILE_CACHE = fileURLToPath(
  new URL("../../../node_modules/.cache/parley-sim", import.meta.url),
);

export interface PoolOptions {
  readonly seeds: Iterable<number>;
  readonly jobs: number;
  readonly onResult: (result: SeedResult) => void;
  /** Stops handing out seeds when it returns true. */
  readonly isEnough?: (() => boolean) | undefined;
  /** Name of the planted bug that the processes run with. */
  readonly mutant?: string | undefined;
}

/** Resolves when every seed has had its result. */
export async function runSeeds(options: PoolOptions): Promise<void> {
  const seeds = options.seeds[Symbol.iterator]();
  const next = (): number | undefined => {
    if (options.isEnough?.() === true) return undefined;
    const step = seeds.next();
    return step.done === true ? undefined : step.value;
  };
  await Promise.all(
    Array.from({ length: options.jobs }, async () => {
      for (let seed = next(); seed !== undefined; ) {
        seed = await runProcess(seed, next, options);
      }
    }),
  );
}

/** Runs seeds in one process; resolves with the seed that the next process begins with, if any. */
function runProcess(
  first: number,
  next: () => number | undefined,
  { onResult, mutant }: PoolOptions,
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const settings = {
      execPath: process.execPath,
      execArgv: ["--no-warnings"],
      env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env },
    };
    const child =
      mutant === undefined ? fork(WORKER, settings) : fork(MUTANT_WORKER, [mutant], settings);
    let current = first;
    let done = 0;
    let carry: number | undefined;
    let hung = false;
    const ask = (seed: number): NodeJS.Timeout => {
      current = seed;
      child.send(seed);
      return setTimeout(() => {
        hung = true;
        child.kill("SIGKILL");
      }, SEED_MS_MAX);
    };
    let watchdog = ask(first);
    let answered = false;
    child.on("message", (result: SeedResult) => {
      clearTimeout(watchdog);
      onResult(result);
      done += 1;
      const seed = next();
      if (seed === undefined || done >= SEEDS_PER_PROCESS) {
        carry = seed;
        answered = true;
        child.disconnect();
        return;
      }
      watchdog = ask(seed);
    });
    child.on("exit", (code, signal) => {
      clearTimeout(watchdog);
      if (answered) {
        resolve(carry);
        return;
      }
      const detail = hung
        ? `no end after ${SEED_MS_MAX / 1000} s of real time`
        : `the process ended with ${code ?? signal}`;
      onResult(brokenResult(current, detail));
      resolve(next());
    });
  });
}

function brokenResult(seed: number, detail: string): SeedResult {
  return {
    seed,
    violation: { property: "a seed ends", detail },
    traceHash: "",
    traceTail: [],
    coverage: {},
    virtualSeconds: 0,
    operations: 0,
    faults: 0,
    events: 0,
    realSeconds: 0,
    cpuSeconds: 0,
  };
}
