// The chat as clients meet it, on one node: unary calls, sessions and event streams over one table
// of operations, and the fan-out of what was applied. Transports turn it into gRPC and WebSocket.
import {
  CLIENT_FRAME_BOUNDS,
  type Codec,
  decodeUntrusted,
  LIMITS,
  OPERATIONS,
  type OperationName,
  ParleyError,
  type Reason,
  type RequestOf,
  SubscribeRequest,
} from "@parley/protocol";
import type { FrameSink } from "../ports.ts";
import type { CallContext, Identity, ServiceParts } from "./context.ts";
import { EventStream } from "./event-stream.ts";
import { FanOut } from "./fan-out.ts";
import { withLeader } from "./leader-hint.ts";
import { Operations } from "./operations.ts";
import { Presence } from "./presence.ts";
import { PresenceWatch } from "./presence-watch.ts";
import { ReadReceipts } from "./read-receipts.ts";
import { Session, type SessionHandler, type SessionParts } from "./session.ts";
import { SessionRegistry } from "./session-registry.ts";
import { Turn } from "./turn.ts";
import { Typing } from "./typing.ts";
import { witnessError } from "./witness-error.ts";

const RETRY_AFTER_MS = 1_000;

/** Numbers for operators. */
export interface ServiceLoad {
  readonly sessions: number;
  readonly eventStreams: number;
  readonly subscribers: number;
  readonly pendingWrites: number;
  readonly pendingReads: number;
  /** Since the start, by reason. */
  readonly refusals: ReadonlyMap<Reason, number>;
}

export class ChatService {
  readonly #parts: ServiceParts;
  readonly #operations: Operations;
  readonly #fanOut: FanOut;
  readonly #presence: Presence;
  readonly #receipts: ReadReceipts;
  readonly #presenceWatch: PresenceWatch;
  readonly #registry: SessionRegistry;
  readonly #sessionParts: SessionParts;
  readonly #streams = new Set<EventStream>();

  constructor(parts: ServiceParts) {
    const { replica, chatStore, clock, logger, tuning, nodeId } = parts;
    this.#parts = parts;
    this.#operations = new Operations(parts);
    this.#fanOut = new FanOut(replica, clock, parts.fanOutLimits);
    this.#presence = new Presence(replica, clock);
    this.#receipts = new ReadReceipts({ replica, clock, fanOut: this.#fanOut });
    this.#presenceWatch = new PresenceWatch(replica, clock);
    const turn = new Turn(clock);
    this.#registry = new SessionRegistry(clock, turn, tuning.sessionsMax, () =>
      replica.positions(),
    );
    this.#sessionParts = {
      replica,
      chatStore,
      clock,
      nodeId,
      logger,
      turn,
      fanOut: this.#fanOut,
      operations: this.#operations,
      presence: this.#presence,
      presenceWatch: this.#presenceWatch,
      typing: new Typing({ replica, clock, fanOut: this.#fanOut }),
      registry: this.#registry,
    };
    replica.onApplied({
      onEntry: (entry) => {
        this.#fanOut.onEntry(entry);
        this.#receipts.onEntry(entry);
        for (const change of entry.changes) {
          if (change.kind === "session-ended") this.#loginSessionEnded(change.sessionId);
        }
      },
      onBatchEnd: () => {
        this.#fanOut.onBatchEnd();
        this.#registry.cursorsMoved();
      },
      onJump: () => {
        this.#fanOut.onJump();
        this.#endLoginSessions((id) => replica.admission.session(id) === undefined);
        this.#registry.cursorsMoved();
      },
    });
    replica.onViewChanged(() => this.#registry.viewChanged(() => replica.view()));
  }

  /** Checks tokens; the operators' service shares it. */
  get authentication() {
    return this.#operations.authentication;
  }

  get load(): ServiceLoad {
    return {
      sessions: this.#registry.size,
      eventStreams: this.#streams.size,
      subscribers: this.#fanOut.liveCount,
      pendingWrites: this.#operations.pendingWrites,
      pendingReads: this.#operations.reads.pending,
      refusals: this.#operations.refusals.byReason,
    };
  }

  /** Whether clients should be sent here: in touch with a quorum, and not shutting down. */
  ready(): boolean {
    if (this.#parts.isWitness === true || this.#registry.isClosing) return false;
    return this.#parts.replica.view().hasQuorum;
  }

  /** One unary call: an encoded request in, the encoded response out. Rejects with a ParleyError. */
  call(
    operation: OperationName,
    requestBytes: Uint8Array,
    context: CallContext,
  ): Promise<Uint8Array> {
    return this.#call(operation, requestBytes, context).catch((cause: unknown) => {
      throw this.#refused(cause);
    });
  }

  /**
   * A new connection. `sink` takes encoded ServerFrames. Never throws: a node that can take no more
   * says so in a farewell.
   */
  openSession(sink: FrameSink, remote: string): SessionHandler {
    const refusal = this.#parts.isWitness === true ? witnessError() : this.#registry.refusal();
    const session = new Session(this.#sessionParts, sink, remote);
    if (refusal === undefined) this.#registry.add(session);
    else {
      this.#operations.refusals.count(refusal);
      session.leave(refusal.reason, refusal.retryAfterMs);
    }
    return session;
  }

  /**
   * Subscribe: `sink` takes encoded Events. A failure ends the sink with a ParleyError; the call
   * itself never throws. `cancel` when the reader is gone.
   */
  subscribe(requestBytes: Uint8Array, context: CallContext, sink: FrameSink): { cancel(): void } {
    let stream: EventStream | undefined;
    let cancelled = false;
    const open = async () => {
      this.#refuseWhenClosing();
      const request = decodeUntrusted(SubscribeRequest, requestBytes, CLIENT_FRAME_BOUNDS);
      const { clusterId } = this.#parts.replica.view();
      if (request.clusterId !== "" && request.clusterId !== clusterId) {
        throw new ParleyError("WRONG_CLUSTER", "the cursor is from another cluster");
      }
      const deadlineMs = this.#parts.clock.monotonicMs() + LIMITS.behindWaitMsMax;
      const identity = await this.#authenticate({ ...context, deadlineMs });
      if (cancelled) return;
      this.#refuseWhenClosing();
      if (this.#streams.size >= this.#parts.tuning.sessionsMax) {
        throw new ParleyError("OVERLOADED", "the node has too many event streams", {
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      const start = {
        accountId: identity.accountId,
        loginSessionId: identity.sessionId,
        afterRevision: request.afterRevision,
        eventsMax: 0,
        resyncReason: undefined,
      };
      stream = new EventStream(this.#sessionParts, this.#presence, start, sink, (ended) =>
        this.#streams.delete(ended),
      );
      this.#streams.add(stream);
      stream.start();
    };
    open().catch((cause: unknown) => {
      const error = this.#refused(cause);
      if (!cancelled) sink.end(error);
    });
    return {
      cancel: () => {
        cancelled = true;
        stream?.cancel();
      },
    };
  }

  /** Counted, and with what helps the caller. */
  #refused(cause: unknown): ParleyError {
    const error = withLeader(cause, this.#parts.replica);
    this.#operations.refusals.count(error);
    return error;
  }

  /**
   * Sends everybody away: sessions as soon as they have their answers, all of them after `graceMs`.
   * Resolves when nobody is left.
   */
  async close(graceMs: number): Promise<void> {
    const error = new ParleyError("SHUTTING_DOWN", "the node is shutting down", {
      retryAfterMs: RETRY_AFTER_MS,
    });
    for (const stream of [...this.#streams]) stream.fail(error);
    await this.#registry.close(graceMs);
    this.#presence.close();
    this.#receipts.close();
    this.#presenceWatch.close();
  }

  async #call(
    operation: OperationName,
    requestBytes: Uint8Array,
    context: CallContext,
  ): Promise<Uint8Array> {
    this.#refuseWhenClosing();
    const request = decodeRequest(operation, requestBytes);
    const deadlineMs = this.#boundedDeadline(context);
    const identity =
      OPERATIONS[operation].auth === "none"
        ? undefined
        : await this.#authenticate({ ...context, deadlineMs });
    return this.#operations.execute(operation, request, {
      identity,
      remote: context.remote,
      deadlineMs,
      signal: context.signal,
    });
  }

  #refuseWhenClosing(): void {
    if (this.#parts.isWitness === true) throw witnessError();
    if (this.#registry.isClosing) {
      throw new ParleyError("SHUTTING_DOWN", "the node is shutting down", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
  }

  async #authenticate(context: CallContext): Promise<Identity> {
    const { authentication } = this.#operations;
    return (
      authentication.lookUp(context.token) ?? authentication.lookUpCurrent(context.token, context)
    );
  }

  #boundedDeadline(context: CallContext): number {
    const latestMs = this.#parts.clock.monotonicMs() + LIMITS.requestTimeoutMsMax;
    return Math.min(context.deadlineMs, latestMs);
  }

  /** Ends what was opened under login sessions that have ended unseen. */
  #endLoginSessions(hasEnded: (loginSessionId: number) => boolean): void {
    const ids = new Set(this.#registry.loginSessionIds);
    for (const stream of this.#streams) ids.add(stream.loginSessionId);
    for (const id of ids) if (hasEnded(id)) this.#loginSessionEnded(id);
  }

  #loginSessionEnded(loginSessionId: number): void {
    this.#registry.loginSessionEnded(loginSessionId);
    for (const stream of [...this.#streams]) {
      if (stream.loginSessionId === loginSessionId) {
        stream.fail(new ParleyError("UNAUTHENTICATED", "the token has been revoked"));
      }
    }
  }
}

function decodeRequest<N extends OperationName>(operation: N, bytes: Uint8Array): RequestOf<N> {
  // The table pairs names with requests; the compiler can't follow the pairing through N.
  const codec = OPERATIONS[operation].request as Codec<unknown>;
  return decodeUntrusted(codec, bytes, CLIENT_FRAME_BOUNDS) as RequestOf<N>;
}
