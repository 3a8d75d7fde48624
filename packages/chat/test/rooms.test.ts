// Rooms and membership: who may do what, and who is told of it.
import {
  CreateRoomResponse,
  InviteMemberResponse,
  JoinRoomResponse,
  LIMITS,
  OpenDirectResponse,
  UpdateRoomResponse,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  createRoomCommand,
  deleteRoomCommand,
  inviteMemberCommand,
  joinRoomCommand,
  leaveRoomCommand,
  openDirectCommand,
  removeMemberCommand,
  setRoleCommand,
  updateRoomCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

function trio() {
  const world = new World();
  const [anna, bob, carol] = [
    world.register("anna"),
    world.register("bob"),
    world.register("carol"),
  ];
  return { world, anna, bob, carol };
}
const joinOf = (world: World, actor: Actor, roomId: number) =>
  joinRoomCommand({ roomId, requestId: world.id() }, actor);
const leaveOf = (world: World, actor: Actor, roomId: number) =>
  leaveRoomCommand({ roomId, requestId: world.id() }, actor);
const inviteOf = (world: World, actor: Actor, roomId: number, whom: Actor) =>
  inviteMemberCommand({ roomId, requestId: world.id() }, actor, whom.accountId);
const removeOf = (world: World, actor: Actor, roomId: number, whom: Actor, ban = false) =>
  removeMemberCommand({ roomId, ban, requestId: world.id() }, actor, whom.accountId);
const roleOf = (world: World, actor: Actor, roomId: number, whom: Actor, role: 1 | 2 | 3) =>
  setRoleCommand({ roomId, role, requestId: world.id() }, actor, whom.accountId);
const updateOf = (
  world: World,
  actor: Actor,
  roomId: number,
  change: { name?: string; topic?: string; visibility?: 0 | 1 | 2 | 3 },
) =>
  updateRoomCommand(
    { roomId, name: "", topic: "", visibility: 0, requestId: world.id(), ...change },
    actor,
  );

test("whoever makes a room owns it, and is told of it", () => {
  const { world, anna } = trio();
  const request = { name: " Tea  room ", visibility: 2 as const, topic: "tea" };
  const applied = world.apply(createRoomCommand({ ...request, requestId: world.id() }, anna));
  const response = applied.outcome.kind === "ok" ? applied.outcome.response : new Uint8Array(0);
  expect(CreateRoomResponse.decode(response).room).toMatchObject({
    id: world.revision,
    name: "Tea  room",
    visibility: 2,
    topic: "tea",
    role: 3,
    memberCount: 1,
  });
  expect(applied.changes.map(({ kind }) => kind)).toEqual(["room", "member"]);
  expect(applied.deliveries).toHaveLength(1);
});

test("names of public rooms are unique in all their spellings, private ones are free", () => {
  const { world, anna, bob } = trio();
  const general = world.room(anna, "General");
  const make = (name: string, visibility: 1 | 2) =>
    world.reason(createRoomCommand({ name, visibility, topic: "", requestId: world.id() }, bob));
  expect(make("GENERAL", 1)).toBe("ROOM_NAME_TAKEN");
  expect(make("General", 2)).toBe("ok");
  const hidden = world.revision;
  expect(world.reason(updateOf(world, bob, hidden, { visibility: 1 }))).toBe("ROOM_NAME_TAKEN");
  world.ok(updateOf(world, anna, general, { name: "Lobby" }));
  expect(world.reason(updateOf(world, bob, hidden, { visibility: 1 }))).toBe("ok");
  world.ok(deleteRoomCommand({ roomId: general, requestId: world.id() }, anna));
  expect(make("lobby", 1)).toBe("ok");
});

test("two rooms can swap names through a third, in one batch", () => {
  const { world, anna } = trio();
  const [a, b] = [world.room(anna, "A"), world.room(anna, "B")];
  for (const [roomId, name] of [
    [a, "C"],
    [b, "A"],
    [a, "B"],
  ] as const) {
    world.ok(updateOf(world, anna, roomId, { name }));
  }
  const log = world.log;
  const again = new World();
  again.machine.apply(log);
  expect(again.machine.stateHash(0)).toEqual(world.machine.stateHash(0));
});

test("joining a public room tells the newcomer and the others; again is no event", () => {
  const { world, anna, bob } = trio();
  const roomId = world.room(anna, "General");
  const events = world.events(joinOf(world, bob, roomId));
  expect(events).toMatchObject([
    {
      to: { kind: "account", accountId: bob.accountId },
      event: { event: { $case: "roomReset", value: { room: { id: roomId, role: 1 } } } },
    },
    {
      to: { kind: "room", roomId, exceptAccountId: bob.accountId },
      event: {
        event: {
          $case: "membershipChanged",
          value: { account: { username: "bob" }, role: 1, memberCount: 2 },
        },
      },
    },
  ]);
  const again = world.apply(joinOf(world, bob, roomId));
  expect(again.deliveries).toEqual([]);
  const response = again.outcome.kind === "ok" ? again.outcome.response : new Uint8Array(0);
  expect(JoinRoomResponse.decode(response).room).toMatchObject({ memberCount: 2, role: 1 });
});

test("a private room is joined by invitation only, by any member", () => {
  const { world, anna, bob, carol } = trio();
  const roomId = world.room(anna, "Secret", 2);
  expect(world.reason(joinOf(world, bob, roomId))).toBe("PERMISSION_DENIED");
  expect(world.reason(inviteOf(world, bob, roomId, carol))).toBe("NOT_A_MEMBER");
  const response = world.ok(inviteOf(world, anna, roomId, bob));
  expect(InviteMemberResponse.decode(response).member).toMatchObject({
    account: { username: "bob" },
    role: 1,
  });
  expect(world.reason(inviteOf(world, bob, roomId, carol))).toBe("ok");
  expect(world.reason(inviteOf(world, bob, roomId, carol))).toBe("ALREADY_A_MEMBER");
});

test("kick and ban: by a higher role; banned people stay out until an admin invites them", () => {
  const { world, anna, bob, carol } = trio();
  const roomId = world.room(anna, "General");
  for (const actor of [bob, carol]) world.ok(joinOf(world, actor, roomId));
  expect(world.reason(removeOf(world, bob, roomId, carol))).toBe("PERMISSION_DENIED");
  world.ok(roleOf(world, anna, roomId, bob, 2));
  expect(world.reason(removeOf(world, bob, roomId, anna))).toBe("PERMISSION_DENIED");
  expect(world.reason(removeOf(world, bob, roomId, bob))).toBe("INVALID_ARGUMENT");
  const events = world.events(removeOf(world, bob, roomId, carol, true));
  expect(events).toMatchObject([
    {
      to: { accountId: carol.accountId },
      event: { event: { value: { roomId, reason: 3, byAccountId: bob.accountId } } },
    },
    { to: { kind: "room" }, event: { event: { value: { role: 0, memberCount: 2 } } } },
  ]);
  expect(world.reason(joinOf(world, carol, roomId))).toBe("BANNED");
  expect(world.reason(removeOf(world, bob, roomId, carol))).toBe("NOT_A_MEMBER");
  world.ok(roleOf(world, anna, roomId, bob, 1));
  expect(world.reason(inviteOf(world, bob, roomId, carol))).toBe("BANNED");
  expect(world.reason(inviteOf(world, anna, roomId, carol))).toBe("ok");
  world.ok(leaveOf(world, carol, roomId));
  expect(world.reason(joinOf(world, carol, roomId))).toBe("ok");
  world.ok(removeOf(world, anna, roomId, carol));
  expect(world.reason(joinOf(world, carol, roomId))).toBe("ok");
});

test("roles are changed by owners; a room is never without one", () => {
  const { world, anna, bob, carol } = trio();
  const roomId = world.room(anna, "General");
  world.ok(joinOf(world, bob, roomId));
  expect(world.reason(roleOf(world, bob, roomId, bob, 3))).toBe("PERMISSION_DENIED");
  expect(world.reason(roleOf(world, anna, roomId, anna, 1))).toBe("LAST_OWNER");
  expect(world.reason(roleOf(world, anna, roomId, carol, 2))).toBe("NOT_A_MEMBER");
  const events = world.events(roleOf(world, anna, roomId, bob, 3));
  expect(events).toMatchObject([
    { to: { kind: "room", exceptAccountId: 0 }, event: { event: { value: { role: 3 } } } },
  ]);
  expect(world.events(roleOf(world, anna, roomId, bob, 3))).toEqual([]);
  expect(world.reason(roleOf(world, anna, roomId, anna, 1))).toBe("ok");
});

test("an owner who leaves hands on: to an admin before a member, the longest-standing first", () => {
  const { world, anna, bob, carol } = trio();
  const dave = world.register("dave");
  const roomId = world.room(anna, "General");
  for (const actor of [bob, carol, dave]) world.ok(joinOf(world, actor, roomId));
  world.ok(roleOf(world, anna, roomId, carol, 2));
  const role = (actor: Actor) => world.admission.membership(roomId, actor.accountId)?.role;
  world.ok(leaveOf(world, anna, roomId));
  expect([role(bob), role(carol), role(dave)]).toEqual([1, 3, 1]);
  world.ok(leaveOf(world, carol, roomId));
  expect([role(bob), role(dave)]).toEqual([3, 1]);
});

test("an empty private room is gone; an empty public one waits for its next owner", () => {
  const { world, anna, bob } = trio();
  const [open, secret] = [world.room(anna, "Open"), world.room(anna, "Secret", 2)];
  world.ok(leaveOf(world, anna, open));
  world.ok(leaveOf(world, anna, secret));
  expect(world.admission.room(secret)?.deleted).toBe(true);
  expect(world.reason(joinOf(world, bob, secret))).toBe("ROOM_NOT_FOUND");
  world.ok(joinOf(world, bob, open));
  expect(world.admission.membership(open, bob.accountId)?.role).toBe(3);
});

test("admins and owners change a room; empty fields stay; all members are told", () => {
  const { world, anna, bob } = trio();
  const roomId = world.room(anna, "General");
  world.ok(joinOf(world, bob, roomId));
  expect(world.reason(updateOf(world, bob, roomId, { topic: "x" }))).toBe("PERMISSION_DENIED");
  const response = world.ok(updateOf(world, anna, roomId, { topic: "News" }));
  expect(UpdateRoomResponse.decode(response).room).toMatchObject({
    name: "General",
    topic: "News",
    visibility: 1,
  });
  expect(world.events(updateOf(world, anna, roomId, { topic: "News" }))).toEqual([]);
  const events = world.events(updateOf(world, anna, roomId, { visibility: 2 }));
  expect(events).toMatchObject([
    {
      to: { kind: "room", roomId },
      event: { event: { $case: "roomChanged", value: { visibility: 2, role: 0, readSeq: 0 } } },
    },
  ]);
  expect(world.admission.room(roomId)?.visibility).toBe(2);
});

test("only an owner deletes a room, and each member is told", () => {
  const { world, anna, bob } = trio();
  const roomId = world.room(anna, "General");
  world.ok(joinOf(world, bob, roomId));
  const wipe = (actor: Actor) => deleteRoomCommand({ roomId, requestId: world.id() }, actor);
  expect(world.reason(wipe(bob))).toBe("PERMISSION_DENIED");
  const events = world.events(wipe(anna));
  expect(events.map(({ to }) => to)).toEqual([
    { kind: "account", accountId: anna.accountId },
    { kind: "account", accountId: bob.accountId },
  ]);
  expect(events[0]?.event.event).toMatchObject({ $case: "roomRemoved", value: { reason: 4 } });
  expect([...world.admission.roomMembers(roomId)]).toEqual([]);
  expect(world.reason(world.sendOf(anna, roomId, "x"))).toBe("ROOM_NOT_FOUND");
});

test("two accounts have one direct room, whoever opens it, and nobody enters or leaves it", () => {
  const { world, anna, bob, carol } = trio();
  const open = (actor: Actor, peer: Actor) =>
    openDirectCommand({ requestId: world.id() }, actor, peer.accountId);
  const events = world.events(open(anna, bob));
  const roomId = world.revision;
  expect(events).toMatchObject([
    {
      to: { accountId: anna.accountId },
      event: { event: { value: { room: { peer: { username: "bob" }, memberCount: 2 } } } },
    },
    {
      to: { accountId: bob.accountId },
      event: { event: { value: { room: { peer: { username: "anna" }, memberCount: 2 } } } },
    },
  ]);
  const again = OpenDirectResponse.decode(world.ok(open(bob, anna)));
  expect(again.room).toMatchObject({ id: roomId, peer: { username: "anna" }, visibility: 3 });
  for (const command of [
    leaveOf(world, anna, roomId),
    inviteOf(world, anna, roomId, carol),
    removeOf(world, anna, roomId, bob),
    roleOf(world, anna, roomId, bob, 3),
    updateOf(world, anna, roomId, { topic: "x" }),
    deleteRoomCommand({ roomId, requestId: world.id() }, anna),
    joinOf(world, carol, roomId),
  ]) {
    expect(world.reason(command)).toBe("DIRECT_ROOM");
  }
  expect(world.reason(open(anna, { accountId: 999, sessionId: 0 }))).toBe("ACCOUNT_NOT_FOUND");
});

test("a direct room with oneself has one member", () => {
  const { world, anna } = trio();
  const command = openDirectCommand({ requestId: world.id() }, anna, anna.accountId);
  const room = OpenDirectResponse.decode(world.ok(command)).room;
  expect(room).toMatchObject({ memberCount: 1, peer: { username: "anna" } });
  expect(world.send(anna, world.revision, "note to self").seq).toBe(1);
});

test("P11: an account is in at most 5,000 rooms", () => {
  const { world, anna, bob } = trio();
  for (let i = 0; i < LIMITS.roomsPerAccountMax; i++) world.room(anna, `room ${i}`);
  const more = { name: "one more", visibility: 1 as const, topic: "", requestId: world.id() };
  expect(world.reason(createRoomCommand(more, anna))).toBe("LIMIT_REACHED");
  const open = openDirectCommand({ requestId: world.id() }, bob, anna.accountId);
  expect(world.reason(open)).toBe("LIMIT_REACHED");
});
