// What only the leader can do, asked for on any node: asked here while this node leads, else sent to the
// leader's node, and asked again until it is done or refused. Asking again does no harm: a configuration
// change carries an id by which it is known again, so losing requests, answers or leaders costs time alone.
import {
  type AdmissionAnswer,
  type AdmissionRequest,
  LeaderReply,
  LeaderRequest,
  ParleyError,
  REASONS,
  type Reason,
} from "@parley/protocol";
import { uuidV4 } from "./ids.ts";
import type { PeerMesh } from "./peers/peer-mesh.ts";
import type { Clock, Random } from "./ports.ts";
import type { Driver } from "./replication/driver.ts";

type AnyOperation = NonNullable<LeaderRequest["op"]>;
export type AdmissionOperation = Extract<AnyOperation, { readonly $case: "admission" }>;
/** What an operator may wish. */
export type Operation = Exclude<AnyOperation, AdmissionOperation>;

/** How this node answers while it leads. */
export interface LeaderOffice {
  answer(operation: Operation, changeId: string): LeaderAnswer;
  admit(request: AdmissionRequest): AdmissionAnswer;
}

export type LeaderAnswer =
  | { readonly kind: "done" }
  /** It is on its way; ask again. */
  | { readonly kind: "waiting"; readonly for: string; readonly reason: Reason }
  | { readonly kind: "refused"; readonly error: ParleyError };

export interface AskOptions {
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Whether this node has applied the change that carries this id. */
  readonly isApplied: (changeId: string) => boolean;
  /** Once the leader says that it is done: whether this node shows it, too. */
  readonly isVisible: () => boolean;
}

const ASK_AGAIN_MS = 100;
/** Requests of other nodes that wait for their reply, at the most (P11). */
const PENDING_MAX = 256;

export class LeaderRequests {
  readonly #driver: Driver;
  readonly #mesh: PeerMesh;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #office: LeaderOffice;
  readonly #pending = new Map<number, (reply: LeaderReply) => void>();
  #nextId = 1;
  #closed = false;

  constructor(driver: Driver, mesh: PeerMesh, clock: Clock, random: Random, office: LeaderOffice) {
    this.#driver = driver;
    this.#mesh = mesh;
    this.#clock = clock;
    this.#random = random;
    this.#office = office;
  }

  /**
   * Resolves when it is done. Rejects with the leader's refusal, or NO_QUORUM, SERVER_UNREACHABLE or
   * OUTCOME_UNKNOWN at the deadline, with what it was waiting for.
   */
  async ask(operation: Operation, options: AskOptions): Promise<void> {
    const changeId = uuidV4(this.#random);
    let waitingFor = "a leader";
    let reason: Reason = "NO_QUORUM";
    let answer: LeaderAnswer | undefined;
    for (;;) {
      if (options.isApplied(changeId)) return;
      if (answer?.kind === "done" && options.isVisible()) return;
      if (this.#closed) {
        throw new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 });
      }
      if (options.signal?.aborted === true) {
        throw new ParleyError("CANCELLED", "the caller gave up");
      }
      const next = await this.#askOnce(operation, changeId);
      if (next?.kind === "refused") throw next.error;
      if (next !== undefined) {
        answer = next;
        waitingFor = next.kind === "waiting" ? next.for : "this node to catch up";
        reason = next.kind === "waiting" ? next.reason : "OUTCOME_UNKNOWN";
      }
      if (this.#clock.monotonicMs() >= options.deadlineMs) {
        throw answer === undefined ? noLeader() : notYet(reason, waitingFor);
      }
      await new Promise<void>((resolve) => this.#clock.after(ASK_AGAIN_MS, resolve));
    }
  }

  /** Passes a server's wish for admission on; `onReply` is called at most once. False = there is no leader to ask. */
  relay(operation: AdmissionOperation, onReply: (reply: LeaderReply) => void): boolean {
    return this.#send(operation, "", onReply);
  }

  /** Another node asks. */
  receive(peerId: number, request: LeaderRequest): void {
    const reply = this.#replyTo(request);
    this.#mesh.queue(peerId, "leaderReplies", LeaderReply.encode(reply).finish());
    this.#driver.schedulePump();
  }

  replied(reply: LeaderReply): void {
    const resolve = this.#pending.get(reply.id);
    if (resolve === undefined) return;
    this.#pending.delete(reply.id);
    resolve(reply);
  }

  close(): void {
    this.#closed = true;
    this.#pending.clear();
  }

  #replyTo({ id, op, changeId }: LeaderRequest): LeaderReply {
    if (op === undefined || this.#driver.raft.state !== "StateLeader") {
      return LeaderReply.fromPartial({ id, waitingFor: "a leader", waitingReason: "NO_QUORUM" });
    }
    if (op.$case === "admission") {
      return LeaderReply.fromPartial({ id, admission: this.#office.admit(op.value) });
    }
    const answer = this.#office.answer(op, changeId);
    switch (answer.kind) {
      case "done":
        return LeaderReply.fromPartial({ id, done: true });
      case "waiting":
        return LeaderReply.fromPartial({
          id,
          waitingFor: answer.for,
          waitingReason: answer.reason,
        });
      case "refused":
        return LeaderReply.fromPartial({ id, error: answer.error.toWire() });
      default:
        return answer satisfies never;
    }
  }

  /** Undefined = nobody to ask, or no answer in time. */
  #askOnce(operation: Operation, changeId: string): Promise<LeaderAnswer | undefined> {
    if (this.#driver.raft.state === "StateLeader") {
      return Promise.resolve(this.#office.answer(operation, changeId));
    }
    return new Promise((resolve) => {
      const timer = this.#clock.after(10 * ASK_AGAIN_MS, () => resolve(undefined));
      const sent = this.#send(operation, changeId, (reply) => {
        timer.cancel();
        resolve(answerOf(reply));
      });
      if (sent) return;
      timer.cancel();
      resolve(undefined);
    });
  }

  #send(op: AnyOperation, changeId: string, onReply: (reply: LeaderReply) => void): boolean {
    const { lead } = this.#driver.raft;
    if (lead === 0) return false;
    const id = this.#nextId;
    const request = LeaderRequest.encode({ id, changeId, op }).finish();
    if (!this.#mesh.queue(lead, "leaderRequests", request)) return false;
    this.#nextId += 1;
    this.#pending.set(id, onReply);
    // Those whose reply was lost are the oldest.
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > PENDING_MAX && oldest !== undefined) this.#pending.delete(oldest);
    this.#driver.schedulePump();
    return true;
  }
}

function answerOf(reply: LeaderReply): LeaderAnswer {
  if (reply.error !== undefined) {
    return { kind: "refused", error: ParleyError.fromWire(reply.error) };
  }
  if (reply.done) return { kind: "done" };
  const reason = Object.hasOwn(REASONS, reply.waitingReason)
    ? (reply.waitingReason as Reason)
    : "OUTCOME_UNKNOWN";
  return { kind: "waiting", for: reply.waitingFor, reason };
}

function noLeader(): ParleyError {
  return new ParleyError(
    "NO_QUORUM",
    "There is no leader now: a majority of the voters is needed.",
    {
      retryAfterMs: 500,
    },
  );
}

function notYet(reason: Reason, waitingFor: string): ParleyError {
  return new ParleyError(
    reason,
    `It is not done yet; waiting for ${waitingFor}. Asking again goes on with it.`,
    { retryAfterMs: 500 },
  );
}
