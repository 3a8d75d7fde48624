// Requests and replies on the session. What is unanswered when a link dies is sent again on the next
// one, in the order in which it was first sent, and on a second node when the first is slow. Every
// request is harmless to repeat: a write carries its id (P2).
import {
  encode,
  joinBytes,
  LIMITS,
  lengthDelimitedField,
  ParleyError,
  type Reply,
  Request,
} from "@parley/protocol";
import type { Link } from "./connection.ts";
import type { Clock, Timer } from "./ports.ts";
import { TIMING } from "./timing.ts";

export type Op = NonNullable<Request["op"]>;
type Result = NonNullable<Reply["result"]>;
export type Outcome =
  | { readonly kind: "reply"; readonly result: Exclude<Result, { $case: "error" }> }
  | { readonly kind: "error"; readonly error: ParleyError };

/** One thing to ask a node, until it is answered or withdrawn. */
export interface Ask {
  /** The request as it is to be sent now; called before every transmission. */
  build(): { readonly op: Op; readonly timeoutMs: number };
  /** Once. An error may deserve another `submit`. */
  answer(outcome: Outcome, link: Link): void;
}

/** A request as one node was given it. */
interface Transmission {
  readonly link: Link;
  readonly sentAtMs: number;
  answerByMs: number;
  /** What the second node said while the first could still do better. It will not answer again. */
  refusal: ParleyError | undefined;
}

interface Pending {
  readonly id: number;
  readonly ask: Ask;
  first: Transmission | undefined;
  rival: Transmission | undefined;
}

export interface ExchangeOptions {
  readonly clock: Clock;
  /** Runs an action soon after the current one, so that what belongs together shares a frame. */
  readonly soon: (action: () => void) => void;
  readonly send: (link: Link, frame: Uint8Array) => void;
  readonly onOverdue: () => void;
  readonly onSettled: () => void;
  readonly onRivalWon: () => void;
  readonly onBroken: (problem: string) => void;
}

/** Errors that another attempt can get past. */
export function isTransient(error: ParleyError): boolean {
  switch (error.reason) {
    case "NOT_LEADER":
    case "NO_QUORUM":
    case "BEHIND":
    case "OUTCOME_UNKNOWN":
    case "SHUTTING_DOWN":
    case "NOT_READY":
    case "RATE_LIMITED":
    case "OVERLOADED":
    case "DISK_FULL":
    case "WITNESS_LOG_FULL":
    case "WITNESS":
    case "DEADLINE_EXCEEDED":
    case "CANCELLED":
    case "CREDENTIALS_CHANGED":
      return true;
    default:
      return error.retryAfterMs > 0;
  }
}

/**
 * Errors that say more of the node than of the request. One that has not confirmed a write within a whole
 * attempt may be in contact with the leader, and still unable to follow: its disk may not answer.
 */
export function speaksAgainstNode(error: ParleyError): boolean {
  switch (error.reason) {
    case "SHUTTING_DOWN":
    case "NOT_READY":
    case "WITNESS":
    case "OUTCOME_UNKNOWN":
      return true;
    default:
      return false;
  }
}

const REQUESTS_FIELD = 2;
const FRAME_BYTES_TARGET = LIMITS.clientFrameBytesMax / 2;

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #first: Link | undefined;
  #flushing = false;
  /** What waits for the next flush; the rest of the unanswered has been sent. */
  readonly #unsent = new Set<Pending>();
  #timer: Timer | undefined;
  #overdue = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get unanswered(): number {
    return this.#pending.size;
  }

  /** Sends it now, or as soon as there is a session. Returns the id to withdraw it by. */
  submit(ask: Ask): number {
    const id = this.#nextId++;
    const pending: Pending = {
      id,
      ask,
      first: undefined,
      rival: undefined,
    };
    this.#pending.set(id, pending);
    this.#unsent.add(pending);
    this.#flushSoon();
    return id;
  }

  /** Forgets it; a late answer is ignored. */
  withdraw(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#unsent.delete(pending);
  }

  /** The session is served by this link from now on; called again when it has been greeted anew. */
  online(link: Link): void {
    if (link !== this.#first) {
      this.#first = link;
      this.#overdue = false;
      this.#unsent.clear();
      for (const pending of [...this.#pending.values()]) this.#take(pending, link);
      this.#watch(TIMING.unansweredMs);
    }
    this.#flushSoon();
  }

  /** What a promoted rival was given already is not sent to it twice, but what it refused counts now. */
  #take(pending: Pending, link: Link): void {
    if (pending.rival?.link === link) pending.first = pending.rival;
    pending.rival = undefined;
    if (pending.first?.link !== link) {
      this.#unsent.add(pending);
      return;
    }
    const { refusal } = pending.first;
    if (refusal === undefined) return;
    this.withdraw(pending.id);
    pending.ask.answer({ kind: "error", error: refusal }, link);
  }

  offline(): void {
    this.#first = undefined;
  }

  /** Gives a second node everything that the first has not answered. */
  offer(link: Link): void {
    const batch = [...this.#pending.values()].filter((pending) => pending.first !== undefined);
    for (const pending of batch) pending.rival = this.#transmission(link);
    this.#encode(link, batch);
  }

  replies(link: Link, replies: readonly Reply[], first: boolean): void {
    for (const reply of replies) {
      const pending = this.#pending.get(reply.id);
      if (pending === undefined) continue;
      // An id can't have been answered by a link that never carried it.
      if (pending.first?.link !== link && pending.rival?.link !== link) continue;
      const outcome = outcomeOf(reply);
      // An earlier reply of this frame may have made the second node the first.
      if (!first && pending.first?.link !== link && pending.rival !== undefined) {
        // A refusal by the second node decides nothing while the first may still answer.
        if (outcome.kind === "error" && isTransient(outcome.error)) {
          pending.rival.refusal = outcome.error;
          continue;
        }
        this.withdraw(reply.id);
        this.#options.onRivalWon();
      } else this.withdraw(reply.id);
      pending.ask.answer(outcome, link);
    }
    if (this.#overdue && first && !this.#anyOverdue()) {
      this.#overdue = false;
      this.#options.onSettled();
    }
  }

  close(): void {
    this.offline();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pending.clear();
    this.#unsent.clear();
  }

  #flushSoon(): void {
    if (this.#flushing || this.#unsent.size === 0 || this.#first?.settled !== true) return;
    this.#flushing = true;
    this.#options.soon(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const link = this.#first;
    if (link === undefined || !link.settled) return;
    const batch = [...this.#unsent];
    this.#unsent.clear();
    for (const pending of batch) pending.first = this.#transmission(link);
    this.#encode(link, batch);
    this.#watch(TIMING.unansweredMs);
  }

  #transmission(link: Link): Transmission {
    const sentAtMs = this.#clock.monotonicMs();
    return { link, sentAtMs, answerByMs: sentAtMs, refusal: undefined };
  }

  /** Packs frames to a bound in count and bytes (P11). */
  #encode(link: Link, batch: readonly Pending[]): void {
    const nowMs = this.#clock.monotonicMs();
    let parts: Uint8Array[] = [];
    let bytes = 0;
    for (const pending of batch) {
      const part = this.#encodeOne(pending, link, nowMs);
      if (part === undefined) continue;
      const full =
        parts.length >= LIMITS.requestsPerFrameMax || bytes + part.length > FRAME_BYTES_TARGET;
      if (full && parts.length > 0) {
        this.#options.send(link, joinBytes(parts));
        parts = [];
        bytes = 0;
      }
      parts.push(part);
      bytes += part.length;
    }
    if (parts.length > 0) this.#options.send(link, joinBytes(parts));
  }

  /** What can't be sent at all is answered here, so that it harms nothing else in the frame. */
  #encodeOne(pending: Pending, link: Link, nowMs: number): Uint8Array | undefined {
    let error: ParleyError;
    try {
      const { op, timeoutMs } = pending.ask.build();
      const sent = pending.first?.link === link ? pending.first : pending.rival;
      if (sent !== undefined) sent.answerByMs = nowMs + timeoutMs + TIMING.overdueMs;
      const encoded = encode(Request, { id: pending.id, timeoutMs, op });
      const part = lengthDelimitedField(REQUESTS_FIELD, encoded);
      if (part.length <= LIMITS.clientFrameBytesMax) return part;
      error = new ParleyError("TOO_LARGE", `the request has ${part.length} bytes`);
    } catch (cause) {
      error = new ParleyError("INVALID_ARGUMENT", ParleyError.from(cause).message);
    }
    this.withdraw(pending.id);
    pending.ask.answer({ kind: "error", error }, link);
    return undefined;
  }

  // One timer serves all: it looks again when the oldest could be overdue.
  #watch(delayMs: number): void {
    if (this.#timer !== undefined || this.#pending.size === 0) return;
    this.#timer = this.#clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#check();
    });
  }

  #check(): void {
    if (this.#first === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    for (const pending of this.#pending.values()) {
      if (pending.first?.link !== this.#first || nowMs <= pending.first.answerByMs) continue;
      // The next node is watched anew.
      this.#options.onBroken("the node does not answer a request");
      return;
    }
    this.#overdue = this.#anyOverdue();
    if (this.#overdue) this.#options.onOverdue();
    this.#watch(this.#overdue ? TIMING.unansweredMs / 2 : this.#untilOverdueMs());
  }

  #anyOverdue(): boolean {
    const nowMs = this.#clock.monotonicMs();
    for (const pending of this.#pending.values()) {
      if (pending.first === undefined) continue;
      if (nowMs - pending.first.sentAtMs >= TIMING.unansweredMs) return true;
    }
    return false;
  }

  #untilOverdueMs(): number {
    const nowMs = this.#clock.monotonicMs();
    let untilMs: number = TIMING.unansweredMs;
    for (const pending of this.#pending.values()) {
      if (pending.first === undefined) continue;
      untilMs = Math.min(untilMs, pending.first.sentAtMs + TIMING.unansweredMs - nowMs);
    }
    return Math.max(1, untilMs);
  }
}

function outcomeOf(reply: Reply): Outcome {
  const { result } = reply;
  if (result === undefined) {
    return { kind: "error", error: new ParleyError("INTERNAL", "the node sent an empty reply") };
  }
  if (result.$case === "error") {
    return { kind: "error", error: ParleyError.fromWire(result.value) };
  }
  return { kind: "reply", result };
}
