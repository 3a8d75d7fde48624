/** Linearizable reads: thesis, 6.3 and 6.4; paper, 8. The index is checked in `World` against all commits. */
import { describe, expect, it } from "vitest";
import { makeMessage, NO_BYTES } from "../src/index.ts";
import { World } from "./world.ts";

const three = { size: 3, voters: [1, 2, 3] };
const lease = { readOnly: "lease-based", checkQuorum: true } as const;

function answered(world: World, read: number): boolean {
  return world.reads.some((each) => each.read === read);
}

describe("a read", () => {
  it("at the leader is answered after a round of heartbeats", () => {
    const world = new World(three).elect(1);
    const read = world.read(1);
    world.ready(world.member(1));
    expect(answered(world, read)).toBe(false);
    expect(world.network.map(({ type }) => type)).toEqual(["MsgHeartbeat", "MsgHeartbeat"]);
    world.settle();
    expect(world.reads).toEqual([{ id: 1, read, index: 2 }]);
  });

  it("at a follower is answered there", () => {
    const world = new World(three).elect(1);
    world.propose(1, "a");
    world.settle();
    const read = world.read(3);
    world.settle();
    expect(world.reads).toEqual([{ id: 3, read, index: 3 }]);
  });

  it("that reaches a leader of before is passed on, and answered to who asked", () => {
    const world = new World(three).elect(1);
    const read = world.read(3);
    world.ready(world.member(3));
    const late = world.network.splice(0);
    world.elect(2);
    world.network = late;
    world.settle();
    expect(world.reads).toEqual([{ id: 3, read, index: 3 }]);
  });

  it("without a leader is refused", () => {
    const world = new World(three);
    expect(world.node(1).readIndex(Uint8Array.of(1))).toEqual({ ok: false, reason: "no-leader" });
  });

  it("of a member alone is answered at once", () => {
    const world = new World({ size: 1, voters: [1] }).elect(1);
    const read = world.read(1);
    world.ready(world.member(1));
    expect(answered(world, read)).toBe(true);
  });

  it("is not answered by a leader without a quorum", () => {
    const world = new World(three).elect(1);
    world.reaches = () => false;
    const read = world.read(1);
    for (let i = 0; i < 10; i++) world.tick(1).settle();
    expect(answered(world, read)).toBe(false);
  });

  it("whose heartbeats were lost is answered with the next ones", () => {
    const world = new World(three).elect(1);
    const read = world.read(1);
    world.ready(world.member(1));
    world.network = [];
    world.tick(1).settle();
    expect(answered(world, read)).toBe(true);
  });

  it("waits for the first commit of the leader's term", () => {
    const world = new World(three).elect(1);
    world.node(2).campaign();
    for (let i = 0; i < 5 && world.node(2).state !== "StateLeader"; i++) {
      for (const member of world.members) world.ready(member);
      while (world.network.length > 0) world.deliver(0);
    }
    const read = world.read(2);
    world.reaches = (_from, to) => to === 2;
    world.settle();
    expect(answered(world, read)).toBe(false);
    world.reaches = () => true;
    for (let i = 0; i < 3; i++) world.tick(2).settle();
    expect(answered(world, read)).toBe(true);
  });

  it("waits for that of a member alone too: it may have committed more before it crashed", () => {
    const world = new World({ size: 1, voters: [1], config: { asyncStorageWrites: true } });
    world.elect(1);
    world.propose(1, "a");
    world.settle();
    const [member] = world.members;
    if (member === undefined) throw new Error("no member 1");
    world.crash(member);
    // The commit index is a hint, and need not be synced: the one on disk is older than what was answered for.
    member.storage.setHardState({ ...member.storage.hardState, commit: 2 });
    world.restart(member);
    world.node(1).campaign();
    world.ready(member);
    world.append(member);
    world.hear(member);
    expect(world.leaders()).toEqual([1]);
    const read = world.read(1);
    world.ready(member);
    expect(answered(world, read)).toBe(false);
    world.settle();
    expect(world.reads).toEqual([{ id: 1, read, index: 4 }]);
  });

  it("that waits for somebody who is removed is answered by who is left", () => {
    const world = new World({ size: 2, voters: [1, 2] }).elect(1);
    const change = { kind: "remove", nodeId: 2 } as const;
    world.node(1).proposeConfChange({ version: 1, change, context: NO_BYTES });
    const read = world.read(1);
    world.ready(world.member(1));
    world.network = world.network.filter(({ type }) => type !== "MsgHeartbeat");
    world.settle();
    expect(world.node(1).status().config.voters).toEqual([1]);
    expect(world.reads).toEqual([{ id: 1, read, index: 2 }]);
  });

  it("is forgotten when the leader changes; it may be asked again", () => {
    const world = new World(three).elect(1);
    world.reaches = (from) => from !== 2 && from !== 3;
    const read = world.read(1);
    world.settle();
    world.reaches = () => true;
    world.elect(2);
    for (let i = 0; i < 5; i++) world.tick(2).settle();
    expect(answered(world, read)).toBe(false);
  });

  it("is refused when too many wait", () => {
    const world = new World({ ...three, config: { maxPendingReads: 2 } }).elect(1);
    world.reaches = () => false;
    world.read(1);
    world.read(1);
    expect(world.node(1).readIndex(Uint8Array.of(9))).toEqual({
      ok: false,
      reason: "too-many-reads",
    });
    world.reaches = () => true;
    world.tick(1).settle();
    expect(world.reads).toHaveLength(2);
    expect(world.node(1).readIndex(Uint8Array.of(0)).ok).toBe(true);
  });
});

describe("two reads of the same name", () => {
  it("get a proof each", () => {
    const world = new World(three).elect(1);
    const name = Uint8Array.of(0, 0);
    world.node(1).readIndex(name);
    world.ready(world.member(1));
    const first = world.network.splice(0);
    world.propose(1, "a");
    world.settle();
    world.node(1).readIndex(name);
    world.ready(world.member(1));
    world.network = first;
    // Answers to the first round only.
    world.settle();
    expect(world.reads.map(({ index }) => index)).toEqual([2]);
    world.tick(1).settle();
    expect(world.reads.map(({ index }) => index)).toEqual([2, 3]);
  });
});

describe("lease reads (6.4.1)", () => {
  it("need no messages", () => {
    const world = new World({ ...three, config: lease }).elect(1);
    const read = world.read(1);
    world.ready(world.member(1));
    expect([answered(world, read), world.network]).toEqual([true, []]);
  });

  it("wait for the first commit of the term all the same", () => {
    const world = new World({ ...three, config: lease }).elect(1);
    world.node(1).transferLeader(2);
    for (let i = 0; i < 8 && world.node(2).state !== "StateLeader"; i++) {
      for (const member of world.members) world.ready(member);
      while (world.network.length > 0) world.deliver(0);
    }
    const read = world.read(2);
    world.ready(world.member(2));
    expect(answered(world, read)).toBe(false);
    world.settle();
    expect(answered(world, read)).toBe(true);
  });

  it("are not trusted once leadership is being handed over", () => {
    const world = new World({ ...three, config: lease }).elect(1);
    world.node(1).transferLeader(2);
    const read = world.read(1);
    world.ready(world.member(1));
    expect(answered(world, read)).toBe(false);
  });

  it("forbid a follower to forget its leader", () => {
    const world = new World({ ...three, config: lease }).elect(1);
    world.node(2).forgetLeader();
    expect(world.node(2).lead).toBe(1);
  });

  it("can't be had without check-quorum", () => {
    expect(() => new World({ ...three, config: { readOnly: "lease-based" } })).toThrow(
      "lease-based reads need check-quorum",
    );
  });
});

describe("a leader without contact to a quorum (6.2)", () => {
  it("steps down within two election timeouts", () => {
    const world = new World({ ...three, config: { checkQuorum: true } }).elect(1);
    world.reaches = () => false;
    world.tick(1, 3);
    expect(world.node(1).state).toBe("StateLeader");
    world.tick(1, 3);
    expect(world.node(1)).toMatchObject({ state: "StateFollower", lead: 0 });
  });

  it("has a whole election timeout for its followers to answer in, from when it won", () => {
    const world = new World({ ...three, config: { checkQuorum: true } });
    world.node(1).campaign();
    world.ready(world.member(1));
    world.tick(1, 2);
    world.node(1).step(makeMessage({ type: "MsgVoteResp", from: 2, to: 1, term: 1 }));
    world.tick(1, 2);
    expect(world.leaders()).toEqual([1]);
    world.tick(1);
    expect(world.leaders()).toEqual([]);
  });

  it("stays as long as a quorum answers", () => {
    const world = new World({ ...three, config: { checkQuorum: true } }).elect(1);
    world.crash(world.member(3));
    for (let i = 0; i < 20; i++) world.tick(1).settle();
    expect(world.node(1).state).toBe("StateLeader");
  });

  it("does not count learners", () => {
    const options = { size: 4, voters: [1, 2], learners: [3, 4], config: { checkQuorum: true } };
    const world = new World(options).elect(1);
    world.crash(world.member(2));
    for (let i = 0; i < 6; i++) world.tick(1).settle();
    expect(world.node(1).state).toBe("StateFollower");
  });
});
