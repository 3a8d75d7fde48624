// `parley dev`: a whole cluster on one machine, for trying it, breaking it, and developing on it.
import type { TlsOptions } from "@parley/client/grpc";
import pc from "picocolors";
import { askAnyStatus } from "../cli/cluster-client.ts";
import { ExitCode } from "../cli/exit-codes.ts";
import { statusLines } from "../cli/status-table.ts";
import { tlsOfConfig } from "../cli/trust.ts";
import type { ClusterConfig } from "../config/load.ts";
import { ChaosPanel } from "./chaos-panel.ts";
import { writeClusterFile } from "./cluster-file.ts";
import {
  type ControlReply,
  type ControlRequest,
  type ControlServer,
  controlPath,
  type NodeCommand,
} from "./control.ts";
import type { Cut } from "./cut-off.ts";
import { logPath } from "./data-folder.ts";
import { DEMO_PASSWORD, fillDemo } from "./demo.ts";
import { PEOPLE } from "./demo-content.ts";
import { type KeyActions, listenToKeys } from "./keys.ts";
import { LiveChecker } from "./live-checker.ts";
import { LogFile } from "./log-file.ts";
import { LogReader } from "./log-line.ts";
import { NodeProcess } from "./node-process.ts";
import { waitUntilReady } from "./readiness.ts";
import { helpLines, Screen, shownFolder, summaryLines } from "./screen.ts";

export interface SupervisorOptions {
  /** Absolute. */
  readonly folder: string;
  readonly config: ClusterConfig;
  /** Start again whatever dies. */
  readonly supervise: boolean;
  readonly demo: boolean;
}

const STATUS_TIMEOUT_MS = 1_000;
const RESPAWN_DELAY_MS = 1_000;
/** Signals this close together are one. */
const SAME_SIGNAL_MS = 500;

function exitText(how: string, expected: boolean): string {
  if (expected && how === "exit 0") return "stopped";
  if (how === "SIGKILL") return "killed (kill -9)";
  return expected ? `stopped (${how})` : `ended by itself (${how})`;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #screen = new Screen();
  readonly #nodes: readonly NodeProcess[];
  readonly #done = Promise.withResolvers<number>();
  #control: ControlServer | undefined;
  #panel: ChaosPanel | undefined;
  #stopListening: (() => void) | undefined;
  #selected = 1;
  #hadMajority = true;
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#nodes = options.config.nodes.map(({ id }) => this.#nodeProcess(id));
  }

  /** Starts everything; resolves with the exit code when everything has stopped. */
  async run(control: ControlServer): Promise<number> {
    this.#control = control;
    const { config, folder } = this.#options;
    this.#listenToSignals();
    this.#screen.note(`starting ${config.nodes.length} nodes; data in ${shownFolder(folder)}/`);
    for (const node of this.#nodes) node.start();
    this.#writeFile();
    void this.#announce();
    return await this.#done.promise;
  }

  #nodeProcess(id: number): NodeProcess {
    const { folder, config } = this.#options;
    const log = new LogFile(logPath(folder, id));
    let reader = new LogReader();
    const process_ = new NodeProcess(id, `${folder}/cluster.yaml`, log, {
      onLine: (line) => {
        const text = reader.readable(line);
        if (text !== undefined && !this.#isStopping) this.#screen.node(id, text);
      },
      onExit: (how, expected) => {
        reader = new LogReader();
        this.#onExit(process_, how, expected);
      },
      onChange: () => {
        if (this.#nodes?.length === config.nodes.length) this.#writeFile();
      },
    });
    return process_;
  }

  #onExit(node: NodeProcess, how: string, expected: boolean): void {
    if (this.#isStopping) return;
    const { supervise } = this.#options;
    this.#screen.node(
      node.id,
      `${pc.red(exitText(how, expected))} ${pc.dim(`· ${this.#howMany()}`)}`,
    );
    if (supervise) this.#screen.node(node.id, pc.dim("starting it again"));
    this.#tellMajority();
    if (!supervise) return;
    setTimeout(() => {
      if (this.#isStopping) return;
      node.start();
      this.#tellMajority();
    }, RESPAWN_DELAY_MS);
  }

  /** Those that run and reach each other. */
  #inTouchCount(): number {
    return this.#nodes.filter(({ state, cut }) => state === "running" && cut === "none").length;
  }

  #howMany(): string {
    const isAnyCut = this.#nodes.some(({ cut }) => cut !== "none");
    return `${this.#inTouchCount()} of ${this.#nodes.length} nodes ${isAnyCut ? "are in touch" : "run"}`;
  }

  /** Says so when a majority is lost, and when it is there again. */
  #tellMajority(): void {
    const hasMajority = this.#inTouchCount() > this.#nodes.length / 2;
    if (hasMajority === this.#hadMajority) return;
    this.#hadMajority = hasMajority;
    this.#screen.note(
      hasMajority
        ? pc.green(`a majority runs again (${this.#howMany()}): what waits will be delivered`)
        : pc.yellow(
            `no majority (${this.#howMany()}): chats can read, and what they send waits until a node is back (r restarts one, c heals it)`,
          ),
    );
  }

  #writeFile(): void {
    const { folder, config } = this.#options;
    writeClusterFile(folder, {
      nodes: config.nodes.map(({ id, address, httpAddress, dbPath, isWitness }) => ({
        id,
        pid: this.#nodes.find((node) => node.id === id)?.pid ?? null,
        grpc: address,
        http: httpAddress,
        db_path: dbPath,
        ...(isWitness && { role: "witness" as const }),
      })),
      control: controlPath(folder),
      supervisor_pid: this.#isStopping ? null : process.pid,
    });
  }

  /** Addresses of the nodes that could answer; those that are cut off know least. */
  #liveAddresses(): readonly string[] {
    const running = this.#nodes.filter(({ state }) => state === "running");
    const inTouch = running.filter(({ cut }) => cut === "none");
    const live = new Set((inTouch.length > 0 ? inTouch : running).map(({ id }) => id));
    return this.#options.config.nodes.filter(({ id }) => live.has(id)).map((node) => node.address);
  }

  async #announce(): Promise<void> {
    const { config, folder } = this.#options;
    const allDead = () => this.#nodes.every((node) => node.state === "dead");
    const ready = await waitUntilReady(
      () => this.#liveAddresses(),
      () => this.#isStopping || allDead(),
      tlsOfConfig(config),
    );
    if (this.#isStopping) return;
    if (ready === undefined) {
      this.#screen.note(pc.red("no node is left; what they said last stands above"));
      await this.#stop(ExitCode.failure);
      return;
    }
    const isInteractive = process.stdin.isTTY === true;
    if (this.#options.demo) await this.#fillDemo();
    if (this.#isStopping) return;
    this.#screen.line(
      `ready ${config.nodes.length} nodes, n${ready.leaderId} leads (term ${ready.term}); serving on ` +
        config.nodes
          .filter((node) => !node.isWitness)
          .map((node) => node.address)
          .join(" "),
    );
    this.#screen.lines(
      summaryLines({ config, folder, isInteractive, panel: await this.#openPanel() }),
    );
    if (isInteractive) this.#stopListening = listenToKeys(process.stdin, this.#keyActions());
  }

  /** Of whom a client may ask something. */
  get #serving(): { readonly servers: readonly string[]; readonly tls: TlsOptions | undefined } {
    const { config } = this.#options;
    const serving = config.nodes.filter(({ isWitness }) => !isWitness);
    return { servers: serving.map(({ address }) => address), tls: tlsOfConfig(config) };
  }

  async #fillDemo(): Promise<void> {
    this.#screen.note("writing the demonstration …");
    try {
      await fillDemo(this.#serving);
      this.#screen.note(`sign in as ${Object.keys(PEOPLE).join(", ")} with "${DEMO_PASSWORD}"`);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#screen.note(
        pc.yellow(
          `the demonstration could not be written: ${why} (--demo wants a folder of its own: --data DIR)`,
        ),
      );
    }
  }

  /** Where the chaos panel is. */
  async #openPanel(): Promise<string> {
    const { folder } = this.#options;
    const checker = new LiveChecker({ folder, ...this.#serving });
    this.#panel = new ChaosPanel({ handle: (request) => this.handle(request), checker });
    return await this.#panel.listen();
  }

  // ---- Being told -------------------------------------------------------------------------------

  #listenToSignals(): void {
    let askedAtMs: number | undefined;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        // One Ctrl-C may come twice: from the terminal, and passed on by npm.
        const again = askedAtMs !== undefined && performance.now() - askedAtMs > SAME_SIGNAL_MS;
        if (again) void this.#killAll();
        askedAtMs ??= performance.now();
        void this.#stop(ExitCode.ok);
      });
    }
    // The reader of the output went away.
    process.stdout.on("error", () => void this.#stop(ExitCode.ok));
  }

  /** Answers the control socket. */
  async handle(request: ControlRequest): Promise<ControlReply> {
    if (request.cmd === "status") return await this.#describe();
    if (request.cmd === "stop") {
      void this.#stop(ExitCode.ok);
      return { ok: true };
    }
    const node = this.#nodes.find(({ id }) => id === request.node);
    if (node === undefined) {
      const ids = this.#nodes.map(({ id }) => id).join(", ");
      return { ok: false, error: `name one of the nodes ${ids}` };
    }
    const refusal = await this.#act(node, request.cmd);
    if (refusal !== undefined) return { ok: false, error: refusal };
    const { id, pid, state, cut } = node;
    return { ok: true, node: id, pid: pid ?? null, state, cut_off: cut };
  }

  /** Does it; a sentence = why it cannot be done. */
  async #act(node: NodeProcess, action: NodeCommand): Promise<string | undefined> {
    switch (action) {
      case "kill":
        return (await node.kill()) ? undefined : `node ${node.id} is not running`;
      case "pause":
        if (!node.pause()) return `node ${node.id} is not running`;
        this.#screen.node(
          node.id,
          `${pc.yellow("paused (SIGSTOP)")} ${pc.dim(`· ${this.#howMany()}`)}`,
        );
        this.#tellMajority();
        return undefined;
      case "resume":
        if (!node.resume()) return `node ${node.id} is not paused`;
        this.#screen.node(node.id, `resumed (SIGCONT) ${pc.dim(`· ${this.#howMany()}`)}`);
        this.#tellMajority();
        return undefined;
      case "restart":
        await node.restart();
        this.#screen.node(
          node.id,
          `started, pid ${node.pid ?? "?"} ${pc.dim(`· ${this.#howMany()}`)}`,
        );
        this.#tellMajority();
        return undefined;
      case "cut-off":
        return this.#cut(node, "peers", pc.yellow("cut off from the other nodes"));
      case "isolate":
        return this.#cut(node, "all", pc.yellow("cut off from the other nodes and from clients"));
      case "heal":
        if (node.cut === "none") return `node ${node.id} is not cut off`;
        return this.#cut(node, "none", "in touch again");
    }
  }

  #cut(node: NodeProcess, cut: Cut, what: string): string | undefined {
    if (!node.setCut(cut)) return `node ${node.id} is not running`;
    this.#screen.node(node.id, `${what} ${pc.dim(`· ${this.#howMany()}`)}`);
    this.#tellMajority();
    return undefined;
  }

  async #describe(): Promise<ControlReply> {
    const nodes = this.#nodes.map(({ id, pid, state, cut }) => ({
      id,
      pid: pid ?? null,
      state,
      cut_off: cut,
    }));
    const status = await this.#status();
    return { ok: true, leader: status?.leaderId ?? 0, term: status?.term ?? 0, nodes };
  }

  async #status() {
    const addresses = this.#liveAddresses();
    if (addresses.length === 0) return undefined;
    const options = { timeoutMs: STATUS_TIMEOUT_MS, tls: tlsOfConfig(this.#options.config) };
    return await askAnyStatus(addresses, options).catch(() => undefined);
  }

  #keyActions(): KeyActions {
    const chosen = () => this.#nodes[this.#selected - 1];
    const act = (action: NodeCommand) => {
      const node = chosen();
      if (node === undefined) return;
      this.#act(node, action).then(
        (refusal) => {
          if (refusal !== undefined) this.#screen.note(refusal);
        },
        (error: unknown) => this.#screen.note(String(error)),
      );
    };
    return {
      select: (id) => {
        if (id > this.#nodes.length) return;
        this.#selected = id;
        const node = chosen();
        this.#screen.note(
          `n${id} is chosen (${node?.state ?? "?"}): k kill -9, p pause / resume, c cut off / heal, r restart`,
        );
      },
      kill: () => act("kill"),
      togglePause: () => act(chosen()?.state === "paused" ? "resume" : "pause"),
      toggleCut: () => act(chosen()?.cut === "none" ? "cut-off" : "heal"),
      restart: () => act("restart"),
      status: () => void this.#showStatus(),
      help: () => this.#screen.lines(helpLines(this.#nodes.length)),
      quit: () => {
        if (this.#isStopping) void this.#killAll();
        else void this.#stop(ExitCode.ok);
      },
    };
  }

  async #showStatus(): Promise<void> {
    const status = await this.#status();
    if (status === undefined) this.#screen.note(pc.red("no node answers"));
    else this.#screen.lines(["", ...statusLines(status), ""]);
  }

  // ---- The end ----------------------------------------------------------------------------------

  async #stop(code: number): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#screen.note("stopping all nodes …");
    await this.#panel?.close();
    await Promise.all(this.#nodes.map((node) => node.stop()));
    this.#writeFile();
    this.#stopListening?.();
    this.#control?.close();
    this.#screen.note("all nodes have stopped; the data stays for the next run");
    this.#done.resolve(code);
  }

  async #killAll(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
  }
}
