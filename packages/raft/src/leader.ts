/** What a leader makes of messages, and of time (paper, figure 2: rules for leaders). */
import type { StepResult } from "./api.ts";
import { assert } from "./invariant.ts";
import { proposeAsLeader } from "./proposals.ts";
import { acknowledgeRead, releasePostponedReads, requestRead } from "./reads.ts";
import { broadcastAppend, broadcastHeartbeat, maybeCommit, sendAppend } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { Progress } from "./tracker/progress.ts";
import { continueTransfer, startTransfer } from "./transfer.ts";
import type { Message, NodeId } from "./types.ts";
import { NONE } from "./types.ts";
import { handOverAsWitness, successorOfStuck } from "./witness.ts";

const OK: StepResult = { ok: true };

export function stepLeader(r: RaftState, m: Message): StepResult {
  switch (m.type) {
    case "MsgProp": {
      if (m.entries.length === 0) {
        return { ok: false, reason: "proposal-dropped", detail: "nothing is proposed" };
      }
      const result = proposeAsLeader(r, m.entries);
      if (result.ok || result.reason === "conf-change-refused") return OK;
      return { ok: false, reason: "proposal-dropped", detail: result.detail };
    }
    case "MsgReadIndex":
      // Who asks too much gets no answer, and asks again.
      requestRead(r, { from: m.from, context: m.context });
      return OK;
    case "MsgTransferLeader":
      startTransfer(r, m.from);
      return OK;
    case "MsgApp":
    case "MsgHeartbeat":
      assert(
        m.from === r.id,
        () => `Election Safety: ${hex(m.from)} leads term ${m.term} as well as ${hex(r.id)}`,
      );
      return OK;
    case "MsgAppResp":
    case "MsgHeartbeatResp":
      break;
    default:
      return OK;
  }
  const progress = r.tracker.progress.get(m.from);
  if (progress === undefined) {
    r.logger.debug?.(`${hex(r.id)} no progress available for ${hex(m.from)}`);
    return OK;
  }
  progress.recentActive = true;
  if (m.type === "MsgHeartbeatResp") handleHeartbeatResponse(r, m, progress);
  else if (m.reject) handleRejection(r, m, progress);
  else handleAcknowledgement(r, m, progress);
  return OK;
}

/** The logs don't match at `m.index`: try where they may. */
function handleRejection(r: RaftState, m: Message, progress: Progress): void {
  r.logger.debug?.(
    `${hex(r.id)} received MsgAppResp(rejected, hint: (index ${m.rejectHint}, term ${m.logTerm})) from ${hex(m.from)} for index ${m.index}`,
  );
  // The follower has nothing at or below the hint with a term above logTerm; nor does anything
  // here with a higher term match. A whole conflicting term takes one round trip.
  const hint =
    m.logTerm > 0 ? r.log.findConflictByTerm(m.rejectHint, m.logTerm).index : m.rejectHint;
  if (!progress.maybeDecrease(m.index, hint)) return;
  r.logger.debug?.(`${hex(r.id)} decreased progress of ${hex(m.from)} to [${progress}]`);
  if (progress.state === "StateReplicate") progress.becomeProbe();
  sendAppend(r, m.from, true);
}

/** Everything up to `m.index` is stored there. */
function handleAcknowledgement(r: RaftState, m: Message, progress: Progress): void {
  assert(
    m.index <= r.log.lastIndex(),
    () => `${hex(m.from)} acknowledges ${m.index}, after the leader's last ${r.log.lastIndex()}`,
  );
  // An acknowledgement of what was known already still ends a probe.
  const known = progress.match === m.index && progress.state === "StateProbe";
  if (!progress.maybeUpdate(m.index) && !known) return;

  switch (progress.state) {
    case "StateProbe":
      progress.becomeReplicate();
      break;
    case "StateSnapshot":
      // It may have caught up by another way than the snapshot that was sent last.
      if (progress.match + 1 >= r.log.firstIndex()) {
        r.logger.debug?.(
          `${hex(r.id)} recovered from needing snapshot, resumed sending replication messages to ${hex(m.from)} [${progress}]`,
        );
        progress.becomeReplicate();
      }
      break;
    case "StateReplicate":
      progress.inflights.freeUpTo(m.index);
      break;
  }

  const other = m.from !== r.id;
  if (maybeCommit(r)) {
    releasePostponedReads(r);
    broadcastAppend(r);
  } else if (other && progress.canBumpCommit(r.log.committed)) {
    sendAppend(r, m.from, true);
  }
  if (!other) return;
  // The window may have room for several messages now.
  while (sendAppend(r, m.from, false));
  continueTransfer(r, m.from);
  handOverAsWitness(r);
}

function handleHeartbeatResponse(r: RaftState, m: Message, progress: Progress): void {
  progress.paused = false;
  // Also a full window gets an (empty) MsgApp, or losing all that filled it would stop replication. One who
  // has everything, but is being probed, gets it for its answer.
  if (progress.match < r.log.lastIndex() || progress.state === "StateProbe") {
    sendAppend(r, m.from, true);
  }
  acknowledgeRead(r, m);
  handOverAsWitness(r);
}

/** A MsgApp to `to` may be lost, so pipelining more would be wasted. */
export function memberUnreachable(r: RaftState, to: NodeId): void {
  const progress = r.tracker.progress.get(to);
  if (r.state !== "StateLeader" || progress === undefined) return;
  if (progress.state === "StateReplicate") progress.becomeProbe();
  r.logger.debug?.(
    `${hex(r.id)} failed to send message to ${hex(to)} because it is unreachable [${progress}]`,
  );
}

export function tickLeader(r: RaftState): void {
  r.heartbeatElapsed++;
  r.electionElapsed++;
  if (r.electionElapsed >= r.settings.electionTick) {
    r.electionElapsed = 0;
    const next = successorOfStuck(r);
    if (r.settings.checkQuorum) checkQuorum(r);
    // The transfer has not come about in time (3.10).
    if (r.state === "StateLeader") r.leadTransferee = NONE;
    if (r.state === "StateLeader" && next !== NONE) startTransfer(r, next);
  }
  if (r.state !== "StateLeader" || r.heartbeatElapsed < r.settings.heartbeatTick) return;
  r.heartbeatElapsed = 0;
  broadcastHeartbeat(r, r.reads.newestPending());
}

/** A leader without a quorum for an election timeout steps down, so that its clients look elsewhere (6.2). */
function checkQuorum(r: RaftState): void {
  if (!r.tracker.quorumActive()) {
    r.logger.warn?.(`${hex(r.id)} stepped down to follower since quorum is not active`);
    becomeFollower(r, r.term, NONE);
  }
  for (const [id, progress] of r.tracker.progress) {
    if (id !== r.id) progress.recentActive = false;
  }
}
