/** Log replication: paper, 5.3. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeEntry } from "../src/entry.ts";
import { InvariantViolation, makeMessage } from "../src/index.ts";
import { World } from "./world.ts";

const three = { size: 3, voters: [1, 2, 3] };

describe("an entry", () => {
  it("is committed when a majority stores it, and applied by all", () => {
    const world = new World(three).elect(1);
    world.propose(1, "a");
    world.settle();
    for (const id of [1, 2, 3]) expect(world.texts(id)).toEqual(["a"]);
  });

  it("is committed with a minority gone, but not without a majority", () => {
    const world = new World(three).elect(1);
    world.crash(world.member(3));
    world.propose(1, "a");
    world.settle();
    expect(world.texts(1)).toEqual(["a"]);
    world.crash(world.member(2));
    world.propose(1, "b");
    world.settle();
    expect(world.texts(1)).toEqual(["a"]);
    world.restart(world.member(2));
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.texts(1)).toEqual(["a", "b"]);
  });

  it("is named to its proposer by term and index", () => {
    const world = new World(three).elect(1);
    const data = [Uint8Array.of(1), Uint8Array.of(2)];
    expect(world.node(1).propose(data)).toEqual({
      ok: true,
      kind: "appended",
      term: 1,
      first: 3,
      last: 4,
    });
  });

  it("proposed at a follower is passed on, unless that is switched off", () => {
    const world = new World(three).elect(1);
    expect(world.propose(2, "a")).toEqual({ ok: true, kind: "forwarded", to: 1 });
    world.settle();
    expect(world.texts(3)).toEqual(["a"]);
    const off = new World({ ...three, config: { disableProposalForwarding: true } }).elect(1);
    expect(off.propose(2, "a")).toMatchObject({ ok: false, reason: "not-leader" });
  });

  it("proposed without a leader is refused", () => {
    const world = new World(three);
    expect(world.propose(1, "a")).toMatchObject({ ok: false, reason: "no-leader" });
    world.reaches = () => false;
    world.elect(1);
    expect(world.propose(1, "a")).toMatchObject({ ok: false, reason: "no-leader" });
  });
});

describe("a follower that was away", () => {
  it("catches up when it answers a heartbeat", () => {
    const world = new World(three).elect(1);
    world.crash(world.member(3));
    for (const text of "abcdefgh") {
      world.propose(1, text);
      world.settle();
    }
    world.restart(world.member(3));
    for (let i = 0; i < 3; i++) world.tick(1).settle();
    expect(world.texts(3)).toEqual([..."abcdefgh"]);
  });

  it("learns the commit index even if no more entries come", () => {
    const world = new World(three).elect(1);
    world.propose(1, "a");
    world.reaches = (from, to) => from !== 1 || to !== 3 || world.node(1).commit === 2;
    world.settle();
    world.reaches = () => true;
    world.tick(1).settle();
    expect(world.node(3).commit).toBe(world.node(1).commit);
  });

  it("loses entries that a later leader doesn't have", () => {
    const world = new World(three).elect(1);
    world.reaches = (from, to) => from !== 1 && to !== 1;
    for (const text of "xyz") world.propose(1, text);
    world.settle();
    world.elect(2);
    world.propose(2, "a");
    world.settle();
    world.reaches = () => true;
    world.tick(2).settle();
    expect(world.texts(1)).toEqual(["a"]);
    expect(world.log(1)).toEqual(world.log(2));
  });
});

describe("figure 7", () => {
  // Terms of the entries from index 2 on; entry 1 of term 1 is everybody's.
  const leader = [1, 1, 4, 4, 5, 5, 6, 6, 6];
  const followers = {
    a: [1, 1, 4, 4, 5, 5, 6, 6],
    b: [1, 1, 4],
    c: [1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
    d: [1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
    e: [1, 1, 4, 4, 4, 4],
    f: [1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
  };
  const lettered = Object.entries(followers);

  it("ends with the leader's log everywhere, after one rejection at most", () => {
    const rejected: string[] = [];
    const debug = (text: string): void => {
      if (text.includes("rejected MsgApp")) rejected.push(text);
    };
    const voters = [1, 2, 3, 4, 5, 6, 7];
    const world = new World({ size: 7, voters, config: { logger: { debug } } });
    for (const [i, terms] of [leader, ...Object.values(followers)].entries()) {
      const member = world.member(i + 1);
      world.crash(member);
      const entries = terms.map((term, at) => makeEntry("EntryNormal", term, at + 2));
      member.storage.append(entries);
      member.storage.setHardState({ term: 7, vote: 0, commit: 1 });
      world.restart(member);
    }
    world.elect(1);
    expect(world.leaders()).toEqual([1]);
    for (const [i] of lettered.entries()) expect(world.log(i + 2)).toEqual(world.log(1));
    const trips = lettered.map(([letter], i) => [
      letter,
      rejected.filter((text) => text.startsWith(`${i + 2} `)).length,
    ]);
    expect(Object.fromEntries(trips)).toEqual({ a: 1, b: 1, c: 0, d: 0, e: 1, f: 1 });
  });
});

describe("messages", () => {
  it("may come late, doubled and in any order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(50), again: fc.boolean() }), { maxLength: 80 }),
        (deliveries) => {
          const world = new World(three).elect(1);
          for (const [i, { at, again }] of deliveries.entries()) {
            if (i % 4 === 0) world.propose(1, `${i}`);
            for (const member of world.members) world.ready(member);
            const place = at % Math.max(1, world.network.length);
            const message = world.network[place];
            if (again && message !== undefined) world.network.push(message);
            world.deliver(place);
          }
          world.settle();
          for (let i = 0; i < 5; i++) world.tick(1).settle();
          world.checkLogs();
          const proposed = deliveries.flatMap((_, i) => (i % 4 === 0 ? [`${i}`] : []));
          for (const id of [1, 2, 3]) expect(world.texts(id)).toEqual(proposed);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("about what is committed already are answered with the commit index", () => {
    const world = new World(three).elect(1);
    for (const text of "abc") world.propose(1, text);
    world.settle();
    world.flush(world.member(2));
    world.compact(world.member(2));
    const old = { index: 1, logTerm: 1, commit: 1, term: 1, from: 1, to: 2 };
    world.node(2).step(makeMessage({ type: "MsgApp", ...old }));
    world.ready(world.member(2));
    expect(world.network).toMatchObject([{ type: "MsgAppResp", index: 5, reject: false }]);
  });

  it("of two leaders in one term stop the member: Election Safety is broken", () => {
    const world = new World(three).elect(1);
    const other = makeMessage({ type: "MsgApp", from: 2, to: 1, term: 1, index: 1, logTerm: 1 });
    expect(() => world.node(1).step(other)).toThrow(InvariantViolation);
  });

  it("that say to commit what was acknowledged, but isn't there, stop the member: its log was lost", () => {
    const world = new World(three).elect(1);
    const beat = makeMessage({ type: "MsgHeartbeat", from: 1, to: 2, term: 1, commit: 99 });
    expect(() => world.node(2).step(beat)).toThrow(
      "Was the raft log corrupted, truncated, or lost?",
    );
  });
});
