// From what a command threw to an exit code and one sentence.
import { ParleyError, StatusCode } from "@parley/protocol";
import { type Command, CommanderError } from "commander";
import pc from "picocolors";
import { ConfigError } from "../config/config-error.ts";
import { ExitCode } from "./exit-codes.ts";
import { UsageError } from "./usage-error.ts";

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof ConfigError) return ExitCode.usage;
  if (!(error instanceof ParleyError)) return ExitCode.failure;
  switch (error.code) {
    case StatusCode.UNAUTHENTICATED:
    case StatusCode.PERMISSION_DENIED:
      return ExitCode.notAllowed;
    case StatusCode.UNAVAILABLE:
    case StatusCode.DEADLINE_EXCEEDED:
      return ExitCode.unavailable;
    default:
      return ExitCode.failure;
  }
}

/** One sentence, never a stack. With `--json` on the command line, an object for programs. */
export function describeError(error: unknown, asJson: boolean): string {
  const message = error instanceof Error ? error.message : String(error);
  if (asJson) {
    const reason = error instanceof ParleyError ? error.reason : "FAILED";
    return JSON.stringify({ error: { reason, message } });
  }
  const reason = error instanceof ParleyError ? pc.dim(` [${error.reason}]`) : "";
  return `${pc.red("parley:")} ${message}${reason}`;
}

export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has said what is wrong, or has shown what was asked for.
      process.exitCode = error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
      return;
    }
    process.stderr.write(`${describeError(error, argv.includes("--json"))}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
