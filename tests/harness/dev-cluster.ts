// A development cluster as a person starts it: `parley dev` with real server processes, killed by pid.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));
/** Generous: the machines are slow at times. */
const START_MS_MAX = 120_000;
/** A node that answers later is looked at again. */
const LOOK_MS_MAX = 2_000;

export interface ClusterFileNode {
  readonly id: number;
  readonly pid: number | null;
  readonly grpc: string;
  readonly http: string;
  readonly db_path: string;
  /** Left out: it has the chat. */
  readonly role?: "witness";
}

export class DevCluster {
  readonly dir: string;
  #child: ChildProcess | undefined;
  #output: string[] = [];

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** Starts and waits for the line that begins with "ready". `settings`: sections of YAML beside the nodes. */
  static async start(
    nodes: number,
    dir = mkdtempSync(join(tmpdir(), "parley-e2e-")),
    settings = "",
    witnesses = 0,
  ): Promise<DevCluster> {
    const cluster = new DevCluster(dir);
    if (settings !== "") {
      const list = Array.from(
        { length: nodes },
        (_, at) =>
          `  - {id: ${at + 1}, host: 127.0.0.1, port: ${7_401 + at}, db_path: n${at + 1}/parley.db}`,
      );
      const kept = "# Settings below this line are kept.";
      writeFileSync(
        join(dir, "cluster.yaml"),
        `nodes:\n${list.join("\n")}\n${kept}\n${settings}\n`,
      );
    }
    await cluster.#spawn(nodes, witnesses);
    return cluster;
  }

  /** One that somebody else has started, and ends: by its files, without what it printed. */
  static at(dir: string): DevCluster {
    return new DevCluster(dir);
  }

  get nodes(): readonly ClusterFileNode[] {
    return (
      JSON.parse(readFileSync(join(this.dir, "cluster.json"), "utf8")) as {
        nodes: ClusterFileNode[];
      }
    ).nodes;
  }

  node(id: number): ClusterFileNode {
    const node = this.nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`cluster.json has no node ${id}`);
    return node;
  }

  /** Those that have the chat; all but the witnesses. */
  get dataNodes(): readonly ClusterFileNode[] {
    return this.nodes.filter(({ role }) => role !== "witness");
  }

  /** Of whom a client may ask something. */
  get addresses(): readonly string[] {
    return this.dataNodes.map((node) => node.grpc);
  }

  /** The last lines that the supervisor printed, for messages of failed tests. */
  get tail(): string {
    return this.#output.slice(-40).join("\n");
  }

  /** `kill -9`, from outside. */
  kill(id: number): void {
    const { pid } = this.node(id);
    if (pid !== null) process.kill(pid, "SIGKILL");
  }

  signal(id: number, signal: NodeJS.Signals): void {
    const { pid } = this.node(id);
    if (pid !== null) process.kill(pid, signal);
  }

  async waitDead(id: number): Promise<void> {
    await until(() => this.node(id).pid === null, `node ${id} to be gone`);
  }

  /** Asks the supervisor through its control socket. */
  async control(cmd: string, node?: number): Promise<unknown> {
    const socket = connect(join(this.dir, "control.sock"));
    await once(socket, "connect");
    const lines = createInterface({ input: socket });
    const answer = once(lines, "line");
    socket.write(`${JSON.stringify({ cmd, node })}\n`);
    const [line] = (await answer) as [string];
    socket.destroy();
    return JSON.parse(line);
  }

  async restart(id: number): Promise<void> {
    await this.control("restart", id);
    await until(() => this.node(id).pid !== null, `node ${id} to run again`);
  }

  /** Every node runs and is ready, also those that were killed or stopped. */
  async heal(): Promise<void> {
    await Promise.all(this.nodes.map(({ id }) => this.#heal(id)));
  }

  async #heal(id: number): Promise<void> {
    await until(async () => {
      const { pid, http } = this.node(id);
      if (pid === null) await this.restart(id);
      // It may have gone since it was written down.
      else if (isAlive(pid)) process.kill(pid, "SIGCONT");
      const answer = await fetch(`http://${http}/readyz`, {
        signal: AbortSignal.timeout(LOOK_MS_MAX),
      }).catch(() => undefined);
      return answer?.status === 200;
    }, `node ${id} to be ready`);
  }

  /** As Ctrl-C does. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const closed = once(child, "close");
    child.kill("SIGINT");
    await closed;
    this.#child = undefined;
  }

  /** After `stop`, with what its directory holds by now. */
  async startAgain(nodes: number): Promise<void> {
    await this.#spawn(nodes, 0);
  }

  async destroy(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #spawn(nodes: number, witnesses: number): Promise<void> {
    const counts = ["--nodes", String(nodes), "--witnesses", String(witnesses)];
    const child = spawn(process.execPath, [PARLEY, "dev", ...counts, "--data", this.dir], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    // Whoever ends the tests ends the cluster.
    const end = () => child.kill("SIGTERM");
    process.once("exit", end);
    child.once("exit", () => process.off("exit", end));
    const ready = Promise.withResolvers<void>();
    const take = (line: string) => {
      this.#output.push(line);
      if (this.#output.length > 2_000) this.#output.splice(0, 1_000);
      if (line.startsWith("ready")) ready.resolve();
    };
    createInterface({ input: child.stdout }).on("line", take);
    createInterface({ input: child.stderr }).on("line", take);
    child.once("close", (code) =>
      ready.reject(new Error(`parley dev ended with ${code}:\n${this.tail}`)),
    );
    const timer = setTimeout(
      () => ready.reject(new Error(`not ready in ${START_MS_MAX} ms:\n${this.tail}`)),
      START_MS_MAX,
    );
    await ready.promise.finally(() => clearTimeout(timer));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Waits for a condition; the bound is generous, for slow machines. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  boundMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + boundMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${boundMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
