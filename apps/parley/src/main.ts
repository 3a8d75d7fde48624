// The one command: parses the command line and says what went wrong in one sentence.
import { buildProgram } from "./cli/program.ts";
import { runProgram } from "./cli/run.ts";

/** Runs `parley <argv…>`; sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  await runProgram(buildProgram(), argv);
}
