// A process of the pool: gets seeds, answers with their results.
import { type RunOptions, runSeed } from "./run-seed.ts";

export function serve(run: RunOptions = {}): void {
  // A refusal is an error, and there are thousands. A replay has the stacks.
  Error.stackTraceLimit = 0;
  process.on("message", (seed: number) => {
    runSeed(seed, run).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on("disconnect", () => process.exit(0));
}
