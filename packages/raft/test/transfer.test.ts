/** Leadership transfer: thesis, 3.10. */
import { describe, expect, it } from "vitest";
import { World } from "./world.ts";

const three = { size: 4, voters: [1, 2, 3], learners: [4] };

describe("a transfer", () => {
  it("makes the target leader at once", () => {
    const world = new World(three).elect(1);
    world.node(1).transferLeader(3);
    world.settle();
    expect(world.leaders()).toEqual([3]);
    expect(world.node(3).term).toBe(2);
  });

  it("brings the target up to date first", () => {
    const world = new World(three).elect(1);
    world.reaches = (_from, to) => to !== 3;
    world.propose(1, "a");
    world.settle();
    world.reaches = () => true;
    world.node(1).transferLeader(3);
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.leaders()).toEqual([3]);
    expect(world.texts(3)).toEqual(["a"]);
  });

  it("can be asked for at a follower", () => {
    const world = new World(three).elect(1);
    world.node(2).transferLeader(2);
    world.settle();
    expect(world.leaders()).toEqual([2]);
  });

  it("is not begun before the target has the last entry", () => {
    const world = new World({ ...three, config: { maxSizePerMsg: 1, maxInflightMsgs: 1 } }).elect(
      1,
    );
    world.reaches = (_from, to) => to !== 3;
    for (const text of "abc") world.propose(1, text);
    world.settle();
    world.reaches = () => true;
    world.node(1).transferLeader(3);
    const log: [number, boolean][] = [];
    for (let i = 0; i < 30 && world.leaders()[0] === 1; i++) {
      world.tick(1).ready(world.member(1));
      const told = world.network.some(({ type }) => type === "MsgTimeoutNow");
      log.push([world.node(1).status().progress.get(3)?.match ?? 0, told]);
      for (let left = world.network.length; left > 0; left--) world.deliver(0);
      for (const id of [2, 3]) world.ready(world.member(id));
      for (let left = world.network.length; left > 0; left--) world.deliver(0);
      world.node(1).transferLeader(3);
    }
    expect(log.filter(([, told]) => told)).toEqual([[5, true]]);
    expect(log.map(([match]) => match)).toContain(3);
  });

  it("asked of a leader of before changes nothing", () => {
    const world = new World(three).elect(1);
    world.node(3).transferLeader(3);
    world.ready(world.member(3));
    const late = world.network.splice(0);
    world.elect(2);
    world.network = late;
    world.settle();
    expect(world.leaders()).toEqual([2]);
  });

  it("to a learner, a stranger or the leader itself is refused", () => {
    const world = new World(three).elect(1);
    for (const to of [4, 9, 1]) {
      world.node(1).transferLeader(to);
      expect(world.node(1).status().leadTransferee).toBe(0);
    }
    world.settle();
    expect(world.leaders()).toEqual([1]);
  });

  it("is not held up by pre-vote or the followers' lease", () => {
    const world = new World({ ...three, config: { preVote: true, checkQuorum: true } }).elect(1);
    world.node(1).transferLeader(2);
    world.settle();
    expect(world.leaders()).toEqual([2]);
  });

  it("stops proposals until it has ended, and ends after an election timeout", () => {
    const world = new World(three).elect(1);
    world.crash(world.member(3));
    world.node(1).transferLeader(3);
    expect(world.node(1).status().leadTransferee).toBe(3);
    expect(world.propose(1, "a")).toMatchObject({ ok: false, reason: "transferring" });
    world.tick(1, 2).settle();
    expect(world.propose(1, "a").ok).toBe(false);
    world.tick(1).settle();
    expect(world.node(1).status().leadTransferee).toBe(0);
    expect(world.propose(1, "a").ok).toBe(true);
  });

  it("has a whole election timeout from when it was asked for", () => {
    const world = new World(three).elect(1);
    world.crash(world.member(3));
    world.tick(1, 2).settle();
    world.node(1).transferLeader(3);
    world.tick(1, 2);
    expect(world.node(1).status().leadTransferee).toBe(3);
    world.tick(1);
    expect(world.node(1).status().leadTransferee).toBe(0);
  });

  it("is given up if the target is removed", () => {
    const world = new World(three).elect(1);
    world.node(1).proposeConfChange({
      version: 1,
      change: { kind: "remove", nodeId: 3 },
      context: new Uint8Array(0),
    });
    world.reaches = (_from, to) => to !== 3;
    world.node(1).transferLeader(3);
    world.settle();
    expect(world.node(1).status().leadTransferee).toBe(0);
  });

  it.each([
    [4, "a learner"],
    [9, "a stranger"],
    [1, "the leader itself"],
  ])("to %i is ignored: %s", (target) => {
    const world = new World(three).elect(1);
    world.node(1).transferLeader(target);
    expect(world.propose(1, "a").ok).toBe(true);
    world.settle();
    expect(world.leaders()).toEqual([1]);
  });

  it("to somebody else replaces the one under way", () => {
    const world = new World(three).elect(1);
    world.crash(world.member(3));
    world.node(1).transferLeader(3);
    world.node(1).transferLeader(2);
    world.settle();
    expect(world.leaders()).toEqual([2]);
  });

  it("can't make a follower campaign that has a conf change to apply", () => {
    const world = new World(three).elect(1);
    world.node(1).proposeConfChange({
      version: 1,
      change: { kind: "remove", nodeId: 4 },
      context: new Uint8Array(0),
    });
    world.settle();
    const target = world.member(2);
    world.crash(target, target.states.length - 1);
    world.restart(target);
    world.node(1).transferLeader(2);
    world.ready(world.member(1));
    const at = world.network.findIndex(({ type }) => type === "MsgTimeoutNow");
    world.deliver(at);
    expect(world.node(2).state).toBe("StateFollower");
  });
});
