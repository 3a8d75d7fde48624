/** Pre-vote: thesis, 9.6; with check-quorum the followers' lease, 4.2.3. */
import { describe, expect, it } from "vitest";
import { makeMessage } from "../src/index.ts";
import { World } from "./world.ts";

const config = { preVote: true, checkQuorum: true };
const three = { size: 3, voters: [1, 2, 3], config };

describe("a pre-election", () => {
  it("that succeeds is followed by an election", () => {
    const world = new World(three).elect(2);
    expect(world.leaders()).toEqual([2]);
    expect(world.node(2).term).toBe(1);
  });

  it("that gets no majority changes no term, however often it is tried", () => {
    const world = new World(three).elect(1);
    world.reaches = (from, to) => from !== 3 && to !== 3;
    for (let i = 0; i < 50; i++) world.tick(3).settle();
    expect(world.node(3)).toMatchObject({ state: "StatePreCandidate", term: 1 });
    const { vote } = world.node(3).status();
    expect(vote).toBe(1);
  });

  it("lets a member come back without deposing the leader", () => {
    const world = new World(three).elect(1);
    world.reaches = (from, to) => from !== 3 && to !== 3;
    for (let i = 0; i < 10; i++) world.tick(1).tick(3).settle();
    world.reaches = () => true;
    for (let i = 0; i < 10; i++) world.tick(1).tick(3).settle();
    expect(world.leaders()).toEqual([1]);
    expect(world.node(3)).toMatchObject({ state: "StateFollower", term: 1, lead: 1 });
  });

  it("is refused by who has a longer log", () => {
    const world = new World({ ...three, config: { preVote: true } }).elect(1);
    world.reaches = (_from, to) => to !== 3;
    world.propose(1, "a");
    world.settle();
    world.reaches = () => true;
    world.elect(3);
    expect(world.leaders()).toEqual([1]);
    expect(world.node(3).term).toBe(1);
  });

  it("is about a later term only: who has voted in that very term refuses", () => {
    const world = new World({ ...three, config: { preVote: true } });
    const vote = makeMessage({ type: "MsgVote", from: 1, to: 3, term: 2, index: 1, logTerm: 1 });
    world.node(3).step(vote);
    world.node(3).step({ ...vote, type: "MsgPreVote", from: 2 });
    world.node(3).step({ ...vote, type: "MsgPreVote", from: 2, term: 3 });
    world.ready(world.member(3));
    expect(world.network.map(({ type, term, reject }) => [type, term, reject])).toEqual([
      ["MsgVoteResp", 2, false],
      ["MsgPreVoteResp", 2, true],
      ["MsgPreVoteResp", 3, false],
    ]);
    expect(world.node(3).status()).toMatchObject({ term: 2, vote: 1 });
  });

  it("that is tried again counts only new answers", () => {
    const world = new World({ size: 5, voters: [1, 2, 3, 4, 5], config: { preVote: true } });
    const granted = { type: "MsgPreVoteResp", to: 1, term: 1 } as const;
    for (const from of [2, 3]) {
      world.node(1).campaign();
      world.ready(world.member(1));
      world.node(1).step(makeMessage({ ...granted, from }));
    }
    expect(world.node(1).state).toBe("StatePreCandidate");
    world.node(1).step(makeMessage({ ...granted, from: 4 }));
    expect(world.node(1).state).toBe("StateCandidate");
  });

  it("of an old term is refused in the later one, so that who is behind catches up", () => {
    const world = new World({ ...three, config: { preVote: true } });
    world.node(3).step(makeMessage({ type: "MsgVote", from: 1, to: 3, term: 5 }));
    world.ready(world.member(3));
    world.network = [];
    world.node(2).campaign();
    world.settle();
    expect(world.node(2)).toMatchObject({ state: "StateFollower", term: 5 });
  });

  it("is refused by who hears from a leader, and granted when it doesn't any more", () => {
    const world = new World(three).elect(1);
    world.crash(world.member(1));
    world.elect(2);
    expect(world.leaders()).toEqual([]);
    // An election timeout passes at 3.
    world.tick(3, 2);
    world.node(3).setRandomizedElectionTimeout(10);
    world.tick(3);
    world.elect(2);
    expect(world.leaders()).toEqual([2]);
  });

  it("is not answered with a vote: several candidates may be encouraged", () => {
    const world = new World(three);
    for (const from of [1, 2]) {
      const ask = { from, to: 3, term: 1, index: 1, logTerm: 1 };
      world.node(3).step(makeMessage({ type: "MsgPreVote", ...ask }));
    }
    world.ready(world.member(3));
    expect(world.network.map(({ reject }) => reject)).toEqual([false, false]);
    expect(world.node(3).status().vote).toBe(0);
  });
});

describe("a death notice", () => {
  it("lets those who got it elect another leader without waiting", () => {
    const world = new World(three).elect(1);
    world.crash(world.member(1));
    world.node(3).forgetLeader();
    world.node(2).preCampaign();
    world.settle();
    expect(world.leaders()).toEqual([2]);
  });

  it("that is false depends on the others' consent", () => {
    const world = new World(three).elect(1);
    world.node(2).preCampaign();
    world.settle();
    expect(world.leaders()).toEqual([1]);
    expect(world.node(2).term).toBe(1);
    world.tick(1).settle();
    expect(world.node(2)).toMatchObject({ state: "StateFollower", lead: 1 });
  });
});

describe("a member in a later term than the leader", () => {
  it("tells the leader, instead of staying cut off", () => {
    const world = new World(three).elect(1);
    // 3 got ahead without pre-vote, as it may have before that was switched on.
    world.node(3).step(makeMessage({ type: "MsgAppResp", from: 2, to: 3, term: 7 }));
    world.tick(1).settle();
    expect(world.node(1).term).toBe(7);
    for (let i = 0; i < 10 && world.leaders().length === 0; i++) world.elect(1);
    expect(world.node(3).lead).toBe(world.leaders()[0]);
  });
});
