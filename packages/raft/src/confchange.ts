/**
 * From one configuration to the next (thesis, 4; joint consensus as in 4.3).
 *
 * A change is worked out on a draft, checked against the invariants of a configuration, and only then
 * put in force, so a change that doesn't fit leaves nothing behind:
 *
 * - a member is a voter or a learner, never both, and has a progress;
 * - `learnersNext` are outgoing voters that will be learners: a voter can't become one at once;
 * - outside of a joint configuration at most one voter comes or goes at a time, so any two
 *   majorities before and after overlap.
 */
import { assert } from "./invariant.ts";
import type { Progress } from "./tracker/progress.ts";
import type { ProgressTracker } from "./tracker/tracker.ts";
import type {
  ConfChange,
  ConfChangeSingle,
  ConfChangeV2,
  ConfState,
  Index,
  NodeId,
} from "./types.ts";
import { NONE } from "./types.ts";

export type ConfChangeOutcome =
  | {
      readonly ok: true;
      readonly config: ConfState;
      readonly progress: ReadonlyMap<NodeId, Progress>;
    }
  | { readonly ok: false; readonly detail: string };

export function asV2(change: ConfChange): ConfChangeV2 {
  if (change.version === 2) return change;
  return { version: 2, transition: "auto", changes: [change.change], context: change.context };
}

/** Whether the change says nothing but "leave the joint configuration". */
export function leavesJoint(change: ConfChangeV2): boolean {
  return change.transition === "auto" && change.changes.length === 0;
}

/** Whether the change goes through a joint configuration; one single change may go directly. */
export function entersJoint(change: ConfChangeV2): boolean {
  return change.transition !== "auto" || change.changes.length > 1;
}

/** The configuration after `change`, with new members probed from `lastIndex`; nothing is put in force. */
export function nextConfig(
  tracker: ProgressTracker,
  lastIndex: Index,
  change: ConfChange,
): ConfChangeOutcome {
  const v2 = asV2(change);
  const draft = new Draft(tracker, lastIndex);
  if (leavesJoint(v2)) return draft.leaveJoint();
  if (entersJoint(v2)) return draft.enterJoint(v2.transition !== "joint-explicit", v2.changes);
  return draft.simple(v2.changes);
}

/** The given membership, with progress for everyone in it; for a start or a snapshot. */
export function restoredConfig(
  tracker: ProgressTracker,
  lastIndex: Index,
  state: ConfState,
): ConfChangeOutcome {
  return new Draft(tracker, lastIndex).become(state);
}

function refuse(detail: string): ConfChangeOutcome {
  return { ok: false, detail };
}

function differences(a: ReadonlySet<NodeId>, b: ReadonlySet<NodeId>): number {
  let count = 0;
  for (const id of a) if (!b.has(id)) count++;
  for (const id of b) if (!a.has(id)) count++;
  return count;
}

function ascending(ids: Iterable<NodeId>): NodeId[] {
  return [...ids].sort((a, b) => a - b);
}

class Draft {
  readonly #tracker: ProgressTracker;
  readonly #lastIndex: Index;
  readonly #incoming: Set<NodeId>;
  readonly #outgoing: Set<NodeId>;
  readonly #learners: Set<NodeId>;
  readonly #learnersNext: Set<NodeId>;
  #autoLeave: boolean;
  readonly #progress = new Map<NodeId, Progress>();

  constructor(tracker: ProgressTracker, lastIndex: Index) {
    const { config } = tracker;
    this.#tracker = tracker;
    this.#lastIndex = lastIndex;
    this.#incoming = new Set(config.voters);
    this.#outgoing = new Set(config.votersOutgoing);
    this.#learners = new Set(config.learners);
    this.#learnersNext = new Set(config.learnersNext);
    this.#autoLeave = config.autoLeave;
    for (const [id, progress] of tracker.progress) this.#progress.set(id, progress.copy());
  }

  simple(changes: readonly ConfChangeSingle[]): ConfChangeOutcome {
    if (this.#outgoing.size > 0) return refuse("can't apply simple config change in joint config");
    const before = new Set(this.#incoming);
    const problem = this.#apply(changes);
    if (problem !== null) return refuse(problem);
    if (differences(before, this.#incoming) > 1) {
      return refuse("more than one voter changed without entering joint config");
    }
    return this.#finish();
  }

  enterJoint(autoLeave: boolean, changes: readonly ConfChangeSingle[]): ConfChangeOutcome {
    if (this.#outgoing.size > 0) return refuse("config is already joint");
    if (this.#incoming.size === 0) return refuse("can't make a zero-voter config joint");
    for (const id of this.#incoming) this.#outgoing.add(id);
    const problem = this.#apply(changes);
    if (problem !== null) return refuse(problem);
    this.#autoLeave = autoLeave;
    return this.#finish();
  }

  leaveJoint(): ConfChangeOutcome {
    if (this.#outgoing.size === 0) return refuse("can't leave a non-joint config");
    for (const id of this.#learnersNext) {
      this.#learners.add(id);
      const progress = this.#progress.get(id);
      if (progress !== undefined) progress.isLearner = true;
    }
    this.#learnersNext.clear();
    for (const id of this.#outgoing) {
      if (!this.#incoming.has(id) && !this.#learners.has(id)) this.#progress.delete(id);
    }
    this.#outgoing.clear();
    this.#autoLeave = false;
    return this.#finish();
  }

  become(state: ConfState): ConfChangeOutcome {
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#learners.clear();
    this.#learnersNext.clear();
    this.#progress.clear();
    for (const id of state.votersOutgoing) {
      this.#outgoing.add(id);
      this.#track(id, false);
    }
    for (const id of state.voters) {
      this.#incoming.add(id);
      this.#track(id, false);
    }
    for (const id of state.learners) {
      this.#learners.add(id);
      this.#track(id, true);
    }
    for (const id of state.learnersNext) this.#learnersNext.add(id);
    this.#autoLeave = state.autoLeave;
    return this.#finish();
  }

  /** Null, or what is wrong. */
  #apply(changes: readonly ConfChangeSingle[]): string | null {
    for (const { kind, nodeId } of changes) {
      // An application that vetoes a change at the last moment blanks the id.
      if (nodeId === NONE) continue;
      switch (kind) {
        case "add-voter":
          this.#makeVoter(nodeId);
          break;
        case "add-learner":
          this.#makeLearner(nodeId);
          break;
        case "remove":
          this.#remove(nodeId);
          break;
        case "update":
          break;
      }
    }
    return this.#incoming.size === 0 ? "removed all voters" : null;
  }

  #makeVoter(id: NodeId): void {
    const progress = this.#progress.get(id);
    if (progress !== undefined) progress.isLearner = false;
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    this.#incoming.add(id);
    this.#track(id, false);
  }

  #makeLearner(id: NodeId): void {
    const progress = this.#progress.get(id);
    if (progress === undefined) {
      this.#learners.add(id);
      this.#track(id, true);
      return;
    }
    if (progress.isLearner) return;
    this.#remove(id);
    this.#progress.set(id, progress);
    if (this.#outgoing.has(id)) {
      // It still votes in the outgoing half.
      this.#learnersNext.add(id);
    } else {
      progress.isLearner = true;
      this.#learners.add(id);
    }
  }

  #remove(id: NodeId): void {
    if (!this.#progress.has(id)) return;
    this.#incoming.delete(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    if (!this.#outgoing.has(id)) this.#progress.delete(id);
  }

  /**
   * A new member is probed from the end of the log: most often it starts from a snapshot anyway. It
   * counts as active, or the next check of the quorum would come before it could have said anything.
   */
  #track(id: NodeId, isLearner: boolean): void {
    if (this.#progress.has(id)) return;
    const progress = this.#tracker.newProgress(Math.max(this.#lastIndex, 1), isLearner);
    progress.recentActive = true;
    this.#progress.set(id, progress);
  }

  #finish(): ConfChangeOutcome {
    this.#check();
    const progress = new Map<NodeId, Progress>();
    for (const id of ascending(this.#progress.keys())) {
      progress.set(id, this.#progress.get(id) as Progress);
    }
    const config: ConfState = {
      voters: ascending(this.#incoming),
      votersOutgoing: ascending(this.#outgoing),
      learners: ascending(this.#learners),
      learnersNext: ascending(this.#learnersNext),
      autoLeave: this.#autoLeave,
    };
    return { ok: true, config, progress };
  }

  #check(): void {
    const everyone = [this.#incoming, this.#outgoing, this.#learners, this.#learnersNext];
    for (const ids of everyone) {
      for (const id of ids) assert(this.#progress.has(id), () => `no progress for ${id}`);
    }
    for (const id of this.#learnersNext) {
      assert(this.#outgoing.has(id), () => `${id} is in LearnersNext, but not an outgoing voter`);
      assert(!this.#incoming.has(id), () => `${id} is in LearnersNext and an incoming voter`);
      assert(!this.#learners.has(id), () => `${id} is in LearnersNext and in Learners`);
    }
    for (const id of this.#learners) {
      assert(!this.#incoming.has(id), () => `${id} is in Learners and an incoming voter`);
      assert(!this.#outgoing.has(id), () => `${id} is in Learners and an outgoing voter`);
      assert(
        this.#progress.get(id)?.isLearner === true,
        () => `${id} is no learner in its progress`,
      );
    }
    if (this.#outgoing.size === 0) {
      assert(!this.#autoLeave, "AutoLeave outside of a joint configuration");
    }
  }
}
