// Pins: who may, how many, in which order they are listed.
import { LIMITS, ListPinsRequest, ListPinsResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  deleteCommand,
  joinRoomCommand,
  openDirectCommand,
  pinCommand,
  setRoleCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

function pair() {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  world.upgrade();
  const pin = (actor: Actor, seq: number, pinned = true, room = roomId) =>
    pinCommand({ roomId: room, seq, pinned, requestId: world.id() }, actor);
  return { world, anna, bob, roomId, pin };
}

function pins(world: World, actor: Actor, roomId: number, page: Partial<ListPinsRequest> = {}) {
  const request = ListPinsRequest.encode(ListPinsRequest.fromPartial({ roomId, ...page })).finish();
  const answer = world.read({ kind: "operation", operation: "listPins", request, ...actor });
  if (answer.kind === "refused") return answer.error.reason;
  if (answer.kind !== "response") throw new Error(`the list is ${answer.kind}`);
  const { messages, nextPageToken } = ListPinsResponse.decode(answer.response);
  return { seqs: messages.map(({ seq }) => seq), nextPageToken };
}

test("a pin is told to the room as a change of the message, and a repeat to nobody", () => {
  const { world, anna, bob, roomId, pin } = pair();
  const sent = world.send(bob, roomId, "the address is …");
  const [event] = world.events(pin(anna, 1));
  const { revision } = world;
  const message = { ...sent, revision, pinned: true };
  expect(event?.event).toEqual({ revision, event: { $case: "messageChanged", value: message } });
  expect(world.events(pin(anna, 1))).toEqual([]);
  expect(world.events(pin(anna, 1, false))).toHaveLength(1);
  expect(world.events(pin(anna, 1, false))).toEqual([]);
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("they are listed in pages, the one pinned last first; a deleted message is not pinned", () => {
  const { world, anna, bob, roomId, pin } = pair();
  for (let n = 1; n <= 5; n += 1) world.send(bob, roomId, `message ${n}`);
  for (const seq of [3, 1, 5, 2]) world.ok(pin(anna, seq));
  expect(pins(world, bob, roomId)).toEqual({ seqs: [2, 5, 1, 3], nextPageToken: "" });
  const first = pins(world, bob, roomId, { pageSize: 3 });
  expect(first).toMatchObject({ seqs: [2, 5, 1] });
  const pageToken = typeof first === "string" ? "" : first.nextPageToken;
  expect(pins(world, bob, roomId, { pageSize: 3, pageToken })).toEqual({
    seqs: [3],
    nextPageToken: "",
  });
  world.ok(deleteCommand({ roomId, seqs: [5], requestId: world.id() }, anna));
  expect(pins(world, bob, roomId)).toMatchObject({ seqs: [2, 1, 3] });
  expect(world.reason(pin(anna, 5))).toBe("MESSAGE_NOT_FOUND");
  expect(pins(world, bob, roomId, { pageSize: 51 })).toBe("INVALID_ARGUMENT");
});

test("for admins and owners of a room, for both in a direct one, and for nobody outside", () => {
  const { world, anna, bob, roomId, pin } = pair();
  const carol = world.register("carol");
  world.send(anna, roomId, "one");
  expect(world.reason(pin(bob, 1))).toBe("PERMISSION_DENIED");
  const role = { roomId, role: 2 as const, requestId: world.id() };
  world.ok(setRoleCommand(role, anna, bob.accountId));
  expect(world.reason(pin(bob, 1))).toBe("ok");
  world.ok(openDirectCommand({ requestId: world.id() }, anna, bob.accountId));
  const direct = world.revision;
  world.send(anna, direct, "between us");
  expect(world.reason(pin(bob, 1, true, direct))).toBe("ok");
  expect(world.reason(pin(anna, 1, false, direct))).toBe("ok");
  expect(world.reason(pin(carol, 1, true, direct))).toBe("NOT_A_MEMBER");
  expect(pins(world, carol, direct)).toBe("NOT_A_MEMBER");
  // As its history: a public room's may be read before joining.
  expect(pins(world, carol, roomId)).toMatchObject({ seqs: [1] });
});

test("P11: a room has at most 50", () => {
  const { world, anna, roomId, pin } = pair();
  for (let n = 1; n <= LIMITS.pinsPerRoomMax + 1; n += 1) world.send(anna, roomId, `message ${n}`);
  for (let n = 1; n <= LIMITS.pinsPerRoomMax; n += 1) world.ok(pin(anna, n));
  expect(world.reason(pin(anna, LIMITS.pinsPerRoomMax + 1))).toBe("LIMIT_REACHED");
  world.ok(pin(anna, 1, false));
  expect(world.reason(pin(anna, LIMITS.pinsPerRoomMax + 1))).toBe("ok");
});
