// What the leader does about dead voters by itself (P6, P8): it waits as long as it was told to, keeps its hands off a cluster with few
// voters, and gives a vote only to who can help at once. Looked at when the change is written, which its leader does first.
import type { AppliedBatch } from "@parley/chat";
import type { LogWrite, Membership } from "@parley/node";
import { type ConfChange, decodeConfChange, type Entry } from "@parley/raft";
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";

const PROPERTY = "autopilot";

/** Entries that a spare may lack: a moment's worth under full load. */
const SPARE_LAG_MAX = 1_000;
/** Clocks drift. */
const PATIENCE_SHARE = 0.99;

export interface AutopilotPromise {
  /** A voter that was heard of within this time stays; 0 = all do. */
  readonly deadMs: number;
  readonly votersMin: number;
}

export class Autopilot implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #promise: AutopilotPromise;
  readonly #now: () => number;
  readonly #membership: () => Membership | undefined;
  readonly #durableIndex: (raftId: number) => number | undefined;
  /** When a member's word last reached another one, by both. */
  readonly #heardUs = new Map<string, number>();
  /** Index and term of each change that was looked at. */
  readonly #seen = new Set<string>();
  #applied = 0;

  /** `durableIndex`: the last index on a server's disk, where it is known. */
  constructor(
    report: Report,
    promise: AutopilotPromise,
    now: () => number,
    membership: () => Membership | undefined,
    durableIndex: (raftId: number) => number | undefined,
  ) {
    this.#report = report;
    this.#promise = promise;
    this.#now = now;
    this.#membership = membership;
    this.#durableIndex = durableIndex;
  }

  onRaftMessage({ from, to }: ObservedRaftMessage): void {
    this.#heardUs.set(`${from}>${to}`, this.#now());
  }

  onApplied(_nodeId: number, { appliedIndex }: AppliedBatch): void {
    this.#applied = Math.max(this.#applied, appliedIndex);
  }

  onLogWrite(nodeId: number, { entries }: LogWrite): void {
    for (const entry of entries) {
      if (entry.type !== "EntryNormal") this.#look(nodeId, entry);
    }
  }

  #look(leader: number, { index, term, data }: Entry): void {
    const key = `${index}@${term}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const decoded = decodeConfChange(data);
    const exchange = decoded.ok ? exchangeIn(decoded.change) : undefined;
    if (exchange === undefined) return;
    const { dead, spare } = exchange;
    const { deadMs, votersMin } = this.#promise;
    const what = `r${leader} gives r${spare} the vote of r${dead} at index ${index}`;
    const voters = this.#membership()?.voters.length ?? 0;
    if (voters < votersMin) this.#say(`${what}, with ${voters} voters`);
    const silentMs = (this.#now() - (this.#heardUs.get(`${dead}>${leader}`) ?? 0)) / 1_000;
    if (deadMs === 0 || silentMs < deadMs * PATIENCE_SHARE) {
      this.#say(`${what}, and heard of it ${Math.round(silentMs)} ms ago`);
    }
    const durable = this.#durableIndex(spare);
    if (durable !== undefined && (durable === 0 || durable < this.#applied - SPARE_LAG_MAX)) {
      this.#say(`${what}, whose log ends at ${durable} of ${this.#applied}`);
    }
  }

  #say(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

/** A voter that stays as a learner, for a learner: no operator asks for that in one change. */
function exchangeIn(
  change: ConfChange,
): { readonly dead: number; readonly spare: number } | undefined {
  const changes = "changes" in change ? change.changes : [];
  const dead = changes.find(({ kind }) => kind === "add-learner");
  const spare = changes.find(({ kind }) => kind === "add-voter");
  if (dead === undefined || spare === undefined || changes.length !== 2) return undefined;
  return { dead: dead.nodeId, spare: spare.nodeId };
}
