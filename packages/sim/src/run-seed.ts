// Runs one seed from beginning to end, behind the fence.
import { optionsOf, type WorldOverride } from "./options.ts";
import { fenced } from "./world/fence.ts";
import { World, type WorldResult } from "./world.ts";

export interface SeedResult extends WorldResult {
  readonly realSeconds: number;
  /** Processor time of all threads, so that a busy machine does not blur it. */
  readonly cpuSeconds: number;
}

export interface RunOptions {
  /** Gets every line of the trace, with details that are not part of its hash. */
  readonly onTrace?: ((line: string) => void) | undefined;
  readonly override?: WorldOverride | undefined;
}

/** Never rejects: whatever goes wrong is a violation in the result. */
export async function runSeed(seed: number, run: RunOptions = {}): Promise<SeedResult> {
  const begun = process.hrtime.bigint();
  const cpuBegun = process.cpuUsage();
  const options = optionsOf(seed, run.override?.isSparse);
  const tuning = { ...options.tuning, ...run.override?.tuning };
  const world = new World({ ...options, ...run.override, tuning }, run.onTrace);
  const onRejection = (error: unknown): void => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    world.report({ property: "no unhandled rejection", detail });
  };
  process.on("unhandledRejection", onRejection);
  try {
    const result = await fenced(() => world.run());
    const cpu = process.cpuUsage(cpuBegun);
    return {
      ...result,
      realSeconds: Number(process.hrtime.bigint() - begun) / 1e9,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
    };
  } finally {
    process.off("unhandledRejection", onRejection);
  }
}
