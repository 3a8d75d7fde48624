// One server: a machine with its clock and disks, and on it one process of the real `Node` after
// another. Everything that can be done to a server is a method here.
import {
  type AppliedBatch,
  type CommittedEntry,
  STATE_VERSION,
  STATE_VERSION_FIRST,
} from "@parley/chat";
import {
  type ConfiguredNode,
  type Logger,
  type LogWrite,
  type Membership,
  Node,
  type NodeIdentity,
  type NodeTuning,
} from "@parley/node";
import { BootstrapRecord, ParleyError } from "@parley/protocol";
import { StorageError, WitnessStore } from "@parley/store";
import type { Coverage } from "./coverage.ts";
import type { WorldOptions } from "./options.ts";
import { ChatDisk } from "./world/chat-disk.ts";
import { MachineClock, ProcessClock, ProcessRandom } from "./world/clock.ts";
import { LogDisk } from "./world/log-disk.ts";
import type { Network } from "./world/network.ts";
import { SimulatedHasher, sha256 } from "./world/passwords.ts";
import type { Prng } from "./world/prng.ts";
import { VirtualProcess } from "./world/process.ts";
import type { Scheduler } from "./world/scheduler.ts";
import type { Trace } from "./world/trace.ts";
import { CLIENT_SERVICE, frameSink, peerTransport } from "./world/transports.ts";

/** What a server tells the world. What is about a log names the raft id, the rest the machine. */
export interface ServerEvents {
  onLogWrite(nodeId: number, write: LogWrite): void;
  onLogDurable(nodeId: number, write: LogWrite): void;
  onApplied(
    nodeId: number,
    batch: AppliedBatch,
    entries: readonly CommittedEntry[],
    hash: string,
  ): void;
  onMembership(nodeId: number, index: number, membership: Membership): void;
  onReopened(nodeId: number, appliedIndex: number, before: number): void;
  onAdopted(nodeId: number, serverUuid: string): void;
  onInstalled(nodeId: number, appliedIndex: number, hash: string): void;
  onLogInstalled(nodeId: number): void;
  committedTerm(index: number): number;
  onDied(nodeId: number): void;
  /** The process ended by itself, or would not start. */
  onFailed(nodeId: number, error: unknown): void;
}

/** Whoever shows it on the machine itself may change the cluster. */
const OPERATOR_TOKEN = "operator";

/** The parts of the world that a server needs. */
export interface ServerWorld {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace: Trace;
  readonly coverage: Coverage;
  readonly options: WorldOptions;
  readonly random: Prng;
  readonly events: ServerEvents;
}

export type ServerState = "down" | "starting" | "up" | "lost";

export class Server {
  readonly id: number;
  readonly name: string;
  readonly isWitness: boolean;
  readonly clock: MachineClock;
  readonly logDisk: LogDisk;
  readonly chatDisk: ChatDisk;
  readonly #world: ServerWorld;
  readonly #nodes: readonly ConfiguredNode[];
  readonly #priority: number;
  /** Whom it asks when its disk is empty; undefined = one of the first, which know one another. */
  join: readonly string[] | undefined;
  /** What its program knows; see RollingUpgrade. */
  stateVersion: number;
  /** Under which it is a member; 0 = its disk is empty, or it is none yet. */
  raftId = 0;
  #clock: ProcessClock | undefined;
  process: VirtualProcess | undefined;
  node: Node | undefined;
  /** `lost`: its disk is damaged, it may not run any more (P9). */
  state: ServerState = "down";
  #incarnation = 0;
  /** Its chat file was damaged, and a copy of a peer's has not taken its place yet. */
  chatFileLost = false;
  /** While it is down: the file is found to be damaged at the next start. */
  loseChatFile(): void {
    this.chatFileLost = true;
    this.chatDisk.damage();
  }

  /** Set when its disk was damaged: it must refuse to start. */
  damaged = false;
  /** Set between SIGTERM and the end. */
  isStopping = false;
  #crashAtWrite:
    | {
        readonly kind: "kill" | "power-cut";
        readonly step: "write" | "compact";
        readonly then: () => void;
      }
    | undefined;
  /** Set while a fault keeps it from working as a member. */
  suspendedBy: "pause" | "suspend" | undefined;

  constructor(
    id: number,
    nodes: readonly ConfiguredNode[],
    isWitness: boolean,
    world: ServerWorld,
  ) {
    this.id = id;
    this.name = `n${id}`;
    this.#world = world;
    this.#nodes = nodes;
    this.isWitness = isWitness;
    const { scheduler, network, options, events } = world;
    const random = world.random;
    this.stateVersion = options.upgradeAfterUs === undefined ? STATE_VERSION : STATE_VERSION_FIRST;
    network.addMachine(this.name);
    this.#priority = random.branch("priority").pick([0, 0, 0, 10, 20]);
    this.clock = new MachineClock(scheduler, random.branch("clock"), options.clock);
    this.logDisk = new LogDisk(this.name, scheduler, random.branch("disk"), options.logDisk, {
      onWrite: (write) => {
        events.onLogWrite(this.raftId, write);
        this.#written("write");
      },
      onCompact: () => this.#written("compact"),
      onDurable: (write) => events.onLogDurable(this.raftId, write),
      onIdentity: (identity) => this.#identified(identity),
      onInstalled: () => events.onLogInstalled(this.raftId),
      committedTerm: (index) => events.committedTerm(index),
    });
    const { logDisk } = this;
    this.chatDisk = new ChatDisk(scheduler, random.branch("chat"), options.chatDisk, logDisk, {
      onApplied: (batch, entries, hash) => events.onApplied(this.raftId, batch, entries, hash),
      onMembership: (index, membership) => events.onMembership(this.raftId, index, membership),
      onReopened: (applied, before) => events.onReopened(this.raftId, applied, before),
      onInstalled: (applied, hash) => {
        this.chatFileLost = false;
        events.onInstalled(this.raftId, applied, hash);
      },
    });
  }

  get isSlow(): boolean {
    return this.process?.isSlow ?? false;
  }

  get isUp(): boolean {
    return this.state === "up" || this.state === "starting";
  }

  /** Starts a process. Nothing happens when one runs already. */
  start(): void {
    if (this.process?.alive === true || this.state === "lost") return;
    const { scheduler, network, trace, random } = this.#world;
    this.#incarnation += 1;
    const process = new VirtualProcess(`${this.name}.${this.#incarnation}`, scheduler);
    this.process = process;
    this.state = "starting";
    this.isStopping = false;
    process.onDeath(() => {
      if (this.process !== process) return;
      this.state = "down";
      this.node = undefined;
    });
    const clock = new ProcessClock(this.clock, scheduler, process);
    this.#clock = clock;
    const logStore = this.logDisk.openFor(process);
    const { stateVersion } = this;
    const chatStore = this.isWitness
      ? new WitnessStore(logStore)
      : this.chatDisk.openFor(process, logStore, stateVersion);
    const node = new Node(
      {
        nodeId: this.id,
        nodes: this.join === undefined ? this.#nodes : [],
        join: this.join ?? [],
        isWitness: this.isWitness,
        priority: this.isWitness ? 0 : this.#priority,
        tuning: this.#tuning(),
        stateVersion,
        statusRequiresLogin: false,
        operatorTokenHash: sha256(new TextEncoder().encode(OPERATOR_TOKEN)),
      },
      {
        clock,
        random: new ProcessRandom(random.branch(process.name)),
        logStore,
        chatStore,
        transport: peerTransport(network, this.name, process),
        hasher: new SimulatedHasher(clock),
        sha256,
        logger: this.#logger(),
        onFatal: (error) => this.#failed(process, error),
      },
    );
    this.node = node;
    trace.add(this.name, `starts (${process.name})`);
    node.start().then(
      () => {
        if (!process.alive) return;
        this.state = "up";
        trace.add(this.name, "serves");
        this.#serveClients(node, process);
      },
      (error: unknown) => this.#failed(process, error),
    );
  }

  /** The disk is lost and replaced by an empty one, while nothing runs. */
  wipe(): void {
    if (this.process?.alive === true) throw new Error(`${this.name} runs`);
    this.logDisk.wipe();
    this.chatDisk.wipe();
    this.raftId = 0;
    this.damaged = false;
    this.state = "down";
  }

  /** Calls the operators' service as an operator on this node would; undefined when it serves nobody. */
  operate(
    method:
      | "addServer"
      | "promoteServer"
      | "demoteServer"
      | "removeServer"
      | "replaceServer"
      | "transferLeadership",
    request: Uint8Array,
    timeoutMs: number,
    onEnd: (reason: string) => void,
  ): void {
    const { process, node } = this;
    const services = node?.services;
    const clock = this.#clock;
    if (process === undefined || services === undefined || clock === undefined) return;
    process.deliver(() => {
      const deadlineMs = clock.monotonicMs() + timeoutMs;
      services.cluster[method](request, {
        token: OPERATOR_TOKEN,
        remote: "operator",
        isLocal: true,
        deadlineMs,
      }).then(
        () => onEnd("done"),
        (error: unknown) => onEnd(error instanceof ParleyError ? error.reason : String(error)),
      );
    });
  }

  #identified({ serverUuid, bootstrap }: NodeIdentity): void {
    if (bootstrap === undefined) return;
    const { self, members } = BootstrapRecord.decode(bootstrap);
    const own = self ?? members.find((member) => member.serverUuid === serverUuid);
    this.raftId = own?.raftId ?? 0;
    this.#world.events.onAdopted(this.raftId, serverUuid);
  }

  /** As a witness it has sent a client away. */
  refusedChat(): void {
    this.#world.coverage.add("witnesses-refused-chat");
  }

  /** SIGKILL, or the machine loses its power (then nobody is told of the end of its connections). */
  crash(kind: "kill" | "power-cut"): void {
    const process = this.process;
    if (process === undefined || !process.alive) return;
    const { coverage, network, trace, events } = this.#world;
    coverage.add("crashes");
    if (kind === "power-cut") {
      coverage.add("power-cuts");
      network.powerOff(this.name);
    }
    trace.add(this.name, kind === "kill" ? "is killed" : "loses its power");
    this.clock.wake();
    this.suspendedBy = undefined;
    process.kill();
    events.onDied(this.id);
  }

  /** Crashes a moment after the next write, or the next cut of the log, was handed over, while its sync is under way. */
  crashAtNext(step: "write" | "compact", kind: "kill" | "power-cut", then: () => void): void {
    this.#crashAtWrite = { step, kind, then };
  }

  forgetFaults(): void {
    this.#crashAtWrite = undefined;
    this.chatDisk.copyDisk.forgetFaults();
  }

  #written(step: "write" | "compact"): void {
    const crash = this.#crashAtWrite;
    if (crash === undefined || crash.step !== step) return;
    this.#crashAtWrite = undefined;
    if (step === "compact") this.#world.coverage.add("crashes-while-compacting");
    this.#world.scheduler.after(this.#world.random.between(1, 200), () => {
      this.crash(crash.kind);
      crash.then();
    });
  }

  powerOn(): void {
    this.#world.network.powerOn(this.name);
  }

  /** SIGTERM: hands over and leaves; killed when it takes too long. */
  terminate(graceMs: number): void {
    const { process, node } = this;
    if (process === undefined || node === undefined || this.state !== "up") {
      this.crash("kill");
      return;
    }
    this.#world.trace.add(this.name, "is asked to stop");
    this.isStopping = true;
    const end = (): void => {
      if (!process.alive) return;
      this.#world.trace.add(this.name, "has stopped");
      process.kill();
      this.#world.events.onDied(this.id);
    };
    node.stop({ graceMs }).then(end, end);
    this.#world.scheduler.after((graceMs + 2_000) * 1000, end);
  }

  /** SIGSTOP, or the machine sleeps, its monotonic clock too. */
  pause(kind: "pause" | "suspend"): void {
    if (this.process?.state !== "running") return;
    this.#world.coverage.add(kind === "pause" ? "pauses" : "suspensions");
    this.#world.trace.add(this.name, kind === "pause" ? "is stopped" : "falls asleep");
    this.suspendedBy = kind;
    if (kind === "suspend") this.clock.suspend();
    this.process.pause();
  }

  resume(): void {
    if (this.suspendedBy === undefined) return;
    this.#world.trace.add(this.name, `goes on with ${this.process?.backlog ?? 0} callbacks`);
    this.suspendedBy = undefined;
    this.clock.wake();
    this.process?.resume();
  }

  #tuning(): NodeTuning {
    return this.#world.options.tuning;
  }

  #serveClients(node: Node, process: VirtualProcess): void {
    const services = node.services;
    if (services === undefined) return;
    this.#world.network.listen(this.name, CLIENT_SERVICE, process, (connection) => {
      const session = services.chat.openSession(frameSink(connection), connection.remote);
      return {
        onOpen: () => {},
        onFrame: (bytes) => session.onFrame(bytes),
        onEnd: () => session.onEnd(),
        onDrain: () => {},
      };
    });
  }

  #failed(process: VirtualProcess, error: unknown): void {
    if (!process.alive || this.process !== process) return;
    const { scheduler, trace, events } = this.#world;
    const kind = error instanceof StorageError ? `${error.kind}: ` : "";
    trace.add(this.name, `fails: ${kind}${error instanceof Error ? error.message : String(error)}`);
    // The process ends when the callback that noticed has returned.
    scheduler.after(0, () => {
      if (this.process !== process || !process.alive) return;
      process.kill();
      events.onDied(this.id);
      events.onFailed(this.id, error);
    });
  }

  #logger(): Logger {
    const { trace, coverage } = this.#world;
    const add = (level: string) => (fields: object, message: string) => {
      trace.add(this.name, `${level} ${message} ${describe(fields)}`);
    };
    return {
      debug: (fields, message) => {
        trace.detail(this.name, () => `${message} ${describe(fields)}`);
        this.#count(message);
      },
      info: (fields, message) => {
        this.#count(message);
        if ("from" in fields && message === "a copy was sent" && fields.from !== 0) {
          coverage.add("copies-resumed");
        }
        add("info")(fields, message);
      },
      warn: (fields, message) => {
        this.#count(message);
        add("warn")(fields, message);
      },
      error: add("error"),
    };
  }

  #count(message: string): void {
    const { coverage } = this.#world;
    if (message === "a copy was made") coverage.add("copies-made");
    else if (message === "a copy was sent") coverage.add("copies-sent");
    else if (message === "sending a copy broke off") coverage.add("copies-broken-off");
    else if (message.startsWith("the leader's process is gone")) coverage.add("death-notices");
    else if (message.startsWith("this server has been removed"))
      coverage.add("servers-told-of-removal");
    else if (message.includes("another server is preferred")) {
      coverage.add("leadership-to-the-preferred");
    } else if (message.startsWith("handing leadership over")) coverage.add("hand-overs");
    else if (message.includes("votes in the place of")) coverage.add("dead-voters-replaced");
  }
}

function describe(fields: object): string {
  const keys = Object.keys(fields);
  if (keys.length === 0) return "";
  return JSON.stringify(fields, (_key, value: unknown) =>
    value instanceof Error ? value.message : value,
  );
}
