// Drives the connection machine: owns the links, the timers and the address book, and turns frames
// and time into the machine's events. What travels on the session is the business of its user.
import {
  ClientFrame,
  type ClusterView,
  type Hello,
  LIMITS,
  ServerFrame,
  type Welcome,
} from "@parley/protocol";
import { AddressBook } from "./address-book.ts";
import {
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionState,
  transition,
} from "./connection-machine.ts";
import type { Carrier, CarrierLink, Clock, LinkEnd, Random, Timer, Trouble } from "./ports.ts";
import { TIMING } from "./timing.ts";

/** One session with one node, from dialling to its end. */
export interface Link {
  readonly address: string;
  /** 0 until welcomed. */
  readonly nodeId: number;
  /** The newest one; undefined until welcomed. */
  readonly welcome: Welcome | undefined;
  /** Every hello has been answered: requests may go out and events count. */
  readonly settled: boolean;
}

/** A better node is wanted, and this is what makes one better. */
export interface Goal {
  readonly kind: "quorum" | "revision" | "leader";
  accepts(welcome: Welcome): boolean;
}

/** The layers above. Calls on a link come only while it is the session's first or second one. */
export interface ConnectionUser {
  /** The hello of a session; the subscription goes only to the first node. */
  hello(subscribe: boolean): Hello;
  wantsSubscription(): boolean;
  /** Whether the node knows the token; one that is behind may not know it yet. */
  acceptsSession(welcome: Welcome, tokenSent: string): boolean;
  /** The token that a hello would carry now. */
  token(): string;
  /** The first node answered a hello with this token, or a welcomed node became the first. */
  onWelcome(link: Link, welcome: Welcome, tokenSent: string): void;
  /** The session serves; again whenever the node was greeted anew. */
  onOnline(link: Link): void;
  onOffline(): void;
  /** A second node is ready to take what is unanswered. */
  onRival(link: Link): void;
  /** Everything but the welcome; from the second node only replies matter. */
  onFrame(link: Link, frame: ServerFrame, first: boolean): void;
  onCluster(view: ClusterView): void;
  /** A node could not be reached, or does not meet the goal. */
  onUnfit(address: string): void;
  /** A node refuses the token, having made sure that it knows all there are. */
  onTokenRefused(tokenSent: string): void;
  /** The first node sends the client away, for this reason. */
  onGoAway(address: string, reason: string): void;
  onStateChange(): void;
}

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly carrier: Carrier;
  readonly seeds: readonly string[];
  readonly preferLeader: boolean;
  readonly user: ConnectionUser;
}

class OpenLink implements Link {
  readonly address: string;
  carrierLink: CarrierLink | undefined;
  nodeId = 0;
  welcome: Welcome | undefined;
  hellosUnanswered = 0;
  token = "";
  subscribed = false;
  heardAtMs: number;

  constructor(address: string, nowMs: number) {
    this.address = address;
    this.heardAtMs = nowMs;
  }

  get settled(): boolean {
    return this.welcome !== undefined && this.hellosUnanswered === 0;
  }
}

const FRAME: ClientFrame = {
  hello: undefined,
  requests: [],
  ping: undefined,
  typing: undefined,
  watch: undefined,
};

export class Connection {
  readonly book: AddressBook;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #carrier: Carrier;
  readonly #preferLeader: boolean;
  readonly #user: ConnectionUser;
  #state: ConnectionState = "idle";
  #first: OpenLink | undefined;
  #rival: OpenLink | undefined;
  #candidate = "";
  #lastAddress: string | undefined;
  /** The machine's one timer. */
  #timer: Timer | undefined;
  #rivalTimer: Timer | undefined;
  #livenessTimer: Timer | undefined;
  #seekTimer: Timer | undefined;
  #helloTimer: Timer | undefined;
  #goal: Goal | undefined;
  readonly #tried = new Set<string>();
  #hedgeNotBeforeMs = 0;
  #hedgePauseMs: number = TIMING.hedgePauseMsMin;
  #retryAfterMs = 0;
  #nonce = 0;
  readonly #events: ConnectionEvent[] = [];
  #dispatching = false;
  #lastProblem = "";
  #trouble: Trouble | undefined;

  constructor(options: ConnectionOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#carrier = options.carrier;
    this.#preferLeader = options.preferLeader;
    this.#user = options.user;
    this.book = new AddressBook({
      seeds: options.seeds,
      random: options.random,
      addressOf: (node) => this.#carrier.addressOf(node),
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The session's node; undefined while there is none. */
  get link(): Link | undefined {
    return this.#first;
  }

  /** Why the last link ended, as a sentence; "" = none has. */
  get lastProblem(): string {
    return this.#lastProblem;
  }

  /** The same, for those who have words of their own; undefined = none has. */
  get trouble(): Trouble | undefined {
    return this.#trouble;
  }

  get online(): boolean {
    return ONLINE.has(this.#state);
  }

  start(): void {
    this.#dispatch("start");
  }

  stop(): void {
    this.#dispatch("stop");
  }

  /** Sends encoded bytes of a ClientFrame; nothing happens when the link is gone. */
  send(link: Link, frame: Uint8Array): void {
    if (link === this.#first || link === this.#rival) (link as OpenLink).carrierLink?.send(frame);
  }

  /** Greets the first node anew: the token or the subscription changed. */
  greetAgain(): void {
    if (this.#first?.welcome !== undefined) this.#greet(this.#first, true);
  }

  /** A request is unanswered for too long. */
  overdue(): void {
    const sinceMs = this.#clock.monotonicMs() - this.#hedgeNotBeforeMs;
    if (sinceMs < 0) return;
    if (sinceMs > TIMING.hedgeForgetMs) this.#hedgePauseMs = TIMING.hedgePauseMsMin;
    this.#dispatch("unanswered");
  }

  /** Nothing is overdue any more. A second node that was dialled for another reason stays. */
  settled(): void {
    if (this.#goal !== undefined) return;
    // It did not help: the next time another one is asked.
    if (this.#rival !== undefined) {
      this.#tried.add(this.#rival.address);
      this.#pauseSearch();
    }
    this.#dispatch("settled");
  }

  /** The second node answered first. */
  rivalWon(): void {
    const first = this.#first;
    const nowMs = this.#clock.monotonicMs();
    // A node that says nothing at all is not only slow.
    if (first !== undefined && nowMs - first.heardAtMs >= TIMING.unansweredMs) {
      this.book.failed(first.address, nowMs);
    }
    this.#tried.clear();
    this.#hedgePauseMs = TIMING.hedgePauseMsMin;
    this.#dispatch("rival-won");
  }

  /** The first node proved to be broken. */
  broken(problem: string): void {
    this.#lastProblem = problem;
    this.#trouble = { kind: "timeout", address: this.#first?.address ?? "" };
    this.#dispatch("lost");
  }

  /** Looks for a node that meets the goal, one after another, while the session goes on here. */
  seek(goal: Goal): void {
    if (this.#goal?.kind === goal.kind) return;
    if (this.#goal !== undefined && goal.kind === "leader") return;
    this.#goal = goal;
    this.#tried.clear();
    this.#seekTimer?.cancel();
    this.#seekTimer = undefined;
    // A second node that is there already must meet it, or make room for one that does.
    const rival = this.#rival;
    if (rival?.welcome !== undefined) this.#judge(rival, rival.welcome);
    else this.#dispatch("unanswered");
  }

  /** The goal is met or no longer matters. */
  unseek(kind: Goal["kind"]): void {
    if (this.#goal?.kind !== kind) return;
    this.#clearGoal();
    if (this.#state === "hedging") this.#dispatch("settled");
  }

  #clearGoal(): void {
    this.#goal = undefined;
    this.#tried.clear();
    this.#seekTimer?.cancel();
    this.#seekTimer = undefined;
  }

  // Events raised while effects run wait until they are done.
  #dispatch(event: ConnectionEvent): void {
    this.#events.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    const before = this.#state;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const { to, effects } = transition(this.#state, next);
        this.#state = to;
        for (const effect of effects) this.#run(effect);
      }
    } finally {
      this.#dispatching = false;
    }
    if (this.#state !== before) this.#user.onStateChange();
  }

  #run(effect: ConnectionEffect): void {
    switch (effect) {
      case "choose":
        this.#choose();
        return;
      case "dial":
        this.#first = this.#dial(this.#candidate, this.#user.wantsSubscription());
        return;
      case "arm-dial":
      case "arm-greet":
        this.#arm(this.#dialMs(this.#first?.address ?? ""));
        return;
      case "arm-probe":
        this.#arm(TIMING.probeMs);
        return;
      case "disarm":
        this.#timer?.cancel();
        this.#timer = undefined;
        return;
      case "ping":
        if (this.#first !== undefined) this.#ping(this.#first);
        return;
      case "close":
        this.#closeFirst();
        return;
      case "penalise":
        this.#penalise();
        return;
      case "dial-rival":
        this.#dialRival();
        return;
      case "close-rival":
        this.#closeRival();
        return;
      case "offer-rival":
        if (this.#rival !== undefined) this.#user.onRival(this.#rival);
        return;
      case "promote":
        this.#promote();
        return;
      case "notify-online":
        this.#nowOnline();
        return;
      case "notify-offline":
        this.#stopSessionTimers();
        this.#user.onOffline();
        return;
      case "notify-closed":
        this.#stopSessionTimers();
        this.#clearGoal();
        return;
    }
  }

  // ---- Dialling ------------------------------------------------------------------------------

  #choose(): void {
    const nowMs = this.#clock.monotonicMs();
    const candidate = this.book.choose(nowMs, {
      avoid: this.#lastAddress,
      preferLeader: this.#preferLeader,
    });
    // Without any address there is nothing to wait for but a change of addresses.
    if (candidate === undefined) return;
    this.#candidate = candidate.address;
    if (candidate.waitMs === 0) this.#dispatch("due");
    else {
      this.#timer = this.#clock.after(candidate.waitMs, () => {
        this.#timer = undefined;
        this.#dispatch("due");
      });
    }
  }

  #dial(address: string, subscribe: boolean): OpenLink {
    const link = new OpenLink(address, this.#clock.monotonicMs());
    this.#lastAddress = address;
    link.carrierLink = this.#carrier.dial(address, {
      onOpen: () => {
        if (link === this.#first) this.#dispatch("opened");
      },
      onFrame: (bytes) => this.#onBytes(link, bytes),
      onEnd: (end, detail) => this.#onEnd(link, end, detail),
    });
    this.#greet(link, subscribe && this.#user.wantsSubscription());
    return link;
  }

  #greet(link: OpenLink, subscribe: boolean): void {
    const hello = this.#user.hello(subscribe);
    link.token = hello.token;
    link.subscribed = hello.subscribe;
    link.hellosUnanswered += 1;
    link.carrierLink?.send(ClientFrame.encode({ ...FRAME, hello }).finish());
    if (link.welcome === undefined || this.#helloTimer !== undefined) return;
    this.#helloTimer = this.#clock.after(2 * TIMING.dialMs, () => {
      this.#helloTimer = undefined;
      if (this.#first?.settled === false) this.broken("the node does not answer a hello");
    });
  }

  #dialMs(address: string): number {
    const growth = Math.min(TIMING.dialGrowthMax, 1 + this.book.failures(address) / 2);
    return TIMING.dialMs * growth;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#lastProblem = "the node does not answer";
      const address = this.#first?.address ?? this.#lastAddress ?? "";
      this.#trouble = { kind: "timeout", address };
      this.#dispatch("timeout");
    });
  }

  #penalise(): void {
    const address = this.#first?.address ?? this.#lastAddress;
    if (address === undefined) return;
    this.book.failed(address, this.#clock.monotonicMs(), this.#retryAfterMs);
    this.#retryAfterMs = 0;
    this.#lastAddress = address;
    this.#user.onUnfit(address);
  }

  #closeFirst(): void {
    this.#first?.carrierLink?.close();
    // Its address is still wanted by `penalise`, which comes after.
    if (this.#first !== undefined) this.#lastAddress = this.#first.address;
    this.#first = undefined;
  }

  // ---- The second node -----------------------------------------------------------------------

  #dialRival(): void {
    const first = this.#first?.address ?? "";
    const except = new Set([first, ...this.#tried]);
    const candidate = this.book.choose(this.#clock.monotonicMs(), { avoid: first, except });
    if (candidate === undefined) {
      if (this.#goal === undefined) this.#tried.clear();
      this.#pauseSearch();
      this.#dispatch("rival-lost");
      return;
    }
    if (candidate.waitMs > 0) {
      // It failed a moment ago; it is looked at again in the next search.
      this.#unfit(candidate.address);
      this.#dialRival();
      return;
    }
    const rival = this.#dial(candidate.address, false);
    this.#lastAddress = first;
    this.#rival = rival;
    this.#rivalTimer = this.#clock.after(2 * this.#dialMs(candidate.address), () => {
      this.#rivalTimer = undefined;
      this.#rivalFailed(rival);
    });
  }

  #unfit(address: string): void {
    this.#tried.add(address);
    this.#user.onUnfit(address);
  }

  #rivalFailed(rival: OpenLink): void {
    this.book.failed(rival.address, this.#clock.monotonicMs(), this.#retryAfterMs);
    this.#retryAfterMs = 0;
    this.#rivalUnfit(rival);
  }

  #rivalUnfit(rival: OpenLink): void {
    this.#unfit(rival.address);
    this.#dispatch("rival-lost");
    // The next one, until all were tried.
    this.#dispatch("unanswered");
  }

  /** Every candidate was tried, or a hedge was in vain: the next search waits. */
  #pauseSearch(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#hedgeNotBeforeMs = nowMs + this.#hedgePauseMs / 2 + this.#random.int(this.#hedgePauseMs);
    this.#hedgePauseMs = Math.min(TIMING.hedgePauseMsMax, this.#hedgePauseMs * 2);
    if (this.#goal === undefined || this.#seekTimer !== undefined) return;
    const pauseMs = TIMING.seekPauseMs / 2 + this.#random.int(TIMING.seekPauseMs);
    this.#seekTimer = this.#clock.after(pauseMs, () => {
      this.#seekTimer = undefined;
      this.#tried.clear();
      if (this.#goal !== undefined) this.#dispatch("unanswered");
    });
  }

  #closeRival(): void {
    this.#rivalTimer?.cancel();
    this.#rivalTimer = undefined;
    this.#rival?.carrierLink?.close();
    this.#rival = undefined;
  }

  #promote(): void {
    this.#rivalTimer?.cancel();
    this.#rivalTimer = undefined;
    this.#first?.carrierLink?.close();
    this.#first = this.#rival;
    this.#rival = undefined;
    this.#lastAddress = this.#first?.address;
  }

  // ---- Frames ----------------------------------------------------------------------------------

  #isCurrent(link: OpenLink): boolean {
    return link === this.#first || link === this.#rival;
  }

  #onBytes(link: OpenLink, bytes: Uint8Array): void {
    if (!this.#isCurrent(link)) return;
    let frame: ServerFrame;
    try {
      if (bytes.length > LIMITS.serverFrameBytesMax) throw new Error("over the size limit");
      frame = ServerFrame.decode(bytes);
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      this.#onEnd(link, "malformed", `what came is not of Parley's protocol (${detail})`);
      return;
    }
    link.heardAtMs = this.#clock.monotonicMs();
    // While a welcome is awaited the timer is that of the dial; otherwise it is that of a probe.
    if (link === this.#first && this.#timer !== undefined && this.online) this.#dispatch("heard");
    if (frame.welcome !== undefined) this.#onWelcome(link, frame.welcome);
    if (!this.#isCurrent(link)) return;
    if (link.welcome !== undefined) this.#user.onFrame(link, frame, link === this.#first);
    if (!this.#isCurrent(link)) return;
    if (frame.cluster !== undefined) this.#onCluster(link, frame.cluster);
    if (frame.goAway !== undefined) {
      const { reason, retryAfterMs } = frame.goAway;
      this.#retryAfterMs = retryAfterMs;
      if (link === this.#first) this.#user.onGoAway(link.address, reason);
      this.#onEnd(link, reason === "UNAUTHENTICATED" ? "unauthenticated" : "closed", reason);
    }
  }

  #onWelcome(link: OpenLink, welcome: Welcome): void {
    link.hellosUnanswered = Math.max(0, link.hellosUnanswered - 1);
    if (link.hellosUnanswered === 0) {
      this.#helloTimer?.cancel();
      this.#helloTimer = undefined;
    }
    const greeted = link.welcome !== undefined;
    link.nodeId = welcome.nodeId;
    link.welcome = welcome;
    this.book.answered(link.address);
    if (welcome.cluster !== undefined) this.book.learn(welcome.cluster);
    if (!this.#user.acceptsSession(welcome, link.token)) {
      this.#lastProblem = "the node does not know the sign-in yet";
      this.#trouble = { kind: "behind", address: link.address };
      if (link === this.#rival) {
        this.#rivalFailed(link);
        return;
      }
      this.#dispatch("auth-rejected");
      return;
    }
    this.book.succeeded(link.address, welcome, this.#clock.monotonicMs());
    if (link === this.#rival) {
      this.#rivalTimer?.cancel();
      this.#rivalTimer = undefined;
      this.#judge(link, welcome);
      return;
    }
    if (greeted) {
      this.#user.onWelcome(link, welcome, link.token);
      if (welcome.cluster !== undefined) this.#onCluster(link, welcome.cluster);
      if (link === this.#first) this.#user.onOnline(link);
    } else this.#dispatch("welcome");
  }

  /** The second node serves: it shares the work, takes the first one's place, or is no better. */
  #judge(rival: OpenLink, welcome: Welcome): void {
    if (this.#goal === undefined) {
      this.#dispatch("rival-welcome");
      return;
    }
    if (!this.#goal.accepts(welcome)) {
      this.book.quorum(rival.address, welcome.cluster?.hasQuorum ?? false);
      this.#rivalUnfit(rival);
      return;
    }
    this.#clearGoal();
    this.#dispatch("rival-welcome");
    this.#dispatch("rival-won");
  }

  #onCluster(link: OpenLink, view: ClusterView): void {
    if (link.welcome !== undefined) link.welcome = { ...link.welcome, cluster: view };
    this.book.quorum(link.address, view.hasQuorum);
    const grew = this.book.learn(view);
    if (link === this.#first) this.#user.onCluster(view);
    if (grew) this.#dispatch("addresses-changed");
  }

  #onEnd(link: OpenLink, end: LinkEnd, detail: string): void {
    if (!this.#isCurrent(link)) return;
    this.#lastProblem = `${link.address}: ${end}${detail === "" ? "" : `, ${detail}`}`;
    this.#trouble = { kind: end, address: link.address };
    if (end === "unauthenticated" && link.token !== "") this.#user.onTokenRefused(link.token);
    if (link === this.#rival) {
      this.#rivalFailed(link);
      return;
    }
    this.#dispatch(end === "unauthenticated" ? "auth-rejected" : "lost");
  }

  // ---- The session -----------------------------------------------------------------------------

  #nowOnline(): void {
    const link = this.#first;
    if (link?.welcome === undefined) return;
    // The layers above say again what they want of a node, now that it is another one.
    this.#clearGoal();
    this.#user.onWelcome(link, link.welcome, link.token);
    if (link.welcome.cluster !== undefined) this.#onCluster(link, link.welcome.cluster);
    // What changed while the node was being greeted, it is told now.
    const { subscribed, token } = link;
    if (this.#user.wantsSubscription() !== subscribed || this.#user.token() !== token) {
      this.#greet(link, true);
    }
    this.#user.onOnline(link);
    this.#watch();
  }

  #stopSessionTimers(): void {
    this.#livenessTimer?.cancel();
    this.#livenessTimer = undefined;
    this.#helloTimer?.cancel();
    this.#helloTimer = undefined;
  }

  /** Pings a quiet link, and tells when it has been silent for too long. */
  #watch(): void {
    this.#livenessTimer?.cancel();
    const link = this.#first;
    if (link === undefined || !this.online) return;
    const quietMs = this.#clock.monotonicMs() - link.heardAtMs;
    let nextMs: number;
    if (quietMs >= TIMING.silenceMs) {
      this.#dispatch("silence");
      nextMs = TIMING.pingAfterMs;
    } else if (quietMs >= TIMING.pingAfterMs) {
      this.#ping(link);
      nextMs = TIMING.silenceMs - quietMs;
    } else nextMs = TIMING.pingAfterMs - quietMs;
    this.#livenessTimer = this.#clock.after(nextMs, () => this.#watch());
  }

  /** Something outside suggests that the link may be dead (the network changed, a page woke up). */
  probe(): void {
    this.#dispatch("silence");
  }

  #ping(link: OpenLink): void {
    this.#nonce += 1;
    const frame = { ...FRAME, ping: { nonce: this.#nonce } };
    link.carrierLink?.send(ClientFrame.encode(frame).finish());
  }
}

const ONLINE: ReadonlySet<ConnectionState> = new Set(["online", "probing", "hedging", "racing"]);
