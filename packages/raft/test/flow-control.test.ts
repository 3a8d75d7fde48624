/** Bounds on what is sent, waits and is applied (P11; thesis, 10.2.1). */
import { describe, expect, it } from "vitest";
import type { Message } from "../src/index.ts";
import { entriesSize, makeMessage } from "../src/index.ts";
import { World } from "./world.ts";

function bytes(count: number, size: number): Uint8Array[] {
  return Array.from({ length: count }, () => new Uint8Array(size));
}

function appendsTo(world: World, to: number): Message[] {
  return world.network.filter((m) => m.type === "MsgApp" && m.to === to);
}

describe("a MsgApp", () => {
  it("carries at most the maximum size, but at least one entry", () => {
    const world = new World({ size: 2, voters: [1, 2], config: { maxSizePerMsg: 250 } }).elect(1);
    world.node(1).propose([...bytes(10, 100), ...bytes(1, 1_000)]);
    const sizes: number[] = [];
    world.reaches = () => {
      return true;
    };
    for (let i = 0; i < 100 && world.node(1).commit < 13; i++) {
      for (const member of world.members) world.ready(member);
      for (const m of world.network) if (m.entries.length > 0) sizes.push(entriesSize(m.entries));
      while (world.network.length > 0) world.deliver(0);
    }
    expect(world.node(1).commit).toBe(13);
    expect(sizes.filter((size) => size > 250)).toHaveLength(1);
    expect(sizes.length).toBeGreaterThan(5);
  });
});

describe("messages in flight", () => {
  it("are bounded in number, until some are acknowledged", () => {
    const config = { maxInflightMsgs: 3, maxSizePerMsg: 1 };
    const world = new World({ size: 2, voters: [1, 2], config }).elect(1);
    for (const data of bytes(10, 1)) world.node(1).propose([data]);
    world.ready(world.member(1));
    expect(appendsTo(world, 2)).toHaveLength(3);
    expect(world.node(1).status().progress.get(2)).toMatchObject({ inflightFull: true });
    world.settle();
    expect(world.node(2).commit).toBe(12);
  });

  it("are bounded in bytes", () => {
    const config = { maxInflightBytes: 100, maxSizePerMsg: 100 };
    const world = new World({ size: 2, voters: [1, 2], config }).elect(1);
    for (const data of bytes(10, 40)) world.node(1).propose([data]);
    world.ready(world.member(1));
    expect(appendsTo(world, 2)).toHaveLength(3);
    world.settle();
    expect(world.node(2).commit).toBe(12);
  });

  it("that are all lost don't stop replication for ever", () => {
    const config = { maxInflightMsgs: 2, maxSizePerMsg: 1 };
    const world = new World({ size: 2, voters: [1, 2], config }).elect(1);
    for (const data of bytes(5, 1)) world.node(1).propose([data]);
    world.ready(world.member(1));
    world.network = [];
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.node(2).commit).toBe(7);
  });

  it("to an unreachable member are not pipelined", () => {
    const world = new World({ size: 2, voters: [1, 2] }).elect(1);
    world.node(1).reportUnreachable(2);
    for (const data of bytes(5, 1)) world.node(1).propose([data]);
    world.ready(world.member(1));
    expect(appendsTo(world, 2)).toHaveLength(1);
  });
});

describe("an answer", () => {
  const answer = { type: "MsgAppResp", from: 2, to: 1, term: 1 } as const;
  const progressOf = (world: World) => world.node(1).status().progress.get(2);

  it("to what was sent before a probe doesn't end the probe, the one that names the match does", () => {
    const world = new World({ size: 2, voters: [1, 2] }).elect(1);
    world.propose(1, "a");
    world.settle();
    world.node(1).reportUnreachable(2);
    world.node(1).step(makeMessage({ ...answer, index: 2 }));
    expect(progressOf(world)).toMatchObject({ state: "StateProbe", match: 3 });
    world.node(1).step(makeMessage({ ...answer, index: 3 }));
    expect(progressOf(world)).toMatchObject({ state: "StateReplicate", match: 3 });
  });

  it("that comes again causes no message", () => {
    const world = new World({ size: 2, voters: [1, 2] }).elect(1);
    world.propose(1, "a");
    world.settle();
    world.node(1).step(makeMessage({ ...answer, index: 3 }));
    world.node(1).step(makeMessage({ ...answer, index: 2 }));
    world
      .node(1)
      .step(makeMessage({ ...answer, index: 1, reject: true, rejectHint: 1, logTerm: 1 }));
    expect(world.node(1).hasReady()).toBe(false);
  });

  it("with a hint whose term is unknown there is probed at the hint", () => {
    const world = new World({ size: 2, voters: [1, 2] }).elect(1);
    for (const text of "abcdef") world.propose(1, text);
    world.settle();
    // A new term, in which the leader knows nothing of 2's log.
    world.node(1).step(makeMessage({ type: "MsgVote", from: 2, to: 1, term: 2 }));
    world.node(1).campaign();
    world.ready(world.member(1));
    world.node(1).step(makeMessage({ ...answer, type: "MsgVoteResp", term: 3 }));
    expect(progressOf(world)).toMatchObject({ state: "StateProbe", match: 0, next: 9 });
    const rejection = { ...answer, term: 3, index: 8, reject: true, rejectHint: 4, logTerm: 0 };
    world.node(1).step(makeMessage(rejection));
    expect(progressOf(world)).toMatchObject({ state: "StateProbe", match: 0, next: 5 });
  });
});

describe("heartbeats", () => {
  it("are sent once an interval, and no more by a leader that has just given up", () => {
    const config = { heartbeatTick: 2, electionTick: 5, checkQuorum: true };
    const world = new World({ size: 3, voters: [1, 2, 3], config }).elect(1);
    const sent: number[] = [];
    for (let i = 0; i < 10; i++) {
      world.tick(1).ready(world.member(1));
      sent.push(world.network.splice(0).length);
    }
    // At the tenth tick neither has answered for a whole election timeout.
    expect(sent).toEqual([0, 2, 0, 2, 0, 2, 0, 2, 0, 0]);
    expect(world.node(1).state).toBe("StateFollower");
  });
});

describe("what waits for its commit", () => {
  it("is bounded, except for a single large proposal", () => {
    const config = { maxUncommittedEntriesSize: 100 };
    const world = new World({ size: 3, voters: [1, 2, 3], config }).elect(1);
    world.reaches = () => false;
    expect(world.node(1).propose(bytes(1, 500)).ok).toBe(true);
    const refused = { ok: false, reason: "uncommitted-limit" };
    expect(world.node(1).propose(bytes(1, 1))).toMatchObject(refused);
    expect(world.node(1).propose([new Uint8Array(0)]).ok).toBe(true);
    world.settle();
    world.reaches = () => true;
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.node(1).propose(bytes(2, 50)).ok).toBe(true);
    expect(world.node(1).propose(bytes(1, 1))).toMatchObject(refused);
  });
});

describe("what waited for its commit in an earlier term", () => {
  it("does not count for a new leader", () => {
    const config = { maxUncommittedEntriesSize: 100 };
    const world = new World({ size: 3, voters: [1, 2, 3], config }).elect(1);
    world.reaches = (from, to) => from !== 1 && to !== 1;
    world.node(1).propose(bytes(1, 100));
    world.settle().elect(2);
    world.reaches = () => true;
    world.tick(2).settle();
    expect(world.node(1).state).toBe("StateFollower");
    world.elect(1);
    expect(world.node(1).state).toBe("StateLeader");
    expect(world.node(1).propose(bytes(1, 100)).ok).toBe(true);
  });
});

describe("what is being applied", () => {
  it.each([true, false])("is bounded in bytes (asynchronous: %s)", (asyncStorageWrites) => {
    const config = { maxCommittedSizePerReady: 200, asyncStorageWrites };
    const world = new World({ size: 1, voters: [1], config }).elect(1);
    world.node(1).propose(bytes(10, 90));
    const member = world.member(1);
    let batches = 0;
    for (let i = 0; i < 200 && world.node(1).applied < 12; i++) {
      const before = member.current.index;
      world.ready(member);
      world.append(member);
      world.hear(member);
      const waiting = member.applyWork.flatMap(({ entries }) => entries);
      expect(entriesSize(waiting)).toBeLessThanOrEqual(200);
      world.apply(member);
      if (member.current.index > before) batches++;
    }
    expect(world.node(1).applied).toBe(12);
    expect(batches).toBeGreaterThanOrEqual(5);
  });
});
