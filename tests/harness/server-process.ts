// `parley server` as a process of its own, which can be stopped, killed and started again.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));
const OLDER = fileURLToPath(new URL("./older-program.ts", import.meta.url));
/** Variables that make a server the program from before messages could be edited. */
export const OLDER_PROGRAM = { NODE_OPTIONS: `--import=${OLDER}` };
const LINES_KEPT = 2_000;

export class ServerProcess {
  readonly output: string[] = [];
  #child: ChildProcess | undefined;

  /** Starts it; `env` beside this process' own variables. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    this.follow(
      spawn(process.execPath, [PARLEY, "server", ...args], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...env },
      }),
    );
  }

  /** One that was started elsewhere, with pipes for its output. */
  follow(child: ChildProcess): void {
    if (child.stdout === null || child.stderr === null) throw new Error("it has no pipes");
    this.#child = child;
    const take = (line: string) => {
      this.output.push(line);
      if (this.output.length > LINES_KEPT) this.output.splice(0, LINES_KEPT / 2);
    };
    createInterface({ input: child.stdout }).on("line", take);
    createInterface({ input: child.stderr }).on("line", take);
  }

  says(text: string): boolean {
    return this.output.some((line) => line.includes(text));
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** In good order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    const isRunning = this.isRunning;
    this.#child = undefined;
    if (child === undefined || !isRunning) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill(signal);
    await gone;
  }
}
