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
    return JSON.stringify({ error: { reason: jsonReason(error), message } });
  }
  const reason = error instanceof ParleyError ? pc.dim(` [${error.reason}]`) : "";
  return `${pc.red("parley:")} ${message}${waitRemark(error)}${reason}`;
}

function jsonReason(error: unknown): string {
  if (error instanceof ParleyError) return error.reason;
  const isUsage =
    error instanceof UsageError || error instanceof ConfigError || error instanceof CommanderError;
  return isUsage ? "USAGE" : "FAILED";
}

/** When to come back, where that is worth saying. */
function waitRemark(error: unknown): string {
  if (!(error instanceof ParleyError) || error.retryAfterMs < 1_000) return "";
  return ` (try again in ${Math.ceil(error.retryAfterMs / 1_000)} s)`;
}

/** Commander then says nothing by itself: its complaint is printed as JSON. */
function silence(command: Command): void {
  command.configureOutput({ writeErr: () => {} });
  for (const one of command.commands) silence(one);
}

export async function runProgram(program: Command, argv: readonly string[]): Promise<void> {
  const asJson = argv.includes("--json");
  if (asJson) silence(program);
  try {
    await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has said what is wrong, or has shown what was asked for.
      process.exitCode = error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
      if (asJson && error.exitCode !== 0) {
        process.stderr.write(`${describeError(error, true)}\n`);
      }
      return;
    }
    process.stderr.write(`${describeError(error, asJson)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
