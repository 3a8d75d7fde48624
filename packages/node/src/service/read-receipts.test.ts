// Who is told how far others have read, and how often.
import { LIMITS, RoomVisibility } from "@parley/protocol";
import { expect, test } from "vitest";
import { World } from "./testing/world.test.support.ts";

const PUBLIC = RoomVisibility.ROOM_VISIBILITY_PUBLIC;

/** All are in the room but `eve`, everybody follows the newest events, and ten messages were said. */
async function room() {
  const world = await World.upgraded();
  const names = ["ann", "bob", "cat", "eve"];
  const people = new Map<string, { id: number; token: string }>();
  const clients = new Map(names.map((name) => [name, world.connect()]));
  for (const name of names) people.set(name, await world.register(name));
  const of = (name: string) => people.get(name) ?? { id: 0, token: "" };
  const made = await world.call(
    "createRoom",
    { name: "attic", visibility: PUBLIC },
    of("ann").token,
  );
  const roomId = made.room?.id ?? 0;
  for (const name of ["bob", "cat"]) await world.call("joinRoom", { roomId }, of(name).token);
  for (let n = 0; n < 10; n++) {
    const send = { roomId, body: "hello", clientMessageId: `message-${n}` };
    await world.call("send", send, of("ann").token);
  }
  for (const name of names) clients.get(name)?.hello({ token: of(name).token, subscribe: true });
  await world.clock.advance(2 * LIMITS.receiptsGapMs);
  return {
    world,
    roomId,
    of,
    read: (name: string, seq: number) => world.call("markRead", { roomId, seq }, of(name).token),
    /** What a list of members tells somebody. */
    listed: async (name: string) => {
      const { members } = await world.call("listMembers", { roomId }, of(name).token);
      return members.map(({ account, readSeq }) => `${account?.username} ${readSeq}`);
    },
    /** The frames' worth of what somebody was told, in order: who has read how far. */
    told: (name: string) =>
      (clients.get(name)?.frames ?? []).flatMap(({ readReceipts }) =>
        readReceipts.map(({ positions }) =>
          positions.map(({ accountId, seq }) => {
            const reader = names.find((one) => of(one).id === accountId);
            return `${reader} ${seq}`;
          }),
        ),
      ),
  };
}

test("members are told together what moved within a second; strangers nothing", async () => {
  const { world, read, told } = await room();
  await read("ann", 3);
  await read("bob", 5);
  await read("ann", 7);
  expect(told("cat")).toEqual([]);
  await world.clock.advance(LIMITS.receiptsGapMs + 50);
  expect(told("cat")).toEqual([["ann 7", "bob 5"]]);
  expect(told("bob")).toEqual([["ann 7", "bob 5"]]);
  expect(told("eve")).toEqual([]);
  // What is said once more tells nobody anything.
  await read("ann", 7);
  await world.clock.advance(2 * LIMITS.receiptsGapMs);
  expect(told("cat")).toHaveLength(1);
});

test("who hides it is told of nobody, and nobody of them, from the moment on", async () => {
  const { world, of, read, told } = await room();
  await read("ann", 3);
  await read("bob", 3);
  await world.call("setReadReceipts", { shown: false }, of("bob").token);
  await world.clock.advance(LIMITS.receiptsGapMs + 50);
  expect(told("cat")).toEqual([["ann 3"]]);
  expect(told("bob")).toEqual([]);
  await world.call("setReadReceipts", { shown: true }, of("bob").token);
  await read("bob", 4);
  await world.clock.advance(LIMITS.receiptsGapMs + 50);
  expect(told("bob")).toEqual([["bob 4"]]);
});

test("of two one of whom has blocked the other neither is told of the other, from the moment on", async () => {
  const { world, of, read, told, listed } = await room();
  await read("ann", 3);
  await read("bob", 4);
  await read("cat", 5);
  await world.call("block", { username: "bob", blocked: true }, of("ann").token);
  await world.clock.advance(LIMITS.receiptsGapMs + 50);
  expect(told("ann")).toEqual([["ann 3", "cat 5"]]);
  expect(told("bob")).toEqual([["bob 4", "cat 5"]]);
  expect(told("cat")).toEqual([["ann 3", "bob 4", "cat 5"]]);
  expect(await listed("ann")).toEqual(["ann 3", "bob 0", "cat 5"]);
  expect(await listed("bob")).toEqual(["ann 0", "bob 4", "cat 5"]);
  await world.call("block", { username: "bob", blocked: false }, of("ann").token);
  expect(await listed("bob")).toEqual(["ann 3", "bob 4", "cat 5"]);
});

test("who has left is told nothing, and nothing is told of them", async () => {
  const { world, roomId, of, read, told } = await room();
  await read("ann", 3);
  await read("bob", 3);
  await world.call("leaveRoom", { roomId }, of("bob").token);
  await world.clock.advance(LIMITS.receiptsGapMs + 50);
  expect(told("cat")).toEqual([["ann 3"]]);
  expect(told("bob")).toEqual([]);
});

test("P11: however fast somebody reads, a room is told of once a second", async () => {
  const { world, read, told } = await room();
  for (let seq = 1; seq <= 10; seq++) {
    await read("ann", seq);
    await world.clock.advance(LIMITS.receiptsGapMs / 5);
  }
  await world.clock.advance(2 * LIMITS.receiptsGapMs);
  expect(told("cat").length).toBeLessThanOrEqual(4);
  expect(told("cat").at(-1)).toEqual(["ann 10"]);
});
