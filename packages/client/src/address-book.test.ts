import type { ClusterView, Welcome } from "@parley/protocol";
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../test/virtual-world.ts";
import {
  ADDRESSES_MAX,
  AddressBook,
  BACKOFF_MS_MAX,
  FAILURES_FADE_MS,
  parseSeeds,
  STABLE_MS,
  UNREACHED_MS_MAX,
} from "./address-book.ts";

function view(nodes: Record<number, string>, leaderId = 0): ClusterView {
  const list = Object.entries(nodes).map(([id, address]) => ({
    id: Number(id),
    address,
    httpAddress: "",
  }));
  return {
    clusterId: "c",
    nodes: list,
    leaderId,
    term: 1,
    hasQuorum: true,
    staleMs: 0,
    members: [],
  };
}

function welcome(nodeId: number, hasQuorum = true): Welcome {
  const cluster = { ...view({}), hasQuorum };
  return { protocolVersion: 1, nodeId, account: undefined, cluster, revision: 0, serverTimeMs: 0 };
}

function book(seeds: string, seed = 1): AddressBook {
  return new AddressBook({
    seeds: parseSeeds(seeds),
    random: new SeededRandom(seed),
    addressOf: ({ address }) => address,
  });
}

test("seeds may be one text or a list, with blanks and repetitions", () => {
  expect(parseSeeds(" a:1, b:2 ,,a:1")).toEqual(["a:1", "b:2"]);
  expect(parseSeeds(["a:1", "b:2,c:3"])).toEqual(["a:1", "b:2", "c:3"]);
});

test("any one node tells of the others; those that leave are forgotten, seeds never", () => {
  const known = book("a:1");
  expect(known.learn(view({ 1: "a:1", 2: "b:1", 3: "c:1" }))).toBe(true);
  expect(known.addresses).toEqual(["a:1", "b:1", "c:1"]);
  expect(known.learn(view({ 2: "b:1" }))).toBe(false);
  expect(known.addresses).toEqual(["a:1", "b:1"]);
  // A node that does not know yet who is there takes nothing away.
  known.learn(view({}));
  expect(known.addresses).toEqual(["a:1", "b:1"]);
});

test("P6: a node that was down for long is tried again before one that never helps (simulator seed 6)", () => {
  const known = book("down:1,mute:1,here:1");
  for (let i = 0; i < 20; i++) known.failed("down:1", 1_000);
  known.failed("mute:1", 1_000);
  known.succeeded("mute:1", welcome(2, false), 1_000);
  expect(known.choose(4_000, { avoid: "here:1" })?.address).toBe("mute:1");
  const laterMs = 1_000 + BACKOFF_MS_MAX + FAILURES_FADE_MS;
  expect(known.choose(laterMs, { avoid: "here:1" })?.address).toBe("down:1");
});

test("P11: the number of addresses is bounded", () => {
  const known = book("a:1");
  known.learn(
    view(Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [at + 1, `n${at}:1`]))),
  );
  expect(known.addresses).toHaveLength(ADDRESSES_MAX);
});

test("clients spread over the nodes", () => {
  const known = book("a:1,b:1,c:1");
  const counts = new Map<string, number>();
  for (let round = 0; round < 3_000; round++) {
    const { address = "" } = known.choose(0) ?? {};
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  expect(counts.size).toBe(3);
  for (const count of counts.values()) expect(count).toBeGreaterThan(850);
});

test("the first retry is at once, and at a different node", () => {
  const known = book("a:1,b:1,c:1");
  known.succeeded("a:1", welcome(1), 0);
  known.failed("a:1", 1_000);
  for (let round = 0; round < 50; round++) {
    const candidate = known.choose(1_000, { avoid: "a:1" });
    expect(candidate?.waitMs).toBe(0);
    expect(candidate?.address).not.toBe("a:1");
  }
});

test("two addresses of one node are one node", () => {
  const known = book("localhost:1,127.0.0.1:1,b:1");
  known.succeeded("localhost:1", welcome(1), 0);
  known.succeeded("127.0.0.1:1", welcome(1), 0);
  expect(known.choose(0, { avoid: "localhost:1" })?.address).toBe("b:1");
  expect(known.choose(0, { except: new Set(["127.0.0.1:1", "b:1"]) })).toBeUndefined();
  expect(known.allAmong(new Set(["localhost:1"]))).toBe(false);
  expect(known.allAmong(new Set(["localhost:1", "b:1"]))).toBe(true);
});

test("an address that goes on failing is retried at doubling, jittered delays up to the cap", () => {
  const known = book("a:1");
  const waits: number[] = [];
  for (let round = 0; round < 10; round++) {
    known.failed("a:1", 0);
    waits.push(known.choose(0)?.waitMs ?? -1);
  }
  expect(waits[0]).toBe(0);
  for (const [at, wait] of waits.slice(1).entries()) {
    const full = Math.min(BACKOFF_MS_MAX, 50 * 2 ** at);
    expect(wait).toBeGreaterThanOrEqual(full / 2);
    expect(wait).toBeLessThanOrEqual(full + 1);
  }
  known.succeeded("a:1", welcome(1), 0);
  known.failed("a:1", STABLE_MS);
  expect(known.choose(STABLE_MS)?.waitMs).toBe(0);
});

test("a node that welcomes and fails at once is not dialled in a tight loop", () => {
  const known = book("a:1");
  let nowMs = 0;
  for (let round = 0; round < 10; round++) {
    known.succeeded("a:1", welcome(1), nowMs);
    known.failed("a:1", nowMs + 1);
    nowMs += 1 + (known.choose(nowMs + 1)?.waitMs ?? 0);
  }
  expect(nowMs).toBeGreaterThan(3_000);
});

test("nodes that failed, or said they lack a quorum, come last", () => {
  const known = book("a:1,b:1,c:1");
  known.succeeded("b:1", welcome(2, false), 0);
  known.failed("a:1", 0);
  for (let round = 0; round < 20; round++) expect(known.choose(0)?.address).toBe("c:1");
  known.failed("c:1", 0);
  expect(known.choose(0)?.address).toBe("b:1");
});

test("the leader is preferred only when asked for", () => {
  const known = book("a:1");
  known.learn(view({ 1: "a:1", 2: "b:1", 3: "c:1" }, 3));
  for (let round = 0; round < 20; round++) {
    expect(known.choose(0, { preferLeader: true })?.address).toBe("c:1");
  }
});

test("P11: a node can't send a client away for longer than the cap", () => {
  const known = book("a:1");
  known.failed("a:1", 0, 3_600_000);
  expect(known.choose(0)?.waitMs).toBe(BACKOFF_MS_MAX);
});

describe("which nodes this device does not reach", () => {
  const ALL = { 1: "a:1", 2: "b:1", 3: "c:1" };
  const heard = (...ids: number[]): ClusterView => ({
    ...view(ALL),
    members: [1, 2, 3].map((nodeId) => ({ nodeId, role: 1, heard: ids.includes(nodeId) })),
  });
  /** On node 1, having dialled node 2 in vain at time 0. */
  function onOne(): AddressBook {
    const known = book("a:1,b:1");
    known.failed("b:1", 0);
    known.answered("a:1");
    known.learn(heard(1, 2, 3));
    return known;
  }

  test("one that the cluster hears of, a while after it failed, and for a while", () => {
    const known = onOne();
    expect(known.unreached(3_999, 4_000)).toEqual([]);
    expect(known.unreached(4_000, 4_000)).toEqual([2]);
    expect(known.unreached(UNREACHED_MS_MAX, 4_000)).toEqual([]);
    // It answers, if only to send the client away.
    known.answered("b:1");
    known.failed("b:1", 5_000);
    expect(known.unreached(10_000, 4_000)).toEqual([]);
  });

  test("not one that is dead, nor one that is back from the dead", () => {
    const known = onOne();
    known.learn(heard(1, 3));
    expect(known.unreached(5_000, 4_000)).toEqual([]);
    known.failed("b:1", 6_000);
    known.learn(heard(1, 2, 3));
    expect(known.unreached(20_000, 4_000)).toEqual([]);
  });

  test("nobody, when this device itself reached no node at all", () => {
    const known = onOne();
    for (const address of ["a:1", "b:1", "c:1"]) known.failed(address, 5_000);
    known.failed("a:1", 5_500);
    known.answered("a:1");
    expect(known.unreached(20_000, 4_000)).toEqual([]);
  });

  test("nobody, when the nodes are older and say of none whether it is well", () => {
    const known = onOne();
    known.learn(view(ALL));
    expect(known.unreached(5_000, 4_000)).toEqual([]);
  });
});
