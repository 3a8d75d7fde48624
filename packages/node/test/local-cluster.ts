// Real nodes in one process on real time, over a transport of function calls: enough to try the
// driver without sockets. Faults and virtual time are the simulator's business.
import { createHash, randomBytes } from "node:crypto";
import { STATE_VERSION } from "@parley/chat";
import {
  type ConfiguredNode,
  DEFAULT_TUNING,
  type IncomingLink,
  type IncomingLinkEvents,
  type Logger,
  Node,
  type NodeServices,
  type NodeTuning,
  type OutgoingLink,
  type OutgoingLinkEvents,
  type PeerTransport,
} from "@parley/node";
import { MemoryChatDisk, MemoryChatStore, MemoryLogStore, WitnessStore } from "@parley/store";

type Accept = (link: IncomingLink) => IncomingLinkEvents;

/** Links by address; a node that is down refuses. */
export class LocalNetwork {
  readonly #listeners = new Map<string, Accept>();
  readonly #open = new Map<string, Set<() => void>>();
  /** Every address that somebody has dialled. */
  readonly dialled = new Set<string>();
  /** May change a frame on its way; undefined = as it is. */
  tamper: ((target: string, frame: Uint8Array) => Uint8Array | undefined) | undefined;

  transport(address: string): PeerTransport {
    return {
      listen: (accept) => this.#listeners.set(address, accept),
      dial: (target, events) => this.#dial(address, target, events),
      listenForCopies: (accept) => this.#listeners.set(`${address} copies`, accept),
      dialCopy: (target, events) => this.#dial(address, `${target} copies`, events),
    };
  }

  /** The process at `address` is gone: its links close, new ones are refused. */
  kill(address: string): void {
    for (const name of [address, `${address} copies`]) {
      this.#listeners.delete(name);
      this.breakLinks(name);
    }
  }

  /** Ends the links to and from `name` that stand now. */
  breakLinks(name: string): void {
    for (const close of this.#open.get(name) ?? []) close();
    this.#open.delete(name);
  }

  #dial(source: string, target: string, events: OutgoingLinkEvents): OutgoingLink {
    this.dialled.add(target);
    let ended = false;
    let incoming: IncomingLinkEvents | undefined;
    const end = (why: "closed" | "refused") => {
      if (ended) return;
      ended = true;
      incoming?.onEnd();
      queueMicrotask(() => events.onEnd(why, why));
    };
    const shut = () => end("closed");
    setImmediate(() => {
      const accept = this.#listeners.get(target);
      if (ended) return;
      if (accept === undefined) {
        end("refused");
        return;
      }
      for (const address of [source, target]) {
        const links = this.#open.get(address) ?? new Set();
        links.add(shut);
        this.#open.set(address, links);
      }
      incoming = accept({
        remote: source,
        send: (frame) => {
          setImmediate(() => ended || events.onFrame(frame));
          return true;
        },
        close: () => setImmediate(shut),
      });
      events.onOpen();
    });
    return {
      send: (frame) => {
        if (ended) return false;
        const sent = this.tamper?.(target, frame) ?? frame;
        setImmediate(() => ended || incoming?.onFrame(sent));
        return true;
      },
      close: () => {
        ended = true;
        incoming?.onEnd();
      },
    };
  }
}

/** Whoever shows it on this machine may change the cluster. */
export const OPERATOR_TOKEN = "operator";

function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(data).digest());
}

export interface Disk {
  readonly log: MemoryLogStore;
  readonly chatDisk: MemoryChatDisk;
}

export class LocalCluster {
  readonly network: LocalNetwork;
  addressOf = (id: number): string => `node-${id}:1`;
  readonly configured: readonly ConfiguredNode[];
  readonly disks = new Map<number, Disk>();
  readonly nodes = new Map<number, Node>();
  readonly fatal: unknown[] = [];
  readonly #said = new Map<number, string[]>();

  /** What the nodes logged, with their ids in front. */
  readonly logged: string[] = [];
  readonly #tuning: NodeTuning;
  /** By id; 0 where none is said. */
  readonly priorities = new Map<number, number>();
  /** By id, what its program knows; the newest where none is said. */
  readonly stateVersions = new Map<number, number>();
  /** Ids of those that are witnesses. */
  readonly witnesses: ReadonlySet<number>;

  /** Ids from `firstId` on, on a network of its own or another cluster's. */
  constructor(
    size: number,
    tuning: Partial<NodeTuning> = {},
    network = new LocalNetwork(),
    firstId = 1,
    witnesses: readonly number[] = [],
  ) {
    this.witnesses = new Set(witnesses);
    this.network = network;
    this.#tuning = { ...DEFAULT_TUNING, ...tuning };
    this.configured = Array.from({ length: size }, (_, at) => ({
      id: firstId + at,
      address: `node-${firstId + at}:1`,
      httpAddress: "",
      isWitness: witnesses.includes(firstId + at),
    }));
  }

  /** Makes and starts a node on its disk, which is kept between starts. One that joins knows those to ask, and no more. */
  start(id: number, join: readonly number[] = []): Promise<void> {
    const address = this.addressOf(id);
    const disk = this.disks.get(id) ?? {
      log: new MemoryLogStore(),
      chatDisk: new MemoryChatDisk(),
    };
    this.disks.set(id, disk);
    const node = new Node(
      {
        nodeId: id,
        nodes: join.length === 0 ? this.configured : [],
        join: join.map((one) => `node-${one}:1`),
        isWitness: this.witnesses.has(id),
        priority: this.priorities.get(id) ?? 0,
        stateVersion: this.stateVersions.get(id) ?? STATE_VERSION,
        tuning: this.#tuning,
        statusRequiresLogin: false,
        operatorTokenHash: sha256(new TextEncoder().encode(OPERATOR_TOKEN)),
      },
      {
        clock: {
          monotonicMs: () => performance.now(),
          wallMs: () => Date.now(),
          after: (delayMs, action) => {
            if (delayMs <= 0) {
              const immediate = setImmediate(action);
              return { cancel: () => clearImmediate(immediate) };
            }
            const timer = setTimeout(action, delayMs);
            return { cancel: () => clearTimeout(timer) };
          },
        },
        random: {
          int: (bound) => Math.floor(Math.random() * bound),
          bytes: (length) => new Uint8Array(randomBytes(length)),
        },
        logStore: disk.log,
        chatStore: this.witnesses.has(id)
          ? new WitnessStore(disk.log)
          : new MemoryChatStore(disk.chatDisk, disk.log),
        transport: this.network.transport(address),
        hasher: {
          hash: async (password) => `plain:${password}`,
          verify: async (password, phc) => phc === `plain:${password}`,
        },
        sha256,
        logger: this.#logger(id),
        onFatal: (error) => this.fatal.push(error),
      },
    );
    this.nodes.set(id, node);
    return node.start();
  }

  /** What a node said at the level of warnings and above, and events at any level. */
  said(id: number): readonly string[] {
    return this.#said.get(id) ?? [];
  }

  #logger(id: number): Logger {
    const add = (level: string) => (fields: object, message: string) => {
      const lines = this.#said.get(id) ?? [];
      this.#said.set(id, lines);
      const line = `${level} ${message} ${JSON.stringify(fields)}`;
      lines.push(line);
      this.logged.push(`${id} ${line}`);
    };
    return { debug() {}, info: add("info"), warn: add("warn"), error: add("error") };
  }

  isServing(id: number): boolean {
    return this.nodes.get(id)?.services !== undefined;
  }

  services(id: number): NodeServices {
    const services = this.nodes.get(id)?.services;
    if (services === undefined) throw new Error(`node ${id} does not serve yet`);
    return services;
  }

  /** The id of the leader that a majority of the live nodes agrees on, once there is one. */
  async leader(): Promise<number> {
    for (;;) {
      const votes = new Map<number, number>();
      for (const node of this.nodes.values()) {
        const lead = node.replica?.view().leaderId ?? 0;
        votes.set(lead, (votes.get(lead) ?? 0) + 1);
      }
      for (const [lead, count] of votes) {
        if (lead !== 0 && this.nodes.has(lead) && count * 2 > this.nodes.size) return lead;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async kill(id: number): Promise<void> {
    this.network.kill(this.addressOf(id));
    const node = this.nodes.get(id);
    this.nodes.delete(id);
    await node?.stop({ graceMs: 0 });
  }

  async close(): Promise<void> {
    for (const node of this.nodes.values()) await node.stop({ graceMs: 0 });
  }
}
