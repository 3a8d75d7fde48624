/** The four roles (paper, 5.1 and 5.2; thesis, 9.6) and what taking each of them on means. */
import { assert } from "./invariant.ts";
import { appendAsLeader } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { NodeId, Term } from "./types.ts";
import { NO_BYTES, NONE } from "./types.ts";

export function becomeFollower(r: RaftState, term: Term, lead: NodeId): void {
  r.reset(term);
  r.lead = lead;
  r.state = "StateFollower";
  r.logger.info?.(`${hex(r.id)} became follower at term ${r.term}`);
}

/** Votes for itself in a new term (5.2). */
export function becomeCandidate(r: RaftState): void {
  assert(r.state !== "StateLeader", "invalid transition [leader -> candidate]");
  r.reset(r.term + 1);
  r.vote = r.id;
  r.state = "StateCandidate";
  r.logger.info?.(`${hex(r.id)} became candidate at term ${r.term}`);
}

/** Asks how a vote would go, changing neither its term nor its vote (thesis, 9.6). */
export function becomePreCandidate(r: RaftState): void {
  assert(r.state !== "StateLeader", "invalid transition [leader -> pre-candidate]");
  r.tracker.resetVotes();
  r.lead = NONE;
  r.state = "StatePreCandidate";
  r.logger.info?.(`${hex(r.id)} became pre-candidate at term ${r.term}`);
}

/** Starts its term with an entry of its own, as only that can commit what came before (5.4.2; paper, 8). */
export function becomeLeader(r: RaftState): void {
  assert(r.state !== "StateFollower", "invalid transition [follower -> leader]");
  assert(r.vote === r.id, () => `Election Safety: the leader has voted for ${hex(r.vote)}`);
  r.reset(r.term);
  r.lead = r.id;
  r.state = "StateLeader";
  const own = r.tracker.progress.get(r.id);
  assert(own !== undefined, "a leader must be a member");
  own.becomeReplicate();
  own.recentActive = true;
  // Any of the entries so far may be a conf change that isn't applied yet.
  r.pendingConfIndex = r.log.lastIndex();
  r.termStart = r.log.lastIndex() + 1;
  r.commitSeen = 0;
  const appended = appendAsLeader(r, [{ type: "EntryNormal", data: NO_BYTES }]);
  assert(appended, "empty entry was dropped");
  r.logger.info?.(`${hex(r.id)} became leader at term ${r.term}`);
}
