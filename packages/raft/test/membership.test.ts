/** Cluster membership changes: paper, 6; thesis, 4 (catching up 4.2.1, removing the leader 4.2.2, disruption 4.2.3). */
import { describe, expect, it } from "vitest";
import type { ConfChange, ConfChangeTransition } from "../src/index.ts";
import {
  describeConfig,
  InvariantViolation,
  makeMessage,
  NO_BYTES,
  parseChanges,
} from "../src/index.ts";
import { World } from "./world.ts";

const three = { size: 5, voters: [1, 2, 3] };

function change(text: string, transition: ConfChangeTransition = "auto"): ConfChange {
  return { version: 2, transition, changes: parseChanges(text) ?? [], context: NO_BYTES };
}

function config(world: World, id: number): string {
  return describeConfig(world.node(id).status().config);
}

describe("a change", () => {
  it("takes effect on each member when it applies it", () => {
    const world = new World(three).elect(1);
    world.reaches = (_from, to) => to !== 3;
    world.node(1).proposeConfChange(change("v4"));
    world.settle();
    expect([config(world, 1), config(world, 3)]).toEqual(["voters=(1 2 3 4)", "voters=(1 2 3)"]);
  });

  it("is refused while another one is not applied", () => {
    const world = new World(three).elect(1);
    expect(world.node(1).proposeConfChange(change("v4")).ok).toBe(true);
    expect(world.node(1).proposeConfChange(change("v5"))).toMatchObject({
      ok: false,
      reason: "conf-change-refused",
    });
    world.settle();
    expect(config(world, 2)).toBe("voters=(1 2 3 4)");
    expect(world.node(1).proposeConfChange(change("v5")).ok).toBe(true);
  });

  it("is refused by a new leader until it has applied all that it began with", () => {
    const world = new World(three).elect(1);
    // 2 stores a change that it doesn't know to be committed, and is elected.
    world.reaches = (_from, to) => to === 2;
    world.node(1).proposeConfChange(change("v4"));
    world.settle();
    world.reaches = (from, to) => from !== 1 && to !== 1;
    world.node(2).campaign();
    for (let i = 0; i < 8 && world.node(2).state !== "StateLeader"; i++) {
      for (const member of world.members) world.ready(member);
      while (world.network.length > 0) world.deliver(0);
    }
    expect(config(world, 2)).toBe("voters=(1 2 3)");
    expect(world.node(2).proposeConfChange(change("v5")).ok).toBe(false);
    for (let i = 0; i < 3; i++) world.tick(2).settle();
    expect(config(world, 2)).toBe("voters=(1 2 3 4)");
    expect(world.node(2).proposeConfChange(change("v5")).ok).toBe(true);
  });

  it("that could not be applied never enters the log", () => {
    const world = new World({ size: 2, voters: [1] }).elect(1);
    expect(world.node(1).proposeConfChange(change("r1"))).toMatchObject({
      reason: "conf-change-refused",
      detail: "removed all voters",
    });
    world.settle();
    expect(config(world, 1)).toBe("voters=(1)");
  });

  it("to fewer voters commits what the smaller quorum has", () => {
    const world = new World({ size: 4, voters: [1, 2, 3, 4] }).elect(1);
    world.reaches = (_from, to) => to !== 4;
    world.node(1).proposeConfChange(change("r4"));
    for (const member of world.members) world.ready(member);
    while (world.network.length > 0) world.deliver(0);
    // "a" reaches 2 only: two of four, which is a majority of three.
    world.reaches = (_from, to) => to <= 2;
    world.propose(1, "a");
    world.ready(world.member(1));
    while (world.network.length > 0) world.deliver(0);
    world.reaches = () => true;
    world.ready(world.member(3));
    world.reaches = (_from, to) => to <= 2;
    world.settle();
    expect(world.texts(1)).toEqual(["a"]);
  });

  it("that can't be decoded is refused", () => {
    const world = new World(three).elect(1);
    const entries = [
      { type: "EntryConfChangeV2", term: 0, index: 0, data: Uint8Array.of(9) },
    ] as const;
    const forwarded = {
      type: "MsgProp",
      from: 2,
      to: 1,
      term: 0,
      entries,
      logTerm: 0,
      index: 0,
      commit: 0,
      vote: 0,
      snapshot: null,
      reject: false,
      rejectHint: 0,
      context: NO_BYTES,
      responses: [],
    } as const;
    expect(world.node(1).step(forwarded)).toMatchObject({ ok: false, reason: "proposal-dropped" });
  });

  it("that was let through without validation, and doesn't fit, stops the member", () => {
    const options = { size: 1, voters: [1], config: { disableConfChangeValidation: true } };
    const world = new World(options).elect(1);
    expect(world.node(1).proposeConfChange(change("r1")).ok).toBe(true);
    expect(() => world.settle()).toThrow(InvariantViolation);
  });

  it("known to be committed keeps a member from campaigning until it is applied", () => {
    const world = new World(three).elect(1);
    world.node(1).proposeConfChange(change("v4"));
    world.settle();
    const late = world.member(2);
    // Its last applied states are lost with the crash.
    world.crash(late, late.states.length - 1);
    world.restart(late);
    world.node(2).campaign();
    expect(world.node(2).state).toBe("StateFollower");
    world.elect(2);
    world.elect(2);
    expect(world.node(2).state).toBe("StateLeader");
  });
});

describe("a new server (4.2.1)", () => {
  it("catches up as a learner without holding anything up", () => {
    const world = new World(three).elect(1);
    world.reaches = (_from, to) => to !== 4;
    world.node(1).proposeConfChange(change("l4"));
    world.settle();
    world.propose(1, "a");
    world.settle();
    expect(world.texts(1)).toEqual(["a"]);
    expect(world.texts(4)).toEqual([]);
    world.reaches = () => true;
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.texts(4)).toEqual(["a"]);
    expect(world.node(1).status().progress.get(4)).toMatchObject({ isLearner: true, match: 4 });
    world.node(1).proposeConfChange(change("v4"));
    world.settle();
    expect(config(world, 4)).toBe("voters=(1 2 3 4)");
  });

  it("votes when it is asked to, even if it doesn't know yet that it may", () => {
    const world = new World({ size: 3, voters: [1, 2], learners: [3] }).elect(1);
    world.reaches = (_from, to) => to !== 3;
    world.node(1).proposeConfChange(change("v3"));
    world.settle();
    world.crash(world.member(1));
    world.reaches = () => true;
    world.elect(2);
    expect(world.leaders()).toEqual([2]);
    expect(config(world, 3)).toBe("voters=(1 2 3)");
  });
});

describe("a leader that is removed (4.2.2)", () => {
  it("does not count itself any more, and steps down if told to", () => {
    const world = new World({ ...three, config: { stepDownOnRemoval: true } }).elect(1);
    world.node(1).proposeConfChange(change("r1"));
    world.settle();
    expect(world.leaders()).toEqual([]);
    expect(world.propose(1, "x").ok).toBe(false);
    world.tick(1, 20).settle();
    expect(world.node(1).state).toBe("StateFollower");
    world.elect(2);
    expect(world.leaders()).toEqual([2]);
  });

  it("leads on without taking proposals if not told to", () => {
    const world = new World(three).elect(1);
    world.node(1).proposeConfChange(change("r1"));
    world.settle();
    expect(world.leaders()).toEqual([1]);
    expect(world.propose(1, "x")).toMatchObject({ ok: false, reason: "not-a-member" });
  });

  it("commits what those who are left have stored already", () => {
    const world = new World({ size: 2, voters: [1, 2] }).elect(1);
    // 2 has acknowledged the change and "a" before 1 counts without itself.
    world.node(1).proposeConfChange(change("r1"));
    world.propose(1, "a");
    world.ready(world.member(1));
    while (world.network.length > 0) world.deliver(0);
    world.ready(world.member(2));
    world.settle();
    expect(world.node(1).commit).toBe(4);
    expect(world.texts(2)).toEqual(["a"]);
  });

  it("gives way in a change that replaces it, with the others deciding", () => {
    const world = new World({ ...three, config: { stepDownOnRemoval: true } }).elect(1);
    world.node(1).proposeConfChange(change("v4 r1"));
    world.settle();
    expect(config(world, 2)).toBe("voters=(2 3 4)");
    // 4 may not have heard of the last step yet; the next leader tells it.
    world.elect(2);
    world.propose(2, "a");
    for (let i = 0; i < 3; i++) world.tick(2).settle();
    expect(world.texts(4)).toEqual(["a"]);
    expect(config(world, 4)).toBe("voters=(2 3 4)");
  });
});

describe("joint consensus (4.3)", () => {
  it("needs a majority of both sides", () => {
    const world = new World({ size: 6, voters: [1, 2, 3] }).elect(1);
    world.node(1).proposeConfChange(change("v4 v5 v6 r2 r3", "joint-explicit"));
    world.settle();
    expect(config(world, 5)).toBe("voters=(1 4 5 6)&&(1 2 3)");
    const cut = (lost: readonly number[]): void => {
      world.reaches = (from, to) => !lost.includes(from) && !lost.includes(to);
    };
    cut([4, 5]);
    world.propose(1, "a");
    world.settle();
    expect(world.texts(1)).toEqual([]);
    cut([5]);
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.texts(1)).toEqual(["a"]);
    cut([2, 3]);
    world.propose(1, "b");
    world.settle();
    expect(world.texts(1)).toEqual(["a"]);
    cut([3]);
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.texts(1)).toEqual(["a", "b"]);
  });

  it("is left by itself or by proposing the empty change, as it was entered", () => {
    const world = new World(three).elect(1);
    world.node(1).proposeConfChange(change("v4", "joint-implicit"));
    world.settle();
    expect(config(world, 4)).toBe("voters=(1 2 3 4)");
    world.node(1).proposeConfChange(change("r4", "joint-explicit"));
    world.settle();
    expect(config(world, 1)).toBe("voters=(1 2 3)&&(1 2 3 4)");
    world.node(1).proposeConfChange(change(""));
    world.settle();
    expect(config(world, 1)).toBe("voters=(1 2 3)");
  });

  it("is left once, however many entries are applied meanwhile", () => {
    const world = new World(three).elect(1);
    world.node(1).proposeConfChange(change("v4 v5"));
    for (const text of "abcdef") {
      world.propose(1, text);
      for (const member of world.members) world.ready(member);
      for (let left = world.network.length; left > 0; left--) world.deliver(0);
    }
    world.settle();
    expect(config(world, 1)).toBe("voters=(1 2 3 4 5)");
    const entries = [...world.applied.values()];
    expect(entries.filter(({ type }) => type !== "EntryNormal")).toHaveLength(2);
    // The leader's no-op is the only empty entry: nothing was proposed in vain.
    expect(
      entries.filter(({ type, data }) => type === "EntryNormal" && data.length === 0),
    ).toHaveLength(1);
  });

  it("is left by the next leader if it should be left by itself", () => {
    const world = new World(three).elect(1);
    world.node(1).proposeConfChange(change("v4 v5"));
    for (let i = 0; i < 40 && config(world, 2) === "voters=(1 2 3)"; i++) {
      for (const member of world.members) world.ready(member);
      world.deliver(0);
    }
    expect(config(world, 2)).toBe("voters=(1 2 3 4 5)&&(1 2 3) autoleave");
    world.crash(world.member(1));
    world.network = [];
    world.settle();
    for (let i = 0; i < 3 && world.leaders().length === 0; i++) world.elect(2);
    for (let i = 0; i < 3; i++) world.tick(2).settle();
    expect(config(world, 3)).toBe("voters=(1 2 3 4 5)");
  });
});

describe("disruptive servers (4.2.3)", () => {
  it("that were removed don't depose a leader in contact with its followers", () => {
    const world = new World({ ...three, config: { checkQuorum: true } }).elect(1);
    world.reaches = (_from, to) => to !== 3;
    world.node(1).proposeConfChange(change("r3"));
    world.settle();
    world.reaches = () => true;
    // 3 doesn't know that it has been removed, and campaigns in ever higher terms.
    for (let i = 0; i < 5; i++) {
      world.elect(3);
      world.tick(1).settle();
    }
    expect(world.leaders()).toEqual([1]);
    expect(world.node(1).term).toBe(1);
  });
});

describe("a refusal that says what is committed", () => {
  /** 2 campaigns in term 2, with an entry 3 of term 1 that it doesn't know to be committed. */
  function candidate(propose: (world: World) => void): World {
    const world = new World({ size: 5, voters: [1, 2, 3, 4, 5] }).elect(1);
    propose(world);
    world.ready(world.member(1));
    while (world.network.length > 0) world.deliver(0);
    world.node(2).campaign();
    world.ready(world.member(2));
    world.network = [];
    expect(world.node(2)).toMatchObject({ state: "StateCandidate", term: 2, commit: 2 });
    return world;
  }
  const at = (logTerm: number) =>
    makeMessage({
      type: "MsgVoteResp",
      from: 5,
      to: 2,
      term: 2,
      reject: true,
      commit: 3,
      index: 3,
      logTerm,
    });

  it("ends a campaign in a configuration that is not the committed one any more", () => {
    const world = candidate((w) => void w.node(1).proposeConfChange(change("r5")));
    world.node(2).step(at(1));
    expect(world.node(2)).toMatchObject({ state: "StateFollower", term: 2, commit: 3 });
  });

  it("is only good to know if no change is among what is committed", () => {
    const world = candidate((w) => void w.propose(1, "a"));
    world.node(2).step(at(1));
    expect(world.node(2)).toMatchObject({ state: "StateCandidate", commit: 3 });
  });

  it("says nothing if the entry there is another one", () => {
    const world = candidate((w) => void w.propose(1, "a"));
    world.node(2).step(at(2));
    expect(world.node(2)).toMatchObject({ state: "StateCandidate", commit: 2 });
  });
});
