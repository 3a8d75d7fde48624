// What an account wants of a room: told to its own devices only, and gone with the membership.
import {
  LIMITS,
  ListMembersRequest,
  ListMembersResponse,
  ListRoomsRequest,
  ListRoomsResponse,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  joinRoomCommand,
  leaveRoomCommand,
  markReadCommand,
  setReadReceiptsCommand,
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
  /** How far `of` has read, as `actor` is told. */
  const readBy = (actor: Actor, of: Actor) => {
    const request = ListMembersRequest.encode(
      ListMembersRequest.create({ roomId, pageSize: 200 }),
    ).finish();
    const answer = world.read({ kind: "operation", operation: "listMembers", request, ...actor });
    if (answer.kind !== "response") throw new Error(`the list is ${answer.kind}`);
    const { members } = ListMembersResponse.decode(answer.response);
    return members.find(({ account }) => account?.id === of.accountId)?.readSeq;
  };
  const markRead = (actor: Actor, seq: number) =>
    world.apply(markReadCommand({ roomId, seq, threadRootSeq: 0, requestId: "" }, actor));
  const show = (actor: Actor, shown: boolean) =>
    setReadReceiptsCommand({ shown, requestId: world.id() }, actor);
  return { world, anna, bob, roomId, want, seen, readBy, markRead, show };
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

test("in a small room the others learn how far one has read; who hides it learns of nobody, too", () => {
  const { world, anna, bob, roomId, readBy, markRead, show } = pair();
  for (let n = 0; n < 3; n++) world.send(anna, roomId, `message ${n}`);
  expect(markRead(bob, 2).changes).toEqual([
    { kind: "read", roomId, accountId: bob.accountId, seq: 2 },
  ]);
  // It goes no further than before: nobody is told anew.
  expect(markRead(bob, 1).changes).toEqual([]);
  markRead(anna, 3);
  expect([readBy(anna, bob), readBy(bob, anna), readBy(bob, bob)]).toEqual([2, 3, 2]);
  expect(world.events(show(bob, false))).toMatchObject([
    { to: { kind: "everyone" }, event: { event: { value: { readsHidden: true } } } },
  ]);
  expect(world.admission.account(bob.accountId)?.readsHidden).toBe(true);
  expect(world.events(show(bob, false))).toEqual([]);
  expect([readBy(anna, bob), readBy(bob, anna), readBy(bob, bob)]).toEqual([0, 0, 2]);
  expect(markRead(bob, 3).changes).toEqual([]);
  world.ok(show(bob, true));
  expect([readBy(anna, bob), readBy(bob, anna)]).toEqual([3, 3]);
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("P11: in a room of more than 50 nobody is told how far others have read", () => {
  const { world, anna, bob, roomId, readBy, markRead } = pair();
  world.send(anna, roomId, "one");
  world.send(anna, roomId, "two");
  for (let n = 2; n < LIMITS.receiptMembersMax; n++) {
    world.ok(joinRoomCommand({ roomId, requestId: world.id() }, world.register(`user${n}`)));
  }
  expect(markRead(bob, 1).changes).toHaveLength(1);
  expect(readBy(anna, bob)).toBe(1);
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, world.register("last")));
  expect(readBy(anna, bob)).toBe(0);
  expect(markRead(bob, 2).changes).toEqual([]);
});
