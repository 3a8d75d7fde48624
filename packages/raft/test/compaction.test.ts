/** Log compaction and snapshots: paper, 7. */
import { describe, expect, it } from "vitest";
import { makeMessage, NO_BYTES } from "../src/index.ts";
import { World } from "./world.ts";

const three = { size: 3, voters: [1, 2, 3] };

/** 3 lacks entries that the leader 1 has compacted. */
function behindCompaction(async = false): World {
  const world = new World({ ...three, config: { asyncStorageWrites: async } }).elect(1);
  world.reaches = (from, to) => from !== 3 && to !== 3;
  for (const text of "abc") world.propose(1, text);
  world.settle();
  world.flush(world.member(1));
  world.compact(world.member(1));
  world.reaches = () => true;
  return world;
}

describe.each([false, true])("a follower behind the leader's log (asynchronous: %s)", (async) => {
  it("gets a snapshot and goes on from there", () => {
    const world = behindCompaction(async);
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.member(3).storage.firstIndex()).toBe(world.node(1).commit + 1);
    expect(world.texts(3)).toEqual([..."abc"]);
    world.propose(1, "d");
    world.settle();
    expect(world.texts(3)).toEqual([..."abcd"]);
  });

  it("may crash before the snapshot is stored, and gets another one", () => {
    const world = behindCompaction(async);
    world.tick(1);
    for (let i = 0; i < 20 && !world.network.some((m) => m.type === "MsgSnap"); i++) {
      for (const member of world.members) {
        world.ready(member);
        world.append(member);
        world.hear(member);
      }
      if (world.network[0]?.type !== "MsgSnap") world.deliver(0);
    }
    const at = world.network.findIndex((m) => m.type === "MsgSnap");
    expect(at).toBeGreaterThanOrEqual(0);
    world.deliver(at);
    world.crash(world.member(3));
    world.restart(world.member(3));
    world.node(1).reportSnapshot(3, true);
    for (let i = 0; i < 5; i++) world.tick(1).settle();
    expect(world.texts(3)).toEqual([..."abc"]);
  });
});

describe("a snapshot", () => {
  const confState = {
    voters: [1, 2, 3],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };

  function snapshotMessage(to: number, index: number, term: number, state = confState) {
    const snapshot = { index, term, confState: state, data: NO_BYTES };
    return makeMessage({ type: "MsgSnap", from: 1, to, term: 1, snapshot });
  }

  it("of what is committed is ignored, and answered with the commit index", () => {
    const world = new World(three).elect(1);
    world.node(2).step(snapshotMessage(2, 1, 1));
    world.ready(world.member(2));
    expect(world.network).toMatchObject([{ type: "MsgAppResp", to: 1, index: 2 }]);
  });

  it("of what is in the log only commits, and leaves the log", () => {
    const world = new World(three).elect(1);
    world.reaches = (_from, to) => to === 2;
    world.propose(1, "a");
    world.settle();
    expect(world.node(2).commit).toBe(2);
    world.node(2).step(snapshotMessage(2, 3, 1));
    expect(world.node(2).commit).toBe(3);
    expect(world.log(2)).toEqual(["1/2", "1/3"]);
  });

  it("that doesn't name the member is not for it", () => {
    const world = new World(three).elect(1);
    world.node(2).step(snapshotMessage(2, 50, 1, { ...confState, voters: [1, 3] }));
    expect(world.node(2).commit).toBe(2);
  });

  it("is not sent to who may be dead, nor when there is none", () => {
    const world = behindCompaction();
    world.crash(world.member(3));
    world.node(1).reportUnreachable(3);
    const sent: string[] = [];
    world.reaches = (_from, to) => {
      sent.push(`${to}`);
      return true;
    };
    for (let i = 0; i < 5; i++) world.tick(1).settle();
    expect(world.node(1).status().progress.get(3)?.state).not.toBe("StateSnapshot");
  });
});

describe("storage that has entries, but not at hand", () => {
  it("makes the leader wait, and ask again", () => {
    const world = new World(three).elect(1);
    world.reaches = (from, to) => from !== 3 && to !== 3;
    for (const text of "abc") world.propose(1, text);
    world.settle();
    const { storage } = world.member(1);
    const { entries } = storage;
    storage.entries = () => "unavailable";
    world.reaches = () => true;
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.texts(3)).toEqual([]);
    expect(world.node(1).status().progress.get(3)?.state).not.toBe("StateSnapshot");
    storage.entries = entries;
    world.node(1).retryAppends();
    world.settle();
    expect(world.texts(3)).toEqual([..."abc"]);
  });
});
