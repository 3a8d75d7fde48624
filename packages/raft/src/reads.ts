/**
 * Linearizable reads without the log (thesis, 6.4). A leader may answer "applied up to here, it is
 * current" once it has committed in its own term (or it might not know all that is committed) and
 * has proof that it still led after the read arrived: a round of heartbeats, or its lease (6.4.1).
 *
 * The lease rests on clocks and on check-quorum; handing leadership over breaks it, as the election that
 * follows doesn't wait for it, so such a leader goes back to rounds for the rest of its term.
 */
import type { ReadIndexResult } from "./api.ts";
import type { ReadRequest } from "./read-rounds.ts";
import { decodeRound } from "./read-rounds.ts";
import { broadcastHeartbeat, committedInOwnTerm } from "./replication.ts";
import type { RaftState } from "./state.ts";
import type { Index, Message } from "./types.ts";
import { NONE } from "./types.ts";

const OK: ReadIndexResult = { ok: true };
const TOO_MANY: ReadIndexResult = { ok: false, reason: "too-many-reads" };

/** The leader takes on a read, its own or a follower's. */
export function requestRead(r: RaftState, request: ReadRequest): ReadIndexResult {
  if (r.postponedReads.length + r.reads.pendingCount >= r.settings.maxPendingReads) return TOO_MANY;
  if (committedInOwnTerm(r)) proveAndAnswer(r, request);
  else r.postponedReads.push(request);
  return OK;
}

function proveAndAnswer(r: RaftState, request: ReadRequest): void {
  const leased = r.settings.readOnly === "lease-based" && !r.leaseBroken;
  // Without its own vote nobody else can have been elected.
  if (leased || r.tracker.decidesAlone(r.id)) answerRead(r, request, r.log.committed);
  else broadcastHeartbeat(r, r.reads.open(r.id, r.log.committed, request));
}

/** This leader has committed something: if it was of its own term, the reads that waited for it go on. */
export function releasePostponedReads(r: RaftState): void {
  if (r.postponedReads.length === 0 || !committedInOwnTerm(r)) return;
  const requests = r.postponedReads;
  r.postponedReads = [];
  for (const request of requests) proveAndAnswer(r, request);
}

/** A follower has answered a heartbeat; if that one carried a round, the round may be complete now. */
export function acknowledgeRead(r: RaftState, m: Message): void {
  if (r.reads.acknowledge(m.from, decodeRound(m.context))) answerConfirmedReads(r);
}

/** Answers what a quorum has confirmed; a new configuration may need fewer confirmations. */
export function answerConfirmedReads(r: RaftState): void {
  for (const { request, index } of r.reads.takeConfirmed(r.tracker.voters)) {
    answerRead(r, request, index);
  }
}

function answerRead(r: RaftState, request: ReadRequest, index: Index): void {
  const { from, context } = request;
  if (from === NONE || from === r.id) r.readStates.push({ index, context });
  else r.send({ type: "MsgReadIndexResp", to: from, index, context });
}
