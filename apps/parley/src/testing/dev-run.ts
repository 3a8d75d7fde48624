// `parley dev` as a process, in a folder of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { askStatus } from "../cli/cluster-client.ts";
import { type ClusterFile, type ClusterFileNode, readClusterFile } from "../dev/cluster-file.ts";
import { askSupervisor, type ControlReply, type ControlRequest } from "../dev/control.ts";
import { eventually } from "./running-server.ts";

const PARLEY = fileURLToPath(new URL("../../bin/parley.mjs", import.meta.url));
const READY_TIMEOUT_MS = 120_000;

export interface ParleyProcess {
  readonly child: ChildProcess;
  /** What it wrote so far, without colours. */
  output(): string;
  /** A line of its standard input. */
  type(line: string): void;
  /** The exit code; -1 for an end by a signal. */
  readonly ended: Promise<number>;
}

export function startParley(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ParleyProcess {
  const child = spawn(process.execPath, [PARLEY, ...args], { env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += stripVTControlCharacters(text);
    });
  }
  child.stdin.on("error", () => {});
  return {
    child,
    output: () => output,
    type: (line) => child.stdin.write(`${line}\n`),
    ended: new Promise((resolve) => child.once("close", (code) => resolve(code ?? -1))),
  };
}

export function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A killed child that nobody has waited for yet counts as dead.
    return existsSync("/proc") && readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return true;
  }
}

/** The leader as the node at `address` sees it; 0 = none, or no majority, or no answer. */
export async function leaderSeenBy(address: string): Promise<number> {
  const status = await askStatus(address, { timeoutMs: 2_000 }).catch(() => undefined);
  return status?.hasQuorum === true ? status.leaderId : 0;
}

export class DevRun {
  readonly folder = mkdtempSync(join(tmpdir(), "parley-dev-e2e-"));
  readonly #processes: ParleyProcess[] = [];

  /** Another command; ended with the rest in `cleanUp`. */
  parley(args: readonly string[], env: Readonly<Record<string, string>> = {}): ParleyProcess {
    const started = startParley(args, env);
    this.#processes.push(started);
    return started;
  }

  /** Resolves when it has printed its `ready` line. */
  async start(...args: string[]): Promise<ParleyProcess> {
    const dev = this.parley(["dev", "--data", this.folder, ...args]);
    const isReady = () => {
      if (dev.child.exitCode !== null) throw new Error(`it ended:\n${dev.output()}`);
      return /^ready /m.test(dev.output());
    };
    await eventually("ready", isReady, READY_TIMEOUT_MS);
    return dev;
  }

  cluster(): ClusterFile {
    const file = readClusterFile(this.folder);
    if (file === undefined) throw new Error("there is no cluster.json");
    return file;
  }

  node(id: number): ClusterFileNode {
    const found = this.cluster().nodes.find((one) => one.id === id);
    if (found === undefined) throw new Error(`cluster.json has no node ${id}`);
    return found;
  }

  pids(): readonly number[] {
    const nodes = readClusterFile(this.folder)?.nodes ?? [];
    return nodes.flatMap(({ pid }) => (pid === null ? [] : [pid]));
  }

  async control(cmd: ControlRequest["cmd"], node?: number): Promise<ControlReply> {
    const request = node === undefined ? { cmd } : { cmd, node };
    return await askSupervisor(this.cluster().control ?? "", request);
  }

  async cleanUp(): Promise<void> {
    for (const { child, ended } of this.#processes) {
      if (child.exitCode === null) child.kill("SIGTERM");
      await ended;
    }
    // Servers whose supervisor was killed end by themselves.
    await eventually("every server has ended", () => this.pids().every(isDead));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
