/** What followers and candidates make of messages (paper, figure 2: rules for followers, candidates). */
import type { StepResult } from "./api.ts";
import { handleVoteResponse, hup } from "./election.ts";
import type { ReadRequest } from "./read-rounds.ts";
import { handleAppend, handleHeartbeat } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import { handleSnapshot } from "./snapshots.ts";
import type { RaftState } from "./state.ts";
import { hex } from "./state.ts";
import type { Message, NodeId } from "./types.ts";
import { NONE } from "./types.ts";

const OK: StepResult = { ok: true };

function dropped(detail: string): StepResult {
  return { ok: false, reason: "proposal-dropped", detail };
}

export function stepFollower(r: RaftState, m: Message): StepResult {
  switch (m.type) {
    case "MsgProp":
      return forwardProposal(r, m);
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      r.electionElapsed = 0;
      r.lead = m.from;
      fromLeader(r, m);
      return OK;
    case "MsgTransferLeader":
      forwardTransfer(r, m.from);
      return OK;
    case "MsgTimeoutNow":
      r.logger.info?.(
        `${hex(r.id)} [term ${r.term}] received MsgTimeoutNow from ${hex(m.from)} and starts an election to get leadership.`,
      );
      // No pre-election: the leader itself wants it.
      hup(r, "transfer");
      return OK;
    case "MsgReadIndex":
      forwardRead(r, { from: m.from, context: m.context });
      return OK;
    case "MsgReadIndexResp":
      r.readStates.push({ index: m.index, context: m.context });
      return OK;
    default:
      return OK;
  }
}

function forwardProposal(r: RaftState, m: Message): StepResult {
  if (r.lead === NONE) {
    r.logger.info?.(`${hex(r.id)} no leader at term ${r.term}; dropping proposal`);
    return dropped("no leader is known");
  }
  if (r.settings.disableProposalForwarding) {
    r.logger.info?.(
      `${hex(r.id)} not forwarding to leader ${hex(r.lead)} at term ${r.term}; dropping proposal`,
    );
    return dropped("proposals are not forwarded");
  }
  r.send({ type: m.type, to: r.lead, from: m.from, entries: m.entries });
  return OK;
}

/** Passes the wish that `to` should lead on to the leader. */
export function forwardTransfer(r: RaftState, to: NodeId): void {
  if (r.lead === NONE) {
    r.logger.info?.(`${hex(r.id)} no leader at term ${r.term}; dropping leader transfer msg`);
  } else {
    r.send({ type: "MsgTransferLeader", to: r.lead, from: to });
  }
}

/** Passes a read on to the leader; false if there is none. */
export function forwardRead(r: RaftState, request: ReadRequest): boolean {
  if (r.lead === NONE) {
    r.logger.info?.(`${hex(r.id)} no leader at term ${r.term}; dropping index reading msg`);
    return false;
  }
  r.send({ type: "MsgReadIndex", to: r.lead, ...request });
  return true;
}

export function stepCandidate(r: RaftState, m: Message): StepResult {
  switch (m.type) {
    case "MsgProp":
      r.logger.info?.(`${hex(r.id)} no leader at term ${r.term}; dropping proposal`);
      return dropped("no leader is known");
    case "MsgApp":
    case "MsgHeartbeat":
    case "MsgSnap":
      // Somebody else has won this term (5.2).
      becomeFollower(r, m.term, m.from);
      fromLeader(r, m);
      return OK;
    case "MsgPreVoteResp":
      if (r.state === "StatePreCandidate") handleVoteResponse(r, m, m.type);
      return OK;
    case "MsgVoteResp":
      // A pre-candidate may still get answers from an earlier campaign in this term.
      if (r.state === "StateCandidate") handleVoteResponse(r, m, m.type);
      return OK;
    case "MsgTimeoutNow":
      r.logger.debug?.(
        `${hex(r.id)} [term ${r.term} state ${r.state}] ignored MsgTimeoutNow from ${hex(m.from)}`,
      );
      return OK;
    default:
      return OK;
  }
}

function fromLeader(r: RaftState, m: Message): void {
  if (m.type === "MsgApp") handleAppend(r, m);
  else if (m.type === "MsgHeartbeat") handleHeartbeat(r, m);
  else handleSnapshot(r, m);
}

/** Leaves the leader, not the term: this member may now vote for, or be, another one. */
export function forgetLeader(r: RaftState): void {
  if (r.state !== "StateFollower") return;
  if (r.settings.readOnly === "lease-based") {
    // The leader's lease rests on the followers' loyalty.
    r.logger.error?.("ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
    return;
  }
  if (r.lead === NONE) return;
  r.logger.info?.(`${hex(r.id)} forgetting leader ${hex(r.lead)} at term ${r.term}`);
  r.lead = NONE;
}
