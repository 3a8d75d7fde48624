// The arithmetic of the membership: configuration and table together, the same everywhere.
import { MemberRole, type ServerRecord } from "@parley/protocol";
import type { ConfChange, ConfState } from "@parley/raft";
import { describe, expect, test } from "vitest";
import type { Membership } from "../ports.ts";
import { planOfAutopilot } from "./autopilot.ts";
import {
  planAdd,
  planDemote,
  planPromote,
  planReadmission,
  planRemove,
  planReplace,
  type Situation,
} from "./change-plan.ts";
import {
  afterChange,
  currentServers,
  encodeContext,
  genesisMembership,
  serverOfNode,
  standingOf,
} from "./membership.ts";

function server(nodeId: number, raftId = nodeId, role: MemberRole = MemberRole.MEMBER_ROLE_VOTER) {
  const record: ServerRecord = {
    nodeId,
    raftId,
    serverUuid: `disk-${raftId}`,
    address: `10.0.0.${nodeId}:7400`,
    httpAddress: "",
    role,
  };
  return record;
}

const GENESIS = genesisMembership({
  clusterId: "c",
  configHash: "h",
  members: [server(2), server(1), server(3)],
  self: undefined,
  setupTokenHash: new Uint8Array(0),
});

function conf(changes: Partial<ConfState>): ConfState {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = GENESIS;
  return { voters, votersOutgoing, learners, learnersNext, autoLeave, ...changes };
}

function change(changeId: string, servers: readonly ServerRecord[]): ConfChange {
  const context = encodeContext(changeId, servers);
  return { version: 2, transition: "auto", changes: [], context };
}

describe("the membership", () => {
  test("begins with the bootstrap record", () => {
    expect(GENESIS.voters).toEqual([1, 2, 3]);
    expect(GENESIS.servers.map(({ raftId }) => raftId)).toEqual([1, 2, 3]);
    expect(GENESIS.nextRaftId).toBe(4);
  });

  test("a server enters the table with the configuration and leaves it with the configuration", () => {
    const added = afterChange(GENESIS, change("a", [server(4)]), conf({ learners: [4] }));
    expect(added.servers.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3, 4]);
    expect(added.nextRaftId).toBe(5);
    expect(added.lastChangeId).toBe("a");
    const removed = afterChange(added, change("b", []), conf({}));
    expect(removed.servers).toEqual(GENESIS.servers);
    expect(standingOf(removed, 4)).toBe("removed");
    expect(standingOf(removed, 5)).toBe("expected");
  });

  test("P9: a raft id is never given twice, also when nobody holds it any more", () => {
    const added = afterChange(GENESIS, change("a", [server(4)]), conf({ learners: [4] }));
    const removed = afterChange(added, change("b", []), conf({}));
    expect(removed.nextRaftId).toBe(5);
  });

  test("in a joint configuration an outgoing server stays, and its successor has the place", () => {
    const joint = afterChange(
      GENESIS,
      change("swap", [server(3, 4)]),
      conf({ voters: [1, 2], votersOutgoing: [1, 2, 3], learners: [4], autoLeave: true }),
    );
    expect(joint.servers.map(({ raftId }) => raftId)).toEqual([1, 2, 3, 4]);
    expect(serverOfNode(joint, 3)?.raftId).toBe(4);
    expect(currentServers(joint).map(({ raftId }) => raftId)).toEqual([1, 2, 4]);
    const noContext: ConfChange = { ...change("", []), context: new Uint8Array(0) };
    const left = afterChange(joint, noContext, conf({ voters: [1, 2], learners: [4] }));
    expect(left.servers.map(({ raftId }) => raftId)).toEqual([1, 2, 4]);
    expect(left.lastChangeId).toBe("swap");
    expect(standingOf(left, 3)).toBe("removed");
  });

  test("no context makes it throw: what can't be read changes no server", () => {
    const garbage: ConfChange = { ...change("", []), context: new Uint8Array([0xff, 0x07, 1]) };
    expect(afterChange(GENESIS, garbage, conf({})).servers).toEqual(GENESIS.servers);
  });
});

describe("a plan", () => {
  function situation(dead: readonly number[] = [], membership: Membership = GENESIS): Situation {
    return {
      membership,
      leaderRaftId: 1,
      isLive: (raftId) => !dead.includes(raftId),
      lag: (raftId) => (raftId === 9 ? 5_000 : 3),
      lacksEntries: () => false,
    };
  }
  const withLearner = afterChange(GENESIS, change("a", [server(4)]), conf({ learners: [4] }));

  test("adds under a fresh raft id", () => {
    const { raftId: _, ...identified } = server(4);
    expect(planAdd(situation(), identified)).toMatchObject({
      kind: "change",
      changes: [{ kind: "add-learner", nodeId: 4 }],
    });
  });

  test("P9: takes back in one change: out with the old raft id, in with a learner under a fresh one", () => {
    const { raftId: _, ...identified } = server(3);
    expect(planReadmission(situation([3]), server(3), identified)).toMatchObject({
      changes: [
        { kind: "remove", nodeId: 3 },
        { kind: "add-learner", nodeId: 4 },
      ],
      servers: [{ nodeId: 3, raftId: 4, role: MemberRole.MEMBER_ROLE_VOTER }],
    });
  });

  test("P6: refuses what leaves fewer live voters than a majority, unless forced", () => {
    const id = 2;
    expect(planRemove(situation([3]), { id, force: false })).toMatchObject({
      error: { reason: "WOULD_LOSE_QUORUM" },
    });
    expect(planRemove(situation([3]), { id, force: true })).toMatchObject({ kind: "change" });
    expect(planRemove(situation([3]), { id: 3, force: false })).toMatchObject({ kind: "change" });
    expect(planDemote(situation([3]), { id, force: false })).toMatchObject({
      error: { reason: "WOULD_LOSE_QUORUM" },
    });
  });

  test("a leader hands over before it goes", () => {
    expect(planRemove(situation(), { id: 1, force: false })).toMatchObject({ kind: "hand-over" });
    expect(planDemote(situation(), { id: 1, force: false })).toMatchObject({ kind: "hand-over" });
  });

  test("only a learner that has caught up and is in contact gets a vote", () => {
    expect(planPromote(situation([], withLearner), { id: 4 })).toMatchObject({
      changes: [{ kind: "add-voter", nodeId: 4 }],
    });
    expect(planPromote(situation([4], withLearner), { id: 4 })).toMatchObject({
      error: { reason: "NOT_CAUGHT_UP" },
    });
    const behind = afterChange(GENESIS, change("a", [server(4, 9)]), conf({ learners: [9] }));
    expect(planPromote(situation([], behind), { id: 4 })).toMatchObject({
      error: { reason: "NOT_CAUGHT_UP" },
    });
    expect(planPromote(situation(), { id: 2 })).toMatchObject({ error: { reason: "ID_EXISTS" } });
  });

  describe("of the autopilot", () => {
    const spare = server(4, 4, MemberRole.MEMBER_ROLE_LEARNER);
    const withSpare = afterChange(GENESIS, change("a", [spare]), conf({ learners: [4] }));
    const settings = { deadMs: 60_000, votersMin: 3 };
    const silentFor = (ms: number) => (raftId: number) => (raftId === 3 ? ms : 0);
    const plan = (dead: readonly number[], membership = withSpare, silentMs = 60_000) =>
      planOfAutopilot(situation(dead, membership), settings, silentFor(silentMs));

    test("a spare votes in the place of a dead voter, in one joint change that keeps the number", () => {
      expect(plan([3])).toMatchObject({
        changes: [
          { kind: "add-learner", nodeId: 3 },
          { kind: "add-voter", nodeId: 4 },
        ],
        servers: [
          { nodeId: 3, role: MemberRole.MEMBER_ROLE_LEARNER },
          { nodeId: 4, role: MemberRole.MEMBER_ROLE_VOTER },
        ],
      });
    });

    test("nothing is done too soon, without a spare that has caught up, or below the minimum", () => {
      expect(plan([])).toBeUndefined();
      expect(plan([3], withSpare, 59_999)).toBeUndefined();
      expect(plan([3], GENESIS)).toBeUndefined();
      expect(plan([3, 4])).toBeUndefined();
      expect(plan([3], withLearner), "one that is on its way to a vote").toBeUndefined();
      const behind = afterChange(
        GENESIS,
        change("a", [server(4, 9, MemberRole.MEMBER_ROLE_LEARNER)]),
        conf({ learners: [9] }),
      );
      expect(plan([3], behind)).toBeUndefined();
      const off = { ...settings, deadMs: 0 };
      expect(planOfAutopilot(situation([3], withSpare), off, silentFor(1e9))).toBeUndefined();
      const five = { ...settings, votersMin: 5 };
      expect(planOfAutopilot(situation([3], withSpare), five, silentFor(1e9))).toBeUndefined();
    });

    test("P6: nor what the cluster could not do without", () => {
      expect(plan([2, 3])).toMatchObject({ kind: "change" });
      const lost = { ...situation([2, 3], withSpare), isLive: (raftId: number) => raftId === 4 };
      expect(planOfAutopilot(lost, settings, silentFor(1e9))).toBeUndefined();
    });
  });

  test("a replacement is one joint change", () => {
    const wish = { oldId: 3, newId: 4, force: false };
    expect(planReplace(situation([3], withLearner), wish)).toMatchObject({
      changes: [
        { kind: "remove", nodeId: 3 },
        { kind: "add-voter", nodeId: 4 },
      ],
    });
    expect(planReplace(situation(), { ...wish, newId: 2 })).toMatchObject({
      error: { reason: "INVALID_ARGUMENT" },
    });
  });
});
