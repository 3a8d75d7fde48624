// Invites: who may make one, whom it admits, how often, and until when.
import {
  CreateInviteResponse,
  GetRegistrationResponse,
  JoinRoomResponse,
  LIMITS,
  ListInvitesRequest,
  ListInvitesResponse,
  RegisterResponse,
  RegistrationMode,
} from "@parley/protocol";
import { expect, test } from "vitest";
import {
  type Actor,
  createInviteCommand,
  deleteAccountCommand,
  deleteRoomCommand,
  joinRoomCommand,
  leaveRoomCommand,
  registerCommand,
  removeMemberCommand,
  revokeInviteCommand,
  setRegistrationCommand,
  setRoleCommand,
  validateSecret,
} from "../src/index.ts";
import { HOUR_MS, TTL_MS, tokenHash, World } from "./world.ts";

const { REGISTRATION_MODE_INVITE_ONLY, REGISTRATION_MODE_CLOSED } = RegistrationMode;

interface Terms {
  readonly ttlMs?: number;
  readonly usesMax?: number;
}

/** An instance that anna owns and that takes invites, with bob in it, and a room of each kind. */
class House extends World {
  readonly anna: Actor & { readonly credentialsRevision: number };
  readonly bob: Actor & { readonly credentialsRevision: number };
  readonly lobby: number;
  readonly secret: number;
  #secrets = 1_000;

  constructor() {
    super();
    this.upgrade();
    this.anna = this.register("anna");
    this.bob = this.register("bob");
    this.lobby = this.room(this.anna, "Lobby");
    this.secret = this.room(this.anna, "Secret", 2);
    this.ok(joinRoomCommand({ roomId: this.lobby, requestId: this.id() }, this.bob));
    this.mode(REGISTRATION_MODE_INVITE_ONLY);
  }

  mode(mode: RegistrationMode): void {
    this.ok(setRegistrationCommand({ mode, requestId: this.id() }, this.anna));
  }

  inviting(actor: Actor, roomId: number, terms: Terms = {}, hash = this.hash()) {
    const request = { roomId, ttlMs: 0, usesMax: 0, ...terms, requestId: this.id() };
    return createInviteCommand(request, actor, hash);
  }

  hash(): Uint8Array {
    this.#secrets += 1;
    return tokenHash(this.#secrets);
  }

  /** The hash of a new invite's secret. */
  invite(actor: Actor, roomId: number, terms: Terms = {}): Uint8Array {
    const hash = this.hash();
    this.ok(this.inviting(actor, roomId, terms, hash));
    return hash;
  }

  coming(username: string, inviteHash: Uint8Array) {
    const made = { passwordHash: "phc", device: "", tokenHash: this.token(), tokenTtlMs: TTL_MS };
    const request = { username, displayName: "", requestId: this.id() };
    return registerCommand(request, { ...made, inviteHash });
  }

  joining(actor: Actor, inviteHash: Uint8Array, roomId = 0) {
    return joinRoomCommand({ roomId, requestId: this.id() }, actor, inviteHash);
  }

  look(inviteHash: Uint8Array) {
    const hex = Buffer.from(inviteHash).toString("hex");
    const answer = this.read({ kind: "registration", inviteHash: hex });
    if (answer.kind !== "response") throw new Error(answer.kind);
    return GetRegistrationResponse.decode(answer.response);
  }

  list(actor: Actor, roomId: number) {
    const request = ListInvitesRequest.encode(ListInvitesRequest.fromPartial({ roomId })).finish();
    const query = { kind: "operation", operation: "listInvites", request, ...actor } as const;
    const answer = this.read(query);
    if (answer.kind !== "response") throw new Error(answer.kind);
    return ListInvitesResponse.decode(answer.response).invites;
  }
}

test("an invite lets somebody register where that takes one, and into its room", () => {
  const house = new House();
  const hash = house.invite(house.anna, house.secret);
  const reply = RegisterResponse.decode(house.ok(house.coming("carol", hash)));
  expect(reply.room).toMatchObject({ id: house.secret, memberCount: 2, name: "Secret" });
  expect(house.admission.isMember(house.secret, reply.account?.id ?? 0)).toBe(true);
  // To the instance alone.
  const open = house.invite(house.anna, 0);
  const second = RegisterResponse.decode(house.ok(house.coming("dave", open)));
  expect(second.room).toBeUndefined();
  expect(house.reason(house.coming("eve", house.hash()))).toBe("INVITE_NOT_FOUND");
  house.mode(REGISTRATION_MODE_CLOSED);
  expect(house.reason(house.coming("eve", hash))).toBe("REGISTRATION_CLOSED");
});

test("an invite brings somebody with an account into a private room", () => {
  const house = new House();
  const hash = house.invite(house.anna, house.secret);
  const reply = JoinRoomResponse.decode(house.ok(house.joining(house.bob, hash)));
  expect(reply.room?.id).toBe(house.secret);
  expect(house.reason(house.joining(house.bob, hash, house.lobby))).toBe("ROOM_NOT_FOUND");
  expect(house.reason(house.joining(house.bob, house.invite(house.anna, 0)))).toBe(
    "ROOM_NOT_FOUND",
  );
});

test("P2: an invite of k uses admits k, and a retry uses nothing up", () => {
  const house = new House();
  const hash = house.invite(house.anna, house.secret, { usesMax: 2 });
  const carol = house.coming("carol", hash);
  const first = house.ok(carol);
  expect(house.ok(carol)).toEqual(first);
  expect(house.look(hash).invite?.useCount).toBe(1);
  const bob = house.joining(house.bob, hash);
  house.ok(bob);
  house.ok(bob);
  // With another request id: who is in the room already uses nothing up, even of one that is spent.
  house.ok(house.joining(house.bob, hash));
  expect(house.reason(house.coming("dave", hash))).toBe("INVITE_NOT_FOUND");
  expect(house.look(hash).invite).toBeUndefined();
  expect(house.list(house.anna, house.secret)).toMatchObject([{ useCount: 2, usesMax: 2 }]);
});

test("a refused registration uses nothing up", () => {
  const house = new House();
  const hash = house.invite(house.anna, house.secret, { usesMax: 1 });
  expect(house.reason(house.coming("bob", hash))).toBe("USERNAME_TAKEN");
  house.ok(house.coming("carol", hash));
});

test("an invite ends when it expires, is revoked, or its maker may not make it any more", () => {
  const house = new House();
  const brief = house.invite(house.anna, house.lobby, { ttlMs: HOUR_MS });
  const revoked = house.invite(house.bob, house.lobby);
  const revokedId = house.revision;
  const bobs = house.invite(house.bob, house.lobby);
  house.nowMs += HOUR_MS;
  expect(house.reason(house.coming("carol", brief))).toBe("INVITE_NOT_FOUND");
  const carol = house.ok(house.coming("carol", bobs));
  const { account } = RegisterResponse.decode(carol);
  const stranger = { accountId: account?.id ?? 0, sessionId: 0 };
  const revoking = (actor: Actor) =>
    revokeInviteCommand({ inviteId: revokedId, requestId: house.id() }, actor);
  expect(house.reason(revoking(stranger))).toBe("INVITE_NOT_FOUND");
  house.ok(revoking(house.anna));
  expect(house.reason(house.coming("dave", revoked))).toBe("INVITE_NOT_FOUND");
  house.ok(leaveRoomCommand({ roomId: house.lobby, requestId: house.id() }, house.bob));
  expect(house.reason(house.coming("dave", bobs))).toBe("INVITE_NOT_FOUND");
  // A private room's admin who is one no longer.
  house.ok(house.joining(house.bob, house.invite(house.anna, house.secret)));
  const role = (role: 1 | 2) =>
    setRoleCommand(
      { roomId: house.secret, role, requestId: house.id() },
      house.anna,
      house.bob.accountId,
    );
  house.ok(role(2));
  const admins = house.invite(house.bob, house.secret);
  expect(house.look(admins).invite).toMatchObject({ roomName: "Secret" });
  house.ok(role(1));
  expect(house.look(admins).invite).toBeUndefined();
  expect(house.reason(house.coming("dave", admins))).toBe("INVITE_NOT_FOUND");
});

test("who may make one: members for a public room, admins for a private one, the owner for the instance", () => {
  const house = new House();
  house.ok(house.joining(house.bob, house.invite(house.anna, house.secret)));
  expect(house.reason(house.inviting(house.bob, house.secret))).toBe("PERMISSION_DENIED");
  expect(house.reason(house.inviting(house.bob, 0))).toBe("PERMISSION_DENIED");
  expect(house.reason(house.inviting(house.bob, 999))).toBe("ROOM_NOT_FOUND");
  const made = CreateInviteResponse.decode(house.ok(house.inviting(house.bob, house.lobby)));
  expect(made.invite).toMatchObject({ roomId: house.lobby, maker: { username: "bob" } });
  // Everybody's are for admins, one's own for others.
  house.invite(house.anna, house.lobby);
  expect(house.list(house.bob, house.lobby)).toHaveLength(1);
  expect(house.list(house.anna, house.lobby)).toHaveLength(2);
  expect(house.list(house.bob, 0)).toHaveLength(1);
});

test("the banned stay out, whatever they were sent", () => {
  const house = new House();
  const { accountId } = house.bob;
  const ban = { roomId: house.lobby, ban: true, requestId: house.id() };
  house.ok(removeMemberCommand(ban, house.anna, accountId));
  const hash = house.invite(house.anna, house.lobby);
  expect(house.reason(house.joining(house.bob, hash))).toBe("BANNED");
  expect(house.look(hash).invite?.useCount).toBe(0);
});

test("P11: so many of an account and to a room, so long, so often; the spent ones make room", () => {
  const house = new House();
  house.mode(RegistrationMode.REGISTRATION_MODE_OPEN);
  for (let n = 1; n < LIMITS.invitesPerAccountMax; n += 1) house.invite(house.bob, house.lobby);
  house.invite(house.bob, house.lobby, { ttlMs: HOUR_MS });
  expect(house.reason(house.inviting(house.bob, house.lobby))).toBe("LIMIT_REACHED");
  house.nowMs += HOUR_MS;
  house.invite(house.bob, house.lobby);
  const other = house.room(house.anna, "Other");
  for (let n = 1; n <= LIMITS.invitesPerRoomMax - LIMITS.invitesPerAccountMax; n += 1) {
    house.invite(house.anna, house.lobby);
  }
  // The room is full of them, and so is the account.
  expect(house.reason(house.inviting(house.anna, house.lobby))).toBe("LIMIT_REACHED");
  expect(house.reason(house.inviting(house.anna, other))).toBe("LIMIT_REACHED");
  const carol = house.register("carol");
  house.ok(joinRoomCommand({ roomId: house.lobby, requestId: house.id() }, carol));
  const full = house.apply(house.inviting(carol, house.lobby)).outcome;
  expect(full).toMatchObject({ error: { message: expect.stringContaining("A room has") } });
  const absurd: Terms[] = [
    { ttlMs: LIMITS.inviteTtlMsMax + 1 },
    { usesMax: LIMITS.inviteUsesMax + 1 },
    { ttlMs: 0.5 },
  ];
  for (const terms of absurd) {
    expect(() => house.inviting(house.anna, house.secret, terms)).toThrow(/invite/i);
  }
  const [known] = house.list(house.anna, house.lobby);
  house.ok(revokeInviteCommand({ inviteId: known?.id ?? 0, requestId: house.id() }, house.anna));
  const fresh = house.invite(carol, house.lobby);
  expect(house.reason(house.inviting(carol, other, {}, fresh))).toBe("NOT_A_MEMBER");
  house.ok(joinRoomCommand({ roomId: other, requestId: house.id() }, carol));
  expect(house.reason(house.inviting(carol, other, {}, fresh))).toBe("INVALID_ARGUMENT");
  for (const secret of ["", "short", "x".repeat(87), `${"x".repeat(30)}%`]) {
    expect(() => validateSecret(secret)).toThrow("base64url");
  }
});

test("with a room or an account go its invites, over a restart too", () => {
  const house = new House();
  const carol = house.ok(house.coming("carol", house.invite(house.anna, house.lobby)));
  const { account, revision } = RegisterResponse.decode(carol);
  const carols = { accountId: account?.id ?? 0, sessionId: 0 };
  const gone = house.invite(carols, house.lobby);
  const lost = house.invite(house.anna, house.secret);
  house.ok(deleteAccountCommand({ requestId: house.id() }, carols, revision));
  house.ok(deleteRoomCommand({ roomId: house.secret, requestId: house.id() }, house.anna));
  house.reopen();
  expect(house.machine.recomputeHash()).toBe(house.machine.stateHash(0)?.hash);
  for (const hash of [gone, lost]) {
    expect(house.reason(house.coming("dave", hash))).toBe("INVITE_NOT_FOUND");
  }
  expect(house.db.prepare("SELECT count(*) AS n FROM invites").get()).toEqual({ n: 1 });
});
