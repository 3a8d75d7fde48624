/** The contract with the application: Ready, storage threads, start and restart. */
import { describe, expect, it } from "vitest";
import type { MessageType, Ready } from "../src/index.ts";
import {
  encodeConfChange,
  InvariantViolation,
  LOCAL_APPEND_THREAD,
  LOCAL_APPLY_THREAD,
  MemoryStorage,
  makeMessage,
  NO_BYTES,
  RawNode,
} from "../src/index.ts";
import { World } from "./world.ts";

const CONF_STATE = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

function start(storage: MemoryStorage, asyncStorageWrites: boolean, applied = 0): RawNode {
  return new RawNode({
    id: 1,
    storage,
    electionTick: 3,
    heartbeatTick: 1,
    random: () => 0,
    asyncStorageWrites,
    applied,
  });
}

function storageWithMembers(): MemoryStorage {
  const storage = new MemoryStorage();
  storage.applySnapshot({ index: 5, term: 1, confState: CONF_STATE, data: NO_BYTES });
  return storage;
}

function types(ready: Ready): MessageType[] {
  return ready.messages.map(({ type }) => type);
}

describe("the synchronous contract", () => {
  it("offers work once, and the next only after advance", () => {
    const node = start(storageWithMembers(), false, 5);
    expect(node.hasReady()).toBe(false);
    node.campaign();
    expect(node.hasReady()).toBe(true);
    const ready = node.ready();
    expect(ready.hardState).toEqual({ term: 1, vote: 1, commit: 5 });
    expect(ready.mustSync).toBe(true);
    expect(types(ready)).toEqual(["MsgVote", "MsgVote"]);
    expect(() => node.ready()).toThrow(InvariantViolation);
    node.advance();
    expect(node.hasReady()).toBe(false);
  });

  it("counts the own vote only after advance: it must be stored first", () => {
    const storage = new MemoryStorage();
    const confState = { ...CONF_STATE, voters: [1] };
    storage.applySnapshot({ index: 5, term: 1, confState, data: NO_BYTES });
    const node = start(storage, false, 5);
    node.campaign();
    storage.setHardState(node.ready().hardState ?? { term: 0, vote: 0, commit: 0 });
    expect(node.state).toBe("StateCandidate");
    node.advance();
    expect(node.state).toBe("StateLeader");
  });
});

describe("the asynchronous contract", () => {
  it("sends what needs no storage at once, and attaches the rest to the write", () => {
    const node = start(storageWithMembers(), true, 5);
    node.campaign();
    const ready = node.ready();
    expect(types(ready)).toEqual(["MsgVote", "MsgVote", "MsgStorageAppend"]);
    const append = ready.messages[2];
    expect(append).toMatchObject({ to: LOCAL_APPEND_THREAD, term: 1, vote: 1, commit: 5 });
    expect(append?.responses.map(({ type, to }) => [type, to])).toEqual([["MsgVoteResp", 1]]);
    expect(() => node.advance()).toThrow(InvariantViolation);
  });

  it("offers more while writes are going on", () => {
    const world = new World({ size: 1, voters: [1], config: { asyncStorageWrites: true } }).elect(
      1,
    );
    const node = world.node(1);
    node.propose([Uint8Array.of(1)]);
    const first = node.ready();
    node.propose([Uint8Array.of(2)]);
    const second = node.ready();
    expect([first, second].map(({ entries }) => entries.map(({ index }) => index))).toEqual([
      [3],
      [4],
    ]);
    // The second write's answer covers both: writes end in order.
    const append = second.messages.find(({ to }) => to === LOCAL_APPEND_THREAD);
    expect(append?.responses.map(({ type, index }) => [type, index])).toEqual([
      ["MsgAppResp", 4],
      ["MsgStorageAppendResp", 4],
    ]);
  });

  it("hands entries to the apply thread only when they are stored", () => {
    const world = new World({ size: 1, voters: [1], config: { asyncStorageWrites: true } }).elect(
      1,
    );
    const member = world.member(1);
    world.propose(1, "a");
    world.ready(member);
    expect(world.ready(member)).toBe(false);
    world.append(member);
    while (world.hear(member));
    const node = world.node(1);
    const ready = node.ready();
    const apply = ready.messages.find(({ to }) => to === LOCAL_APPLY_THREAD);
    expect(apply?.entries.map(({ index }) => index)).toEqual([3]);
  });
});

describe("messages that are not for a member to get", () => {
  it.each(["MsgStorageAppendResp", "MsgStorageApplyResp"] as const)("%s from a peer", (type) => {
    const node = start(storageWithMembers(), true, 5);
    const message = makeMessage({ type, from: 2, to: 1, term: 0, index: 9 });
    expect(node.step(message)).toMatchObject({ ok: false, reason: "local-message" });
  });

  it("a proposal of nothing", () => {
    const world = new World({ size: 3, voters: [1, 2, 3] }).elect(1);
    const nothing = makeMessage({ type: "MsgProp", from: 2, to: 1, term: 0 });
    expect(world.node(1).step(nothing)).toMatchObject({ ok: false, reason: "proposal-dropped" });
    expect(() => world.node(1).propose([])).toThrow(InvariantViolation);
  });

  it("answers of a stranger", () => {
    const node = start(storageWithMembers(), true, 5);
    const message = makeMessage({ type: "MsgVoteResp", from: 8, to: 1, term: 1 });
    expect(node.step(message)).toMatchObject({ ok: false, reason: "peer-not-found" });
  });
});

describe("a restart", () => {
  it("takes up term, vote and commit, and applies from what is applied", () => {
    const storage = storageWithMembers();
    storage.append([
      { type: "EntryNormal", term: 2, index: 6, data: Uint8Array.of(1) },
      { type: "EntryNormal", term: 2, index: 7, data: Uint8Array.of(2) },
    ]);
    storage.setHardState({ term: 3, vote: 2, commit: 7 });
    const node = start(storage, false, 6);
    expect(node.status()).toMatchObject({ term: 3, vote: 2, commit: 7, applied: 6, lastIndex: 7 });
    expect(node.ready().committedEntries.map(({ index }) => index)).toEqual([7]);
  });

  it("takes what is applied for committed, even if the hard state doesn't know", () => {
    const storage = storageWithMembers();
    storage.append([{ type: "EntryNormal", term: 1, index: 6, data: NO_BYTES }]);
    storage.setHardState({ term: 1, vote: 0, commit: 5 });
    const node = start(storage, false, 6);
    expect([node.commit, node.applied]).toEqual([6, 6]);
    expect(node.hasReady()).toBe(false);
  });

  it("stops if the log is shorter than what was committed", () => {
    const storage = storageWithMembers();
    storage.setHardState({ term: 1, vote: 0, commit: 9 });
    expect(() => start(storage, false, 5)).toThrow(InvariantViolation);
    const other = storageWithMembers();
    expect(() => start(other, false, 9)).toThrow("Was the raft log corrupted, truncated, or lost?");
  });
});

describe("a bootstrap", () => {
  it("begins every member with the same entries, applied as any other", () => {
    const storage = new MemoryStorage();
    const node = start(storage, false);
    const context = Uint8Array.of(7);
    node.bootstrap([1, 2].map((id) => ({ id, context })));
    const ready = node.ready();
    expect(ready.hardState).toEqual({ term: 1, vote: 0, commit: 2 });
    expect(ready.entries).toEqual(ready.committedEntries);
    expect(ready.entries.map(({ data }) => data)).toEqual(
      [1, 2].map((nodeId) =>
        encodeConfChange({ version: 1, change: { kind: "add-voter", nodeId }, context }),
      ),
    );
    storage.append(ready.entries);
    for (const nodeId of [1, 2]) {
      const change = { kind: "add-voter", nodeId } as const;
      expect(node.applyConfChange({ version: 1, change, context }).voters).toEqual([1, 2]);
    }
    node.advance();
    node.campaign();
    expect(node.state).toBe("StateCandidate");
  });

  it("needs an empty storage and somebody to begin with", () => {
    expect(() =>
      start(storageWithMembers(), false, 5).bootstrap([{ id: 1, context: NO_BYTES }]),
    ).toThrow("can't bootstrap a nonempty Storage");
    expect(() => start(new MemoryStorage(), false).bootstrap([])).toThrow(InvariantViolation);
  });
});

describe("a configuration that can't work", () => {
  const good = {
    id: 1,
    storage: new MemoryStorage(),
    electionTick: 3,
    heartbeatTick: 1,
    random: () => 0,
  };

  it.each([
    [{ id: 0 }, "no member id"],
    [{ id: 1.5 }, "no member id"],
    [{ id: LOCAL_APPEND_THREAD }, "no member id"],
    [{ heartbeatTick: 0 }, "heartbeat tick"],
    [{ electionTick: 1 }, "election tick"],
    [{ maxInflightMsgs: 0 }, "inflight"],
    [{ maxSizePerMsg: 10, maxInflightBytes: 5 }, "max inflight bytes"],
    [{ maxCommittedSizePerReady: 0 }, "max committed size"],
  ])("%o is refused", (bad, message) => {
    expect(() => new RawNode({ ...good, ...bad })).toThrow(message);
  });
});

describe("the status", () => {
  it("shows everybody's progress at the leader, and nothing of it elsewhere", () => {
    const world = new World({ size: 4, voters: [1, 2, 3], learners: [4] }).elect(1);
    const { progress, ...rest } = world.node(1).status();
    expect(rest).toEqual({
      id: 1,
      term: 1,
      vote: 1,
      commit: 2,
      applied: 2,
      lastIndex: 2,
      stableIndex: 2,
      lead: 1,
      state: "StateLeader",
      leadTransferee: 0,
      promotionFloor: 0,
      config: { ...CONF_STATE, learners: [4] },
    });
    expect([...progress].map(([id, each]) => [id, each.match, each.isLearner])).toEqual([
      [1, 2, false],
      [2, 2, false],
      [3, 2, false],
      [4, 2, true],
    ]);
    expect(world.node(2).status().progress.size).toBe(0);
  });

  it("P1: tells what of a new leader's log is still being written", () => {
    const storage = storageWithMembers();
    const node = start(storage, true, 5);
    const entries = [{ type: "EntryNormal", term: 1, index: 6, data: NO_BYTES }] as const;
    node.step(
      makeMessage({ type: "MsgApp", from: 2, to: 1, term: 1, index: 5, logTerm: 1, entries }),
    );
    const write = node.ready().messages.find(({ to }) => to === LOCAL_APPEND_THREAD);
    expect(write?.entries).toHaveLength(1);
    // Its disk stalls: the others' votes alone elect it.
    node.campaign();
    for (const from of [2, 3]) {
      node.step(makeMessage({ type: "MsgVoteResp", from, to: 1, term: 2 }));
    }
    expect(node.status()).toMatchObject({ state: "StateLeader", lastIndex: 7, stableIndex: 5 });
    expect(node.status().progress.get(1)?.match).toBeGreaterThanOrEqual(6);
    const appended = node.ready().messages.find(({ to }) => to === LOCAL_APPEND_THREAD);
    storage.append([...entries, ...(appended?.entries ?? [])]);
    for (const response of [...(write?.responses ?? []), ...(appended?.responses ?? [])]) {
      node.step(response);
    }
    expect(node.status().stableIndex).toBe(7);
  });
});

describe("determinism", () => {
  it("gives the same results for the same calls", () => {
    const history = (): string => {
      const told: string[] = [];
      const logger = { info: (text: string) => told.push(text) };
      const world = new World({ size: 3, voters: [1, 2, 3], config: { logger } }).elect(1);
      for (const text of "abc") world.propose(1, text);
      world.settle().elect(2);
      return JSON.stringify([told, world.members.map(({ id }) => world.log(id))]);
    };
    expect(history()).toBe(history());
  });
});
