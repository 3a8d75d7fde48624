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

export class P7NoErrors implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #isSdk: (client: string) => boolean;

  /** Only the clients that use the SDK are promised this. */
  constructor(report: Report, isSdk: (client: string) => boolean) {
    this.#report = report;
    this.#isSdk = isSdk;
  }

  onOutcome(operation: Operation, outcome: Outcome): void {
    if (outcome.kind !== "refused" || !this.#isSdk(operation.client)) return;
    if (!CURABLE.has(outcome.reason)) return;
    this.#report({
      property: PROPERTY,
      detail: `${operation.client}: ${describe(operation)} failed with ${outcome.reason}: ${outcome.detail}`,
    });
  }
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
