// Requests other than sends: retried over failovers until their deadline, with the same request id,
// so that a write happens once (P2); reads never go back behind what was seen (P4).
import {
  OPERATIONS,
  type OperationName,
  ParleyError,
  type RequestOf,
  type ResponseOf,
} from "@parley/protocol";
import type { Goal, Link } from "./connection.ts";
import {
  type Ask,
  type Exchange,
  isTransient,
  type Op,
  type Outcome,
  speaksAgainstNode,
} from "./exchange.ts";
import type { Clock, Timer } from "./ports.ts";
import { retryDelayMs } from "./retry.ts";
import { TIMING } from "./timing.ts";

export interface CallOptions {
  /** Gives the request up; it rejects with CANCELLED. A write may still happen. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for all attempts together; by default 10 s for reads and 30 s for writes. */
  readonly deadlineMs?: number | undefined;
}

/** A reply; `stale` = older than what this client has seen, because no node had newer data (P4). */
export type CallResult<N extends OperationName> = ResponseOf<N> & { readonly stale: boolean };

/** Operations that go through `call`; a message goes through `send`. */
export type CallName = Exclude<OperationName, "send">;

export interface CallsOptions {
  readonly clock: Clock;
  readonly exchange: Exchange;
  readonly newId: () => string;
  /** The highest revision seen. */
  readonly seenRevision: () => number;
  readonly observe: (revision: number) => void;
  readonly random: { int(bound: number): number };
  /** The node in use is behind: look for a better one. */
  readonly seek: (goal: Goal) => void;
  readonly unseek: () => void;
  /** Whether each known node is among those addresses. */
  readonly allAmong: (addresses: ReadonlySet<string>) => boolean;
  /** The node says that nobody is signed in. */
  readonly onUnauthenticated: (link: Link, token: string) => void;
  readonly token: () => string;
  /** The node can't serve, for now: another one may. */
  readonly onNodeUnfit: (link: Link, reason: string) => void;
  readonly callsMax: number;
}

interface PendingCall extends Ask {
  readonly name: CallName;
  readonly request: object & { requestId?: string; minRevision?: number };
  readonly write: boolean;
  readonly deadlineAtMs: number;
  readonly startedAtMs: number;
  exchangeId: number;
  attempts: number;
  deadlineTimer: Timer | undefined;
  retryTimer: Timer | undefined;
  /** Waits for another node, since these were behind. */
  held: boolean;
  readonly behind: Set<string>;
  /** No node has what was seen: whatever there is will do, and is marked. */
  relaxed: boolean;
  transmitted: boolean;
  /** As whom it was asked; "" for those that need no sign-in. */
  readonly token: string;
  settle(result: { value: unknown } | { error: ParleyError }): void;
}

const EMPTY = new Uint8Array(0);

export class Calls {
  readonly #options: CallsOptions;
  readonly #clock: Clock;
  readonly #calls = new Set<PendingCall>();
  /** Until then reads take what there is: every node was found to be behind a moment ago. */
  #relaxedUntilMs = 0;

  constructor(options: CallsOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get pending(): number {
    return this.#calls.size;
  }

  /** Rejects with a ParleyError; fields that are left out have their protobuf defaults. */
  call<N extends CallName>(
    name: N,
    fields: Partial<RequestOf<N>>,
    options: CallOptions = {},
  ): Promise<CallResult<N>> {
    return new Promise<CallResult<N>>((resolve, reject) => {
      const { signal } = options;
      if (signal?.aborted === true) {
        return reject(new ParleyError("CANCELLED", "the request was given up"));
      }
      if (this.#calls.size >= this.#options.callsMax) {
        return reject(new ParleyError("OVERLOADED", "too many requests wait for an answer"));
      }
      const operation = OPERATIONS[name];
      const write = operation.kind === "write";
      const request = { ...operation.request.decode(EMPTY), ...fields };
      const deadlineMs =
        options.deadlineMs ?? (write ? TIMING.writeDeadlineMs : TIMING.readDeadlineMs);
      const nowMs = this.#clock.monotonicMs();
      const onAbort = () =>
        call.settle({ error: new ParleyError("CANCELLED", "the request was given up") });
      const call: PendingCall = {
        name,
        request,
        write,
        startedAtMs: nowMs,
        deadlineAtMs: nowMs + deadlineMs,
        exchangeId: 0,
        attempts: 0,
        deadlineTimer: undefined,
        retryTimer: undefined,
        held: false,
        behind: new Set(),
        relaxed: false,
        transmitted: false,
        token: operation.auth === "account" ? this.#options.token() : "",
        build: () => this.#build(call),
        answer: (outcome, link) => this.#answer(call, outcome, link),
        settle: (result) => {
          this.#forget(call);
          signal?.removeEventListener("abort", onAbort);
          if ("error" in result) reject(result.error);
          // The reply's case was checked against the operation's name.
          else resolve(result.value as CallResult<N>);
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#calls.add(call);
      call.deadlineTimer = this.#clock.after(deadlineMs, () => this.#expire(call));
      this.#submit(call);
    });
  }

  /** A session began or moved to another node: what waits for one goes there. */
  online(link: Link): void {
    for (const call of this.#calls) {
      if (call.held && !call.behind.has(link.address)) this.#submit(call);
    }
    this.#reconsider();
  }

  /** There may be newer data again. */
  quorumBack(): void {
    this.#relaxedUntilMs = 0;
  }

  /** What was asked as one account must not be answered to another. */
  tokenChanged(): void {
    const error = new ParleyError("UNAUTHENTICATED", "the sign-in changed before an answer came");
    for (const call of [...this.#calls]) {
      if (call.token !== "" && call.token !== this.#options.token()) call.settle({ error });
    }
  }

  /** A node could not be reached, or is behind as well. */
  unfit(address: string): void {
    for (const call of this.#calls) if (call.held) call.behind.add(address);
    this.#reconsider();
  }

  close(error: ParleyError): void {
    for (const call of [...this.#calls]) call.settle({ error });
  }

  #submit(call: PendingCall): void {
    call.held = false;
    if (this.#clock.monotonicMs() < this.#relaxedUntilMs) call.relaxed = true;
    call.exchangeId = this.#options.exchange.submit(call);
  }

  #forget(call: PendingCall): void {
    call.deadlineTimer?.cancel();
    call.retryTimer?.cancel();
    this.#options.exchange.withdraw(call.exchangeId);
    this.#calls.delete(call);
    if (call.held) this.#releaseGoal();
  }

  #releaseGoal(): void {
    for (const call of this.#calls) if (call.held) return;
    this.#options.unseek();
  }

  #build(call: PendingCall): { op: Op; timeoutMs: number } {
    call.transmitted = true;
    const remainingMs = call.deadlineAtMs - this.#clock.monotonicMs();
    const timeoutMs = Math.max(1, Math.min(TIMING.attemptMs, Math.ceil(remainingMs)));
    // At the first transmission: by now a node has told the time, which the id's age is judged by.
    if (call.write && call.request.requestId === "") call.request.requestId = this.#options.newId();
    let value = call.request;
    if (!call.write) {
      const asked = call.request.minRevision ?? 0;
      const minRevision = call.relaxed ? 0 : Math.max(asked, this.#options.seenRevision());
      value = { ...call.request, minRevision };
    }
    return { op: { $case: call.name, value } as Op, timeoutMs };
  }

  #answer(call: PendingCall, outcome: Outcome, link: Link): void {
    if (outcome.kind === "error") {
      this.#failed(call, outcome.error, link);
      return;
    }
    const { $case, value } = outcome.result;
    if ($case !== call.name) {
      const error = new ParleyError("INTERNAL", `the node answered ${call.name} with ${$case}`);
      call.settle({ error });
      return;
    }
    const { revision } = value as { revision: number };
    const stale = !call.write && revision < this.#options.seenRevision();
    if (!call.write && !stale) this.#relaxedUntilMs = 0;
    this.#options.observe(revision);
    call.settle({ value: Object.assign(value, { stale }) });
  }

  #failed(call: PendingCall, error: ParleyError, link: Link): void {
    if (error.reason === "BEHIND") {
      this.#nodeIsBehind(call, link);
      return;
    }
    if (error.reason === "UNAUTHENTICATED") {
      this.#options.onUnauthenticated(link, call.token);
      call.settle({ error });
      return;
    }
    if (!isTransient(error)) {
      call.settle({ error });
      return;
    }
    const delayMs = retryDelayMs(error, call.attempts, this.#options.random);
    call.attempts += 1;
    // A refusal that outlasts the deadline, or patience, says more than waiting would.
    const outlasts = this.#clock.monotonicMs() + delayMs > call.deadlineAtMs;
    if (outlasts || (error.reason === "RATE_LIMITED" && delayMs > TIMING.pauseShownMs)) {
      call.settle({ error });
      return;
    }
    call.retryTimer = this.#clock.after(delayMs, () => this.#submit(call));
    if (speaksAgainstNode(error)) this.#options.onNodeUnfit(link, error.reason);
  }

  #nodeIsBehind(call: PendingCall, link: Link): void {
    call.behind.add(link.address);
    call.held = true;
    const revision = (this.#build(call).op.value as { minRevision: number }).minRevision;
    this.#reconsider();
    if (!call.held) return;
    const sinceMs = this.#clock.monotonicMs() - call.startedAtMs;
    call.retryTimer?.cancel();
    const giveUpMs = Math.max(0, TIMING.behindMs - sinceMs);
    call.retryTimer = this.#clock.after(giveUpMs, () => this.#relax(call));
    this.#options.seek({
      kind: "revision",
      accepts: (welcome) =>
        welcome.revision >= revision || (welcome.cluster?.hasQuorum === true && revision > 0),
    });
  }

  #reconsider(): void {
    for (const call of [...this.#calls]) {
      if (call.held && this.#options.allAmong(call.behind)) this.#relax(call);
    }
  }

  #relax(call: PendingCall): void {
    if (!call.held) return;
    call.retryTimer?.cancel();
    call.relaxed = true;
    this.#relaxedUntilMs = this.#clock.monotonicMs() + TIMING.relaxedMs;
    this.#submit(call);
    this.#releaseGoal();
  }

  #expire(call: PendingCall): void {
    const isUnsure = call.write && call.transmitted;
    const outcome = isUnsure ? "; whether it happened is not known" : "";
    const message = `no answer to ${call.name} within its deadline${outcome}`;
    const subject = isUnsure ? "write" : undefined;
    call.settle({ error: new ParleyError("DEADLINE_EXCEEDED", message, { subject }) });
  }
}
