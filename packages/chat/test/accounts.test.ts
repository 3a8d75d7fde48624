// Accounts and sessions: registering, logging in and out, passwords, deletion.
import { LIMITS, LoginResponse, RegisterResponse, UpdateProfileResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import {
  createSessionCommand,
  deleteAccountCommand,
  endSessionCommand,
  inviteMemberCommand,
  joinRoomCommand,
  openDirectCommand,
  registerCommand,
  setPasswordCommand,
  updateProfileCommand,
} from "../src/index.ts";
import { HOUR_MS, TTL_MS, tokenHash, World } from "./world.ts";

const made = (n: number) => ({
  passwordHash: "phc",
  device: "terminal",
  tokenHash: tokenHash(n),
  tokenTtlMs: TTL_MS,
});
const hex = (hash: Uint8Array): string => Buffer.from(hash).toString("hex");

test("the first account registered owns the instance, later ones do not", () => {
  const world = new World();
  const command = (username: string, n: number) =>
    registerCommand({ username, displayName: "", requestId: world.id() }, made(n));
  const first = RegisterResponse.decode(world.ok(command("Anna", 900)));
  expect(first.account).toMatchObject({
    id: 1,
    username: "Anna",
    displayName: "Anna",
    owner: true,
  });
  expect(first).toMatchObject({ token: "", tokenExpiresAtMs: world.nowMs + TTL_MS, revision: 1 });
  const second = RegisterResponse.decode(world.ok(command("Bob", 901)));
  expect(second.account).toMatchObject({ id: 2, owner: false });
});

test("P10: where a set-up token is needed, nobody owns the instance without it", () => {
  const world = new World();
  const command = (username: string, n: number, notOwner: boolean) =>
    registerCommand({ username, displayName: "", requestId: world.id() }, { ...made(n), notOwner });
  expect(world.reason(command("mallory", 900, true))).toBe("SETUP_TOKEN_REQUIRED");
  expect(world.admission.hasOwner).toBe(false);
  const first = RegisterResponse.decode(world.ok(command("anna", 901, false)));
  expect(first.account?.owner).toBe(true);
  expect(world.admission.hasOwner).toBe(true);
  const second = RegisterResponse.decode(world.ok(command("bob", 902, true)));
  expect(second.account?.owner).toBe(false);
});

test("P10: when the owner has gone, the token is needed again", () => {
  const world = new World();
  const anna = world.register("anna");
  world.ok(deleteAccountCommand({ requestId: world.id() }, anna, anna.credentialsRevision));
  expect(world.admission.hasOwner).toBe(false);
  const late = registerCommand(
    { username: "mallory", displayName: "", requestId: world.id() },
    { ...made(903), notOwner: true },
  );
  expect(world.reason(late)).toBe("SETUP_TOKEN_REQUIRED");
});

test("usernames are unique after normalisation and case folding", () => {
  const world = new World();
  world.register("Straße");
  for (const same of ["STRASSE", "strasse", "straße", "ｓｔｒａｓｓｅ"]) {
    const command = registerCommand(
      { username: same, displayName: "", requestId: world.id() },
      made(1),
    );
    expect(world.reason(command)).toBe("USERNAME_TAKEN");
  }
  world.register("Gasse");
});

test("a session authenticates until its end, on every mirror", () => {
  const world = new World();
  const anna = world.register("anna");
  const session = world.admission.session(anna.sessionId);
  const hash = session?.tokenHash ?? "";
  expect(world.admission.authenticate(hash, world.nowMs)).toEqual({
    accountId: anna.accountId,
    sessionId: anna.sessionId,
  });
  expect(world.admission.authenticate(hash, world.nowMs + TTL_MS)).toBeUndefined();
  world.ok(endSessionCommand({ requestId: world.id() }, anna, anna.sessionId));
  expect(world.admission.authenticate(hash, world.nowMs)).toBeUndefined();
});

test("a command through an ended or expired session is refused when it is applied", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  const phone = world.login(anna);
  world.send(phone, roomId, "from the phone");
  world.ok(endSessionCommand({ requestId: world.id() }, anna, phone.sessionId));
  expect(world.reason(world.sendOf(phone, roomId, "stolen"))).toBe("UNAUTHENTICATED");
  world.nowMs += TTL_MS;
  expect(world.reason(world.sendOf(anna, roomId, "too late"))).toBe("UNAUTHENTICATED");
});

test("somebody else's session can't be ended or used", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const roomId = world.room(anna, "General");
  const end = endSessionCommand({ requestId: world.id() }, bob, anna.sessionId);
  expect(world.reason(end)).toBe("SESSION_NOT_FOUND");
  const mixed = { accountId: anna.accountId, sessionId: bob.sessionId };
  expect(world.reason(world.sendOf(mixed, roomId, "hi"))).toBe("UNAUTHENTICATED");
});

test("P11: an account has at most 50 sessions; the oldest makes room", () => {
  const world = new World();
  const anna = world.register("anna");
  for (let i = 1; i < LIMITS.loginSessionsPerAccountMax; i++) world.login(anna);
  expect(world.admission.session(anna.sessionId)).toBeDefined();
  const newest = world.login(anna);
  expect(world.admission.session(anna.sessionId)).toBeUndefined();
  expect([...world.admission.sessionsOf(anna.accountId)]).toHaveLength(50);
  expect(world.admission.session(newest.sessionId)).toBeDefined();
});

test("expired sessions are dropped at the next login", () => {
  const world = new World();
  const anna = world.register("anna");
  world.nowMs += TTL_MS + 1;
  world.login(anna);
  expect([...world.admission.sessionsOf(anna.accountId)]).toHaveLength(1);
});

test("changing the password ends every other session and invalidates logins under way", () => {
  const world = new World();
  const anna = world.register("anna");
  const [phone, desk] = [world.login(anna), world.login(anna)];
  const change = (credentialsRevision: number) =>
    setPasswordCommand({ requestId: world.id() }, desk, {
      passwordHash: "phc2",
      credentialsRevision,
      targetAccountId: 0,
      keepSessionId: desk.sessionId,
    });
  world.ok(change(anna.credentialsRevision));
  const changedAt = world.revision;
  expect([...world.admission.sessionsOf(anna.accountId)]).toEqual([desk.sessionId]);
  expect(world.admission.session(phone.sessionId)).toBeUndefined();
  expect(world.read({ kind: "credentials", usernameKey: "anna" })).toMatchObject({
    passwordHash: "phc2",
    credentialsRevision: changedAt,
  });
  expect(world.reason(change(anna.credentialsRevision))).toBe("CREDENTIALS_CHANGED");
  const stale = createSessionCommand(
    { device: "", requestId: world.id() },
    anna.accountId,
    anna.credentialsRevision,
    made(77),
  );
  expect(world.reason(stale)).toBe("CREDENTIALS_CHANGED");
});

test("only the instance's owner resets passwords, and all the target's sessions end", () => {
  const world = new World();
  const [owner, bob] = [world.register("owner"), world.register("bob")];
  const reset = (actor: typeof owner, target: typeof owner) =>
    setPasswordCommand({ requestId: world.id() }, actor, {
      passwordHash: "reset",
      credentialsRevision: 0,
      targetAccountId: target.accountId,
      keepSessionId: 0,
    });
  expect(world.reason(reset(bob, owner))).toBe("PERMISSION_DENIED");
  expect(world.reason(reset(bob, bob))).toBe("PERMISSION_DENIED");
  world.ok(reset(owner, bob));
  expect([...world.admission.sessionsOf(bob.accountId)]).toEqual([]);
  expect(world.reason(reset(owner, { ...bob, accountId: 999 }))).toBe("ACCOUNT_NOT_FOUND");
});

test("a changed profile is told to everyone, once", () => {
  const world = new World();
  const anna = world.register("anna");
  const command = () =>
    updateProfileCommand({ displayName: " Anna A. ", requestId: world.id() }, anna, "anna");
  const events = world.events(command());
  expect(events).toMatchObject([
    {
      to: { kind: "everyone" },
      event: { event: { $case: "accountChanged", value: { displayName: "Anna A." } } },
    },
  ]);
  const again = world.apply(command());
  expect(again.deliveries).toEqual([]);
  const { outcome } = again;
  const response = outcome.kind === "ok" ? outcome.response : new Uint8Array(0);
  expect(UpdateProfileResponse.decode(response).account?.displayName).toBe("Anna A.");
});

test("a login moves last seen, and a send does so at most every five minutes", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  world.nowMs += HOUR_MS;
  const login = world.apply(
    createSessionCommand(
      { device: "", requestId: world.id() },
      anna.accountId,
      anna.credentialsRevision,
      made(500),
    ),
  );
  const response = login.outcome.kind === "ok" ? login.outcome.response : new Uint8Array(0);
  expect(LoginResponse.decode(response).account?.lastSeenMs).toBe(world.nowMs);
  expect(world.admission.authenticate(hex(tokenHash(500)), world.nowMs)).toBeDefined();
  world.nowMs += 60_000;
  world.send(anna, roomId, "soon");
  expect(world.admission.account(anna.accountId)?.lastSeenMs).toBe(world.nowMs - 60_000);
  world.nowMs += 240_000;
  world.send(anna, roomId, "later");
  expect(world.admission.account(anna.accountId)?.lastSeenMs).toBe(world.nowMs);
});

test("deleting an account keeps its messages under another name and frees its own", () => {
  const world = new World();
  const [owner, bob] = [world.register("owner"), world.register("bob")];
  const roomId = world.room(owner, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  world.send(bob, roomId, "I was here");
  world.ok(openDirectCommand({ requestId: world.id() }, bob, owner.accountId));
  const direct = world.revision;
  const events = world.events(
    deleteAccountCommand({ requestId: world.id() }, bob, bob.credentialsRevision),
  );
  const cases = events.map(({ event }) => event.event?.$case);
  expect(cases).toEqual(["membershipChanged", "membershipChanged", "accountChanged"]);
  expect(events.at(-1)?.event.event).toMatchObject({
    value: { username: "deleted account", displayName: "deleted account", deleted: true },
  });
  expect([...world.admission.sessionsOf(bob.accountId)]).toEqual([]);
  expect(world.admission.accountByKey("bob")).toBeUndefined();
  expect(world.admission.isMember(roomId, bob.accountId)).toBe(false);
  expect(world.reason(world.sendOf(owner, direct, "hello?"))).toBe("ACCOUNT_NOT_FOUND");
  const invite = inviteMemberCommand({ roomId, requestId: world.id() }, owner, bob.accountId);
  expect(world.reason(invite)).toBe("ACCOUNT_NOT_FOUND");
  expect(world.reason(world.sendOf(bob, roomId, "ghost"))).toBe("UNAUTHENTICATED");
  const again = world.register("Bob");
  expect(again.accountId).not.toBe(bob.accountId);
});

test("an owner's rooms pass to the longest-standing admin, else member, when it is deleted", () => {
  const world = new World();
  const [, bob, carol] = [world.register("owner"), world.register("bob"), world.register("carol")];
  const roomId = world.room(bob, "Bob's");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, carol));
  world.ok(deleteAccountCommand({ requestId: world.id() }, bob, bob.credentialsRevision));
  expect(world.admission.membership(roomId, carol.accountId)?.role).toBe(3);
});

test("the instance's owner can go only as the last account; the next to register owns it", () => {
  const world = new World();
  const [owner, bob] = [world.register("owner"), world.register("bob")];
  const goodbye = (account: typeof owner) =>
    deleteAccountCommand({ requestId: world.id() }, account, account.credentialsRevision);
  expect(world.reason(goodbye(owner))).toBe("LAST_OWNER");
  world.ok(goodbye(bob));
  world.ok(goodbye(owner));
  const next = world.register("next");
  expect(world.admission.account(next.accountId)?.owner).toBe(true);
});

test("nobody gets a username that looks like another one, in letters of another alphabet", () => {
  const world = new World();
  const anna = world.register("anna");
  const registering = (username: string) =>
    registerCommand(
      { username, displayName: "", requestId: world.id() },
      made(world.revision + 50),
    );
  const reason = (username: string) => world.reason(registering(username));
  // Until all servers know of it there may be two.
  expect([reason("ape"), reason("\u0430\u0440\u0435")]).toEqual(["ok", "ok"]);
  world.upgrade();
  world.reopen();
  expect(reason("boss")).toBe("ok");
  const { outcome } = world.apply(registering("\u0412\u043e\u0455\u0455"));
  expect(outcome).toMatchObject({ error: { reason: "USERNAME_TAKEN", subject: "look_alikes" } });
  // Greek and Cyrillic, and parts of a name.
  expect([reason("\u0420\u041e\u0422.bob"), reason("\u03a1\u039f\u03a4.bob")]).toEqual([
    "ok",
    "USERNAME_TAKEN",
  ]);
  // The small letter looks like no Latin one; and words of any alphabet are welcome.
  expect([
    reason("\u0432\u043e\u0455\u0455"),
    reason("\u044f\u043d\u0430"),
    reason("\u0441\u043e\u0440\u0430"),
  ]).toEqual(["ok", "ok", "ok"]);
  // A name is free again with its account.
  const cope = world.register("cope");
  expect(reason("\u0441\u043e\u0440\u0435")).toBe("USERNAME_TAKEN");
  world.ok(deleteAccountCommand({ requestId: world.id() }, cope, cope.credentialsRevision));
  expect(reason("\u0441\u043e\u0440\u0435")).toBe("ok");
  expect(world.admission.account(anna.accountId)?.username).toBe("anna");
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});
