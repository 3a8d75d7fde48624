// Rolling upgrades: the state's version only rises, and once somebody was served what came with it, nobody who asks later is told
// that it is too early. (That no program meets what it doesn't know shows in the servers themselves: they would stop.)
import type { AppliedBatch } from "@parley/chat";
import type { CallName } from "@parley/client";
import type { Coverage, CoverageName } from "../coverage.ts";
import type { Checker, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "rolling upgrade";

/** What came after the first state version, and what it counts as. */
const LATER: { readonly [N in CallName]?: CoverageName } = {
  edit: "edits",
  react: "reactions",
  pin: "pins",
  followThread: "threads-followed",
  setRegistration: "registration-modes",
  createInvite: "invites",
  setRoomPreference: "room-preferences",
  setReadReceipts: "receipts-hidden",
  muteMember: "members-muted",
  upload: "file-pieces-uploaded",
};

export class StateVersion implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** The version that each member has applied, by raft id. */
  readonly #applied = new Map<number, number>();
  /** When the first of each was acknowledged. */
  readonly #servedAt = new Map<string, number>();

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
    const counted = kind.kind === "write" ? LATER[kind.name] : undefined;
    if (counted === undefined || kind.kind !== "write") return;
    const servedAt = this.#servedAt.get(kind.name) ?? Number.POSITIVE_INFINITY;
    if (outcome.kind === "written") {
      this.#coverage.add(counted);
      this.#servedAt.set(kind.name, Math.min(servedAt, at));
    } else if (outcome.kind === "refused" && outcome.reason === "NOT_YET_SUPPORTED") {
      this.#coverage.add("writes-refused-as-too-new");
      if (invokedAt > servedAt) {
        this.#violated(`${client} is refused ${kind.name}, after somebody was served it`);
      }
    }
  }

  #violated(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}
