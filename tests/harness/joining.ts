// Servers that join a cluster, and the operator's commands, as processes of their own.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ServerProcess } from "./server-process.ts";

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));

const PORTS_FROM = 20_000;
const PORTS = 10_000;
const HTTP_OFFSET = 1_000;
const given = new Set<number>();

/**
 * A port that nothing listened on a moment ago, with the one above it by 1000 free as well: below those that outgoing
 * connections get, so that none of them takes it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS_FROM + Math.floor(Math.random() * PORTS);
    const isGiven = [port, port + HTTP_OFFSET, port - HTTP_OFFSET].some((one) => given.has(one));
    if (isGiven || !(await isFree(port)) || !(await isFree(port + HTTP_OFFSET))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}

/** `parley server --id N --join … --data DIR`. */
export class JoiningServer extends ServerProcess {
  readonly id: number;
  readonly dir = mkdtempSync(join(tmpdir(), "parley-join-"));

  constructor(id: number) {
    super();
    this.id = id;
  }

  /** `env`: see ServerProcess. */
  start(join: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    this.run(["--id", String(this.id), "--join", join.join(","), "--data", this.dir], env);
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
  return runParley(args, () => false);
}

/** Presses Ctrl-C as soon as the command has said this. */
export function interruptedParley(said: string, ...args: readonly string[]): Promise<Finished> {
  return runParley(args, (output) => output.includes(said));
}

function runParley(
  args: readonly string[],
  isEnough: (output: string) => boolean,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PARLEY, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const take = (text: Buffer) => {
      output += text.toString();
      if (isEnough(output)) child.kill("SIGINT");
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
