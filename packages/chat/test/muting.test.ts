// Forbidding a member to write: who may, what it stops, and when it ends.
import {
  LIMITS,
  ListMembersRequest,
  ListMembersResponse,
  ListRoomsRequest,
  ListRoomsResponse,
  RoomRole,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  checkCommand,
  deleteCommand,
  editCommand,
  joinRoomCommand,
  leaveRoomCommand,
  muteMemberCommand,
  openDirectCommand,
  reactCommand,
  setRoleCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

const HOUR_MS = 60 * 60 * 1000;

/** anna owns the room, adam is an admin, bob and eve are members. */
function house() {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  const [adam, bob, eve] = ["adam", "bob", "eve"].map((name) => {
    const account = world.register(name);
    world.ok(joinRoomCommand({ roomId, requestId: world.id() }, account));
    return account;
  }) as [
    ReturnType<World["register"]>,
    ReturnType<World["register"]>,
    ReturnType<World["register"]>,
  ];
  const setRole = (whom: Actor, role: RoomRole) =>
    setRoleCommand({ roomId, role, requestId: world.id() }, anna, whom.accountId);
  world.ok(setRole(adam, RoomRole.ROOM_ROLE_ADMIN));
  world.upgrade();
  const mute = (actor: Actor, whom: Actor, durationMs = 0, muted = true) =>
    muteMemberCommand({ roomId, muted, durationMs, requestId: world.id() }, actor, whom.accountId);
  const says = (actor: Actor) => world.reason(world.sendOf(actor, roomId, "words"));
  const read = (operation: string, request: Uint8Array, actor: Actor) => {
    const answer = world.read({ kind: "operation", operation, request, ...actor });
    if (answer.kind !== "response") throw new Error(`${operation} is ${answer.kind}`);
    return answer.response;
  };
  const own = (actor: Actor) => {
    const request = ListRoomsRequest.encode(ListRoomsRequest.create()).finish();
    const { rooms } = ListRoomsResponse.decode(read("listRooms", request, actor));
    return rooms.find(({ id }) => id === roomId);
  };
  const member = (whom: Actor) => {
    const request = ListMembersRequest.encode(ListMembersRequest.create({ roomId })).finish();
    const { members } = ListMembersResponse.decode(read("listMembers", request, anna));
    return members.find(({ account }) => account?.id === whom.accountId);
  };
  return { world, roomId, anna, adam, bob, eve, mute, says, setRole, own, member };
}

test("a muted member can neither send, edit nor react; they can read, take back and delete", () => {
  const { world, roomId, anna, bob, mute, says } = house();
  const { seq } = world.send(bob, roomId, "before");
  const react = (emoji: string, add: boolean) =>
    reactCommand({ roomId, seq, emoji, add, requestId: world.id() }, bob);
  world.ok(react("👍", true));
  world.ok(mute(anna, bob));
  const edit = { roomId, seq, body: "after", expectedVersion: 0, requestId: world.id() };
  expect(says(bob)).toBe("MUTED");
  expect(world.reason(world.sendOf(bob, roomId, "reply", { threadRootSeq: seq }))).toBe("MUTED");
  expect(world.reason(editCommand(edit, bob))).toBe("MUTED");
  expect(world.reason(react("🎉", true))).toBe("MUTED");
  expect(world.reason(react("👍", false))).toBe("ok");
  const id = { requestId: world.id() };
  expect(world.reason(deleteCommand({ roomId, seqs: [seq], ...id }, bob))).toBe("ok");
  expect(says(anna)).toBe("ok");
});

test("P2: the retry of what was sent before is answered as the first was", () => {
  const { world, roomId, anna, bob, mute } = house();
  const sent = world.sendOf(bob, roomId, "in time");
  const first = world.ok(sent);
  world.ok(mute(anna, bob));
  expect(world.ok(sent)).toEqual(first);
});

test("it ends at its time, by the replicated clock, or when it is lifted; the refusal says when", () => {
  const { world, anna, bob, mute, says, roomId } = house();
  world.ok(mute(anna, bob, HOUR_MS));
  world.nowMs += HOUR_MS - 1;
  const { outcome } = world.apply(world.sendOf(bob, roomId, "words"));
  expect(outcome).toMatchObject({
    error: {
      message: "An admin of this room has muted you until 2027-01-15 09:00 UTC.",
      subject: "until",
      limit: Date.UTC(2027, 0, 15, 9),
    },
  });
  world.nowMs += 1;
  expect(says(bob)).toBe("ok");
  world.ok(mute(anna, bob));
  world.nowMs += 100 * HOUR_MS;
  expect(says(bob)).toBe("MUTED");
  world.ok(mute(anna, bob, 0, false));
  expect(says(bob)).toBe("ok");
});

test("by admins and owners, of members of a lower role, in rooms and not in conversations", () => {
  const { world, roomId, anna, adam, bob, eve, mute } = house();
  expect(world.reason(mute(bob, eve))).toBe("PERMISSION_DENIED");
  expect(world.reason(mute(adam, anna))).toBe("PERMISSION_DENIED");
  expect(world.reason(mute(adam, adam))).toBe("PERMISSION_DENIED");
  expect(world.reason(mute(anna, anna))).toBe("PERMISSION_DENIED");
  expect(world.reason(mute(adam, bob))).toBe("ok");
  expect(world.reason(mute(anna, adam))).toBe("ok");
  expect(world.reason(mute(anna, { accountId: 9_999, sessionId: 0 }))).toBe("ACCOUNT_NOT_FOUND");
  const stranger = world.register("zoe");
  expect(world.reason(mute(anna, stranger))).toBe("NOT_A_MEMBER");
  world.ok(openDirectCommand({ requestId: world.id() }, anna, bob.accountId));
  const direct = { roomId: world.revision, muted: true, durationMs: 0, requestId: world.id() };
  expect(world.reason(muteMemberCommand(direct, anna, bob.accountId))).toBe("DIRECT_ROOM");
  const tooLong = { roomId, muted: true, durationMs: LIMITS.muteMsMax + 1, requestId: world.id() };
  expect(() => muteMemberCommand(tooLong, anna, bob.accountId)).toThrow("at most 365 days");
  expect(checkCommand(mute(anna, bob, LIMITS.muteMsMax))).toBeUndefined();
});

test("the muted are told on their devices, nobody else; the list and their rooms say it", () => {
  const { world, roomId, anna, bob, mute, own, member } = house();
  const untilMs = world.nowMs + HOUR_MS;
  expect(world.events(mute(anna, bob, HOUR_MS))).toMatchObject([
    {
      to: { kind: "account", accountId: bob.accountId },
      event: { event: { $case: "roomWriting", value: { roomId, forbidden: true, untilMs } } },
    },
  ]);
  const forbidden = { writeForbidden: true, writeForbiddenUntilMs: untilMs };
  expect(own(bob)).toMatchObject(forbidden);
  expect(member(bob)).toMatchObject(forbidden);
  expect(own(anna)).toMatchObject({ writeForbidden: false });
  world.ok(mute(anna, bob));
  expect(member(bob)).toMatchObject({ writeForbidden: true, writeForbiddenUntilMs: 0 });
  // What holds already is told to nobody.
  expect(world.events(mute(anna, bob))).toEqual([]);
  expect(world.events(mute(anna, bob, 0, false))).toHaveLength(1);
  expect(own(bob)).toMatchObject({ writeForbidden: false, writeForbiddenUntilMs: 0 });
});

test("leaving and coming back does not end it; being made an admin does", () => {
  const { world, roomId, anna, adam, bob, eve, mute, says, setRole, own } = house();
  world.ok(mute(anna, bob));
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(world.reason(mute(anna, bob))).toBe("NOT_A_MEMBER");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(says(bob)).toBe("MUTED");
  expect(own(bob)?.writeForbidden).toBe(true);
  // Who has gone can be given leave to write again.
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  world.ok(mute(anna, bob, 0, false));
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(says(bob)).toBe("ok");
  // An owner may mute an admin, who is one already.
  world.ok(mute(anna, adam));
  expect(says(adam)).toBe("MUTED");
  world.ok(mute(anna, eve));
  world.ok(setRole(eve, RoomRole.ROOM_ROLE_ADMIN));
  expect(says(eve)).toBe("ok");
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("whoever inherits a room may write in it", () => {
  const { world, roomId, anna, adam, bob, eve, mute, says } = house();
  world.ok(mute(anna, bob));
  world.ok(mute(anna, adam));
  for (const actor of [anna, adam, eve]) {
    world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, actor));
  }
  expect(says(bob)).toBe("ok");
  // Also whoever comes first into one that everybody had left.
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, adam));
  expect(says(adam)).toBe("ok");
});

test("rolling upgrade: refused until every server knows it", () => {
  const world = new World();
  const anna = world.register("anna");
  const bob = world.register("bob");
  const roomId = world.room(anna, "General");
  const request = { roomId, muted: true, durationMs: 0, requestId: world.id() };
  expect(world.reason(muteMemberCommand(request, anna, bob.accountId))).toBe("NOT_YET_SUPPORTED");
});
