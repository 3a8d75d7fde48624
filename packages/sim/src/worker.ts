// A process of the pool: gets seeds, answers with their results.
import { runSeed } from "./run-seed.ts";

process.on("message", (seed: number) => {
  runSeed(seed).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on("disconnect", () => process.exit(0));
