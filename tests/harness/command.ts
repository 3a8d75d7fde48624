// The command as a script runs it.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));
const COMMAND_MS_MAX = 60_000;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `parley <args…>` to its end; a command that hangs is killed and has the code -1. */
export function parley(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const settings = {
      timeout: COMMAND_MS_MAX,
      killSignal: "SIGKILL",
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    } as const;
    execFile(process.execPath, [PARLEY, ...args], settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}
