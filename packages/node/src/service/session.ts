// One client's connection: hello, requests and replies, events, farewell. The same for a gRPC
// stream, a WebSocket and the simulator's wire.
import {
  CLIENT_FRAME_BOUNDS,
  ClientFrame,
  decodeUntrusted,
  type Hello,
  LIMITS,
  ParleyError,
  PROTOCOL_VERSION,
  type PresenceNews,
  type Reason,
  type Request,
} from "@parley/protocol";
import type { FrameSink, Logger } from "../ports.ts";
import { ownAccount } from "./account-message.ts";
import { unauthenticated } from "./authentication.ts";
import type { Identity } from "./context.ts";
import type { Operations } from "./operations.ts";
import { Outbox } from "./outbox.ts";
import type { Presence } from "./presence.ts";
import type { PresenceWatch, PresenceWatcher } from "./presence-watch.ts";
import type { SessionRegistry } from "./session-registry.ts";
import { SessionRequests } from "./session-requests.ts";
import type { SharedEvent } from "./shared-event.ts";
import { type Outlet, Subscription, type SubscriptionParts } from "./subscription.ts";
import type { Flushable, Turn } from "./turn.ts";
import type { Typing } from "./typing.ts";

/** Frames that may wait while a hello is answered, in bytes. */
const INBOX_BYTES_MAX = 4 * LIMITS.clientFrameBytesMax;
const RETRY_AFTER_MS = 200;
/** How long requests under way may delay the farewell of a session whose token ended. */
const REVOKED_GRACE_MS = 1_000;

/** What a transport tells a session. Neither call ever throws. */
export interface SessionHandler {
  /** An encoded ClientFrame. */
  onFrame(bytes: Uint8Array): void;
  /** The connection is gone. */
  onEnd(): void;
}

export interface SessionParts extends SubscriptionParts {
  readonly nodeId: number;
  readonly logger: Logger;
  readonly operations: Operations;
  readonly presence: Presence;
  readonly typing: Typing;
  readonly presenceWatch: PresenceWatch;
  readonly registry: SessionRegistry;
  readonly turn: Turn;
}

export class Session implements SessionHandler, Outlet, PresenceWatcher, Flushable {
  readonly openedMs: number;
  readonly #parts: SessionParts;
  readonly #remote: string;
  readonly #outbox: Outbox;
  readonly #requests: SessionRequests;
  /** Whoever registers or logs in over a session that is nobody's is its owner from then on. */
  readonly #onSignIn = (identity: Identity) => {
    if (!this.hasEnded && this.#identity === undefined) this.#signIn(identity);
  };
  readonly #abort = new AbortController();
  #state: "new" | "greeting" | "open" | "ended" = "new";
  #identity: Identity | undefined;
  #subscription: Subscription | undefined;
  #revokedAtMs: number | undefined;
  #leaving: { readonly reason: Reason; readonly retryAfterMs: number } | undefined;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;

  constructor(parts: SessionParts, sink: FrameSink, remote: string) {
    this.#parts = parts;
    this.#remote = remote;
    this.#outbox = new Outbox(sink);
    this.#requests = new SessionRequests({
      replica: parts.replica,
      clock: parts.clock,
      operations: parts.operations,
      outbox: this.#outbox,
      onAnswer: () => parts.turn.add(this),
    });
    this.openedMs = parts.clock.monotonicMs();
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Whether its subscriber follows the newest entries, so that its cursor may be moved. */
  get isLive(): boolean {
    return this.#subscription?.isLive === true;
  }

  onFrame(bytes: Uint8Array): void {
    try {
      this.#take(bytes);
    } catch (cause) {
      this.#parts.logger.error({ err: cause }, "a session failed");
      this.leave("INTERNAL", 0);
    }
  }

  onEnd(): void {
    this.#release();
  }

  // ---- Frames in -----------------------------------------------------------------------------

  #take(bytes: Uint8Array): void {
    if (this.#state === "ended") return;
    if (this.#state === "greeting") {
      this.#inboxBytes += bytes.length + 64;
      if (this.#inboxBytes > INBOX_BYTES_MAX) this.leave("OVERLOADED", RETRY_AFTER_MS);
      else this.#inbox.push(bytes);
      return;
    }
    let frame: ClientFrame;
    try {
      frame = decodeUntrusted(ClientFrame, bytes, CLIENT_FRAME_BOUNDS);
    } catch (cause) {
      this.leave(ParleyError.from(cause).reason, 0);
      return;
    }
    this.#handle(frame);
  }

  #handle(frame: ClientFrame): void {
    if (frame.hello !== undefined) {
      const greeted = this.#greet(frame.hello);
      if (greeted !== undefined) {
        this.#state = "greeting";
        greeted.then(
          () => this.#greetingDone(frame),
          (cause: unknown) => {
            const error = ParleyError.from(cause);
            this.leave(error.reason, error.retryAfterMs);
          },
        );
        return;
      }
      if (!this.hasEnded) this.#state = "open";
    } else if (this.#state === "new") {
      this.leave("MALFORMED", 0);
      return;
    }
    this.#handleRest(frame);
  }

  #greetingDone(frame: ClientFrame): void {
    if (this.hasEnded) return;
    this.#state = "open";
    this.#handleRest(frame);
    const inbox = this.#inbox;
    this.#inbox = [];
    this.#inboxBytes = 0;
    // A further hello among them makes the rest wait again, in order.
    for (const bytes of inbox) this.onFrame(bytes);
  }

  #handleRest(frame: ClientFrame): void {
    if (this.hasEnded) return;
    if (frame.requests.length > LIMITS.requestsPerFrameMax) {
      this.leave("TOO_LARGE", 0);
      return;
    }
    for (const request of frame.requests) {
      if (this.hasEnded) return;
      this.#request(request);
    }
    if (frame.ping !== undefined && !this.hasEnded) {
      this.#outbox.pong(frame.ping.nonce, this.#parts.clock.wallMs());
      this.flush();
    }
    if (frame.typing !== undefined) this.#types(frame.typing.roomId);
    if (frame.watch !== undefined) this.#watch(frame.watch.accountIds);
  }

  #watch(accountIds: readonly number[]): void {
    if (accountIds.length > LIMITS.watchedAccountsMax) this.leave("TOO_LARGE", 0);
    else if (this.#isServed) this.#parts.presenceWatch.watch(this, accountIds);
  }

  /** Somebody is signed in, and still is. */
  get #isServed(): boolean {
    return this.#identity !== undefined && this.#revokedAtMs === undefined && !this.hasEnded;
  }

  #types(roomId: number): void {
    if (this.#isServed) this.#parts.typing.said(roomId, this.#identity?.accountId ?? 0);
  }

  /** Resolves when the hello is answered; undefined = it was answered at once. */
  #greet(hello: Hello): Promise<void> | undefined {
    const { registry, operations } = this.#parts;
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      this.leave("PROTOCOL_VERSION", 0);
      return undefined;
    }
    if (registry.isClosing) {
      this.leave("SHUTTING_DOWN", RETRY_AFTER_MS);
      return undefined;
    }
    if (this.#parts.replica.view().clusterId === "") {
      this.leave("NOT_READY", RETRY_AFTER_MS);
      return undefined;
    }
    this.#signOut();
    if (hello.token === "") {
      this.#welcome(hello, undefined);
      return undefined;
    }
    const identity = operations.authentication.lookUp(hello.token);
    if (identity !== undefined) {
      this.#welcome(hello, identity);
      return undefined;
    }
    const patience = {
      deadlineMs: this.#parts.clock.monotonicMs() + LIMITS.behindWaitMsMax,
      signal: this.#abort.signal,
    };
    return operations.authentication.lookUpCurrent(hello.token, patience).then((found) => {
      if (!this.hasEnded) this.#welcome(hello, found);
    });
  }

  #welcome(hello: Hello, identity: Identity | undefined): void {
    const { replica, clock, nodeId, fanOut } = this.#parts;
    if (identity !== undefined) this.#signIn(identity);
    const cluster = replica.view();
    this.#outbox.startCursor(0);
    this.#outbox.welcome({
      protocolVersion: PROTOCOL_VERSION,
      nodeId,
      account: identity === undefined ? undefined : ownAccount(replica, identity.accountId),
      cluster,
      revision: replica.appliedRevision,
      serverTimeMs: clock.wallMs(),
    });
    const foreign = hello.clusterId !== "" && hello.clusterId !== cluster.clusterId;
    if (hello.subscribe && identity !== undefined) {
      if (!foreign) this.#outbox.startCursor(hello.afterRevision);
      const start = {
        accountId: identity.accountId,
        afterRevision: hello.afterRevision,
        eventsMax: hello.maxCatchUpEvents,
        resyncReason: foreign ? "foreign cluster" : undefined,
      };
      this.flush();
      this.#subscription = new Subscription(this.#parts, start, this);
      this.#subscription.start();
    } else if (foreign) {
      this.#outbox.resync("foreign cluster", fanOut.applied);
    }
    this.flush();
  }

  #request(request: Request): void {
    if (request.id === 0) {
      this.leave("MALFORMED", 0);
    } else if (this.#revokedAtMs !== undefined) {
      this.#requests.refuse(request.id, unauthenticated());
    } else if (this.#leaving !== undefined || this.#parts.registry.isClosing) {
      const error = new ParleyError("SHUTTING_DOWN", "the session is ending", {
        retryAfterMs: RETRY_AFTER_MS,
      });
      this.#requests.refuse(request.id, error);
    } else {
      const { op } = request;
      if (op?.$case === "send" && this.#identity !== undefined) {
        this.#parts.typing.sent(op.value.roomId, this.#identity.accountId);
      }
      this.#requests.start(request, {
        identity: this.#identity,
        remote: this.#remote,
        signal: this.#abort.signal,
        onSignIn: this.#onSignIn,
      });
    }
  }

  // ---- Events out ----------------------------------------------------------------------------

  event(revision: number, event: SharedEvent): void {
    if (this.hasEnded) return;
    this.#outbox.event(revision, event);
    if (this.#outbox.gatheredBytes > LIMITS.sessionBacklogBytesMax) this.flush();
    else this.#parts.turn.add(this);
  }

  typing(field: Uint8Array): void {
    if (this.hasEnded) return;
    this.#outbox.typing(field);
    this.#parts.turn.add(this);
  }

  readReceipts(field: Uint8Array): void {
    if (this.hasEnded) return;
    this.#outbox.readReceipts(field);
    this.#parts.turn.add(this);
  }

  live(): void {
    this.#parts.registry.wentLive();
  }

  presence(news: PresenceNews): void {
    if (this.hasEnded) return;
    this.#outbox.presence(news);
    this.#parts.turn.add(this);
  }

  resync(reason: string, revision: number): void {
    this.#outbox.resync(reason, revision);
    this.#parts.turn.add(this);
  }

  backlogBytes(): number {
    return this.#outbox.backlogBytes;
  }

  fail(error: ParleyError): void {
    this.leave(error.reason, error.retryAfterMs);
  }

  /** The cluster changed: a `clusterField`. */
  cluster(field: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#outbox.cluster(field);
    this.#parts.turn.add(this);
  }

  /** Members' disks moved: a `positionsField`. Only subscribers show it. */
  positions(field: Uint8Array): void {
    if (this.#state !== "open" || !this.isLive) return;
    this.#outbox.positions(field);
    this.#parts.turn.add(this);
  }

  flush(): void {
    if (this.hasEnded) return;
    if (this.#outbox.tooSlow) {
      this.leave("SLOW_SUBSCRIBER", RETRY_AFTER_MS);
      return;
    }
    this.#outbox.flush(this.#subscription?.position ?? 0);
    const leaving = this.#leaving;
    if (leaving !== undefined && this.#requests.unanswered === 0) {
      this.leave(leaving.reason, leaving.retryAfterMs);
    }
  }

  // ---- The end -------------------------------------------------------------------------------

  /** Its token was revoked, or the account deleted: what is under way may still be answered. */
  revoke(): void {
    if (this.hasEnded || this.#revokedAtMs !== undefined) return;
    this.#revokedAtMs = this.#parts.clock.monotonicMs();
    this.#parts.presenceWatch.end(this);
    this.#subscription?.end();
    this.leaveWhenAnswered("UNAUTHENTICATED", 0);
  }

  /** Leaves as soon as no request is unanswered; nothing new is taken from now on. */
  leaveWhenAnswered(reason: Reason, retryAfterMs: number): void {
    if (this.hasEnded) return;
    this.#leaving ??= { reason, retryAfterMs };
    this.#parts.turn.add(this);
  }

  /** Called once a second: ends what has waited too long. */
  sweep(nowMs: number, helloMsMax: number): void {
    if (this.hasEnded) return;
    if (this.#state === "new" && nowMs - this.openedMs > helloMsMax) {
      this.leave("DEADLINE_EXCEEDED", 0);
    } else if (this.#revokedAtMs !== undefined && nowMs - this.#revokedAtMs > REVOKED_GRACE_MS) {
      this.leave("UNAUTHENTICATED", 0);
    } else if (
      this.#identity !== undefined &&
      this.#parts.operations.authentication.isExpired(this.#identity)
    ) {
      this.revoke();
    } else if (this.#outbox.tooSlow) {
      this.leave("SLOW_SUBSCRIBER", RETRY_AFTER_MS);
    }
  }

  /** Says farewell, with the cursor to resume from, and ends. */
  leave(reason: Reason, retryAfterMs: number): void {
    if (this.hasEnded) return;
    const position = this.#subscription?.position ?? 0;
    this.#release();
    this.#outbox.goAway(reason, position, retryAfterMs);
    this.#outbox.clear();
  }

  #signIn(identity: Identity): void {
    this.#identity = identity;
    this.#parts.presence.enter(identity.accountId);
    this.#parts.registry.signedIn(this, identity.sessionId);
  }

  #signOut(): void {
    this.#subscription?.end();
    this.#subscription = undefined;
    const identity = this.#identity;
    if (identity === undefined) return;
    this.#identity = undefined;
    this.#parts.presence.leave(identity.accountId);
    this.#parts.presenceWatch.end(this);
    this.#parts.registry.signedOut(this, identity.sessionId);
  }

  #release(): void {
    if (this.hasEnded) return;
    this.#state = "ended";
    this.#signOut();
    this.#requests.close();
    this.#abort.abort();
    this.#inbox = [];
    this.#parts.turn.remove(this);
    this.#parts.registry.remove(this);
  }
}
