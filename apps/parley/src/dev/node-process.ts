// One server process of a dev cluster: started, killed, paused, restarted; its output read.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Cut } from "./cut-off.ts";
import { LineSplitter } from "./line-splitter.ts";
import type { LogFile } from "./log-file.ts";

const NODE_MAIN = fileURLToPath(new URL("./node-main.ts", import.meta.url));
/** How long a process may take to stop before it is killed. */
const STOP_TIMEOUT_MS = 8_000;

export type NodeState = "running" | "paused" | "stopping" | "dead";

export interface NodeProcessEvents {
  onLine(line: string): void;
  /** `expected`: it was killed or stopped on request. */
  onExit(how: string, expected: boolean): void;
  /** Pid, state or cut changed. */
  onChange(): void;
}

export class NodeProcess {
  readonly id: number;
  readonly #configPath: string;
  readonly #log: LogFile;
  readonly #events: NodeProcessEvents;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #state: NodeState = "dead";
  #cut: Cut = "none";
  #expected = false;

  constructor(id: number, configPath: string, log: LogFile, events: NodeProcessEvents) {
    this.id = id;
    this.#configPath = configPath;
    this.#log = log;
    this.#events = events;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** From whom it is cut off; a new process is not. */
  get cut(): Cut {
    return this.#cut;
  }

  get pid(): number | undefined {
    return this.#state === "dead" ? undefined : this.#child?.pid;
  }

  /** Does nothing while it runs. */
  start(): void {
    if (this.#state !== "dead") return;
    const args = [NODE_MAIN, "server", "--id", String(this.id), "--config", this.#configPath];
    const child = spawn(process.execPath, args, {
      // Its own process group, so that Ctrl-C in the terminal reaches the supervisor alone; and a
      // channel whose end tells it that the supervisor is gone.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    this.#child = child;
    this.#state = "running";
    this.#cut = "none";
    this.#expected = false;
    const done = Promise.withResolvers<void>();
    this.#exited = done.promise;
    this.#readOutput(child);
    const onEnd = (how: string) => {
      if (this.#child !== child || this.#state === "dead") return;
      this.#state = "dead";
      this.#cut = "none";
      this.#events.onChange();
      this.#events.onExit(how, this.#expected);
      done.resolve();
    };
    child.once("error", (error) => onEnd(`could not run (${error.message})`));
    child.once("close", (code, signal) => onEnd(signal === null ? `exit ${code}` : signal));
    this.#events.onChange();
  }

  #readOutput(child: ChildProcess): void {
    for (const stream of [child.stdout, child.stderr]) {
      const splitter = new LineSplitter((line) => this.#events.onLine(line));
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => {
        this.#log.write(text);
        splitter.push(text);
      });
      stream?.on("end", () => splitter.end());
    }
  }

  /** `kill -9`; resolves when it is gone. False when it was not there. */
  async kill(): Promise<boolean> {
    if (this.#state === "dead") return false;
    this.#expected = true;
    this.#child?.kill("SIGKILL");
    await this.#exited;
    return true;
  }

  pause(): boolean {
    if (this.#state !== "running") return false;
    this.#child?.kill("SIGSTOP");
    this.#setState("paused");
    return true;
  }

  resume(): boolean {
    if (this.#state !== "paused") return false;
    this.#child?.kill("SIGCONT");
    this.#setState("running");
    return true;
  }

  /** False when it does not run. */
  setCut(cut: Cut): boolean {
    if (this.#state !== "running") return false;
    this.#child?.send({ cut });
    this.#cut = cut;
    this.#events.onChange();
    return true;
  }

  /** Gracefully, and by force when that takes too long. */
  async stop(): Promise<void> {
    if (this.#state === "dead") return;
    this.#expected = true;
    this.resume();
    this.#setState("stopping");
    this.#child?.kill("SIGTERM");
    const forced = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(forced);
  }

  async restart(): Promise<void> {
    await this.stop();
    this.start();
  }

  #setState(state: NodeState): void {
    this.#state = state;
    this.#events.onChange();
  }
}
