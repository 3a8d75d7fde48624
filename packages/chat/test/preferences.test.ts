// What an account wants of a room: told to its own devices only, and gone with the membership.
import { ListRoomsRequest, ListRoomsResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  joinRoomCommand,
  leaveRoomCommand,
  setRoomPreferenceCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

function pair() {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  world.upgrade();
  const want = (actor: Actor, starred: boolean, muted: boolean) =>
    setRoomPreferenceCommand({ roomId, starred, muted, requestId: world.id() }, actor);
  const seen = (actor: Actor) => {
    const request = ListRoomsRequest.encode(ListRoomsRequest.create()).finish();
    const answer = world.read({ kind: "operation", operation: "listRooms", request, ...actor });
    if (answer.kind !== "response") throw new Error(`the list is ${answer.kind}`);
    const { rooms } = ListRoomsResponse.decode(answer.response);
    const room = rooms.find(({ id }) => id === roomId);
    return { starred: room?.starred, muted: room?.muted };
  };
  return { world, anna, bob, roomId, want, seen };
}

test("it is told to one's own devices and to nobody else, and a repeat to nobody", () => {
  const { world, anna, bob, roomId, want, seen } = pair();
  const told = world.events(want(bob, true, false));
  const { revision } = world;
  const value = { roomId, starred: true, muted: false };
  expect(told).toMatchObject([
    {
      to: { kind: "account", accountId: bob.accountId },
      event: { revision, event: { $case: "roomPreference", value } },
    },
  ]);
  expect(world.events(want(bob, true, false))).toEqual([]);
  expect(world.events(want(bob, true, true))).toHaveLength(1);
  expect(seen(bob)).toEqual({ starred: true, muted: true });
  expect(seen(anna)).toEqual({ starred: false, muted: false });
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("what is not said stays as it is: two devices at once lose nothing of each other", () => {
  const { world, bob, roomId, want, seen } = pair();
  world.ok(want(bob, true, false));
  const mute = { roomId, starred: undefined, muted: true, requestId: world.id() };
  world.ok(setRoomPreferenceCommand(mute, bob));
  expect(seen(bob)).toEqual({ starred: true, muted: true });
});

test("who is not in the room wants nothing of it; who comes back starts anew", () => {
  const { world, bob, roomId, want, seen } = pair();
  const eve = world.register("eve");
  expect(world.reason(want(eve, true, true))).toBe("NOT_A_MEMBER");
  world.ok(want(bob, true, true));
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(world.reason(want(bob, false, true))).toBe("NOT_A_MEMBER");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(seen(bob)).toEqual({ starred: false, muted: false });
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("rolling upgrade: refused until every server knows it", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  const request = { roomId, starred: true, muted: false, requestId: world.id() };
  expect(world.reason(setRoomPreferenceCommand(request, anna))).toBe("NOT_YET_SUPPORTED");
});
