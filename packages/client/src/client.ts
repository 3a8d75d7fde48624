// The client: one object that is connected to a cluster, not to a server. It finds the nodes, moves
// between them when they die, and the application above sees only a delay (P7).
import {
  type Account,
  ClientFrame,
  type ClusterView,
  LIMITS,
  type LoginRequest,
  type LoginResponse,
  type NodePosition,
  OPERATIONS,
  ParleyError,
  PROTOCOL_VERSION,
  type PresenceNews,
  type ReadReceipts,
  type RegisterRequest,
  type RegisterResponse,
  type RequestOf,
  type ServerFrame,
  type Welcome,
} from "@parley/protocol";
import { parseSeeds } from "./address-book.ts";
import { type CallName, type CallOptions, type CallResult, Calls } from "./calls.ts";
import { Connection, type Link } from "./connection.ts";
import type { ConnectionState } from "./connection-machine.ts";
import { Exchange } from "./exchange.ts";
import { MemoryOutbox } from "./memory-outbox.ts";
import { Outbox } from "./outbox.ts";
import type { OutboxPeers } from "./outbox-peers.ts";
import { platformClock, platformRandom } from "./platform.ts";
import type { Carrier, Clock, OutboxItem, OutboxStore, Random, Timer, Trouble } from "./ports.ts";
import { type SearchFields, searchOn } from "./search.ts";
import type {
  CancelOutcome,
  OutboxBounds,
  OutboxChange,
  QueuedSend,
  SendOptions,
  SendResult,
} from "./sends.ts";
import { SignIn } from "./sign-in.ts";
import { type SubscribeOptions, Subscription } from "./subscription.ts";
import { TIMING } from "./timing.ts";
import { type TypingNews, TypingSignals } from "./typing-signals.ts";
import { Uuid7Source } from "./uuid7.ts";

export interface ClientOptions {
  /** `host:port,…` of any nodes of the cluster; one that answers tells of the others. */
  readonly servers: string | readonly string[];
  readonly carrier: Carrier;
  /** In memory by default: unsent messages then die with the process. */
  readonly outbox?: OutboxStore | undefined;
  /** Other clients that share the outbox, such as those of other tabs: one of them sends. */
  readonly outboxPeers?: OutboxPeers | undefined;
  readonly outboxBounds?: Partial<OutboxBounds> | undefined;
  /** A token from an earlier sign-in. */
  readonly token?: string | undefined;
  /** `tokenRevision` as it was then; guards a young token against nodes that lag. */
  readonly tokenRevision?: number | undefined;
  /** The cluster that the token, cursor and outbox belong to, if known from before. */
  readonly clusterId?: string | undefined;
  /** The highest revision seen earlier (P4). */
  readonly seenRevision?: number | undefined;
  /** Go to the leader's node when it is known; by default clients spread over the nodes. */
  readonly preferLeader?: boolean | undefined;
  /** Requests (not sends) that may wait for an answer at a time. */
  readonly callsMax?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

export type Phase = "idle" | "connecting" | "online" | "closed";

/** What a status line shows. */
export interface ClientState {
  readonly phase: Phase;
  /** The machine's state, for diagnosis. */
  readonly connection: ConnectionState;
  /** The node in use, or the last one; 0 = none yet. */
  readonly nodeId: number;
  readonly address: string;
  /** 0 = none known. */
  readonly leaderId: number;
  /** Whether the node in use reaches a leader with a quorum. */
  readonly hasQuorum: boolean;
  /** Age of the node's data when it does not; grows from one look to the next. */
  readonly staleMs: number;
  readonly clusterId: string;
  readonly nodes: readonly string[];
  /** host:port where the nodes serve the page, as far as they do. */
  readonly pages: readonly string[];
  readonly signedIn: boolean;
  readonly account: Account | undefined;
  /** Messages written and not yet committed, or taken back and not yet deleted. */
  readonly pendingSends: number;
  /** The highest revision seen. */
  readonly revision: number;
  /** The server's clock minus this device's, for showing times; milliseconds. */
  readonly clockOffsetMs: number;
  /** Why the last link ended, in English; "" = none has. */
  readonly problem: string;
  /** The same, for those who have words of their own. */
  readonly trouble: Trouble | undefined;
}

const OUTBOX_BOUNDS: OutboxBounds = { itemsMax: 10_000, bytesMax: 32 * 1024 * 1024 };
const CALLS_MAX = 1_024;
/** A device's clock that differs from the node's by more is not used where its time matters. */
const CLOCK_TRUSTED_MS = 60 * 60 * 1_000;
/** A client that wants the leader moves there after up to this, so that not all move at once. */
const FOLLOW_LEADER_MS_MAX = 1_000;

type Listener<T> = (value: T) => void;

/** Makes a client; nothing happens before `start`. */
export class ParleyClient {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #messageIds: Uuid7Source;
  readonly #requestIds: Uuid7Source;
  readonly #preferLeader: boolean;
  readonly #signIn: SignIn;
  readonly #connection: Connection;
  readonly #exchange: Exchange;
  readonly #calls: Calls;
  readonly #outbox: Outbox;
  readonly #typing: TypingSignals;
  readonly #stateListeners = new Set<Listener<ClientState>>();
  readonly #outboxListeners = new Set<Listener<OutboxChange>>();
  readonly #positionsListeners = new Set<Listener<void>>();
  readonly #typingListeners = new Set<Listener<TypingNews>>();
  readonly #receiptListeners = new Set<Listener<ReadReceipts>>();
  readonly #presenceListeners = new Set<Listener<PresenceNews>>();
  readonly #signedOutListeners = new Set<Listener<ParleyError>>();
  #subscription: Subscription | undefined;
  /** Whose presence nodes are asked to tell. */
  #watched: readonly number[] = [];
  #view: ClusterView | undefined;
  /** How far each member's disk is, as last told by a node. */
  #positions: readonly NodePosition[] = [];
  /** When it came; the age in it has grown since. */
  #viewAtMs = 0;
  #clusterId: string;
  #seen: number;
  #nodeId = 0;
  #address = "";
  #clockOffsetMs = 0;
  #stateChanged = false;
  #quorumTimer: Timer | undefined;
  /** Nodes that have not applied the subscription's cursor and can't reach who has. */
  readonly #cursorAheadOf = new Set<string>();
  #resubscribeTimer: Timer | undefined;
  #leaderTimer: Timer | undefined;
  /** Ends when a node that failed last may be called unreached. */
  #unreachedTimer: Timer | undefined;
  #phase: Phase = "idle";

  constructor(options: ClientOptions) {
    this.#clock = options.clock ?? platformClock;
    this.#random = options.random ?? platformRandom;
    this.#messageIds = new Uuid7Source(this.#clock, this.#random);
    const serversClock = { wallMs: () => this.#requestTimeMs() };
    this.#requestIds = new Uuid7Source(serversClock, this.#random);
    this.#preferLeader = options.preferLeader ?? false;
    this.#clusterId = options.clusterId ?? "";
    this.#seen = options.seenRevision ?? 0;
    const { token = "", tokenRevision: revision = 0 } = options;
    this.#signIn = new SignIn({ token, revision });
    const seeds = parseSeeds(options.servers);
    if (seeds.length === 0) throw new ParleyError("INVALID_ARGUMENT", "no server address is given");
    this.#connection = new Connection({
      clock: this.#clock,
      random: this.#random,
      carrier: options.carrier,
      seeds,
      preferLeader: this.#preferLeader,
      user: {
        hello: (subscribe) => this.#hello(subscribe),
        wantsSubscription: () => this.#wantsSubscription(),
        acceptsSession: (welcome, token) => this.#signIn.judge(welcome, token) !== "lagging",
        token: () => this.#signIn.token,
        onWelcome: (link, welcome, tokenSent) => this.#onWelcome(link, welcome, tokenSent),
        onOnline: (link) => this.#onOnline(link),
        onOffline: () => this.#onOffline(),
        onRival: (link) => this.#exchange.offer(link),
        onFrame: (link, frame, first) => this.#onFrame(link, frame, first),
        onCluster: (view) => this.#onCluster(view),
        onUnfit: (address) => {
          this.#calls.unfit(address);
          this.#unreachedTimer?.cancel();
          const look = () => this.#changed();
          this.#unreachedTimer = this.#clock.after(TIMING.unreachedShownMs, look);
          if (this.#cursorAheadOf.size > 0) this.#cursorIsAhead(address);
        },
        onTokenRefused: (token) => {
          if (token === this.#signIn.token) this.#refused();
        },
        onGoAway: (address, reason) => this.#onGoAway(address, reason),
        onStateChange: () => this.#changed(),
      },
    });
    const soon = (action: () => void) => queueMicrotask(action);
    this.#exchange = new Exchange({
      clock: this.#clock,
      soon,
      send: (link, frame) => this.#connection.send(link, frame),
      onOverdue: () => this.#connection.overdue(),
      onSettled: () => this.#connection.settled(),
      onRivalWon: () => this.#connection.rivalWon(),
      onBroken: (problem) => this.#connection.broken(problem),
    });
    const shared = {
      clock: this.#clock,
      random: this.#random,
      exchange: this.#exchange,
      token: () => this.#signIn.token,
      observe: (revision: number) => this.#observe(revision),
      onUnauthenticated: (link: Link, token: string) => this.#onUnauthenticated(link, token),
      onNodeUnfit: (link: Link, reason: string) => {
        // Several answers of one frame may say so; only the first of them moves the session.
        if (link === this.#connection.link) this.#connection.broken(reason);
      },
    };
    this.#calls = new Calls({
      ...shared,
      newId: () => this.#requestIds.next(),
      seenRevision: () => this.#seen,
      seek: (goal) => this.#connection.seek(goal),
      unseek: () => this.#connection.unseek("revision"),
      allAmong: (addresses) => this.#connection.book.allAmong(addresses),
      callsMax: options.callsMax ?? CALLS_MAX,
    });
    this.#typing = new TypingSignals(this.#clock, (frame) => this.#signal(frame));
    this.#outbox = new Outbox({
      ...shared,
      newId: () => this.#messageIds.next(),
      newRequestId: () => this.#requestIds.next(),
      deleteMessage: (roomId, seq, requestId, signal) =>
        this.#calls.call("delete", { roomId, seqs: [seq], requestId }, { signal }),
      soon,
      store: options.outbox ?? new MemoryOutbox(),
      bounds: { ...OUTBOX_BOUNDS, ...options.outboxBounds },
      account: () => ({
        clusterId: this.#clusterId,
        accountId: this.#signIn.account?.id ?? 0,
      }),
      peers: options.outboxPeers,
      hasQuorum: () => this.#view?.hasQuorum ?? false,
      onChange: (change) => {
        for (const listener of this.#outboxListeners) listener(change);
        this.#changed();
      },
    });
  }

  // ---- Life --------------------------------------------------------------------------------------

  /**
   * Opens the outbox and begins to connect. Resolves when the outbox is open; rejects when it can't
   * be. Being offline is no error: requests and sends wait.
   */
  async start(): Promise<void> {
    if (this.#phase !== "idle") return;
    this.#phase = "connecting";
    await this.#outbox.open();
    if (this.#phase === "connecting") this.#connection.start();
  }

  /** Ends everything: waiting requests reject with CANCELLED, unsent messages stay in the outbox. */
  async close(): Promise<void> {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#connection.stop();
    this.#quorumTimer?.cancel();
    this.#leaderTimer?.cancel();
    this.#unreachedTimer?.cancel();
    this.#resubscribeTimer?.cancel();
    this.#exchange.close();
    this.#calls.close(new ParleyError("CANCELLED", "the client was closed"));
    this.#subscription?.close();
    await this.#outbox.close();
    this.#changed();
  }

  /** Resolves when a session is served; rejects with CANCELLED when it is given up. */
  online(signal?: AbortSignal): Promise<void> {
    if (this.#phase === "online") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const off = this.onState(({ phase }) => {
        if (phase === "online") finish();
        else if (phase === "closed") finish(new ParleyError("CANCELLED", "the client was closed"));
      });
      const onAbort = () => finish(new ParleyError("CANCELLED", "the waiting was given up"));
      const finish = (error?: ParleyError) => {
        off();
        signal?.removeEventListener("abort", onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Tests the link at once: call it when the network changed or the page became visible again. */
  probe(): void {
    this.#connection.probe();
  }

  // ---- State -------------------------------------------------------------------------------------

  get state(): ClientState {
    return {
      phase: this.#phase,
      connection: this.#connection.state,
      nodeId: this.#nodeId,
      address: this.#address,
      leaderId: this.#view?.leaderId ?? 0,
      hasQuorum: this.#view?.hasQuorum ?? false,
      staleMs: this.#staleMs(),
      clusterId: this.#clusterId,
      nodes: this.#connection.book.addresses,
      pages: (this.#view?.nodes ?? []).map((node) => node.httpAddress).filter((one) => one !== ""),
      signedIn: this.#signIn.token !== "",
      account: this.#signIn.account,
      pendingSends: this.#outbox.pending,
      revision: this.#seen,
      clockOffsetMs: this.#clockOffsetMs,
      problem: this.#connection.lastProblem,
      trouble: this.#connection.trouble,
    };
  }

  /**
   * Nodes refuse a request id that is a day old or a day ahead (P2), so on a device whose clock is
   * that wrong it is made by theirs. A smaller difference may as well be a node's fault.
   */
  #requestTimeMs(): number {
    const trusted = Math.abs(this.#clockOffsetMs) < CLOCK_TRUSTED_MS;
    return this.#clock.wallMs() + (trusted ? 0 : this.#clockOffsetMs);
  }

  /** A node tells of a change only, so without a quorum its last word grows old with its data. */
  #staleMs(): number {
    if (this.#view === undefined || this.#view.hasQuorum) return 0;
    return this.#view.staleMs + this.#clock.monotonicMs() - this.#viewAtMs;
  }

  /** Called soon after something of `state` changed. Returns how to stop it. */
  onState(listener: Listener<ClientState>): () => void {
    return listen(this.#stateListeners, listener);
  }

  /** Called when the token was refused for good, or the session revoked. Unsent messages stay. */
  onSignedOut(listener: Listener<ParleyError>): () => void {
    return listen(this.#signedOutListeners, listener);
  }

  /** Called for every change of an unsent message, those of earlier processes too. */
  onOutbox(listener: Listener<OutboxChange>): () => void {
    return listen(this.#outboxListeners, listener);
  }

  /**
   * On how many of the members' disks `revision` is, as far as the node in use has told; undefined =
   * it has told nothing. Nodes tell a few times a second at most, while there is a subscription.
   */
  spread(revision: number): { readonly replicas: number; readonly nodes: number } | undefined {
    if (this.#positions.length === 0) return undefined;
    const replicas = this.#positions.filter((position) => position.revision >= revision).length;
    return { replicas, nodes: this.#positions.length };
  }

  /** Called when `spread` may have changed. */
  onPositions(listener: () => void): () => void {
    return listen(this.#positionsListeners, listener);
  }

  /** What a node last said of the cluster; undefined = none has yet. */
  get cluster(): ClusterView | undefined {
    return this.#view;
  }

  /** Ids of nodes that this device could not reach lately although the cluster hears of them, ascending; `onState` tells of changes. */
  get unreached(): readonly number[] {
    return this.#connection.book.unreached(this.#clock.monotonicMs(), TIMING.unreachedShownMs);
  }

  /** How far each member's disk has the log, witnesses too, as last told; see `spread`. */
  get positions(): readonly NodePosition[] {
    return this.#positions;
  }

  /** The bearer token; "" = nobody is signed in. */
  get token(): string {
    return this.#signIn.token;
  }

  get account(): Account | undefined {
    return this.#signIn.account;
  }

  // ---- Signing in --------------------------------------------------------------------------------

  async register(
    fields: Partial<RegisterRequest>,
    options?: CallOptions,
  ): Promise<RegisterResponse> {
    const response = await this.#calls.call("register", fields, options);
    this.#signedIn(response);
    return response;
  }

  async login(fields: Partial<LoginRequest>, options?: CallOptions): Promise<LoginResponse> {
    const response = await this.#calls.call("login", fields, options);
    this.#signedIn(response);
    return response;
  }

  /** Ends the session on the servers, then forgets the token. Unsent messages stay in the outbox. */
  async logout(options?: CallOptions): Promise<void> {
    await this.call("logout", {}, options);
    this.#forgetToken();
  }

  /** Takes a token from elsewhere. */
  useToken(token: string, tokenRevision = 0): void {
    this.#signIn.signedIn(token, undefined, tokenRevision);
    this.#outbox.signedOut();
    this.#calls.tokenChanged();
    this.#connection.greetAgain();
    this.#changed();
  }

  // ---- Requests ----------------------------------------------------------------------------------

  /**
   * Any operation but a send. Retried over failovers until its deadline; a write happens once (P2),
   * a read is at least as new as everything this client has seen, or marked `stale` (P4). Rejects
   * with a ParleyError.
   */
  call<N extends CallName>(
    name: N,
    fields: Partial<RequestOf<N>> = {},
    options?: CallOptions,
  ): Promise<CallResult<N>> {
    if (this.#phase === "closed") {
      return Promise.reject(new ParleyError("CANCELLED", "the client is closed"));
    }
    if (this.#signIn.token === "" && OPERATIONS[name].auth === "account") {
      return Promise.reject(new ParleyError("UNAUTHENTICATED", "nobody is signed in"));
    }
    return this.#calls.call(name, fields, options);
  }

  /**
   * A page of messages that fit a query, the newest first; `nextPageToken` leads to the next one. Goes on by itself where a page ends
   * early without a hit. Rejects as `call` does: a query that makes no sense is INVALID_ARGUMENT, with a sentence for people.
   */
  search(fields: SearchFields, options?: CallOptions): Promise<CallResult<"search">> {
    return searchOn((page) => this.call("search", page, options), fields);
  }

  /**
   * Sends a message: durable in the outbox first, resolves when it is committed (P1), once (P2), in
   * the order of the calls within the room (P3). It waits as long as it takes; rejects only with
   * what can never succeed, CANCELLED, or a full outbox (LIMIT_REACHED).
   */
  send(roomId: number, body: string, options?: SendOptions): Promise<SendResult> {
    return this.enqueue(roomId, body, options).committed;
  }

  /** Like `send`, for those who show a message before it is committed. */
  enqueue(roomId: number, body: string, options?: SendOptions): QueuedSend {
    if (this.#phase === "closed") {
      const rejected = Promise.reject<never>(new ParleyError("CANCELLED", "the client is closed"));
      rejected.catch(() => {});
      return { clientMessageId: "", stored: rejected, committed: rejected };
    }
    this.#typing.sent(roomId);
    return this.#outbox.enqueue(roomId, body, options);
  }

  /**
   * The person is writing in a room: call it with every key. The room's other members are told every few seconds while it goes on, where
   * there is a session; nothing of it waits, is repeated, or fails.
   */
  typing(roomId: number): void {
    if (this.#phase === "online") this.#typing.typed(roomId);
  }

  /** Called when somebody else writes in a room, or has stopped by sending. Needs a subscription. See `Typists`. */
  onTyping(listener: Listener<TypingNews>): () => void {
    return listen(this.#typingListeners, listener);
  }

  /** Called when others have read on in small rooms. Needs a subscription. See `RoomReaders`. */
  onReadReceipts(listener: Listener<ReadReceipts>): () => void {
    return listen(this.#receiptListeners, listener);
  }

  /**
   * From now on nodes tell who of these is online, and who comes and goes, in the place of those named before; 200 at most, of more the
   * first. See `Presences`, which puts together what several views show.
   */
  watch(accountIds: readonly number[]): void {
    this.#watched = accountIds.slice(0, LIMITS.watchedAccountsMax);
    this.#tellWatched();
  }

  /** Called with who has come and who has gone; after a gap in the connection, with how it is with all that are watched. */
  onPresence(listener: Listener<PresenceNews>): () => void {
    return listen(this.#presenceListeners, listener);
  }

  /** What is written and not committed; failed messages too. */
  outbox(): readonly OutboxItem[] {
    return this.#outbox.items();
  }

  /**
   * Takes a message back. Certain before transmission; afterwards it is deleted once it is committed, if need be by a later process: until
   * then it stays in the outbox, with its `withdrawal`.
   */
  cancelSend(clientMessageId: string): CancelOutcome {
    return this.#outbox.cancel(clientMessageId);
  }

  /** Forgets a failed message, or one that could not be deleted. */
  dismissFailed(clientMessageId: string): boolean {
    return this.#outbox.dismiss(clientMessageId);
  }

  /** Sends a failed message again, or tries again to delete one that was taken back. Resolves with whether there was one. */
  retryFailed(clientMessageId: string): Promise<boolean> {
    return this.#outbox.retry(clientMessageId);
  }

  /** One subscription at a time. It goes on over reconnects and failovers (P5). */
  subscribe(options: SubscribeOptions = {}): Subscription {
    if (this.#subscription !== undefined) {
      throw new ParleyError("INVALID_ARGUMENT", "there is a subscription already");
    }
    const known = this.#seen > 0 ? this.#seen : undefined;
    const subscription = new Subscription(
      { ...options, afterRevision: options.afterRevision ?? known },
      this.#clusterId,
      () => this.#connection.greetAgain(),
      () => {
        if (this.#subscription !== subscription) return;
        this.#subscription = undefined;
        if (this.#phase !== "closed") this.#connection.greetAgain();
      },
    );
    this.#subscription = subscription;
    if (options.signal?.aborted === true) subscription.close();
    else this.#beginSubscription();
    return subscription;
  }

  // ---- The session -------------------------------------------------------------------------------

  #hello(subscribe: boolean) {
    const subscription = this.#subscription;
    const wanted = subscribe && this.#wantsSubscription();
    return {
      protocolVersion: PROTOCOL_VERSION,
      token: this.#signIn.token,
      clusterId: wanted ? (subscription?.clusterId ?? "") : this.#clusterId,
      subscribe: wanted,
      afterRevision: wanted ? (subscription?.received ?? 0) : 0,
      maxCatchUpEvents: wanted ? (subscription?.maxCatchUpEvents ?? 0) : 0,
    };
  }

  #wantsSubscription(): boolean {
    const subscription = this.#subscription;
    if (subscription === undefined || this.#signIn.token === "") return false;
    if (this.#resubscribeTimer !== undefined) return false;
    return subscription.wanted && subscription.received !== undefined;
  }

  #onGoAway(address: string, reason: string): void {
    if (reason === "BEHIND" && this.#wantsSubscription()) this.#cursorIsAhead(address);
  }

  /**
   * This node can't go on from the cursor, because it has not got there and has no quorum to ask.
   * When no other can either, the session goes on without events: old data can still be read (P6).
   */
  #cursorIsAhead(address: string): void {
    this.#cursorAheadOf.add(address);
    if (!this.#connection.book.allAmong(this.#cursorAheadOf)) return;
    this.#cursorAheadOf.clear();
    this.#resubscribeTimer ??= this.#clock.after(TIMING.resubscribeMs, () => this.#resubscribe());
  }

  #resubscribe(): void {
    this.#cursorAheadOf.clear();
    if (this.#resubscribeTimer === undefined) return;
    this.#resubscribeTimer.cancel();
    this.#resubscribeTimer = undefined;
    this.#connection.greetAgain();
  }

  /** "From now on" means after what the first node that is met has applied. */
  #beginSubscription(): void {
    const welcome = this.#connection.link?.welcome;
    if (this.#phase !== "online" || welcome === undefined) return;
    this.#subscription?.startAt(welcome.revision, this.#clusterId);
    this.#connection.greetAgain();
  }

  #onWelcome(link: Link, welcome: Welcome, tokenSent: string): void {
    this.#nodeId = welcome.nodeId;
    this.#address = link.address;
    this.#clockOffsetMs = welcome.serverTimeMs - this.#clock.wallMs();
    if (welcome.cluster !== undefined) this.#useCluster(welcome.cluster.clusterId);
    switch (this.#signIn.judge(welcome, tokenSent)) {
      case "valid":
        if (welcome.account !== undefined) this.#signIn.welcomed(welcome.account);
        break;
      case "invalid":
        // An answer to an earlier hello says nothing of the present token.
        if (link.settled) this.#refused();
        break;
      case "lagging":
      case "none":
        break;
    }
    this.#subscription?.startAt(welcome.revision, this.#clusterId);
  }

  #onOnline(link: Link): void {
    this.#phase = "online";
    if (link.settled) this.#serve(link);
    this.#changed();
  }

  /** The node knows who we are: what waits may go. */
  #serve(link: Link): void {
    this.#outbox.setReady(link.welcome?.account !== undefined);
    this.#exchange.online(link);
    this.#calls.online(link);
    if (this.#watched.length > 0) this.#tellWatched();
  }

  #tellWatched(): void {
    const frame = ClientFrame.fromPartial({ watch: { accountIds: [...this.#watched] } });
    this.#signal(ClientFrame.encode(frame).finish());
  }

  /** A frame that nothing answers; false = there is no session that it could go to. */
  #signal(frame: Uint8Array): boolean {
    const { link } = this.#connection;
    if (link?.welcome?.account === undefined || !link.settled) return false;
    this.#connection.send(link, frame);
    return true;
  }

  #onOffline(): void {
    if (this.#phase === "online") this.#phase = "connecting";
    this.#quorumTimer?.cancel();
    this.#quorumTimer = undefined;
    this.#outbox.setReady(false);
    this.#exchange.offline();
    this.#changed();
  }

  #onFrame(link: Link, frame: ServerFrame, first: boolean): void {
    // Until the last hello is answered, events are those of the subscription before it.
    const subscription = first && link.settled ? this.#subscription : undefined;
    if (frame.resync !== undefined) subscription?.resync(frame.resync, this.#clusterId);
    if (frame.replies.length > 0) this.#exchange.replies(link, frame.replies, first);
    // Before the events: a message among them ends it.
    if (subscription !== undefined) {
      for (const typist of frame.typists) this.#tellTyping({ kind: "types", ...typist });
      for (const receipts of frame.readReceipts) {
        for (const listener of this.#receiptListeners) listener(receipts);
      }
    }
    if (subscription !== undefined && (frame.events.length > 0 || frame.cursor > 0)) {
      const lastRevision = frame.events.at(-1)?.revision ?? 0;
      this.#observe(lastRevision);
      for (const { event } of frame.events) {
        if (event?.$case !== "message") continue;
        const { roomId, authorId: accountId } = event.value;
        this.#tellTyping({ kind: "sent", roomId, accountId });
      }
      const wanted = subscription.wanted;
      if (wanted) subscription.take(frame.events, frame.cursor);
      // The application is behind: the node is told to stop, and to go on when it has caught up.
      if (wanted && !subscription.wanted) this.#connection.greetAgain();
    }
    if (first && frame.positions !== undefined) {
      this.#positions = frame.positions.nodes;
      for (const listener of this.#positionsListeners) listener();
    }
    if (first && frame.presence !== undefined) {
      for (const listener of this.#presenceListeners) listener(frame.presence);
    }
    if (frame.pong !== undefined) {
      this.#clockOffsetMs = frame.pong.serverTimeMs - this.#clock.wallMs();
    }
  }

  #tellTyping(news: TypingNews): void {
    for (const listener of this.#typingListeners) listener(news);
  }

  #onCluster(view: ClusterView): void {
    this.#view = view;
    this.#viewAtMs = this.#clock.monotonicMs();
    this.#useCluster(view.clusterId);
    this.#changed();
    if (view.hasQuorum) {
      this.#quorumTimer?.cancel();
      this.#quorumTimer = undefined;
      this.#connection.unseek("quorum");
      this.#calls.quorumBack();
      this.#resubscribe();
    } else {
      this.#quorumTimer ??= this.#clock.after(TIMING.quorumGraceMs, () => {
        this.#quorumTimer = undefined;
        this.#connection.seek({
          kind: "quorum",
          accepts: (welcome) => welcome.cluster?.hasQuorum === true,
        });
      });
    }
    this.#followLeader(view);
  }

  #followLeader(view: ClusterView): void {
    if (!this.#preferLeader) return;
    this.#leaderTimer?.cancel();
    this.#leaderTimer = undefined;
    if (view.leaderId === 0 || view.leaderId === this.#nodeId) {
      this.#connection.unseek("leader");
      return;
    }
    const delayMs = this.#random.int(FOLLOW_LEADER_MS_MAX);
    this.#leaderTimer = this.#clock.after(delayMs, () => {
      this.#leaderTimer = undefined;
      const { leaderId } = view;
      this.#connection.seek({ kind: "leader", accepts: ({ nodeId }) => nodeId === leaderId });
    });
  }

  #useCluster(clusterId: string): void {
    if (clusterId === "" || clusterId === this.#clusterId) return;
    const known = this.#clusterId !== "";
    this.#clusterId = clusterId;
    // What was seen of another cluster says nothing of this one.
    if (known) {
      this.#seen = 0;
      this.#positions = [];
    }
    this.#outbox.clusterChanged(clusterId);
  }

  #observe(revision: number): void {
    if (revision > this.#seen) this.#seen = revision;
  }

  // ---- Signing in and out ------------------------------------------------------------------------

  #signedIn(response: RegisterResponse | LoginResponse): void {
    this.#signIn.signedIn(response.token, response.account, response.revision);
    this.#outbox.signedOut();
    this.#calls.tokenChanged();
    this.#connection.greetAgain();
    this.#changed();
  }

  #onUnauthenticated(link: Link, token: string): void {
    // A refusal of an earlier token, or by a node that lags, does not sign anybody out.
    if (token === "" || token !== this.#signIn.token) return;
    if (link.welcome !== undefined && this.#signIn.judge(link.welcome, token) === "lagging") return;
    this.#refused();
    this.#connection.greetAgain();
  }

  #refused(): void {
    this.#forgetToken();
    const error = new ParleyError("UNAUTHENTICATED", "the sign-in is no longer valid");
    for (const listener of this.#signedOutListeners) listener(error);
  }

  #forgetToken(): void {
    this.#outbox.signedOut();
    const wasSignedIn = this.#signIn.signedOut();
    this.#calls.tokenChanged();
    if (wasSignedIn) this.#connection.greetAgain();
    this.#changed();
  }

  #changed(): void {
    if (this.#stateChanged) return;
    this.#stateChanged = true;
    queueMicrotask(() => {
      this.#stateChanged = false;
      if (this.#stateListeners.size === 0) return;
      const { state } = this;
      for (const listener of this.#stateListeners) listener(state);
    });
  }
}

function listen<T>(listeners: Set<Listener<T>>, listener: Listener<T>): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

// The session's bounds must leave room for both kinds of requests.
if (CALLS_MAX * 2 > LIMITS.unansweredRequestsPerSessionMax) {
  throw new Error("callsMax is above what a session may have unanswered");
}
