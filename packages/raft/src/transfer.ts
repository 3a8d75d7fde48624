/**
 * Leadership transfer (thesis, 3.10): the leader stops taking proposals, brings the target up to date,
 * and tells it to campaign at once. It gives up after an election timeout.
 */
import { sendAppend } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { NodeId } from "./types.ts";
import { NONE } from "./types.ts";

/** The leader is asked to hand over to `to`. */
export function startTransfer(r: RaftState, to: NodeId): void {
  const progress = r.tracker.progress.get(to);
  if (progress === undefined) {
    r.logger.debug?.(`${hex(r.id)} no progress available for ${hex(to)}`);
    return;
  }
  if (progress.isLearner) {
    r.logger.debug?.(`${hex(r.id)} is learner. Ignored transferring leadership`);
    return;
  }
  const previous = r.leadTransferee;
  if (previous === to) {
    r.logger.info?.(
      `${hex(r.id)} [term ${r.term}] transfer leadership to ${hex(to)} is in progress, ignores request to same node ${hex(to)}`,
    );
    return;
  }
  if (previous !== NONE) {
    r.leadTransferee = NONE;
    r.logger.info?.(
      `${hex(r.id)} [term ${r.term}] abort previous transferring leadership to ${hex(previous)}`,
    );
  }
  if (to === r.id) {
    r.logger.debug?.(`${hex(r.id)} is already leader. Ignored transferring leadership to self`);
    return;
  }
  r.logger.info?.(`${hex(r.id)} [term ${r.term}] starts to transfer leadership to ${hex(to)}`);
  // The time it may take runs from now.
  r.electionElapsed = 0;
  r.leadTransferee = to;
  if (progress.match === r.log.lastIndex()) {
    sendTimeoutNow(r, to);
    r.logger.info?.(
      `${hex(r.id)} sends MsgTimeoutNow to ${hex(to)} immediately as ${hex(to)} already has up-to-date log`,
    );
  } else {
    progress.paused = false;
    sendAppend(r, to, true);
  }
}

/** `from` has acknowledged entries: if it is the target and has them all, it may take over. */
export function continueTransfer(r: RaftState, from: NodeId): void {
  if (from !== r.leadTransferee) return;
  if (r.tracker.progress.get(from)?.match !== r.log.lastIndex()) return;
  r.logger.info?.(`${hex(r.id)} sent MsgTimeoutNow to ${hex(from)} after received MsgAppResp`);
  sendTimeoutNow(r, from);
}

function sendTimeoutNow(r: RaftState, to: NodeId): void {
  r.leaseBroken = true;
  r.send({ type: "MsgTimeoutNow", to });
}
