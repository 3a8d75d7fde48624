// One user with a device: a machine, and on it one process of the real client SDK after another. The
// device remembers, as an application would, the sign-in and (in some seeds) the outbox and cursor.
import { createHash } from "node:crypto";
import {
  type Attachment,
  type CallName,
  type CallOptions,
  type CallResult,
  type Carrier,
  MemoryOutbox,
  type OutboxStore,
  ParleyClient,
  ParleyError,
  type SendOptions,
} from "@parley/client";
import { downloadFile, downloadPreview, uploadFile } from "@parley/client/files";
import { type Message, OPERATIONS, type RequestOf } from "@parley/protocol";
import { outcomeOf } from "./checkers/p7-no-errors.ts";
import type { Sought } from "./checkers/search.ts";
import type { Coverage } from "./coverage.ts";
import type { History } from "./history.ts";
import type { Operation } from "./observer.ts";
import { type ClockOptions, MachineClock, ProcessClock, ProcessRandom } from "./world/clock.ts";
import type { Network } from "./world/network.ts";
import type { Prng } from "./world/prng.ts";
import { VirtualProcess } from "./world/process.ts";
import type { Scheduler } from "./world/scheduler.ts";
import type { Trace } from "./world/trace.ts";
import { CLIENT_SERVICE, machineOf } from "./world/transports.ts";

export interface ClientWorld {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly trace: Trace;
  readonly coverage: Coverage;
  readonly history: History;
  readonly servers: readonly string[];
  readonly clock: ClockOptions;
}

/** A file's first bytes stand for a picture of it, so that whoever has both can tell whether they belong together. */
const PREVIEW_BYTES = 24;

/** What survives a crash of the device's process. */
interface Remembered {
  token: string;
  tokenRevision: number;
  accountId: number;
  clusterId: string;
  seenRevision: number;
  cursor: number;
}

export class ClientHost {
  readonly name: string;
  readonly username: string;
  readonly password: string;
  readonly random: Prng;
  readonly #world: ClientWorld;
  readonly #machine: MachineClock;
  /** Whether unsent messages survive a crash. */
  readonly keepsOutbox: boolean;
  readonly #keepsCursor: boolean;
  #outbox: OutboxStore = new MemoryOutbox();
  readonly #remembered: Remembered = {
    token: "",
    tokenRevision: 0,
    accountId: 0,
    clusterId: "",
    seenRevision: 0,
    cursor: 0,
  };
  process: VirtualProcess | undefined;
  sdk: ParleyClient | undefined;
  /** The highest revision that the application has been shown (P4). */
  seenRevision = 0;
  /** Whom this person's page shows, and whether each is online as far as it was told. */
  readonly presence = new Map<number, boolean>();
  #watched: readonly number[] = [];
  /** Sends without an outcome, by client message id, in the order of sending. */
  readonly pendingSends = new Map<string, Operation>();
  #incarnation = 0;

  constructor(name: string, random: Prng, world: ClientWorld) {
    this.name = name;
    this.username = `user-${name}`;
    this.password = `password of ${name}`;
    this.random = random;
    this.#world = world;
    world.network.addMachine(name);
    this.#machine = new MachineClock(world.scheduler, random.branch("clock"), world.clock);
    this.keepsOutbox = random.chance(0.6);
    this.#keepsCursor = random.chance(0.6);
  }

  /** The revision of the newest message of this person's that was acknowledged; 0 = none. */
  #lastSent = 0;

  get accountId(): number {
    return this.#remembered.accountId;
  }

  get token(): string {
    return this.#remembered.token;
  }

  get isSignedIn(): boolean {
    return this.#remembered.token !== "" && this.sdk !== undefined;
  }

  start(): void {
    if (this.process?.alive === true) return;
    this.#incarnation += 1;
    const { scheduler, trace } = this.#world;
    const process = new VirtualProcess(`${this.name}.${this.#incarnation}`, scheduler);
    this.process = process;
    const remembered = this.#remembered;
    const sdk = new ParleyClient({
      servers: this.random.shuffled(this.#world.servers),
      carrier: this.#carrier(process),
      outbox: this.#outbox,
      token: remembered.token,
      tokenRevision: remembered.tokenRevision,
      clusterId: remembered.clusterId,
      seenRevision: remembered.seenRevision,
      clock: new ProcessClock(this.#machine, scheduler, process),
      random: new ProcessRandom(this.random.branch(process.name)),
      preferLeader: this.random.chance(0.2),
    });
    this.sdk = sdk;
    trace.add(this.name, `starts (${process.name})`);
    sdk.onOutbox((change) => {
      if (!process.alive) return;
      // Sends of an earlier process end here; this process's own also by their promise.
      const operation = this.pendingSends.get(change.item.clientMessageId);
      if (operation === undefined) return;
      if (change.kind === "committed") {
        this.#sent(operation, change.result.message, change.result.replicas);
      } else if (change.kind === "failed") {
        this.#sendFailed(operation, change.error);
      }
    });
    sdk.onPositions(() => {
      const spread = sdk.spread(this.#lastSent);
      if (!process.alive || this.#lastSent === 0 || spread === undefined) return;
      this.#world.history.spread(this.name, this.#lastSent, spread.replicas);
      this.#world.coverage.add("ticks-shown");
    });
    this.presence.clear();
    sdk.watch(this.#watched);
    sdk.onPresence(({ onlineAccountIds, offlineAccountIds }) => {
      if (!process.alive) return;
      for (const id of onlineAccountIds) this.presence.set(id, true);
      for (const id of offlineAccountIds) this.presence.set(id, false);
      this.#world.coverage.add("presence-told");
      this.#world.coverage.add("people-shown-as-away", offlineAccountIds.length);
    });
    sdk.onTyping((news) => {
      if (!process.alive || news.kind !== "types") return;
      const { cursor } = this.#remembered;
      this.#world.history.typist(this.name, this.accountId, news.roomId, news.accountId, cursor);
    });
    sdk.onReadReceipts(({ roomId, positions }) => {
      if (!process.alive) return;
      const { cursor } = this.#remembered;
      for (const { accountId: readerId, seq } of positions) {
        const receipt = { roomId, readerId, seq };
        this.#world.history.receipt(this.name, this.accountId, receipt, cursor);
      }
    });
    sdk.start().catch((error: unknown) => {
      trace.add(this.name, `could not start: ${String(error)}`);
    });
    if (remembered.token === "") this.#register(sdk, process);
    else this.#subscribe(sdk, process);
  }

  /** The process dies; what was on its way is unknown, unless the outbox is kept. */
  crash(): void {
    const process = this.process;
    if (process === undefined || !process.alive) return;
    const { coverage, history, trace } = this.#world;
    coverage.add("client-crashes");
    trace.add(this.name, "is killed");
    process.kill();
    this.sdk = undefined;
    for (const operation of [...history.open]) {
      if (operation.client !== this.name) continue;
      if (operation.kind.kind === "send" && this.keepsOutbox) continue;
      history.complete(operation, { kind: "unknown", reason: "the client was killed" });
    }
    if (this.keepsOutbox) {
      coverage.add("client-outboxes-recovered", this.pendingSends.size === 0 ? 0 : 1);
    } else {
      this.pendingSends.clear();
      this.#outbox = new MemoryOutbox();
    }
    if (!this.#keepsCursor) {
      this.#remembered.cursor = 0;
      history.subscriberLost(this.name);
    }
    // What the application had seen is what it wrote down.
    this.#remembered.seenRevision = this.seenRevision;
  }

  watches(accountIds: readonly number[]): void {
    this.#watched = accountIds;
    this.presence.clear();
    this.sdk?.watch(accountIds);
  }

  /** Of whom it watches, who is not shown as online. */
  get missed(): readonly number[] {
    return this.#watched.filter((id) => this.presence.get(id) !== true);
  }

  types(roomId: number): void {
    if (!this.isSignedIn) return;
    this.#world.history.types(this.accountId, roomId);
    this.sdk?.typing(roomId);
  }

  /** `hashes`: of the files in the options. */
  send(
    roomId: number,
    body: string,
    options: SendOptions = {},
    hashes: readonly Uint8Array[] = [],
  ): void {
    const sdk = this.sdk;
    const process = this.process;
    if (sdk === undefined || process === undefined) return;
    const queued = sdk.enqueue(roomId, body, options);
    if (queued.clientMessageId === "") return;
    const operation = this.#invoke({
      kind: "send",
      roomId,
      clientMessageId: queued.clientMessageId,
      body,
      files: hashes,
      ordered: true,
    });
    this.pendingSends.set(queued.clientMessageId, operation);
    queued.stored.catch(() => {});
    queued.committed.then(
      (result) => {
        if (process.alive) this.#sent(operation, result.message, result.replicas);
      },
      (error: unknown) => {
        if (process.alive) this.#sendFailed(operation, error);
      },
    );
  }

  /** Uploads a file, and says something with it or nothing. */
  async sendFile(roomId: number, body: string, bytes: Uint8Array): Promise<void> {
    const clientFileId = this.uuid7();
    const process = this.process;
    try {
      const preview = bytes.subarray(0, PREVIEW_BYTES);
      const file = { clientFileId, name: `${this.name}'s file`, bytes, preview };
      const uploaded = await uploadFile({ call: this.#recorded }, file);
      if (process?.alive !== true) return;
      this.send(roomId, body, { files: [uploaded] }, [createHash("sha256").update(bytes).digest()]);
    } catch {
      // Every piece's outcome was recorded.
    }
  }

  async download(attachment: Attachment): Promise<void> {
    const process = this.process;
    const { history } = this.#world;
    try {
      const client = { call: this.#recorded };
      const bytes = await downloadFile(client, attachment);
      if (process?.alive === true) history.download(this.name, attachment.fileId, "");
      if (attachment.previewSize === 0) return;
      const preview = await downloadPreview(client, attachment);
      if (process?.alive !== true) return;
      const isRight = Buffer.from(preview).equals(bytes.subarray(0, PREVIEW_BYTES));
      history.download(this.name, attachment.fileId, isRight ? "" : "CORRUPT", "preview");
    } catch (error) {
      const { reason } = ParleyError.from(error);
      if (process?.alive === true) history.download(this.name, attachment.fileId, reason);
    }
  }

  /** Each call is an operation of its own. */
  readonly #recorded: ParleyClient["call"] = async (name, fields = {}) => {
    const { kind } = OPERATIONS[name];
    const operation = this.#invoke(
      kind === "write"
        ? { kind, name, requestId: this.uuid7(), fields: {} }
        : { kind: "unread", linearizable: false },
    );
    const response = await this.#call(operation, name, fields);
    if (response === undefined) throw new ParleyError("CANCELLED", "the outcome was recorded");
    const { revision, stale, staleMs } = response as unknown as {
      revision: number;
      stale: boolean;
      staleMs: number;
    };
    this.#world.history.complete(
      operation,
      kind === "write"
        ? { kind: "written", revision, response: "" }
        : { kind: "read", revision, stale: stale || staleMs > 0, messages: [], lastSeq: 0 },
    );
    this.#saw(revision);
    return response;
  };

  async history(
    roomId: number,
    linearizable: boolean,
    range: Partial<RequestOf<"history">>,
  ): Promise<readonly Message[]> {
    const operation = this.#invoke({ kind: "history", roomId, linearizable });
    const request = { roomId, consistency: linearizable ? 2 : 1, ...range } as const;
    const response = await this.#call(operation, "history", request);
    if (response === undefined) return [];
    this.#world.history.complete(operation, {
      kind: "read",
      revision: response.revision,
      stale: response.stale || response.staleMs > 0,
      messages: response.messages,
      lastSeq: response.lastSeq,
    });
    this.#saw(response.revision);
    return response.messages;
  }

  async unread(linearizable: boolean): Promise<void> {
    const operation = this.#invoke({ kind: "unread", linearizable });
    const response = await this.#call(operation, "unread", { consistency: linearizable ? 2 : 1 });
    if (response === undefined) return;
    this.#world.history.complete(operation, {
      kind: "read",
      revision: response.revision,
      stale: response.stale || response.staleMs > 0,
      messages: [],
      lastSeq: 0,
    });
    this.#saw(response.revision);
  }

  /** The first page of what is found. */
  async search(query: string, sought: Sought, linearizable: boolean): Promise<void> {
    const operation = this.#invoke({ kind: "search", linearizable, query, sought });
    const { pageSize } = sought;
    const request = { query, pageSize, consistency: linearizable ? 2 : 1 } as const;
    const response = await this.#call(operation, "search", request);
    if (response === undefined) return;
    this.#world.history.complete(operation, {
      kind: "read",
      revision: response.revision,
      stale: response.stale || response.staleMs > 0,
      messages: response.hits.flatMap(({ message }) => (message === undefined ? [] : [message])),
      lastSeq: 0,
    });
    this.#saw(response.revision);
  }

  /** Any read whose content is not looked at: its revision must not go back. */
  async look<
    N extends "listRooms" | "listAccounts" | "listMembers" | "getAccount" | "listPins" | "thread",
  >(name: N, fields: Partial<RequestOf<N>>): Promise<CallResult<N> | undefined> {
    const operation = this.#invoke({ kind: "unread", linearizable: false });
    const response = await this.#call(operation, name, fields);
    if (response === undefined) return undefined;
    const { revision, stale, staleMs } = response as unknown as {
      revision: number;
      stale: boolean;
      staleMs: number;
    };
    this.#world.history.complete(operation, {
      kind: "read",
      revision,
      stale: stale || staleMs > 0,
      messages: [],
      lastSeq: 0,
    });
    this.#saw(revision);
    return response;
  }

  async members(roomId: number): Promise<void> {
    const response = await this.look("listMembers", { roomId });
    if (response === undefined) return;
    const { revision, members } = response;
    this.#world.history.members(this.name, this.accountId, roomId, revision, members);
  }

  /** A write other than a send, with a request id of the application's own. */
  async write<N extends CallName>(
    name: N,
    fields: Partial<RequestOf<N>>,
  ): Promise<CallResult<N> | undefined> {
    const requestId = this.uuid7();
    const operation = this.#invoke({ kind: "write", name, requestId, fields });
    const response = await this.#call(operation, name, { ...fields, requestId });
    if (response === undefined) return undefined;
    const { revision } = response as unknown as { revision: number };
    this.#world.history.complete(operation, {
      kind: "written",
      revision,
      response: `revision ${revision}`,
    });
    this.#saw(revision);
    return response;
  }

  /** On the device's own clock. */
  uuid7(): string {
    const bytes = this.random.bytes(16);
    const ms = this.#machine.wallMs();
    const time = ms.toString(16).padStart(12, "0");
    const hex = Buffer.from(bytes).toString("hex");
    const variant = "89ab"[(bytes[8] ?? 0) % 4];
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(3, 6)}-${hex.slice(6, 18)}`;
  }

  #invoke(kind: Operation["kind"]): Operation {
    return this.#world.history.invoke(this.name, this.accountId, this.seenRevision, kind);
  }

  async #call<N extends CallName>(
    operation: Operation,
    name: N,
    fields: Partial<RequestOf<N>>,
  ): Promise<CallResult<N> | undefined> {
    const { sdk, process } = this;
    if (sdk === undefined || process === undefined) return undefined;
    const options: CallOptions = { deadlineMs: 20_000 };
    try {
      const result = await sdk.call(name, fields, options);
      return process.alive ? result : undefined;
    } catch (error) {
      if (process.alive) this.#world.history.complete(operation, outcomeOf(error));
      return undefined;
    }
  }

  #sent(operation: Operation, message: Message, replicas: number): void {
    if (operation.kind.kind !== "send") return;
    this.pendingSends.delete(operation.kind.clientMessageId);
    this.#world.history.complete(operation, { kind: "sent", message, replicas });
    const { coverage } = this.#world;
    coverage.add("replies", message.replyToSeq > 0 ? 1 : 0);
    coverage.add("thread-replies", message.threadRootSeq > 0 ? 1 : 0);
    coverage.add("mentions", message.mentionsRoom || message.mentions.length > 0 ? 1 : 0);
    this.#lastSent = Math.max(this.#lastSent, message.id);
    this.#saw(message.id);
  }

  #sendFailed(operation: Operation, error: unknown): void {
    if (operation.kind.kind !== "send") return;
    this.pendingSends.delete(operation.kind.clientMessageId);
    this.#world.history.complete(operation, outcomeOf(error));
  }

  #saw(revision: number): void {
    this.seenRevision = Math.max(this.seenRevision, revision);
  }

  #register(sdk: ParleyClient, process: VirtualProcess): void {
    const requestId = this.uuid7();
    const attempt = (): void => {
      sdk
        .register(
          {
            username: this.username,
            password: this.password,
            displayName: this.name,
            requestId,
          },
          { deadlineMs: 60_000 },
        )
        .then(
          (response) => {
            if (!process.alive) return;
            this.#signedIn(response.account?.id ?? 0, response.token, response.revision);
            this.#subscribe(sdk, process);
          },
          (error: unknown) => {
            if (!process.alive) return;
            const { reason } = ParleyError.from(error);
            this.#world.trace.add(this.name, `register: ${reason}`);
            // A process that died after its registration was applied signs in instead.
            if (reason === "USERNAME_TAKEN") this.#logIn(sdk, process);
            else attempt();
          },
        );
    };
    attempt();
  }

  #logIn(sdk: ParleyClient, process: VirtualProcess): void {
    sdk.login({ username: this.username, password: this.password }, { deadlineMs: 60_000 }).then(
      (response) => {
        if (!process.alive) return;
        this.#signedIn(response.account?.id ?? 0, response.token, response.revision);
        this.#subscribe(sdk, process);
      },
      (error: unknown) => {
        if (!process.alive) return;
        this.#world.trace.add(this.name, `login: ${ParleyError.from(error).reason}`);
        this.#logIn(sdk, process);
      },
    );
  }

  #signedIn(accountId: number, token: string, revision: number): void {
    this.#world.trace.add(this.name, `is signed in as account ${accountId}`);
    const remembered = this.#remembered;
    remembered.accountId = accountId;
    remembered.token = token;
    remembered.tokenRevision = revision;
    this.#saw(revision);
  }

  #subscribe(sdk: ParleyClient, process: VirtualProcess): void {
    const { history } = this.#world;
    sdk.subscribe({
      afterRevision: this.#remembered.cursor,
      maxCatchUpEvents: this.random.chance(0.2) ? 50 : 0,
      onItem: (item) => {
        if (!process.alive) return;
        this.#remembered.clusterId = sdk.state.clusterId;
        if (item.kind === "event") {
          this.#remembered.cursor = item.cursor;
          history.subscription(this.name, this.accountId, { kind: "event", event: item.event });
          this.#saw(item.event.revision);
        } else {
          this.#remembered.cursor = item.revision;
          history.subscription(this.name, this.accountId, {
            kind: "resync",
            revision: item.revision,
          });
        }
      },
    });
  }

  #carrier(process: VirtualProcess): Carrier {
    const { network } = this.#world;
    return {
      dial: (address, events) => {
        const connection = network.dial(process, this.name, machineOf(address), CLIENT_SERVICE, {
          onOpen: () => events.onOpen(),
          onFrame: (bytes) => events.onFrame(bytes),
          onEnd: (end, detail) => events.onEnd(end, detail),
          onDrain: () => {},
        });
        return {
          send: (frame) => {
            connection.send(frame);
          },
          close: () => connection.close(),
        };
      },
      addressOf: (node) => node.address,
    };
  }
}
