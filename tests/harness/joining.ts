// Servers that join a cluster, and the operator's commands, as processes of their own.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));

/** A port that nothing listened on a moment ago, with the one above it by 1000 free as well. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await portOf(0);
    if (port + 1_000 > 65_535) continue;
    const http = await portOf(port + 1_000).catch(() => 0);
    if (http !== 0) return port;
  }
}

function portOf(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: wanted }, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** `parley server --id N --join … --data DIR`. */
export class JoiningServer {
  readonly id: number;
  readonly dir: string;
  readonly output: string[] = [];
  #child: ChildProcess | undefined;

  constructor(id: number) {
    this.id = id;
    this.dir = mkdtempSync(join(tmpdir(), "parley-join-"));
  }

  start(join: readonly string[]): void {
    const args = [PARLEY, "server", "--id", String(this.id), "--join", join.join(",")];
    const child = spawn(process.execPath, [...args, "--data", this.dir], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const take = (line: string) => {
      this.output.push(line);
      if (this.output.length > 2_000) this.output.splice(0, 1_000);
    };
    createInterface({ input: child.stdout }).on("line", take);
    createInterface({ input: child.stderr }).on("line", take);
  }

  says(text: string): boolean {
    return this.output.some((line) => line.includes(text));
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async destroy(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export interface Finished {
  readonly code: number;
  readonly output: string;
}

/** Runs one command to its end. */
export function parley(...args: readonly string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PARLEY, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (text: Buffer) => {
      output += text.toString();
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
  });
}

/** What a disk held is gone: everything beside `dbPath` that belongs to it. */
export function wipe(dbPath: string): void {
  const folder = dirname(dbPath);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(basename(dbPath))) rmSync(join(folder, name), { force: true });
  }
}
