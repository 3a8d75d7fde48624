/**
 * Membership in force (thesis, 4). A change takes effect when its entry is applied; a leader
 * that should leave a joint configuration by itself proposes that once it has applied entering it.
 */

import { nextConfig, restoredConfig } from "./confchange.ts";
import { payloadsSize } from "./entry.ts";
import { assert } from "./invariant.ts";
import { proposeAsLeader } from "./proposals.ts";
import { isVoter } from "./quorum/joint.ts";
import { answerConfirmedReads } from "./reads.ts";
import { broadcastAppend, maybeCommit, retryAppends } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { Progress } from "./tracker/progress.ts";
import { describeConfig } from "./tracker/tracker.ts";
import type { ConfChange, ConfState, Entry, Index, NodeId } from "./types.ts";
import { NO_BYTES, NONE } from "./types.ts";

export function applyConfChange(r: RaftState, change: ConfChange): ConfState {
  const outcome = nextConfig(r.tracker, r.log.lastIndex(), change);
  assert(outcome.ok, () => `a committed conf change does not fit: ${outcome.ok || outcome.detail}`);
  return switchTo(r, outcome.config, outcome.progress);
}

/** Takes a membership over as it is, on start or from a snapshot. */
export function restoreMembership(r: RaftState, state: ConfState): void {
  const outcome = restoredConfig(r.tracker, r.log.lastIndex(), state);
  assert(outcome.ok, () => `a stored membership does not fit: ${outcome.ok || outcome.detail}`);
  switchTo(r, outcome.config, outcome.progress);
}

function switchTo(
  r: RaftState,
  config: ConfState,
  progress: ReadonlyMap<NodeId, Progress>,
): ConfState {
  r.tracker.use(config, progress);
  r.logger.info?.(`${hex(r.id)} switched to configuration ${describeConfig(config)}`);
  const own = progress.get(r.id);
  if (r.state !== "StateLeader") return config;

  if (own === undefined || own.isLearner) {
    // A leader without a vote may go on, but it doesn't count itself (4.2.2).
    if (r.settings.stepDownOnRemoval) becomeFollower(r, r.term, NONE);
    else if (maybeCommit(r)) broadcastAppend(r);
    return config;
  }
  answerConfirmedReads(r);
  if (maybeCommit(r)) {
    // The smaller quorum had committed more than the larger one.
    broadcastAppend(r);
  } else {
    retryAppends(r);
  }
  if (r.leadTransferee !== NONE && !isVoter(r.tracker.voters, r.leadTransferee)) {
    r.leadTransferee = NONE;
  }
  return config;
}

/** The application has applied the entries that it was handed. */
export function appliedEntries(r: RaftState, entries: readonly Entry[], size: number): void {
  const last = entries[entries.length - 1];
  if (last === undefined) return;
  appliedTo(r, last.index, size);
  r.uncommittedSize = Math.max(0, r.uncommittedSize - payloadsSize(entries));
}

/** Everything up to `index` is applied, `size` bytes of it as entries that were handed out. */
export function appliedTo(r: RaftState, index: Index, size: number): void {
  r.log.appliedTo(Math.max(index, r.log.applied), size);
  const { autoLeave } = r.tracker.config;
  if (!autoLeave || r.state !== "StateLeader" || r.log.applied < r.pendingConfIndex) return;
  // An empty change: no size limit refuses it. A transfer in progress does; then it is tried again with the
  // next entry applied, here or at the next leader.
  const result = proposeAsLeader(r, [{ type: "EntryConfChangeV2", data: NO_BYTES }]);
  const config = describeConfig(r.tracker.config);
  if (result.ok) {
    r.logger.info?.(`initiating automatic transition out of joint configuration ${config}`);
  } else {
    r.logger.debug?.(
      `not initiating automatic transition out of joint configuration ${config}: raft proposal dropped`,
    );
  }
}
