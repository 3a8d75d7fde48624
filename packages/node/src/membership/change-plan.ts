// What a wish of an operator, or of a server that was wiped, means for the membership as it is: a configuration
// change, nothing to do, or a refusal that says what to do next (P8). Pure; the leader carries it out.
import {
  type DemoteServerRequest,
  MemberRole,
  ParleyError,
  type PromoteServerRequest,
  type RemoveServerRequest,
  type ReplaceServerRequest,
  type ServerRecord,
} from "@parley/protocol";
import type { ConfChangeSingle } from "@parley/raft";
import type { Membership } from "../ports.ts";
import {
  dataMembers,
  hasLiveMajority,
  isVoter,
  isWitness,
  majorityOf,
  serverOfNode,
} from "./membership.ts";

/** Entries that a learner may lack and still count as caught up: a moment's worth under full load. */
export const CAUGHT_UP_ENTRIES = 1_000;

/** What the leader knows of the servers, beside the membership. */
export interface Situation {
  readonly membership: Membership;
  /** The leader itself. */
  readonly leaderRaftId: number;
  isLive(raftId: number): boolean;
  /** Entries that it lacks; infinite when not known. */
  lag(raftId: number): number;
  /** Whether it may need entries that the others have let go: then it must not vote yet (see `witness.ts` of the core). */
  lacksEntries(raftId: number): boolean;
}

export type Plan =
  | {
      readonly kind: "change";
      readonly changes: readonly ConfChangeSingle[];
      /** Added to the table, or changed in it. */
      readonly servers: readonly ServerRecord[];
      /** For the log. */
      readonly what: string;
    }
  /** Somebody else has to lead first. */
  | { readonly kind: "hand-over"; readonly why: string }
  | { readonly kind: "refused"; readonly error: ParleyError };

type Identified = Omit<ServerRecord, "raftId">;

/** A server that has introduced itself joins as a learner; its role says what it is meant to be. */
export function planAdd({ membership }: Situation, server: Identified): Plan {
  const raftId = membership.nextRaftId;
  return {
    kind: "change",
    changes: [{ kind: "add-learner", nodeId: raftId }],
    servers: [{ ...server, raftId }],
    what: `adding server ${server.nodeId} as a learner`,
  };
}

/** A server that lost its disk takes the place of its old self, in one change (P9). */
export function planReadmission(
  { membership }: Situation,
  old: ServerRecord,
  server: Identified,
): Plan {
  const raftId = membership.nextRaftId;
  return {
    kind: "change",
    changes: [
      { kind: "remove", nodeId: old.raftId },
      { kind: "add-learner", nodeId: raftId },
    ],
    servers: [{ ...server, raftId, role: old.role }],
    what: `server ${server.nodeId} lost its disk: raft id ${raftId} replaces ${old.raftId}`,
  };
}

export function planPromote(situation: Situation, { id }: PromoteServerRequest): Plan {
  const found = findServer(situation, id);
  if (found instanceof ParleyError) return refused(found);
  const { raftId } = found;
  if (isVoter(situation.membership, raftId)) {
    return refused(new ParleyError("ID_EXISTS", `Server ${id} is a voter already.`));
  }
  const behind = notCaughtUp(situation, found);
  if (behind !== undefined) return refused(behind);
  return {
    kind: "change",
    changes: [{ kind: "add-voter", nodeId: raftId }],
    servers: [{ ...found, role: votingRole(found) }],
    what: `server ${id} becomes ${isWitness(found) ? "a voting witness" : "a voter"}`,
  };
}

export function planDemote(situation: Situation, { id, force }: DemoteServerRequest): Plan {
  const found = findServer(situation, id);
  if (found instanceof ParleyError) return refused(found);
  const { raftId } = found;
  if (isWitness(found)) {
    return refused(
      new ParleyError(
        "INVALID_ARGUMENT",
        `Server ${id} is a witness, and without its vote it would be nothing: \`parley remove-server ${id}\` takes it out.`,
      ),
    );
  }
  const isLearner = !isVoter(situation.membership, raftId);
  const isMeantToVote = found.role !== MemberRole.MEMBER_ROLE_LEARNER;
  if (isLearner && !isMeantToVote) {
    return refused(new ParleyError("INVALID_ARGUMENT", `Server ${id} is a learner already.`));
  }
  if (!isLearner) {
    const problem = withoutVoter(situation, raftId, [], id, force);
    if (problem !== undefined) return refused(problem);
    if (raftId === situation.leaderRaftId) return handOver(`server ${id} is to be demoted`);
  }
  return {
    kind: "change",
    changes: [{ kind: isLearner ? "update" : "add-learner", nodeId: raftId }],
    servers: [{ ...found, role: MemberRole.MEMBER_ROLE_LEARNER }],
    what: `server ${id} becomes a learner`,
  };
}

export function planRemove(situation: Situation, { id, force }: RemoveServerRequest): Plan {
  const found = findServer(situation, id);
  if (found instanceof ParleyError) return refused(found);
  const { raftId } = found;
  if (isVoter(situation.membership, raftId)) {
    const problem = withoutVoter(situation, raftId, [], id, force);
    if (problem !== undefined) return refused(problem);
    if (raftId === situation.leaderRaftId) return handOver(`server ${id} is to be removed`);
  }
  return {
    kind: "change",
    changes: [{ kind: "remove", nodeId: raftId }],
    servers: [],
    what: `server ${id} is removed`,
  };
}

export function planReplace(
  situation: Situation,
  { oldId, newId, force }: ReplaceServerRequest,
): Plan {
  const old = findServer(situation, oldId);
  if (old instanceof ParleyError) return refused(old);
  const next = findServer(situation, newId);
  if (next instanceof ParleyError) return refused(next);
  const { membership, leaderRaftId } = situation;
  if (old.raftId === next.raftId || isVoter(membership, next.raftId)) {
    return refused(
      new ParleyError(
        "INVALID_ARGUMENT",
        `Server ${newId} is a voter already: a learner takes the place of another server. ` +
          `To take ${oldId} out, use \`parley remove-server ${oldId}\`.`,
      ),
    );
  }
  const behind = notCaughtUp(situation, next);
  if (behind !== undefined) return refused(behind);
  if (isVoter(membership, old.raftId)) {
    const problem = withoutVoter(situation, old.raftId, [next.raftId], oldId, force);
    if (problem !== undefined) return refused(problem);
    if (old.raftId === leaderRaftId) return handOver(`server ${oldId} is to be replaced`);
  }
  return {
    kind: "change",
    changes: [
      { kind: "remove", nodeId: old.raftId },
      { kind: "add-voter", nodeId: next.raftId },
    ],
    servers: [{ ...next, role: votingRole(next) }],
    what: `server ${newId} takes the place of server ${oldId}`,
  };
}

/** What a server that votes is in the table. */
function votingRole(server: ServerRecord): MemberRole {
  return isWitness(server) ? MemberRole.MEMBER_ROLE_WITNESS : MemberRole.MEMBER_ROLE_VOTER;
}

function findServer({ membership }: Situation, id: number): ServerRecord | ParleyError {
  const server = serverOfNode(membership, id);
  if (server !== undefined) return server;
  const ids = membership.servers.map(({ nodeId }) => nodeId).sort((a, b) => a - b);
  return new ParleyError(
    "SERVER_NOT_FOUND",
    `There is no server ${id} in the cluster; its servers are ${ids.join(", ")}.`,
  );
}

function notCaughtUp(situation: Situation, { nodeId, raftId }: ServerRecord) {
  if (!situation.isLive(raftId)) {
    return new ParleyError(
      "NOT_CAUGHT_UP",
      `Server ${nodeId} is not in contact with the leader: start it, and try again when it has caught up.`,
    );
  }
  const lag = situation.lag(raftId);
  if (lag <= CAUGHT_UP_ENTRIES && !situation.lacksEntries(raftId)) return undefined;
  return new ParleyError(
    "NOT_CAUGHT_UP",
    `Server ${nodeId} lacks ${Number.isFinite(lag) ? lag : "many"} entries: try again when it has caught up (\`parley status\`).`,
    { retryAfterMs: 1_000 },
  );
}

/** Why the cluster can't do without this voter, with these in its place; undefined = it can. */
function withoutVoter(
  { membership, isLive }: Situation,
  raftId: number,
  instead: readonly number[],
  id: number,
  force: boolean,
): ParleyError | undefined {
  const left = [...membership.voters.filter((voter) => voter !== raftId), ...instead];
  if (left.length === 0) {
    return new ParleyError(
      "LAST_VOTER",
      `Server ${id} is the last voter: a cluster can't be without one. Add another server first, or stop this one.`,
    );
  }
  const data = dataMembers(membership, left);
  if (data.length === 0) {
    return new ParleyError(
      "LAST_VOTER",
      `Server ${id} is the last voter that is no witness: without it nobody could serve the chat. Add another server first.`,
    );
  }
  if (!force && !data.some(isLive)) {
    return new ParleyError(
      "WOULD_LOSE_QUORUM",
      `Without server ${id}, no voter that has the chat would be alive, only witnesses. Bring one of servers ` +
        `${nodeIds(membership, data)} back first; --force does it all the same.`,
    );
  }
  if (force || hasLiveMajority(left, isLive)) return undefined;
  const live = left.filter(isLive).length;
  return new ParleyError(
    "WOULD_LOSE_QUORUM",
    `Without server ${id}, ${live} of ${left.length} voters would be alive, and ${majorityOf(left)} are needed: ` +
      "the cluster would stop. Bring the others back or remove those that are dead first; --force does it all the same.",
  );
}

function nodeIds({ servers }: Membership, raftIds: readonly number[]): string {
  const ids = servers.filter(({ raftId }) => raftIds.includes(raftId)).map(({ nodeId }) => nodeId);
  return ids.sort((a, b) => a - b).join(", ");
}

function refused(error: ParleyError): Plan {
  return { kind: "refused", error };
}

function handOver(why: string): Plan {
  return { kind: "hand-over", why };
}
