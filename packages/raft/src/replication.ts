/**
 * Log replication (paper, 5.3): what a leader sends, what it commits (5.4.2), and how a follower answers.
 *
 * Entries are sent before they are durable here (thesis, 10.2.1); the leader acknowledges its own entries to
 * itself once they are, like everybody else.
 */
import { makeEntry, payloadsSize } from "./entry.ts";
import { assert } from "./invariant.ts";
import { encodeRound } from "./read-rounds.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { Progress } from "./tracker/progress.ts";
import type { Entry, Index, Message, NodeId } from "./types.ts";
import { NO_BYTES, NO_LIMIT } from "./types.ts";
import { raiseDataFloor } from "./witness.ts";

const NO_ENTRIES: readonly Entry[] = [];

/**
 * Appends entries to the leader's own log. False if too much is uncommitted already. Something without
 * payload (a no-op, leaving a joint configuration) always has room.
 */
export function appendAsLeader(
  r: RaftState,
  proposed: readonly Pick<Entry, "type" | "data">[],
): boolean {
  const lastIndex = r.log.lastIndex();
  const entries: Entry[] = [];
  let size = 0;
  for (const { type, data } of proposed) {
    entries.push(makeEntry(type, r.term, lastIndex + 1 + entries.length, data));
    size += data.length;
  }
  const over = r.uncommittedSize + size > r.settings.maxUncommittedEntriesSize;
  if (r.uncommittedSize > 0 && size > 0 && over) {
    r.logger.warn?.(
      `${hex(r.id)} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
    );
    return false;
  }
  r.uncommittedSize += size;
  r.log.append(entries);
  r.send({ type: "MsgAppResp", to: r.id, index: lastIndex + entries.length });
  return true;
}

/** Sends everyone what they lack, if anything. */
export function retryAppends(r: RaftState): void {
  if (r.state !== "StateLeader") return;
  for (const id of r.tracker.progress.keys()) {
    if (id !== r.id) sendAppend(r, id, false);
  }
}

/** Sends everyone what they lack, or at least the commit index. */
export function broadcastAppend(r: RaftState): void {
  for (const id of r.tracker.progress.keys()) {
    if (id !== r.id) sendAppend(r, id, true);
  }
}

/**
 * Sends a MsgApp, or a snapshot where the log doesn't reach back far enough. False if nothing may be
 * sent now, or there is nothing to send and `evenIfEmpty` is not set.
 */
export function sendAppend(r: RaftState, to: NodeId, evenIfEmpty: boolean): boolean {
  const progress = r.tracker.progress.get(to);
  assert(progress !== undefined, () => `sending to ${to}, who is no member`);
  if (progress.isPaused()) return false;

  const prevIndex = progress.next - 1;
  const prevTerm = r.log.term(prevIndex);
  if (prevTerm === "compacted") return sendSnapshot(r, to, progress);
  if (prevTerm === "unavailable") return waitForStorage(r, to, prevIndex);

  // With a full window an empty MsgApp still goes, as a probe: if all that filled the window was lost, its
  // answer is what gets replication going again.
  const full = progress.state === "StateReplicate" && progress.inflights.full();
  const entries = full ? NO_ENTRIES : r.log.entriesFrom(progress.next, r.settings.maxSizePerMsg);
  if (entries === "compacted") return sendSnapshot(r, to, progress);
  if (entries === "unavailable") return waitForStorage(r, to, progress.next);
  if (entries.length === 0 && !evenIfEmpty) return false;

  const commit = r.log.committed;
  r.send({ type: "MsgApp", to, index: prevIndex, logTerm: prevTerm, entries, commit });
  progress.sentEntries(entries.length, payloadsSize(entries));
  progress.sentCommit(commit);
  return true;
}

/** Storage will have the entry, but not now: the next answer to a heartbeat, or `retryAppends`, tries again. */
function waitForStorage(r: RaftState, to: NodeId, index: Index): false {
  r.logger.debug?.(
    `${hex(r.id)} can't send to ${hex(to)} yet: entry ${index} is not available from storage`,
  );
  return false;
}

/** Sends the newest snapshot (paper, 7) to a member that has shown a sign of life. */
function sendSnapshot(r: RaftState, to: NodeId, progress: Progress): boolean {
  if (!progress.recentActive) {
    r.logger.debug?.(`ignore sending snapshot to ${hex(to)} since it is not recently active`);
    return false;
  }
  if (r.isWitness(r.id) && !r.isWitness(to)) {
    r.logger.debug?.(`${hex(r.id)} is a witness and has no snapshot for ${hex(to)}`);
    return false;
  }
  const snapshot = r.log.snapshot(to, r.isWitness(to) ? raiseDataFloor(r) : NO_LIMIT);
  if (snapshot === "unavailable") {
    r.logger.debug?.(
      `${hex(r.id)} failed to send snapshot to ${hex(to)} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  assert(snapshot.index > 0, "need non-empty snapshot");
  r.logger.debug?.(
    `${hex(r.id)} [firstindex: ${r.log.firstIndex()}, commit: ${r.log.committed}] sent snapshot[index: ${snapshot.index}, term: ${snapshot.term}] to ${hex(to)} [${progress}]`,
  );
  progress.becomeSnapshot(snapshot.index);
  r.logger.debug?.(`${hex(r.id)} paused sending replication messages to ${hex(to)} [${progress}]`);
  r.send({ type: "MsgSnap", to, snapshot });
  return true;
}

/** Keeps followers from campaigning, and carries the newest read round that waits. */
export function broadcastHeartbeat(r: RaftState, round: number): void {
  const context = round === 0 ? NO_BYTES : encodeRound(round);
  const floor = raiseDataFloor(r);
  for (const [id, progress] of r.tracker.progress) {
    if (id === r.id) continue;
    // A follower's log may differ above what is known to match: it must not commit that.
    const commit = Math.min(progress.match, r.log.committed);
    r.send({ type: "MsgHeartbeat", to: id, index: floor, commit, context });
    progress.sentCommit(commit);
  }
}

/**
 * Commits what a quorum stores, provided that the last of it is an entry of this term (5.4.2: older entries are
 * never committed by counting, only along with one of the leader's own).
 */
export function maybeCommit(r: RaftState): boolean {
  return r.log.maybeCommit(r.tracker.committed(), r.term);
}

/** Whether this leader has committed in its own term, and so knows all that is committed (6.4; paper, 8). */
export function committedInOwnTerm(r: RaftState): boolean {
  return r.log.termOrZero(r.log.committed) === r.term;
}

/** A follower appends, or tells where the logs may meet. */
export function handleAppend(r: RaftState, m: Message): void {
  if (m.index < r.log.committed) {
    r.send({ type: "MsgAppResp", to: m.from, index: r.log.committed });
    return;
  }
  const last = r.log.maybeAppend(m.index, m.logTerm, m.entries, m.commit);
  if (last !== -1) {
    r.send({ type: "MsgAppResp", to: m.from, index: last });
    return;
  }
  r.logger.debug?.(
    `${hex(r.id)} [logterm: ${r.log.termOrZero(m.index)}, index: ${m.index}] rejected MsgApp [logterm: ${m.logTerm}, index: ${m.index}] from ${hex(m.from)}`,
  );
  // The hint skips whole terms at a time: nothing here with a term above the leader's can match at or
  // below its entry. The leader does the same with what it gets.
  const hint = r.log.findConflictByTerm(Math.min(m.index, r.log.lastIndex()), m.logTerm);
  r.send({
    type: "MsgAppResp",
    to: m.from,
    index: m.index,
    reject: true,
    rejectHint: hint.index,
    logTerm: hint.term,
  });
}

export function handleHeartbeat(r: RaftState, m: Message): void {
  r.log.commitTo(m.commit);
  r.dataFloor = Math.max(r.dataFloor, m.index);
  r.send({ type: "MsgHeartbeatResp", to: m.from, context: m.context });
}
