/**
 * Leader election (paper, 5.2 and 5.4.1), pre-election (thesis, 9.6) and the lease that keeps a
 * disturbing server from deposing a leader that is in contact with its followers (4.2.3).
 */

import { jointVoters } from "./quorum/joint.ts";
import { broadcastAppend } from "./replication.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { Message, MessageType } from "./types.ts";
import { NO_BYTES, NONE } from "./types.ts";

export type CampaignKind =
  | "pre-election"
  | "election"
  /** The old leader asked for it, so followers don't defend its lease (3.10). */
  | "transfer";

/** "CampaignTransfer", as the context of a vote request. */
const TRANSFER_MARK: Uint8Array = Uint8Array.from("CampaignTransfer", (c) => c.charCodeAt(0));

function isTransfer(context: Uint8Array): boolean {
  return (
    context.length === TRANSFER_MARK.length && context.every((byte, i) => byte === TRANSFER_MARK[i])
  );
}

/** Starts a campaign, if this member may and isn't the leader already. */
export function hup(r: RaftState, kind: CampaignKind): void {
  if (r.state === "StateLeader") {
    r.logger.debug?.(`${hex(r.id)} ignoring MsgHup because already leader`);
    return;
  }
  if (!r.promotable()) {
    r.logger.warn?.(`${hex(r.id)} is unpromotable and can not campaign`);
    return;
  }
  // The configuration that it would campaign in isn't the one that is known to be committed.
  if (hasUnappliedConfChange(r)) {
    r.logger.warn?.(
      `${hex(r.id)} cannot campaign at term ${r.term} since there are still pending configuration changes to apply`,
    );
    return;
  }
  r.logger.info?.(`${hex(r.id)} is starting a new election at term ${r.term}`);
  campaign(r, kind);
}

function hasUnappliedConfChange(r: RaftState): boolean {
  return r.log.someUnapplied((entry) => entry.type !== "EntryNormal");
}

/** Whether elections here begin with a pre-election. */
export function electionKind(r: RaftState): CampaignKind {
  return r.settings.preVote ? "pre-election" : "election";
}

function campaign(r: RaftState, kind: CampaignKind): void {
  const pre = kind === "pre-election";
  if (pre) becomePreCandidate(r);
  else becomeCandidate(r);
  // A pre-vote is about the term to come.
  const term = pre ? r.term + 1 : r.term;
  const type = pre ? "MsgPreVote" : "MsgVote";
  const last = r.log.lastEntryId();
  const context = kind === "transfer" ? TRANSFER_MARK : NO_BYTES;
  for (const to of jointVoters(r.tracker.voters)) {
    if (to === r.id) {
      // Its own vote counts as soon as it is durable.
      r.send({ type: voteResponse(type), to, term });
      continue;
    }
    r.logger.info?.(
      `${hex(r.id)} [logterm: ${last.term}, index: ${last.index}] sent ${type} request to ${hex(to)} at term ${r.term}`,
    );
    r.send({ type, to, term, index: last.index, logTerm: last.term, context });
  }
}

function voteResponse(type: "MsgVote" | "MsgPreVote"): "MsgVoteResp" | "MsgPreVoteResp" {
  return type === "MsgVote" ? "MsgVoteResp" : "MsgPreVoteResp";
}

/**
 * Whether a request for a vote in a later term is to be ignored, term and all: this member has heard from
 * its leader within the minimum election timeout (4.2.3).
 */
export function leaseForbids(r: RaftState, m: Message): boolean {
  const inLease =
    r.settings.checkQuorum && r.lead !== NONE && r.electionElapsed < r.settings.electionTick;
  if (!inLease || isTransfer(m.context)) return false;
  r.logger.info?.(
    `${voter(r)} ignored ${m.type} from ${candidate(m)} at term ${r.term}: lease is not expired (remaining ticks: ${r.settings.electionTick - r.electionElapsed})`,
  );
  return true;
}

/**
 * Answers a request for a vote of this term (for a pre-vote: of a later one). Learners answer too: one that
 * doesn't know yet that it has become a voter may be needed for the majority.
 */
export function handleVoteRequest(r: RaftState, m: Message, type: "MsgVote" | "MsgPreVote"): void {
  const free =
    r.vote === m.from ||
    (r.vote === NONE && r.lead === NONE) ||
    (type === "MsgPreVote" && m.term > r.term);
  const granted = free && r.log.isUpToDate({ term: m.logTerm, index: m.index });
  if (!granted) {
    rejectVote(r, m, type);
    return;
  }
  r.logger.info?.(`${voter(r)} cast ${type} for ${candidate(m)} at term ${r.term}`);
  // The term of the request: a granted pre-vote is for a term that this member isn't in.
  r.send({ type: voteResponse(type), to: m.from, term: m.term });
  if (type === "MsgVote") {
    r.electionElapsed = 0;
    r.vote = m.from;
  }
}

/**
 * Refuses a vote. A member that can't be elected itself, because it has been removed or made a learner, may have a
 * longer log than all who can be, and they may need its vote only because they don't know yet that it has
 * none (a change takes effect when applied): they would be stuck with each other. So when the candidate's log is
 * too short, but reaches to what is committed, the refusal says what that is.
 */
export function rejectVote(r: RaftState, m: Message, type: "MsgVote" | "MsgPreVote"): void {
  r.logger.info?.(`${voter(r)} rejected ${type} from ${candidate(m)} at term ${r.term}`);
  const refusal = { type: voteResponse(type), to: m.from, term: r.term, reject: true } as const;
  const { committed } = r.log;
  const stuck =
    !r.promotable() &&
    m.index >= committed &&
    !r.log.isUpToDate({ term: m.logTerm, index: m.index });
  const committedTerm = stuck ? r.log.term(committed) : "unavailable";
  if (typeof committedTerm !== "number") {
    r.send(refusal);
  } else {
    r.send({ ...refusal, commit: committed, index: committed, logTerm: committedTerm });
  }
}

/**
 * Learns from a refusal what is committed. What is committed at (index, term) is so everywhere, and whoever has
 * that entry has all before it. A campaign in a configuration that is no longer the last committed one is over.
 */
function learnCommit(r: RaftState, m: Message): void {
  if (m.commit <= r.log.committed || !r.log.matchTerm(m.commit, m.logTerm)) return;
  r.log.commitTo(m.commit);
  r.logger.info?.(`${hex(r.id)} learned commit ${m.commit} from the refusal of ${hex(m.from)}`);
  if (r.state !== "StateFollower" && hasUnappliedConfChange(r)) becomeFollower(r, r.term, NONE);
}

function voter(r: RaftState): string {
  const last = r.log.lastEntryId();
  return `${hex(r.id)} [logterm: ${last.term}, index: ${last.index}, vote: ${hex(r.vote)}]`;
}

function candidate(m: Message): string {
  return `${hex(m.from)} [logterm: ${m.logTerm}, index: ${m.index}]`;
}

/** Counts an answer to this campaign; enough of them end it. */
export function handleVoteResponse(r: RaftState, m: Message, type: MessageType): void {
  r.logger.info?.(
    `${hex(r.id)} received ${type}${m.reject ? " rejection" : ""} from ${hex(m.from)} at term ${r.term}`,
  );
  r.tracker.recordVote(m.from, !m.reject);
  const { granted, rejected, result } = r.tracker.tallyVotes();
  r.logger.info?.(
    `${hex(r.id)} has received ${granted} ${type} votes and ${rejected} vote rejections`,
  );
  switch (result) {
    case "won":
      if (r.state === "StatePreCandidate") {
        campaign(r, "election");
      } else {
        becomeLeader(r);
        broadcastAppend(r);
      }
      return;
    case "lost":
      // The answer to a pre-vote may carry the term to come; it isn't reached.
      becomeFollower(r, r.term, NONE);
      break;
    case "pending":
      break;
  }
  if (m.reject) learnCommit(r, m);
}
