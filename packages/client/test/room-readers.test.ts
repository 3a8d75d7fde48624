// How far the others have read: loaded when somebody looks, kept current, loaded anew where something may have been missed.
import { type Event, LIMITS, ListMembersResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import { RoomReaders } from "../src/index.ts";
import { TIMING } from "../src/timing.ts";
import { startedWorld } from "./client-world.ts";
import { ALICE } from "./virtual-world.ts";

const BEN = { ...ALICE, id: 8, username: "ben" };
const CLEO = { ...ALICE, id: 9, username: "cleo" };

async function looking() {
  const world = await startedWorld(2);
  world.client.subscribe({ afterRevision: 10, onItem: () => {} });
  await world.clock.advance(1);
  /** What the servers have. */
  const read = new Map([
    [ALICE, 5],
    [BEN, 3],
    [CLEO, 0],
  ]);
  let loads = 0;
  for (const node of world.cluster.nodes) {
    node.onRequest = (session, { id, op }) => {
      if (op.$case !== "listMembers") return;
      loads += 1;
      expect(op.value.pageSize).toBe(LIMITS.receiptMembersMax);
      const members = [...read].map(([account, readSeq]) => ({
        account,
        role: 1 as const,
        joinedAtMs: 0,
        readSeq,
      }));
      const value = ListMembersResponse.create({ members, revision: 20 });
      session.send({ replies: [{ id, result: { $case: "listMembers", value } }] });
    };
  }
  let hear: (events: readonly Event[]) => void = () => {};
  const sync = {
    onEvents: (listener: (events: readonly Event[]) => void) => {
      hear = listener;
      return () => {};
    },
    onReset: () => () => {},
  };
  const readers = new RoomReaders(world.client, sync, world.clock);
  const end = readers.watch(1);
  await world.clock.advance(1);
  return {
    ...world,
    read,
    readers,
    end,
    loads: () => loads,
    happens: async (event: NonNullable<Event["event"]>) => {
      hear([{ revision: 30, event }]);
      await world.clock.advance(1);
    },
    isTold: async (...positions: { accountId: number; seq: number }[]) => {
      world.serving().session.send({ readReceipts: [{ roomId: 1, positions }] });
      await world.clock.advance(1);
    },
    now: () =>
      readers
        .of(1)
        .map(({ username, seq }) => `${username} ${seq}`)
        .join(", "),
  };
}

test("those who have read something and show it, without oneself", async () => {
  const { now } = await looking();
  expect(now()).toBe("ben 3");
});

test("what is told moves them forward only, and the list stays the same object where nothing moves", async () => {
  const { readers, isTold, now, loads } = await looking();
  const before = readers.of(1);
  await isTold({ accountId: BEN.id, seq: 2 }, { accountId: ALICE.id, seq: 9 });
  expect(readers.of(1)).toBe(before);
  await isTold({ accountId: BEN.id, seq: 4 });
  expect(now()).toBe("ben 4");
  expect(loads()).toBe(1);
});

test("somebody of whom nothing was known is looked up", async () => {
  const { read, isTold, now, loads } = await looking();
  read.set(CLEO, 4);
  await isTold({ accountId: CLEO.id, seq: 4 });
  expect(now()).toBe("ben 3, cleo 4");
  expect(loads()).toBe(2);
});

test("who hides it goes at once, and who leaves", async () => {
  const { read, happens, now } = await looking();
  read.set(BEN, 0);
  await happens({ $case: "accountChanged", value: { ...BEN, readsHidden: true } });
  expect(now()).toBe("");
  read.set(BEN, 3);
  await happens({ $case: "accountChanged", value: BEN });
  expect(now()).toBe("ben 3");
  read.delete(BEN);
  const left = { roomId: 1, account: BEN, role: 0 as const, memberCount: 2 };
  await happens({ $case: "membershipChanged", value: left });
  expect(now()).toBe("");
});

test("with a new session it is loaded anew, and once more when its subscription has caught up", async () => {
  const { clock, read, node, now, loads } = await looking();
  read.set(BEN, 5);
  node(1).kill();
  await clock.advance(2_000);
  expect(now()).toBe("ben 5");
  expect(loads()).toBe(2);
  // Read between what was loaded and the first that is told.
  read.set(BEN, 6);
  await clock.advance(TIMING.receiptsSettleMs);
  expect(now()).toBe("ben 6");
  expect(loads()).toBe(3);
});

test("a room that nobody looks at any more is neither kept nor loaded", async () => {
  const { end, isTold, happens, now, loads } = await looking();
  end();
  expect(now()).toBe("");
  await isTold({ accountId: BEN.id, seq: 9 });
  await happens({ $case: "accountChanged", value: BEN });
  expect(loads()).toBe(1);
});
