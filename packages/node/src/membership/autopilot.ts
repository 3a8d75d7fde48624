// What the leader does about servers by itself, when it is told to: a voter that has been dead for long gives its vote to a
// spare, a learner that has caught up and was not meant to vote. Pure but for what it is told; the office carries it out.
import { MemberRole, type ServerRecord } from "@parley/protocol";
import type { Plan, Situation } from "./change-plan.ts";
import { CAUGHT_UP_ENTRIES } from "./change-plan.ts";
import { hasLiveMajority, isWitness } from "./membership.ts";

export interface AutopilotSettings {
  /** A voter that nothing was heard of for so long is replaced; 0 = never. */
  readonly deadMs: number;
  /** With fewer voters than this nothing is done. */
  readonly votersMin: number;
}

/**
 * One change: the spare becomes a voter and the dead server a learner, which it is when it comes back; a spare in its turn. The number
 * of voters stays. Undefined: nobody is dead, nobody could take the place, or the cluster could not do without (P8). `silentMs`:
 * how long the leader has heard nothing of a server.
 */
export function planOfAutopilot(
  situation: Situation,
  { deadMs, votersMin }: AutopilotSettings,
  silentMs: (raftId: number) => number,
): Extract<Plan, { kind: "change" }> | undefined {
  const { membership, isLive } = situation;
  const { voters, servers } = membership;
  if (deadMs === 0 || voters.length < votersMin) return undefined;
  const dead = longestSilent(
    servers.filter(
      (server) =>
        voters.includes(server.raftId) &&
        !isWitness(server) &&
        !isLive(server.raftId) &&
        silentMs(server.raftId) >= deadMs,
    ),
    silentMs,
  );
  if (dead === undefined) return undefined;
  const spare = closest(
    servers.filter((server) => isSpare(situation, server)),
    situation,
  );
  if (spare === undefined) return undefined;
  const left = [...voters.filter((voter) => voter !== dead.raftId), spare.raftId];
  if (!hasLiveMajority(left, isLive)) return undefined;
  return {
    kind: "change",
    changes: [
      { kind: "add-learner", nodeId: dead.raftId },
      { kind: "add-voter", nodeId: spare.raftId },
    ],
    servers: [
      { ...dead, role: MemberRole.MEMBER_ROLE_LEARNER },
      { ...spare, role: MemberRole.MEMBER_ROLE_VOTER },
    ],
    what:
      `server ${spare.nodeId} votes in the place of server ${dead.nodeId}, which has been silent for ` +
      `${Math.round(silentMs(dead.raftId) / 1_000)} s`,
  };
}

function isSpare({ membership, isLive, lag, lacksEntries }: Situation, server: ServerRecord) {
  const { raftId, role } = server;
  return (
    membership.learners.includes(raftId) &&
    role === MemberRole.MEMBER_ROLE_LEARNER &&
    isLive(raftId) &&
    lag(raftId) <= CAUGHT_UP_ENTRIES &&
    !lacksEntries(raftId)
  );
}

function longestSilent(
  servers: readonly ServerRecord[],
  silentMs: (raftId: number) => number,
): ServerRecord | undefined {
  return [...servers].sort((a, b) => silentMs(b.raftId) - silentMs(a.raftId))[0];
}

function closest(servers: readonly ServerRecord[], { lag }: Situation): ServerRecord | undefined {
  return [...servers].sort((a, b) => lag(a.raftId) - lag(b.raftId) || a.nodeId - b.nodeId)[0];
}
