/**
 * A leader's view of one member's log (paper, 5.3: nextIndex and matchIndex), and the flow control that
 * follows from it:
 *
 * - *Probe*: where the logs agree is not known; one MsgApp at a time until it is.
 * - *Replicate*: it is known; MsgApps are pipelined optimistically, within the in-flight window.
 * - *Snapshot*: the log can't catch the member up; nothing is sent until the snapshot has arrived.
 *
 * Invariants: match < next; match never falls while the leader's term lasts.
 */

import type { ProgressState, ProgressStatus } from "../api.ts";
import { assert } from "../invariant.ts";
import type { Index } from "../types.ts";
import type { Inflights } from "./inflights.ts";

export class Progress {
  /** The last index known to be stored there as in the leader's log. */
  match: Index = 0;
  /** The next entry to send. */
  next: Index;
  state: ProgressState = "StateProbe";
  /** The index of the snapshot on its way, in state Snapshot. */
  pendingSnapshot: Index = 0;
  /** Has been heard of since the last check of the quorum. */
  recentActive = false;
  /** No MsgApp until an answer (or a heartbeat's answer) comes. */
  paused = false;
  isLearner: boolean;
  inflights: Inflights;
  /** The highest commit index sent; assumed to arrive unless a rejection says otherwise. */
  #sentCommit: Index = 0;

  constructor(next: Index, inflights: Inflights, isLearner: boolean) {
    this.next = next;
    this.inflights = inflights;
    this.isLearner = isLearner;
  }

  /** A copy for a configuration in the making; the in-flight window is shared, as only one of the two lives on. */
  copy(): Progress {
    const copy = new Progress(this.next, this.inflights, this.isLearner);
    copy.match = this.match;
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.recentActive = this.recentActive;
    copy.paused = this.paused;
    copy.#sentCommit = this.#sentCommit;
    return copy;
  }

  #enter(state: ProgressState): void {
    this.paused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.clear();
  }

  becomeProbe(): void {
    // Coming from a snapshot, the member will have it (or has failed and `pendingSnapshot` is 0).
    const afterSnapshot = this.state === "StateSnapshot" ? this.pendingSnapshot + 1 : 0;
    this.#enter("StateProbe");
    this.next = Math.max(this.match + 1, afterSnapshot);
    this.#regressSentCommit();
  }

  becomeReplicate(): void {
    this.#enter("StateReplicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: Index): void {
    this.#enter("StateSnapshot");
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.#sentCommit = index;
  }

  /** Whether a MsgApp must wait. */
  isPaused(): boolean {
    return this.state === "StateSnapshot" || this.paused;
  }

  /** A MsgApp with this many entries and payload bytes is being sent. */
  sentEntries(count: number, bytes: number): void {
    switch (this.state) {
      case "StateReplicate":
        if (count > 0) {
          this.next += count;
          this.inflights.add(this.next - 1, bytes);
        }
        // What fills the window, or finds it full, serves as a probe: wait for an answer.
        this.paused = this.inflights.full();
        return;
      case "StateProbe":
        if (count > 0) this.paused = true;
        return;
      case "StateSnapshot":
        assert(false, "sending entries to a member that waits for a snapshot");
    }
  }

  sentCommit(commit: Index): void {
    this.#sentCommit = commit;
  }

  /** Whether telling `commit` could raise the member's, beyond what it will learn from messages on their way. */
  canBumpCommit(commit: Index): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  #regressSentCommit(): void {
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
  }

  /** The member stores everything up to `index`. False: nothing new. */
  maybeUpdate(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * The member has no entry that matches the one at `rejected`; it may have one up to `hint`. Moves `next`
   * down, but not to what it is known to have. False: an old message that says nothing now.
   */
  maybeDecrease(rejected: Index, hint: Index): boolean {
    if (this.state === "StateReplicate") {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.#regressSentCommit();
      return true;
    }
    // One probe is out at a time, so a rejection of anything else is stale.
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.#regressSentCommit();
    this.paused = false;
    return true;
  }

  status(): ProgressStatus {
    return {
      match: this.match,
      next: this.next,
      state: this.state,
      pendingSnapshot: this.pendingSnapshot,
      recentActive: this.recentActive,
      isLearner: this.isLearner,
      paused: this.isPaused(),
      inflight: this.inflights.count,
      inflightFull: this.inflights.full(),
    };
  }

  toString(): string {
    return describeProgress(this.status());
  }
}

/** `StateReplicate match=11 next=15 paused inflight=3[full]` */
export function describeProgress(progress: ProgressStatus): string {
  let text = `${progress.state} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += " learner";
  if (progress.paused) text += " paused";
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.recentActive) text += " inactive";
  if (progress.inflight > 0) {
    text += ` inflight=${progress.inflight}`;
    if (progress.inflightFull) text += "[full]";
  }
  return text;
}
