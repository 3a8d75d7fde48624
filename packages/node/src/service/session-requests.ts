// The requests of one session: started in the order in which they came, bounded in number, each
// answered once.
import {
  Error as ErrorCodec,
  LIMITS,
  OPERATIONS,
  ParleyError,
  type Request,
} from "@parley/protocol";
import type { Clock } from "../ports.ts";
import type { Replica } from "../replica.ts";
import type { Caller } from "./context.ts";
import { withLeader } from "./leader-hint.ts";
import type { Operations } from "./operations.ts";
import type { Outbox } from "./outbox.ts";
import { ReadQueue } from "./read-queue.ts";

const ERROR_FIELD = 2;
const RETRY_AFTER_MS = 200;

export interface SessionRequestsParts {
  readonly replica: Pick<Replica, "view">;
  readonly clock: Clock;
  readonly operations: Operations;
  readonly outbox: Outbox;
  /** Called when an answer has been gathered in the outbox. */
  readonly onAnswer: () => void;
}

export class SessionRequests {
  readonly #parts: SessionRequestsParts;
  readonly #reads: ReadQueue;
  #unanswered = 0;
  #closed = false;

  constructor(parts: SessionRequestsParts) {
    this.#parts = parts;
    this.#reads = new ReadQueue(parts.clock, () => parts.outbox.backlogBytes);
  }

  get unanswered(): number {
    return this.#unanswered;
  }

  /**
   * Starts a request for `caller`, whose deadline it sets. Writes are proposed before this returns,
   * so that pipelined ones keep their order (P3).
   */
  start(request: Request, caller: Omit<Caller, "deadlineMs">): void {
    const { id, op } = request;
    if (op === undefined) {
      this.refuse(id, new ParleyError("UNKNOWN_OPERATION", "this node knows no such operation"));
      return;
    }
    if (this.#unanswered >= LIMITS.unansweredRequestsPerSessionMax) {
      const error = new ParleyError("OVERLOADED", "too many unanswered requests in this session", {
        retryAfterMs: RETRY_AFTER_MS,
      });
      this.refuse(id, error);
      return;
    }
    const { kind, fieldNumber } = OPERATIONS[op.$case];
    const deadlineMs = this.#parts.clock.monotonicMs() + timeoutMsOf(request);
    this.#unanswered += 1;
    const run = () =>
      this.#parts.operations.execute(op.$case, op.value, { ...caller, deadlineMs }).then(
        (response) => this.#answer(id, fieldNumber, response),
        (cause: unknown) => this.#answer(id, ERROR_FIELD, this.#encodeError(cause)),
      );
    if (kind === "read") this.#reads.add(run);
    else void run();
  }

  refuse(requestId: number, error: ParleyError): void {
    this.#parts.outbox.reply(requestId, ERROR_FIELD, this.#encodeError(error));
    this.#parts.onAnswer();
  }

  /** Nothing is answered any more. */
  close(): void {
    this.#closed = true;
    this.#reads.close();
  }

  #encodeError(cause: unknown): Uint8Array {
    return ErrorCodec.encode(withLeader(cause, this.#parts.replica).toWire()).finish();
  }

  #answer(requestId: number, resultField: number, result: Uint8Array): void {
    this.#unanswered -= 1;
    if (this.#closed) return;
    this.#parts.outbox.reply(requestId, resultField, result);
    this.#parts.onAnswer();
  }
}

function timeoutMsOf(request: Request): number {
  const { timeoutMs } = request;
  return timeoutMs === 0
    ? LIMITS.requestTimeoutMsDefault
    : Math.min(timeoutMs, LIMITS.requestTimeoutMsMax);
}
