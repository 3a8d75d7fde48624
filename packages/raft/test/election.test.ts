/** Leader election: paper, 5.1, 5.2 and 5.4.1. */
import { describe, expect, it } from "vitest";
import { makeMessage } from "../src/index.ts";
import { World } from "./world.ts";

const three = { size: 3, voters: [1, 2, 3] };

describe("terms (5.1)", () => {
  it("of a message bring a member up to date and make it a follower", () => {
    const world = new World(three).elect(1);
    world.node(1).step(makeMessage({ type: "MsgAppResp", from: 2, to: 1, term: 5 }));
    expect(world.node(1).status()).toMatchObject({ term: 5, state: "StateFollower", lead: 0 });
  });

  it("of a leader name the leader", () => {
    const world = new World(three);
    world.node(2).step(makeMessage({ type: "MsgHeartbeat", from: 3, to: 2, term: 4 }));
    expect(world.node(2).status()).toMatchObject({ term: 4, lead: 3 });
  });

  it("that are old are ignored", () => {
    const world = new World(three).elect(1).elect(2);
    world.node(3).step(makeMessage({ type: "MsgHeartbeat", from: 1, to: 3, term: 1 }));
    expect(world.node(3).status()).toMatchObject({ term: 2, lead: 2 });
    world.settle();
    expect(world.leaders()).toEqual([2]);
  });
});

describe("an election (5.2)", () => {
  it("begins after the election timeout, and the winner leads", () => {
    const world = new World(three).tick(2, 2);
    expect(world.node(2).state).toBe("StateFollower");
    world.tick(2).settle();
    expect(world.leaders()).toEqual([2]);
    expect(world.node(1).lead).toBe(2);
  });

  it("is not begun by who hears from a leader in time", () => {
    const world = new World(three).elect(1);
    for (let i = 0; i < 20; i++) world.tick(1).tick(2).tick(3).settle();
    expect(world.leaders()).toEqual([1]);
    expect(world.node(1).term).toBe(1);
  });

  it("is put off by a vote that was given: that candidate may win", () => {
    const world = new World(three);
    // 3 is in term 1 already, and has waited for most of its timeout, when it is asked for its vote.
    world.node(3).step(makeMessage({ type: "MsgAppResp", from: 2, to: 3, term: 1 }));
    world.tick(3, 2);
    const ask = { from: 1, to: 3, term: 1, index: 1, logTerm: 1 };
    world.node(3).step(makeMessage({ type: "MsgVote", ...ask }));
    expect(world.node(3).status().vote).toBe(1);
    world.tick(3, 2);
    expect(world.node(3).state).toBe("StateFollower");
    world.tick(3);
    expect(world.node(3).state).toBe("StateCandidate");
  });

  it("has a timeout chosen anew between one and two election timeouts", () => {
    const asked: number[] = [];
    const random = (n: number): number => {
      asked.push(n);
      return n - 1;
    };
    const world = new World({ ...three, config: { electionTick: 10, random } });
    world.tick(1, 18);
    expect(world.node(1).state).toBe("StateFollower");
    world.tick(1);
    expect(world.node(1).state).toBe("StateCandidate");
    expect(new Set(asked)).toEqual(new Set([10]));
  });

  it("is lost with a majority against it", () => {
    const world = new World({ size: 5, voters: [1, 2, 3, 4, 5] });
    world.reaches = (from, to) => [1, 2].includes(from) === [1, 2].includes(to);
    world.elect(1);
    expect(world.node(1).state).toBe("StateCandidate");
    world.elect(3);
    expect(world.leaders()).toEqual([3]);
  });

  it("that splits the vote is followed by another one in a new term", () => {
    const world = new World({ size: 2, voters: [1, 2] });
    world.node(1).campaign();
    world.node(2).campaign();
    world.settle();
    expect(world.leaders()).toEqual([]);
    world.elect(2);
    expect(world.leaders()).toEqual([2]);
    expect(world.node(2).term).toBe(2);
  });

  it("of a member alone needs nobody else", () => {
    expect(new World({ size: 1, voters: [1] }).elect(1).leaders()).toEqual([1]);
  });

  it("is never begun by a learner or a stranger", () => {
    const world = new World({ size: 4, voters: [1, 2], learners: [3] });
    world.tick(3, 10).tick(4, 10).elect(3).elect(4);
    expect([world.node(3).term, world.node(4).term]).toEqual([0, 0]);
  });
});

describe("a vote (5.2)", () => {
  it("is given once a term, and again to the same candidate", () => {
    const world = new World(three);
    const ask = (from: number): void => {
      world
        .node(3)
        .step(makeMessage({ type: "MsgVote", from, to: 3, term: 1, index: 1, logTerm: 1 }));
    };
    ask(1);
    ask(2);
    ask(1);
    world.ready(world.member(3));
    expect(world.network.map(({ to, reject }) => [to, reject])).toEqual([
      [1, false],
      [2, true],
      [1, false],
    ]);
  });

  it("survives a restart", () => {
    const world = new World(three);
    world.reaches = (from, to) => from !== 3 && to !== 2;
    world.elect(1);
    expect(world.node(3).status().vote).toBe(1);
    world.crash(world.member(3));
    world.restart(world.member(3));
    expect(world.node(3).status()).toMatchObject({ term: 1, vote: 1 });
    world.reaches = () => true;
    world.elect(2);
    expect(world.node(2).state).not.toBe("StateLeader");
  });

  it("counts once, however often the answer arrives", () => {
    const world = new World({ size: 5, voters: [1, 2, 3, 4, 5] });
    world.node(1).campaign();
    world.ready(world.member(1));
    world.network = [];
    const granted = makeMessage({ type: "MsgVoteResp", from: 2, to: 1, term: 1 });
    world.node(1).step(granted);
    world.node(1).step(granted);
    expect(world.node(1).state).toBe("StateCandidate");
    world.node(1).step({ ...granted, from: 3 });
    expect(world.node(1).state).toBe("StateLeader");
  });
});

describe("the election restriction (5.4.1)", () => {
  /** 1 has an entry that 3 lacks; 2 has it if `majority`. */
  function ahead(majority: boolean): World {
    const world = new World(three).elect(1);
    world.reaches = (_from, to) => to === 1 || (to === 2 && majority);
    world.propose(1, "x");
    world.settle();
    world.reaches = () => true;
    return world;
  }

  it("keeps who lacks a committed entry from winning", () => {
    const world = ahead(true).elect(3);
    expect(world.leaders()).toEqual([]);
    world.elect(2);
    expect(world.leaders()).toEqual([2]);
    expect(world.texts(3)).toEqual(["x"]);
  });

  it("lets an uncommitted entry be lost", () => {
    const world = ahead(false);
    world.reaches = (from, to) => from !== 1 && to !== 1;
    world.elect(3);
    world.reaches = () => true;
    expect(world.leaders()).toContain(3);
    world.tick(3).settle();
    expect(world.texts(1)).toEqual([]);
    expect(world.log(1)).toEqual(world.log(3));
  });
});

describe("the followers' lease (4.2.3)", () => {
  it("ends with the minimum election timeout, to the tick", () => {
    const world = new World({ ...three, config: { checkQuorum: true, random: () => 2 } }).elect(1);
    const request = { type: "MsgVote", from: 2, to: 3, term: 2, index: 2, logTerm: 1 } as const;
    world.tick(3, 2);
    world.node(3).step(makeMessage(request));
    expect(world.node(3).term).toBe(1);
    world.tick(3);
    world.node(3).step(makeMessage(request));
    expect(world.node(3).status()).toMatchObject({ term: 2, vote: 2 });
  });

  it("covers a leader as well as its followers, and nobody without check-quorum", () => {
    const request = { type: "MsgVote", from: 2, to: 1, term: 2, index: 2, logTerm: 1 } as const;
    const loyal = new World({ ...three, config: { checkQuorum: true } }).elect(1);
    loyal.node(1).step(makeMessage(request));
    expect(loyal.leaders()).toEqual([1]);
    const open = new World(three).elect(1);
    open.node(1).step(makeMessage(request));
    expect(open.node(1).status()).toMatchObject({ term: 2, vote: 2 });
  });
});
