/**
 * Where to start reading. A member's state is in `state.ts`; here is what moves it: messages, through
 * `step`, and time, through `tick`. Terms come first, as they order everything else (paper, 5.1);
 * then the role decides.
 *
 * The paper's five properties and who keeps them: Election Safety (`election.ts`: one durable vote a term), Leader
 * Append-Only (`log.ts`), Log Matching (`log.ts`), Leader Completeness (`election.ts`: only an up-to-date log gets
 * votes; `replication.ts`: only the own term is committed by counting), State Machine Safety (all of them).
 */
import type { StepResult } from "./api.ts";
import { electionKind, handleVoteRequest, hup, leaseForbids, rejectVote } from "./election.ts";
import { entriesSize } from "./entry.ts";
import { stepCandidate, stepFollower } from "./follower.ts";
import { stepLeader, tickLeader } from "./leader.ts";
import { appliedEntries } from "./membership.ts";
import { becomeFollower } from "./roles.ts";
import { appliedSnapshot } from "./snapshots.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { Message } from "./types.ts";
import { NONE } from "./types.ts";

const OK: StepResult = { ok: true };

/** One unit of logical time has passed. */
export function tick(r: RaftState): void {
  if (r.state === "StateLeader") {
    tickLeader(r);
    return;
  }
  r.electionElapsed++;
  if (r.electionElapsed < r.randomizedElectionTimeout || !r.promotable()) return;
  r.electionElapsed = 0;
  hup(r, electionKind(r));
}

/** A message has arrived. */
export function step(r: RaftState, m: Message): StepResult {
  if (m.term > r.term) {
    if (!enterTerm(r, m)) return OK;
  } else if (m.term < r.term && m.term !== 0) {
    stepOld(r, m);
    return OK;
  }
  switch (m.type) {
    case "MsgVote":
    case "MsgPreVote":
      handleVoteRequest(r, m, m.type);
      return OK;
    case "MsgStorageAppendResp":
      if (m.index !== 0) r.log.unstable.stableTo(m.index, m.logTerm);
      if (m.snapshot !== null) appliedSnapshot(r, m.snapshot);
      return OK;
    case "MsgStorageApplyResp":
      appliedEntries(r, m.entries, entriesSize(m.entries));
      return OK;
    default:
      break;
  }
  switch (r.state) {
    case "StateLeader":
      return stepLeader(r, m);
    case "StateFollower":
      return stepFollower(r, m);
    case "StateCandidate":
    case "StatePreCandidate":
      return stepCandidate(r, m);
  }
}

/** The message is of a later term. False: it is ignored. */
function enterTerm(r: RaftState, m: Message): boolean {
  switch (m.type) {
    case "MsgPreVote":
      // A question about a term that nobody has entered.
      return !leaseForbids(r, m);
    case "MsgVote":
      if (leaseForbids(r, m)) return false;
      break;
    case "MsgPreVoteResp":
      // Granted: the answer carries the term that was asked for.
      if (!m.reject) return true;
      break;
    default:
      break;
  }
  r.logger.info?.(
    `${hex(r.id)} [term: ${r.term}] received a ${m.type} message with higher term from ${hex(m.from)} [term: ${m.term}]`,
  );
  const leads = m.type === "MsgApp" || m.type === "MsgHeartbeat" || m.type === "MsgSnap";
  becomeFollower(r, m.term, leads ? m.from : NONE);
  return true;
}

/** The message is of an earlier term. */
function stepOld(r: RaftState, m: Message): void {
  const { checkQuorum, preVote } = r.settings;
  if ((checkQuorum || preVote) && (m.type === "MsgHeartbeat" || m.type === "MsgApp")) {
    // A leader that can't learn of the later term from a vote request, because its followers keep to it
    // (or never asked for votes), learns it from this; else a member that got ahead would stay cut off.
    r.send({ type: "MsgAppResp", to: m.from });
  } else if (m.type === "MsgPreVote") {
    // An answer, so that a candidate that is behind in terms doesn't ask for ever.
    rejectVote(r, m, m.type);
  } else if (m.type === "MsgStorageAppendResp") {
    // What was written then may have been overwritten since. A snapshot stays what it is.
    if (m.index !== 0) {
      r.logger.info?.(
        `${hex(r.id)} [term: ${r.term}] ignored entry appends from a ${m.type} message with lower term [term: ${m.term}]`,
      );
    }
    if (m.snapshot !== null) appliedSnapshot(r, m.snapshot);
  } else {
    r.logger.info?.(
      `${hex(r.id)} [term: ${r.term}] ignored a ${m.type} message with lower term from ${hex(m.from)} [term: ${m.term}]`,
    );
  }
}
