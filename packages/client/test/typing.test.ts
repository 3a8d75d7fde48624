// Who types: said seldom, shown while it lasts.
import { expect, test } from "vitest";
import { Typists } from "../src/index.ts";
import { TIMING } from "../src/timing.ts";
import { startedWorld } from "./client-world.ts";
import { type FakeSession, messageEvent } from "./virtual-world.ts";

const BEN = { roomId: 1, accountId: 8, username: "ben" };
const CLEO = { roomId: 1, accountId: 9, username: "cleo" };

/** The rooms of the signals that a session got. */
function said(session: FakeSession): number[] {
  return session.frames.flatMap(({ typing }) => (typing === undefined ? [] : [typing.roomId]));
}

async function watching() {
  const world = await startedWorld(3);
  world.client.subscribe({ afterRevision: 10, onItem: () => {} });
  await world.clock.advance(1);
  const typists = new Typists(world.client, world.clock);
  const seen: string[] = [];
  typists.subscribe(() => {
    seen.push(
      typists
        .of(1)
        .map(({ username }) => username)
        .join(" "),
    );
  });
  return { ...world, typists, seen };
}

test("P11: with a key every 100 ms it is said every 3 s, room by room", async () => {
  const { client, clock, node } = await startedWorld(1);
  for (let key = 0; key < 100; key++) {
    client.typing(1);
    if (key === 50) client.typing(2);
    await clock.advance(100);
  }
  expect(said(node(1).session)).toEqual([1, 1, 2, 1, 1]);
});

test("whoever sends and goes on writing says so anew", async () => {
  const { client, clock, node } = await startedWorld(1);
  client.typing(1);
  void client.send(1, "first");
  client.typing(1);
  client.typing(1);
  await clock.advance(1);
  expect(said(node(1).session)).toEqual([1, 1]);
});

test("without a session, or a sign-in, nothing is said, then or later", async () => {
  const { client, clock, cluster, node } = await startedWorld(2);
  for (const each of cluster.nodes) each.kill();
  await clock.advance(10);
  client.typing(1);
  node(2).mode = "up";
  await clock.advance(5_000);
  expect(said(node(2).session)).toEqual([]);
  // Having had no chance to say it does not count as having said it.
  client.typing(1);
  await clock.advance(1);
  expect(said(node(2).session)).toEqual([1]);

  const guest = await startedWorld(1, { token: "" });
  guest.client.typing(1);
  await guest.clock.advance(1);
  expect(said(guest.node(1).session)).toEqual([]);
  await client.close();
  client.typing(1);
});

test("somebody is shown while they are heard of, and for 6.5 s after the last word", async () => {
  const { clock, node, typists, seen } = await watching();
  node(1).session.send({ typists: [BEN] });
  await clock.advance(1);
  const first = typists.of(1);
  expect(first).toEqual([{ accountId: 8, username: "ben" }]);
  await clock.advance(3_000);
  node(1).session.send({ typists: [BEN, CLEO] });
  await clock.advance(TIMING.typingShownMs - 1);
  expect(typists.of(1).map(({ username }) => username)).toEqual(["ben", "cleo"]);
  await clock.advance(2);
  expect(typists.of(1)).toEqual([]);
  expect(typists.of(2)).toBe(typists.of(3));
  // Renewals change nothing, so nobody is told of them.
  expect(seen).toEqual(["ben", "ben cleo", ""]);
});

test("a message ends it at once, also in the frame that says they type", async () => {
  const { clock, node, typists, seen } = await watching();
  const ofAlice = { roomId: 1, accountId: 7, username: "alice" };
  node(1).session.send({ typists: [ofAlice, BEN] });
  await clock.advance(1);
  expect(typists.of(1)).toHaveLength(2);
  node(1).session.send({ events: [messageEvent(11)] });
  await clock.advance(1);
  expect(typists.of(1).map(({ username }) => username)).toEqual(["ben"]);
  node(1).session.send({ typists: [ofAlice], events: [messageEvent(12)] });
  await clock.advance(1);
  expect(typists.of(1).map(({ username }) => username)).toEqual(["ben"]);
  expect(seen.at(-1)).toBe("ben");
});

test("it outlives a failover, and ends on time all the same", async () => {
  const { clock, node, typists } = await watching();
  node(1).session.send({ typists: [BEN] });
  await clock.advance(1);
  node(1).kill();
  await clock.advance(1_000);
  expect(typists.of(1)).toHaveLength(1);
  await clock.advance(TIMING.typingShownMs);
  expect(typists.of(1)).toHaveLength(0);
});

test("P11: what a node tells beyond all measure is left out", async () => {
  const { clock, node, typists } = await watching();
  const crowd = Array.from({ length: 5_000 }, (_, at) => ({ ...BEN, accountId: 100 + at }));
  node(1).session.send({ typists: crowd });
  node(1).session.send({ typists: crowd.map((one, at) => ({ ...one, roomId: at + 2 })) });
  await clock.advance(1);
  expect(typists.of(1)).toHaveLength(20);
  expect(typists.of(5_001)).toHaveLength(0);
  const { armed } = clock;
  typists.close();
  expect(clock.armed).toBe(armed - 1);
});
