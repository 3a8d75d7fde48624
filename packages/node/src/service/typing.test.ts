import { LIMITS, RoomVisibility } from "@parley/protocol";
import { describe, expect, test } from "vitest";
import { type TestClient, World } from "./testing/world.test.support.ts";

const PUBLIC = RoomVisibility.ROOM_VISIBILITY_PUBLIC;

interface Person {
  readonly id: number;
  readonly name: string;
  readonly token: string;
  readonly client: TestClient;
}

/** Everybody has a session that follows the newest events; all but `strangers` are in the room. */
async function room(members: readonly string[], strangers: readonly string[] = []) {
  const world = await World.upgraded();
  const people = new Map<string, Person>();
  for (const name of [...members, ...strangers]) {
    const { id, token } = await world.register(name);
    people.set(name, { id, name, token, client: world.connect() });
  }
  const of = (name: string) => people.get(name) as Person;
  const [owner = ""] = members;
  const made = await world.call(
    "createRoom",
    { name: "attic", visibility: PUBLIC },
    of(owner).token,
  );
  const roomId = made.room?.id ?? 0;
  for (const name of members.slice(1)) await world.call("joinRoom", { roomId }, of(name).token);
  for (const { token, client } of people.values()) client.hello({ token, subscribe: true });
  await world.clock.advance(50);
  return {
    world,
    roomId,
    of,
    types: async (name: string, where = roomId) => {
      of(name).client.frame({ typing: { roomId: where } });
      await world.clock.advance(1);
    },
    /** Whom somebody was shown to type, in order. */
    shown: (name: string) =>
      of(name).client.frames.flatMap(({ typists }) => typists.map(({ username }) => username)),
    /** Another node says so. */
    hear: async (name: string, where = roomId) => {
      world.log.hearTyping(where, of(name).id);
      await world.clock.advance(1);
    },
  };
}

describe("who types is told to", () => {
  test("the other members that are here, and to the other nodes, once; never to the typist or a stranger", async () => {
    const { world, roomId, of, types, shown } = await room(["ann", "bob", "cat"], ["eve"]);
    const before = world.log.lastIndex;
    await types("ann");
    expect(of("bob").client.frames.at(-1)?.typists).toEqual([
      { roomId, accountId: of("ann").id, username: "ann" },
    ]);
    expect(shown("cat")).toEqual(["ann"]);
    expect([...shown("ann"), ...shown("eve")]).toEqual([]);
    expect(world.log.typing).toEqual([{ roomId, accountId: of("ann").id }]);
    // Ephemeral: no entry of the log came of it.
    expect(world.log.lastIndex).toBe(before);
  });

  test("the members, whichever node says so, and it is not told on", async () => {
    const { world, hear, shown } = await room(["ann", "bob"], ["eve"]);
    await hear("ann");
    expect(shown("bob")).toEqual(["ann"]);
    expect([...shown("ann"), ...shown("eve")]).toEqual([]);
    expect(world.log.typing).toEqual([]);
  });

  test("nobody, when it is said of one who is not in the room, by a client or by a node that is behind", async () => {
    const { world, roomId, of, types, hear, shown } = await room(["ann", "bob"], ["eve"]);
    await types("eve");
    await hear("eve");
    await types("ann", roomId + 1_000);
    await world.call("leaveRoom", { roomId }, of("ann").token);
    await types("ann");
    await hear("ann");
    expect(shown("bob")).toEqual([]);
    expect(world.log.typing).toEqual([]);
  });

  test("nobody, of one whom an admin has muted", async () => {
    const { world, roomId, of, types, hear, shown } = await room(["ann", "bob"]);
    const mute = { roomId, username: "bob", muted: true, durationMs: 60_000 };
    await world.call("muteMember", mute, of("ann").token);
    await types("bob");
    await hear("bob");
    expect(shown("ann")).toEqual([]);
    await world.clock.advance(60_000);
    await types("bob");
    expect(shown("ann")).toEqual(["bob"]);
  });

  test("neither of two one of whom has blocked the other, until that is taken back", async () => {
    const { world, of, types, shown } = await room(["ann", "bob", "cat"]);
    const block = (blocked: boolean) =>
      world.call("block", { username: "bob", blocked }, of("ann").token);
    await block(true);
    await types("ann");
    await types("bob");
    expect([shown("ann"), shown("bob"), shown("cat")]).toEqual([[], [], ["ann", "bob"]]);
    await block(false);
    await world.clock.advance(LIMITS.typingEndsMs);
    await types("bob");
    expect(shown("ann")).toEqual(["bob"]);
  });

  test("nobody who has left, from the moment on", async () => {
    const { world, roomId, of, types, shown } = await room(["ann", "bob"]);
    await world.call("leaveRoom", { roomId }, of("bob").token);
    await types("ann");
    expect(shown("bob")).toEqual([]);
  });

  test("nobody by a session without a sign-in, or before its hello", async () => {
    const { world, roomId, shown } = await room(["ann", "bob"]);
    const guest = world.connect();
    guest.hello();
    guest.frame({ typing: { roomId } });
    const rude = world.connect();
    rude.frame({ typing: { roomId } });
    await world.clock.advance(1);
    expect(shown("bob")).toEqual([]);
    expect(guest.goAway).toBeUndefined();
    expect(rude.goAway?.reason).toBe("MALFORMED");
  });
});

describe("P11: what is told is bounded", () => {
  test("one account, one room: however often it is said, once in two seconds", async () => {
    const { world, types, shown } = await room(["ann", "bob"]);
    for (let ms = 0; ms < 10_000; ms += 20) {
      await types("ann");
      await world.clock.advance(19);
    }
    expect(shown("bob").length).toBeLessThanOrEqual(10_000 / LIMITS.typingGapMsMin);
    expect(shown("bob").length).toBeGreaterThanOrEqual(4);
    expect(world.log.typing.length).toBe(shown("bob").length);
  });

  test("one account in all its rooms: twice a second at most", async () => {
    const { world, of, types } = await room(["ann", "bob"]);
    const rooms: number[] = [];
    for (let at = 0; at < 50; at++) {
      const made = await world.call(
        "createRoom",
        { name: `room ${at}`, visibility: PUBLIC },
        of("ann").token,
      );
      rooms.push(made.room?.id ?? 0);
    }
    await world.clock.advance(5_000);
    for (let round = 0; round < 4; round++) {
      for (const roomId of rooms) of("ann").client.frame({ typing: { roomId } });
      await world.clock.advance(250);
    }
    expect(world.log.typing).toHaveLength(2);
    await types("ann");
    expect(world.log.typing).toHaveLength(3);
  });

  test("a message ends it, and what is written after it is told at once", async () => {
    const { world, roomId, of, types, shown } = await room(["ann", "bob"]);
    await types("ann");
    await of("ann").client.call("send", { roomId, body: "hi", clientMessageId: "1" });
    await world.clock.advance(10);
    await types("ann");
    expect(shown("bob")).toEqual(["ann", "ann"]);
  });

  test("a room shows so many, and others once those have ended", async () => {
    const crowd = Array.from({ length: LIMITS.typistsPerRoomMax + 2 }, (_, at) => `user-${at}`);
    const { world, types, hear, shown } = await room([...crowd, "bob"]);
    for (const name of crowd) await hear(name);
    expect(shown("bob")).toEqual(crowd.slice(0, LIMITS.typistsPerRoomMax));
    await types(crowd.at(-1) ?? "");
    expect(world.log.typing).toEqual([]);
    await world.clock.advance(LIMITS.typingEndsMs);
    await types(crowd.at(-1) ?? "");
    expect(shown("bob").at(-1)).toBe(crowd.at(-1));
    expect(world.log.typing).toHaveLength(1);
  });

  test("a peer that says very much of many is heard a thousand times a second", async () => {
    const { world, roomId, of } = await room(["ann", "bob"]);
    const other = await world.call(
      "createRoom",
      { name: "other", visibility: PUBLIC },
      of("ann").token,
    );
    const before = of("bob").client.frames.flatMap(({ typists }) => typists).length;
    for (let at = 0; at < 5_000; at++) {
      world.log.hearTyping(roomId, of("ann").id);
      world.log.hearTyping(other.room?.id ?? 0, of("ann").id);
    }
    await world.clock.advance(1);
    const told = of("bob").client.frames.flatMap(({ typists }) => typists).length - before;
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(1_000);
  });

  test("a subscriber that does not read is not told", async () => {
    const { world, roomId, of, types, shown } = await room(["ann", "bob", "cat"]);
    const { sink } = of("bob").client;
    sink.stalled = true;
    for (let at = 0; at < 6; at++) {
      const body = "x".repeat(LIMITS.bodyBytesMax);
      await world.call("send", { roomId, body, clientMessageId: `${at}` }, of("cat").token);
    }
    await types("ann");
    expect(shown("cat")).toEqual(["ann"]);
    expect(shown("bob")).toEqual([]);
    sink.resume();
    await world.clock.advance(3_000);
    await types("ann");
    expect(shown("bob")).toEqual(["ann"]);
  });
});

test("a text that is sent within a turn comes after the word that it is typed, in one frame with it", async () => {
  const { roomId, of, world } = await room(["ann", "bob"]);
  of("ann").client.frame({ typing: { roomId } });
  await of("ann").client.call("send", { roomId, body: "k", clientMessageId: "1" });
  await world.clock.advance(10);
  const seen = of("bob").client.frames.flatMap(({ typists, events }) => [
    ...typists.map(() => "types"),
    ...events.flatMap(({ event }) => (event?.$case === "message" ? ["message"] : [])),
  ]);
  expect(seen).toEqual(["types", "message"]);
});
