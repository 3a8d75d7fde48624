// P7 quick failover: the application above the client SDK sees no error of a failover, only a delay.
// Whatever another attempt, possibly on another node, can cure must not surface.
import { ParleyError, type Reason } from "@parley/protocol";
import type { Checker, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "P7 quick failover";

/** Reasons that speak of the cluster and not of the request. */
const CURABLE: ReadonlySet<Reason> = new Set<Reason>([
  "NOT_LEADER",
  "NO_QUORUM",
  "BEHIND",
  "OUTCOME_UNKNOWN",
  "SHUTTING_DOWN",
  "NOT_READY",
  "OVERLOADED",
  "SLOW_SUBSCRIBER",
  "INTERNAL",
]);

/** What a cluster may take to recover, and a client to find out, in the worst order of events. */
const RECOVERY_US = 10_000_000;

export class P7NoErrors implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #isSdk: (client: string) => boolean;
  readonly #servedSinceUs: (client: string) => number;
  readonly #now: () => number;

  /**
   * Only the clients that use the SDK are promised this, and requests with a deadline only while a
   * majority can serve: `servedSinceUs` says since when it could, without a break.
   */
  constructor(
    report: Report,
    isSdk: (client: string) => boolean,
    servedSinceUs: (client: string) => number,
    now: () => number,
  ) {
    this.#report = report;
    this.#isSdk = isSdk;
    this.#servedSinceUs = servedSinceUs;
    this.#now = now;
  }

  onOutcome(operation: Operation, outcome: Outcome): void {
    if (!this.#isSdk(operation.client)) return;
    const reason = failureOf(outcome);
    if (reason === undefined) return;
    // A send has no deadline: it waits in the outbox for as long as it takes.
    const isSend = operation.kind.kind === "send";
    const servedUs = this.#now() - this.#servedSinceUs(operation.client);
    if (!isSend && servedUs < RECOVERY_US) return;
    this.#report({
      property: PROPERTY,
      detail: `${operation.client}: ${describe(operation)} failed with ${reason}`,
    });
  }
}

/** What the application saw as an error of the cluster. */
function failureOf(outcome: Outcome): string | undefined {
  if (outcome.kind === "refused" && CURABLE.has(outcome.reason)) {
    return `${outcome.reason}: ${outcome.detail}`;
  }
  return outcome.kind === "unknown" && outcome.reason === "DEADLINE_EXCEEDED"
    ? outcome.reason
    : undefined;
}

function describe(operation: Operation): string {
  return operation.kind.kind === "write" ? operation.kind.name : operation.kind.kind;
}

/** The outcome that an error means for the application. */
export function outcomeOf(cause: unknown): Outcome {
  const error = ParleyError.from(cause);
  switch (error.reason) {
    case "DEADLINE_EXCEEDED":
    case "CANCELLED":
      return { kind: "unknown", reason: error.reason };
    default:
      return { kind: "refused", reason: error.reason, detail: error.message };
  }
}
