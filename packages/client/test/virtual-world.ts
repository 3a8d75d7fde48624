// A scripted world for the client: a clock that moves when told, chance from a seed, and nodes that
// speak the real frames and do exactly what the test says.
import {
  type Account,
  ClientFrame,
  type ClusterView,
  type Event,
  type Hello,
  Message,
  type Reply,
  type Request,
  ServerFrame,
  Error as WireError,
} from "@parley/protocol";
import type { Carrier, CarrierEvents, Clock, LinkEnd, Random } from "../src/ports.ts";

/** Lets every promise that can settle do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class VirtualClock implements Clock {
  #nowMs = 1_000;
  #serial = 0;
  #timers: { atMs: number; serial: number; action: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, action: () => void) {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), serial: this.#serial++, action };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  get armed(): number {
    return this.#timers.length;
  }

  /** Runs all that is due within the next `ms`, in order. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const due = this.#timers
        .filter((timer) => timer.atMs <= endMs)
        .sort((one, other) => one.atMs - other.atMs || one.serial - other.serial)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.action();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

/** Mulberry32: enough for tests. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  int(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.int(256));
  }
}

export const ALICE: Account = {
  id: 7,
  username: "alice",
  displayName: "Alice",
  online: true,
  lastSeenMs: 0,
  readsHidden: false,
  owner: false,
  deleted: false,
};

export type SentRequest = { readonly id: number; readonly op: NonNullable<Request["op"]> };

/** The node's end of one session. */
export class FakeSession {
  readonly node: FakeNode;
  readonly hellos: Hello[] = [];
  readonly requests: SentRequest[] = [];
  readonly frames: ClientFrame[] = [];
  pings = 0;
  closed = false;
  readonly #events: CarrierEvents;

  constructor(node: FakeNode, events: CarrierEvents) {
    this.node = node;
    this.#events = events;
  }

  receive(bytes: Uint8Array): void {
    const { node } = this;
    if (node.mode === "stopped" || this.closed) return;
    const frame = ClientFrame.decode(bytes);
    this.frames.push(frame);
    if (frame.hello !== undefined) {
      this.hellos.push(frame.hello);
      if (node.greets) this.welcome();
    }
    for (const request of frame.requests) {
      if (request.op === undefined) continue;
      const sent = { id: request.id, op: request.op };
      this.requests.push(sent);
      node.onRequest?.(this, sent);
    }
    if (frame.ping !== undefined) {
      this.pings += 1;
      if (node.answersPings)
        this.send({ pong: { nonce: frame.ping.nonce, serverTimeMs: node.wallMs() } });
    }
  }

  send(frame: Partial<ServerFrame>): void {
    this.sendBytes(ServerFrame.encode(ServerFrame.create({ ...frame })).finish());
  }

  /** Like everything a carrier reports, it arrives in a turn of its own. */
  sendBytes(bytes: Uint8Array): void {
    queueMicrotask(() => {
      if (!this.closed && this.node.mode !== "stopped") this.#events.onFrame(bytes);
    });
  }

  welcome(): void {
    const { node } = this;
    const token = this.hellos.at(-1)?.token ?? "";
    const known = token !== "" && node.tokens.has(token);
    this.send({
      welcome: {
        protocolVersion: 1,
        nodeId: node.id,
        account: known ? node.account : undefined,
        cluster: node.view(),
        revision: node.revision,
        serverTimeMs: node.wallMs(),
      },
    });
  }

  reply(request: SentRequest, result: NonNullable<Reply["result"]>): void {
    this.send({ replies: [{ id: request.id, result }] });
  }

  refuse(request: SentRequest, reason: string, details: { retryAfterMs?: number } = {}): void {
    const value = WireError.fromPartial({ message: reason, ...details, reason });
    this.reply(request, { $case: "error", value });
  }

  /** Answers a send as committed at this revision. */
  commit(request: SentRequest, revision: number): void {
    if (request.op.$case !== "send") throw new Error("not a send");
    this.reply(request, {
      $case: "send",
      value: { message: messageAt(revision, request.op.value), replicas: 2 },
    });
  }

  end(end: LinkEnd = "closed", detail = ""): void {
    if (this.closed) return;
    this.closed = true;
    queueMicrotask(() => this.#events.onEnd(end, detail));
  }

  close(): void {
    this.closed = true;
  }
}

export class FakeNode {
  readonly id: number;
  readonly address: string;
  readonly sessions: FakeSession[] = [];
  readonly tokens = new Set(["token"]);
  /** Whose tokens they are. */
  account = ALICE;
  /** `stopped`: accepts and stays silent, like a process under SIGSTOP. */
  mode: "up" | "down" | "stopped" = "up";
  greets = true;
  answersPings = true;
  hasQuorum = true;
  revision = 10;
  onRequest: ((session: FakeSession, request: SentRequest) => void) | undefined;
  readonly #cluster: FakeCluster;

  constructor(cluster: FakeCluster, id: number) {
    this.#cluster = cluster;
    this.id = id;
    this.address = `node${id}:1`;
  }

  wallMs(): number {
    return this.#cluster.clock.wallMs() + this.#cluster.wallOffsetMs;
  }

  view(): ClusterView {
    return { ...this.#cluster.view(), hasQuorum: this.hasQuorum };
  }

  get session(): FakeSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error(`node ${this.id} has no session`);
    return session;
  }

  kill(): void {
    this.mode = "down";
    for (const session of this.sessions) session.end("closed", "killed");
  }
}

/** Nodes 1 … n at `node1:1` …; every dial is recorded with its time. */
export class FakeCluster implements Carrier {
  readonly clock: VirtualClock;
  readonly nodes: readonly FakeNode[];
  readonly dials: { readonly atMs: number; readonly address: string }[] = [];
  clusterId = "cluster";
  leaderId = 1;
  /** The nodes' clocks minus the client's. */
  wallOffsetMs = 0;

  constructor(clock: VirtualClock, size: number) {
    this.clock = clock;
    this.nodes = Array.from({ length: size }, (_, at) => new FakeNode(this, at + 1));
  }

  node(id: number): FakeNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  view(): ClusterView {
    return {
      clusterId: this.clusterId,
      nodes: this.nodes.map(({ id, address }) => ({ id, address, httpAddress: "" })),
      leaderId: this.leaderId,
      term: 1,
      hasQuorum: true,
      staleMs: 0,
      members: [],
    };
  }

  addressOf = (node: { readonly address: string }): string => node.address;

  dial(address: string, events: CarrierEvents) {
    this.dials.push({ atMs: this.clock.monotonicMs(), address });
    const node = this.nodes.find((each) => each.address === address);
    if (node === undefined || node.mode === "down") {
      queueMicrotask(() => events.onEnd("refused", "connection refused"));
      return { send: () => {}, close: () => {} };
    }
    const session = new FakeSession(node, events);
    node.sessions.push(session);
    queueMicrotask(() => {
      if (!session.closed && node.mode === "up") events.onOpen();
    });
    return {
      send: (bytes: Uint8Array) => queueMicrotask(() => session.receive(bytes)),
      close: () => session.close(),
    };
  }
}

export function messageAt(
  revision: number,
  fields: { roomId: number; body: string; clientMessageId: string },
): Message {
  return Message.fromPartial({
    id: revision,
    roomId: fields.roomId,
    seq: revision,
    revision,
    authorId: ALICE.id,
    author: "alice",
    body: fields.body,
    clientMessageId: fields.clientMessageId,
  });
}

export function messageEvent(revision: number, body = `m${revision}`): Event {
  const message = messageAt(revision, { roomId: 1, body, clientMessageId: `c${revision}` });
  return { revision, event: { $case: "message", value: message } };
}
