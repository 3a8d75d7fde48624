// Rolling upgrades: the state's version only rises, and once somebody was served what came with it, nobody who asks later is told
// that it is too early. (That no program meets what it doesn't know shows in the servers themselves: they would stop.)
import type { AppliedBatch } from "@parley/chat";
import type { Coverage } from "../coverage.ts";
import type { Checker, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "rolling upgrade";

export class StateVersion implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** The version that each member has applied, by raft id. */
  readonly #applied = new Map<number, number>();
  /** When the first edit was acknowledged. */
  #servedAt = Number.POSITIVE_INFINITY;

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onApplied(nodeId: number, { entries }: AppliedBatch): void {
    for (const { index, changes } of entries) {
      for (const change of changes) {
        if (change.kind !== "state-version") continue;
        const before = this.#applied.get(nodeId) ?? 0;
        // A chat file may be rolled back and applied again.
        if (change.stateVersion < before) {
          this.#violated(`entry ${index} lowers the version from ${before} on ${nodeId}`);
        }
        if (before === 0) this.#coverage.add("state-versions-raised");
        this.#applied.set(nodeId, change.stateVersion);
      }
    }
  }

  onOutcome({ kind, invokedAt, client }: Operation, outcome: Outcome, at: number): void {
    if (kind.kind !== "write" || kind.name !== "edit") return;
    if (outcome.kind === "written") {
      this.#coverage.add("edits");
      this.#servedAt = Math.min(this.#servedAt, at);
    } else if (outcome.kind === "refused" && outcome.reason === "NOT_YET_SUPPORTED") {
      this.#coverage.add("edits-refused-as-too-new");
      if (invokedAt > this.#servedAt) {
        this.#violated(`${client} is refused an edit, after somebody's was made`);
      }
    }
  }

  #violated(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}
