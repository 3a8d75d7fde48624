// The one command: parses the command line and says what went wrong in one sentence.
import { buildProgram } from "./cli/program.ts";
import { runProgram } from "./cli/run.ts";

/** Runs `parley <argv…>`, and ends the process when it is done. */
export async function main(argv: readonly string[]): Promise<void> {
  await runProgram(buildProgram(), argv);
  // By itself it would wait until the network gives up a connection to a machine that is not there: two minutes.
  process.stdout.write("", () => process.exit());
}
