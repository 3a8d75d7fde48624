// A process of the pool: gets seeds, answers with their results.
import { type RunOptions, runSeed } from "./run-seed.ts";

export function serve(run: RunOptions = {}): void {
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
