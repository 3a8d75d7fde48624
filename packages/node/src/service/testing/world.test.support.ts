// A whole service over the single log, and a client of it that speaks real frames.

import { createHash } from "node:crypto";
import { raiseStateVersionCommand, STATE_VERSION } from "@parley/chat";
import {
  ClientFrame,
  type Event,
  type Hello,
  OPERATIONS,
  type OperationName,
  ParleyError,
  PROTOCOL_VERSION,
  type Reply,
  type Request,
  type RequestOf,
  type ResponseOf,
  ServerFrame,
} from "@parley/protocol";
import { DEFAULT_TUNING, type NodeTuning } from "../../config.ts";
import type { FrameSink, Logger, PasswordHasher, Random } from "../../ports.ts";
import { ChatService } from "../chat-service.ts";
import { DEFAULT_FAN_OUT_LIMITS, type FanOutLimits } from "../fan-out.ts";
import type { SessionHandler } from "../session.ts";
import { SingleLog } from "./single-log.test.support.ts";
import { VirtualClock } from "./virtual-clock.test.support.ts";

export const quietLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  return {
    int: (bound) => next() % bound,
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
  };
}

/** Instant and not secret: the hash contains the password. */
export const plainHasher: PasswordHasher = {
  hash: async (password) => `$plain$${password}`,
  verify: async (password, phc) => phc === `$plain$${password}`,
};

/** Where a test collects what was sent, and plays a reader that does not read. */
export class TestSink implements FrameSink {
  readonly sent: Uint8Array[] = [];
  ended = false;
  endedWith: Error | undefined;
  /** While set, what is sent piles up. */
  stalled = false;
  #backlog = 0;

  send(bytes: Uint8Array): void {
    if (this.ended) throw new Error("sent after the end");
    this.sent.push(bytes);
    if (this.stalled) this.#backlog += bytes.length;
  }

  backlogBytes(): number {
    return this.#backlog;
  }

  resume(): void {
    this.stalled = false;
    this.#backlog = 0;
  }

  end(error?: Error): void {
    this.ended = true;
    this.endedWith = error;
  }
}

export interface WorldOptions {
  readonly tuning?: Partial<NodeTuning>;
  readonly hasher?: PasswordHasher;
  /** Nodes that share tokens through one log need different ones. */
  readonly seed?: number;
  readonly fanOutLimits?: Partial<FanOutLimits>;
  readonly setupToken?: string;
  readonly inviteOnlyByDefault?: boolean;
}

export class World {
  readonly clock = new VirtualClock();
  readonly log = new SingleLog(this.clock);
  readonly service: ChatService;

  constructor(options: WorldOptions = {}) {
    this.service = new ChatService({
      replica: this.log,
      chatStore: this.log.chatStore,
      clock: this.clock,
      random: seededRandom(options.seed ?? 7),
      hasher: options.hasher ?? plainHasher,
      sha256: (data) => new Uint8Array(createHash("sha256").update(data).digest()),
      logger: quietLogger,
      tuning: { ...DEFAULT_TUNING, ...options.tuning },
      nodeId: 1,
      setupTokenHash:
        options.setupToken === undefined
          ? undefined
          : new Uint8Array(createHash("sha256").update(options.setupToken).digest()),
      inviteOnlyByDefault: options.inviteOnlyByDefault,
      fanOutLimits: { ...DEFAULT_FAN_OUT_LIMITS, ...options.fanOutLimits },
    });
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.clock.advance(10);
    return world;
  }

  /** One whose state has the newest version. */
  static async upgraded(options: WorldOptions = {}): Promise<World> {
    const world = await World.start(options);
    const deadlineMs = world.clock.monotonicMs() + 1_000;
    const raised = world.log.propose(raiseStateVersionCommand(STATE_VERSION), { deadlineMs });
    await world.clock.advance(100);
    await raised;
    return world;
  }

  /** A unary call; not yet run to its end. */
  start<N extends OperationName>(
    name: N,
    request: Partial<RequestOf<N>>,
    token = "",
    options: { readonly timeoutMs?: number; readonly remote?: string } = {},
  ): Promise<ResponseOf<N>> {
    const bytes = encodeRequest(name, request);
    const context = {
      token,
      remote: options.remote ?? "10.0.0.1:999",
      deadlineMs: this.clock.monotonicMs() + (options.timeoutMs ?? 10_000),
    };
    return this.service
      .call(name, bytes, context)
      .then((response) => OPERATIONS[name].response.decode(response) as ResponseOf<N>);
  }

  call<N extends OperationName>(
    name: N,
    request: Partial<RequestOf<N>>,
    token = "",
    options: { readonly timeoutMs?: number; readonly remote?: string } = {},
  ): Promise<ResponseOf<N>> {
    return this.clock.finish(this.start(name, request, token, options));
  }

  /** The error that a call fails with. */
  async failure(promise: Promise<unknown>): Promise<ParleyError> {
    try {
      await this.clock.finish(promise);
    } catch (cause) {
      if (cause instanceof ParleyError) return cause;
      throw cause;
    }
    throw new Error("the call succeeded");
  }

  async register(username: string): Promise<{ token: string; id: number }> {
    const response = await this.call("register", { username, password: `${username}-password` });
    return { token: response.token, id: response.account?.id ?? 0 };
  }

  connect(): TestClient {
    return new TestClient(this);
  }
}

export class TestClient {
  readonly sink = new TestSink();
  readonly #handler: SessionHandler;
  readonly #world: World;
  #nextId = 0;

  constructor(world: World) {
    this.#world = world;
    this.#handler = world.service.openSession(this.sink, "10.0.0.2:4242");
  }

  get frames(): ServerFrame[] {
    return this.sink.sent.map((bytes) => ServerFrame.decode(bytes));
  }

  get events(): Event[] {
    return this.frames.flatMap((frame) => frame.events);
  }

  get cursor(): number {
    return this.frames.reduce((cursor, frame) => frame.cursor || cursor, 0);
  }

  get goAway() {
    return this.frames.find((frame) => frame.goAway !== undefined)?.goAway;
  }

  raw(bytes: Uint8Array): void {
    this.#handler.onFrame(bytes);
  }

  frame(frame: Partial<ClientFrame>): void {
    const whole: ClientFrame = {
      hello: undefined,
      requests: [],
      ping: undefined,
      typing: undefined,
      watch: undefined,
      ...frame,
    };
    this.raw(ClientFrame.encode(whole).finish());
  }

  hello(hello: Partial<Hello> = {}): void {
    this.frame({
      hello: {
        protocolVersion: PROTOCOL_VERSION,
        token: "",
        clusterId: "",
        subscribe: false,
        afterRevision: 0,
        maxCatchUpEvents: 0,
        ...hello,
      },
    });
  }

  end(): void {
    this.#handler.onEnd();
  }

  /** A request with all fields that were not given at their defaults. */
  request<N extends OperationName>(
    name: N,
    request: Partial<RequestOf<N>>,
    timeoutMs = 0,
  ): Request {
    this.#nextId += 1;
    const value = OPERATIONS[name].request.decode(encodeRequest(name, request));
    return { id: this.#nextId, timeoutMs, op: { $case: name, value } as Request["op"] };
  }

  reply(id: number): Reply | undefined {
    return this.frames.flatMap((frame) => frame.replies).find((reply) => reply.id === id);
  }

  async call<N extends OperationName>(
    name: N,
    request: Partial<RequestOf<N>>,
  ): Promise<ResponseOf<N>> {
    const sent = this.request(name, request);
    this.frame({ requests: [sent] });
    await this.#world.clock.until(() => this.reply(sent.id) !== undefined);
    const result = this.reply(sent.id)?.result;
    if (result?.$case === "error") throw ParleyError.fromWire(result.value);
    if (result?.$case !== name) throw new Error(`${name} was answered with ${result?.$case}`);
    return result.value as ResponseOf<N>;
  }
}

export function encodeRequest<N extends OperationName>(
  name: N,
  request: Partial<RequestOf<N>>,
): Uint8Array {
  const codec = OPERATIONS[name].request;
  const empty: object = codec.decode(new Uint8Array());
  return (codec as { encode(message: object): { finish(): Uint8Array } })
    .encode({ ...empty, ...request })
    .finish();
}
