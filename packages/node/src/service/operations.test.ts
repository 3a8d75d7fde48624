// Every operation, over unary calls and over a session: one table serves both, so the answers are
// the same.
import {
  Consistency,
  OPERATIONS,
  type OperationName,
  ParleyError,
  RegistrationMode,
  type RequestOf,
  type ResponseOf,
  RoomRole,
  RoomVisibility,
} from "@parley/protocol";
import { expect, test } from "vitest";
import { makeRequestId } from "./request-id.ts";
import { seededRandom, type TestClient, World } from "./testing/world.test.support.ts";

/** Does one operation as somebody, by whichever way; the same script runs over both. */
type Ask = <N extends OperationName>(
  who: string,
  name: N,
  request: Partial<RequestOf<N>>,
) => Promise<ResponseOf<N>>;

const PASSWORD = "correct horse";
const { ROOM_VISIBILITY_PUBLIC, ROOM_VISIBILITY_PRIVATE } = RoomVisibility;

/** Uses every operation at least once; gives what each answered. */
async function script(ask: Ask): Promise<Map<OperationName, unknown[]>> {
  const answers = new Map<OperationName, unknown[]>();
  const say: Ask = async (who, name, request) => {
    let answer: unknown;
    try {
      answer = await ask(who, name, request);
    } catch (cause) {
      answer = { failed: ParleyError.from(cause).reason };
      if (ParleyError.from(cause).reason === "INTERNAL") throw cause;
    }
    answers.set(name, [...(answers.get(name) ?? []), answer]);
    return answer as never;
  };
  for (const username of ["ann", "bob", "eve"]) {
    await say(username, "register", {
      username,
      password: PASSWORD,
      displayName: `Dr ${username}`,
    });
  }
  const { REGISTRATION_MODE_CLOSED, REGISTRATION_MODE_OPEN } = RegistrationMode;
  await say("bob", "setRegistration", { mode: REGISTRATION_MODE_CLOSED });
  await say("ann", "setRegistration", { mode: REGISTRATION_MODE_CLOSED });
  await say("other", "getRegistration", {});
  await say("other", "register", { username: "other", password: PASSWORD });
  await say("ann", "setRegistration", { mode: REGISTRATION_MODE_OPEN });
  await say("other", "register", { username: "ANN", password: PASSWORD });
  await say("laptop", "login", { username: "Bob", password: PASSWORD, device: "laptop" });
  await say("nobody", "login", { username: "bob", password: "wrong password" });
  await say("bob", "listSessions", {});
  const sessions = await ask("bob", "listSessions", {});
  const laptop = sessions.sessions.find((session) => !session.current);
  await say("bob", "revokeSession", { sessionId: laptop?.id ?? 0 });
  await say("bob", "updateProfile", { displayName: "Robert" });
  await say("ann", "listAccounts", { pattern: "*" });
  await say("ann", "getAccount", { username: "bob" });
  await say("ann", "getAccount", { username: "nobody" });
  const room = await say("ann", "createRoom", {
    name: "Lounge",
    visibility: ROOM_VISIBILITY_PUBLIC,
  });
  const roomId = room.room?.id ?? 0;
  const secret = await say("ann", "createRoom", {
    name: "Secret",
    visibility: ROOM_VISIBILITY_PRIVATE,
  });
  await say("ann", "updateRoom", { roomId, topic: "everything" });
  await say("bob", "listRooms", { public: true });
  await say("bob", "joinRoom", { roomId });
  await say("bob", "joinRoom", { roomId: secret.room?.id ?? 0 });
  const inviteSecret = "an-invite-s-secret-0123456789";
  const secretId = secret.room?.id ?? 0;
  await say("ann", "createInvite", { roomId: secretId, secret: inviteSecret, usesMax: 2 });
  await say("bob", "createInvite", { roomId: secretId, secret: `${inviteSecret}-2` });
  await say("ann", "createInvite", { roomId, secret: "too short" });
  await say("other", "getRegistration", { inviteSecret });
  await say("bob", "joinRoom", { inviteSecret });
  await say("carol", "register", { username: "carol", password: PASSWORD, inviteSecret });
  await say("dave", "register", { username: "dave", password: PASSWORD, inviteSecret });
  const { invites } = await ask("ann", "listInvites", {});
  await say("ann", "listInvites", { roomId: secretId });
  await say("ann", "revokeInvite", { inviteId: invites[0]?.id ?? 0 });
  await say("ann", "inviteMember", { roomId, username: "eve" });
  await say("ann", "setRole", { roomId, username: "bob", role: RoomRole.ROOM_ROLE_ADMIN });
  await say("ann", "muteMember", { roomId, username: "bob", muted: true, durationMs: 60_000 });
  await say("ann", "muteMember", { roomId, username: "bob", muted: false });
  await say("bob", "muteMember", { roomId, username: "ann", muted: true });
  await say("ann", "removeMember", { roomId, username: "eve" });
  await say("ann", "removeMember", { roomId, username: "nobody" });
  await say("ann", "listMembers", { roomId });
  for (const body of ["one", "two", "three"]) {
    await say("ann", "send", { roomId, body, clientMessageId: `id-${body}` });
  }
  await say("eve", "send", { roomId, body: "let me in", clientMessageId: "eve-1" });
  await say("bob", "unread", {});
  await say("bob", "markRead", { roomId, seq: 2 });
  await say("bob", "unread", { consistency: Consistency.CONSISTENCY_LINEARIZABLE });
  await say("ann", "edit", { roomId, seq: 1, body: "uno", expectedVersion: 0 });
  await say("bob", "edit", { roomId, seq: 1, body: "mine now", expectedVersion: 1 });
  await say("bob", "react", { roomId, seq: 1, emoji: "👍", add: true });
  await say("bob", "react", { roomId, seq: 1, emoji: "not one word", add: true });
  await say("bob", "setRoomPreference", { roomId, starred: true, muted: true });
  await say("bob", "setReadReceipts", { shown: false });
  await say("bob", "setReadReceipts", { shown: true });
  await say("eve", "setRoomPreference", { roomId, starred: true, muted: true });
  await say("ann", "pin", { roomId, seq: 2, pinned: true });
  await say("ann", "pin", { roomId, seq: 3, pinned: true });
  await say("eve", "pin", { roomId, seq: 3, pinned: false });
  await say("ann", "delete", { roomId, seqs: [2] });
  await say("bob", "listPins", { roomId });
  await say("bob", "followThread", { roomId, seq: 1, follow: true });
  const threadRootSeq = 1;
  await say("ann", "send", { roomId, threadRootSeq, body: "four", clientMessageId: "id-four" });
  const data = new Uint8Array(9).fill(7);
  const file = { clientFileId: "file", name: "a.txt", size: 9, sha256: new Uint8Array(32) };
  await say("ann", "upload", { ...file, offset: 0, data });
  await say("ann", "upload", { ...file, offset: 5, data });
  const clientFileIds = ["file"];
  const shown = { roomId, body: "", clientMessageId: "id-file", clientFileIds };
  const { message: withFile } = await ask("ann", "send", shown);
  const fileId = withFile?.attachments[0]?.fileId ?? 0;
  await say("bob", "download", { fileId, offset: 2 });
  await say("ann", "download", { fileId: fileId + 1 });
  await say("bob", "thread", { roomId, threadRootSeq });
  await say("bob", "thread", { roomId, threadRootSeq: 4 });
  await say("bob", "history", { roomId });
  await say("bob", "search", { query: "thr* from:@ann" });
  await say("eve", "search", { query: "three" });
  await say("ann", "search", { query: 'from:@ann has:"cake"' });
  await say("eve", "history", { roomId: secret.room?.id ?? 0 });
  await say("bob", "openDirect", { username: "ann" });
  await say("ann", "block", { username: "bob", blocked: true });
  await say("ann", "listBlocked", {});
  await say("bob", "openDirect", { username: "ann" });
  await say("ann", "block", { username: "bob", blocked: false });
  await say("bob", "leaveRoom", { roomId });
  await say("ann", "listRooms", {});
  await say("ann", "deleteRoom", { roomId: secret.room?.id ?? 0 });
  await say("ann", "resetPassword", { username: "eve", newPassword: "another horse" });
  const linkSecret = "a-password-link-s-secret";
  await say("bob", "createPasswordLink", { username: "eve", secret: linkSecret });
  await say("ann", "createPasswordLink", { username: "eve", secret: linkSecret });
  const linked = { secret: linkSecret, newPassword: "another horse" };
  await say("other", "usePasswordLink", linked);
  await say("other", "usePasswordLink", linked);
  await say("eve2", "login", { username: "eve", password: "another horse" });
  await say("eve2", "changePassword", { password: "another horse", newPassword: "third horse" });
  await say("eve2", "deleteAccount", { password: "another horse" });
  await say("eve2", "deleteAccount", { password: "third horse" });
  await say("bob", "logout", {});
  return answers;
}

function unaryAsk(world: World): Ask {
  const tokens = new Map<string, string>();
  return async (who, name, request) => {
    const response = await world.call(name, request, tokens.get(who));
    const { token } = response as { token?: string };
    if (token !== undefined) tokens.set(who, token);
    return response;
  };
}

function sessionAsk(world: World): Ask {
  const clients = new Map<string, TestClient>();
  return (who, name, request) => {
    let client = clients.get(who);
    if (client === undefined) {
      client = world.connect();
      client.hello();
      clients.set(who, client);
    }
    return client.call(name, request);
  };
}

/** Times and tokens depend on when and how it was asked. Presence does too. */
function timeless(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, part) => {
      if (key === "token") return part === "" ? "" : "token";
      if (key === "online") return undefined;
      return /Ms$/.test(key) ? part > 0 : part;
    }),
  );
}

test("every operation gives the same over unary calls and over a session", async () => {
  const unary = await script(unaryAsk(await World.upgraded()));
  const session = await script(sessionAsk(await World.upgraded()));
  expect([...unary.keys()].sort()).toEqual(Object.keys(OPERATIONS).sort());
  for (const [name, answers] of unary) {
    expect(timeless(session.get(name)), name).toEqual(timeless(answers));
  }
});

test("the answers of the script are what they should be", async () => {
  const answers = await script(unaryAsk(await World.upgraded()));
  const failures = [...answers].flatMap(([name, list]) =>
    list.flatMap((answer) => {
      const { failed } = answer as { failed?: string };
      return failed === undefined ? [] : [`${name} ${failed}`];
    }),
  );
  expect(failures.sort()).toEqual(
    [
      "register REGISTRATION_CLOSED",
      "openDirect BLOCKED",
      "createPasswordLink PERMISSION_DENIED",
      "usePasswordLink PASSWORD_LINK_NOT_FOUND",
      "createInvite NOT_A_MEMBER",
      "createInvite INVALID_ARGUMENT",
      "register INVITE_NOT_FOUND",
      "setRegistration PERMISSION_DENIED",
      "register USERNAME_TAKEN",
      "login WRONG_CREDENTIALS",
      "getAccount ACCOUNT_NOT_FOUND",
      "joinRoom PERMISSION_DENIED",
      "removeMember ACCOUNT_NOT_FOUND",
      "send NOT_A_MEMBER",
      "upload INVALID_ARGUMENT",
      "download FILE_NOT_FOUND",
      "edit PERMISSION_DENIED",
      "react INVALID_ARGUMENT",
      "pin NOT_A_MEMBER",
      "thread INVALID_ARGUMENT",
      "setRoomPreference NOT_A_MEMBER",
      "muteMember PERMISSION_DENIED",
      "history NOT_A_MEMBER",
      "search INVALID_ARGUMENT",
      "deleteAccount WRONG_CREDENTIALS",
    ].sort(),
  );
  const [first] = answers.get("send") as ResponseOf<"send">[];
  expect(first?.replicas).toBe(3);
  expect(first?.message).toMatchObject({ seq: 1, body: "one", author: "ann" });
  const [login] = answers.get("login") as ResponseOf<"login">[];
  expect(login?.account).toMatchObject({ username: "bob" });
  expect(login?.token).toHaveLength(43);
  const [history] = answers.get("history") as ResponseOf<"history">[];
  expect(history?.messages.map((message) => [message.seq, message.deleted])).toEqual([
    [1, false],
    [2, true],
    [3, false],
    [4, false],
    [5, false],
  ]);
  const [thread] = answers.get("thread") as ResponseOf<"thread">[];
  expect(thread).toMatchObject({
    root: { seq: 1, thread: { replyCount: 1, lastReplySeq: 4 } },
    messages: [{ seq: 4, body: "four", threadRootSeq: 1 }],
    followed: { threadRootSeq: 1, readSeq: 0, unreadCount: 1 },
  });
  const bob = (answers.get("register") as ResponseOf<"register">[])[1]?.account?.id;
  expect(history?.messages[0]).toMatchObject({
    version: 1,
    reactions: [{ emoji: "👍", count: 1, accountIds: [bob] }],
  });
  const [forBob, forEve] = answers.get("search") as ResponseOf<"search">[];
  expect(forBob?.hits).toMatchObject([{ message: { seq: 3 }, ranges: [{ start: 0, end: 5 }] }]);
  expect(forEve?.hits).toEqual([]);
  const [pins] = answers.get("listPins") as ResponseOf<"listPins">[];
  expect(pins?.messages).toMatchObject([{ seq: 3, body: "three", pinned: true }]);
});

test("P11: an account has so many searches under way, and the others are told to come again", async () => {
  const world = await World.start();
  const ann = await world.register("ann");
  const search = () => world.call("search", { query: "x" }, ann.token).catch((error) => error);
  const answers = await Promise.all([search(), search(), search()]);
  expect(answers[0]).toMatchObject({ hits: [] });
  expect(answers[1]).toMatchObject({ hits: [] });
  expect(answers[2]).toMatchObject({ reason: "RATE_LIMITED", retryAfterMs: 100 });
  expect(await search()).toMatchObject({ hits: [] });
});

test("a login says how much is unread, per room and in all", async () => {
  const world = await World.start();
  const ann = await world.register("ann");
  const bob = await world.register("bob");
  const direct = await world.call("openDirect", { username: "bob" }, ann.token);
  const roomId = direct.room?.id ?? 0;
  for (let i = 0; i < 3; i += 1) {
    await world.call("send", { roomId, body: "hi", clientMessageId: `m${i}` }, ann.token);
  }
  const login = await world.call("login", { username: "bob", password: "bob-password" });
  expect(login.unreadCount).toBe(3);
  expect(login.unread).toMatchObject([{ roomId, unreadCount: 3, lastSeq: 3 }]);
  expect(login.account?.id).toBe(bob.id);
});

test("whom a text mentions is found, stored, and counted at login", async () => {
  const world = await World.upgraded();
  const ann = await world.register("ann");
  const bob = await world.register("bob");
  const direct = await world.call("openDirect", { username: "bob" }, ann.token);
  const roomId = direct.room?.id ?? 0;
  for (const [at, body] of ["hello", "@Bob, are you there?", "@room!"].entries()) {
    const sent = await world.call("send", { roomId, body, clientMessageId: `m${at}` }, ann.token);
    if (at === 1) expect(sent.message?.mentions).toEqual([bob.id]);
  }
  const login = await world.call("login", { username: "bob", password: "bob-password" });
  expect(login).toMatchObject({ unreadCount: 3, mentionCount: 2 });
  expect(login.unread).toMatchObject([{ roomId, unreadCount: 3, mentionCount: 2 }]);
  const { rooms } = await world.call("listRooms", {}, bob.token);
  expect(rooms).toMatchObject([{ id: roomId, unreadCount: 3, mentionCount: 2 }]);
});

test("a retried send gets the first result and is stored once (P2)", async () => {
  const world = await World.start();
  const ann = await world.register("ann");
  const { room } = await world.call("createRoom", lounge, ann.token);
  const send = { roomId: room?.id ?? 0, body: "hi", clientMessageId: "m1" };
  const first = await world.call("send", send, ann.token);
  const again = await world.call("send", send, ann.token);
  expect(again.message).toEqual(first.message);
  const reused = await world.failure(world.start("send", { ...send, body: "other" }, ann.token));
  expect(reused.reason).toBe("ID_REUSED");
});

test("a retried Register, its token lost, gets the same account and a token that works (P2)", async () => {
  const world = await World.start();
  const requestId = makeRequestId(world.clock, seededRandom(3));
  const request = { username: "ann", password: "a password", requestId };
  const first = await world.call("register", request);
  const again = await world.call("register", request);
  expect(again.account?.id).toBe(first.account?.id);
  expect(again.token).not.toBe(first.token);
  for (const { token } of [first, again]) {
    expect((await world.call("getAccount", {}, token)).account?.username).toBe("ann");
  }
  const stranger = await world.failure(
    world.start("register", { ...request, password: "a stranger's" }),
  );
  expect(stranger.reason).toBe("WRONG_CREDENTIALS");
});

test("a retried Login and a retried ChangePassword succeed (P2)", async () => {
  const world = await World.start();
  const ann = await world.register("ann");
  const random = seededRandom(4);
  const login = {
    username: "ann",
    password: "ann-password",
    requestId: makeRequestId(world.clock, random),
  };
  const first = await world.call("login", login);
  const again = await world.call("login", login);
  expect(again.token).not.toBe(first.token);
  await world.call("getAccount", {}, again.token);
  const change = {
    password: "ann-password",
    newPassword: "new password",
    requestId: makeRequestId(world.clock, random),
  };
  const changed = await world.call("changePassword", change, ann.token);
  expect(await world.call("changePassword", change, ann.token)).toEqual(changed);
  const gone = await world.failure(world.start("getAccount", {}, first.token));
  expect(gone.reason).toBe("UNAUTHENTICATED");
});

test("a request id that is not a UUIDv7 is refused", async () => {
  const world = await World.start();
  const ann = await world.register("ann");
  const error = await world.failure(
    world.start("createRoom", { ...lounge, requestId: "1" }, ann.token),
  );
  expect(error.reason).toBe("INVALID_ARGUMENT");
});

test("wrong name and wrong password can't be told apart, and both are throttled", async () => {
  const world = await World.start({ tuning: { loginFailuresMax: 3 } });
  await world.register("ann");
  const wrong = (username: string) =>
    world.failure(world.start("login", { username, password: "not this one" }));
  for (let i = 0; i < 3; i += 1) {
    const [known, unknown] = [await wrong("ann"), await wrong("zoe")];
    expect([known.reason, known.message]).toEqual([unknown.reason, unknown.message]);
    expect(known.reason).toBe("WRONG_CREDENTIALS");
  }
  for (const username of ["ann", "zoe"]) {
    const paused = await wrong(username);
    expect(paused.reason).toBe("RATE_LIMITED");
    expect(paused.retryAfterMs).toBeGreaterThan(0);
  }
});

test("guesses that wait together, or without a quorum, are throttled too", async () => {
  const world = await World.start({ tuning: { loginFailuresMax: 3 } });
  await world.register("ann");
  const guess = async () =>
    (await world.failure(world.start("login", { username: "ann", password: "not this one" })))
      .reason;
  const guesses = Array.from({ length: 40 }, () =>
    world
      .start("login", { username: "ann", password: "not this one" })
      .catch((cause: unknown) => ParleyError.from(cause).reason),
  );
  const together = await world.clock.finish(Promise.all(guesses));
  const tried = together.filter((reason) => reason === "WRONG_CREDENTIALS").length;
  expect(tried).toBeLessThanOrEqual(3 + 4);
  await world.clock.advance(31_000);
  world.log.hasQuorum = false;
  expect([await guess(), await guess(), await guess()]).toEqual(Array(3).fill("NO_QUORUM"));
  expect(await guess()).toBe("RATE_LIMITED");
});

test("malformed and oversized requests get clear errors (P11)", async () => {
  const world = await World.start();
  const call = (bytes: Uint8Array) =>
    world.failure(
      world.service.call("login", bytes, {
        token: "",
        remote: "x",
        deadlineMs: world.clock.monotonicMs() + 1_000,
      }),
    );
  expect((await call(Uint8Array.of(0x0a, 2, 0xff, 0xfe))).reason).toBe("MALFORMED");
  expect((await call(Uint8Array.of(0x0a, 200))).reason).toBe("MALFORMED");
  expect((await call(new Uint8Array(1024 * 1024 + 1))).reason).toBe("TOO_LARGE");
  expect((await call(new Uint8Array())).reason).toBe("INVALID_ARGUMENT");
});

test("sends over the account's rate are refused with a delay (P11)", async () => {
  const world = await World.start({ tuning: { sendsPerSecond: 1, sendsBurst: 2 } });
  const ann = await world.register("ann");
  const { room } = await world.call("createRoom", lounge, ann.token);
  const send = (id: string) =>
    world.start("send", { roomId: room?.id ?? 0, body: "hi", clientMessageId: id }, ann.token);
  await world.clock.finish(send("1"));
  await world.clock.finish(send("2"));
  const refused = await world.failure(send("3"));
  expect(refused.reason).toBe("RATE_LIMITED");
  await world.clock.advance(refused.retryAfterMs);
  await world.clock.finish(send("3"));
});

test("writes and reads beyond the node's bounds are refused at once (P11)", async () => {
  const world = await World.start({ tuning: { pendingWritesMax: 2, pendingReadsMax: 1 } });
  const ann = await world.register("ann");
  world.log.behind = true;
  const writes = ["1", "2", "3"].map((name) =>
    world.start("createRoom", { ...lounge, name }, ann.token),
  );
  const refused = await world.failure(writes[2] ?? Promise.resolve());
  expect(refused.reason).toBe("OVERLOADED");
  expect(refused.retryAfterMs).toBeGreaterThan(0);
  world.log.readDelayMs = 10;
  const reads = [world.start("listRooms", {}, ann.token), world.start("listRooms", {}, ann.token)];
  expect((await world.failure(reads[1] ?? Promise.resolve())).reason).toBe("OVERLOADED");
  world.log.catchUp();
  await world.clock.finish(Promise.all([writes[0], writes[1], reads[0]]));
  expect(world.service.load).toMatchObject({ pendingReads: 0, pendingWrites: 0 });
});

test("few pieces of files are under way at once, however many are sent (P11)", async () => {
  const world = await World.upgraded();
  const ann = await world.register("ann");
  world.log.behind = true;
  const piece = {
    name: "a",
    size: 1,
    sha256: new Uint8Array(32),
    offset: 0,
    data: new Uint8Array(1),
  };
  const start = (at: number) =>
    world.start("upload", { ...piece, clientFileId: `f${at % 20}` }, ann.token);
  const uploads = Array.from({ length: 64 }, (_, at) => start(at));
  const refused = await world.failure(start(64));
  expect(refused.reason).toBe("RATE_LIMITED");
  expect(refused.retryAfterMs).toBeGreaterThan(0);
  world.log.catchUp();
  await world.clock.finish(Promise.all(uploads));
  world.log.behind = false;
  expect((await world.call("upload", { ...piece, clientFileId: "f1" }, ann.token)).received).toBe(
    1,
  );
});

const lounge = { name: "Lounge", visibility: ROOM_VISIBILITY_PUBLIC };

test("P10: the first account needs the set-up token where there is one, and later ones do not", async () => {
  const world = await World.start({ setupToken: "from the log" });
  const register = (username: string, setupToken: string) =>
    world.call("register", { username, password: PASSWORD, setupToken });
  for (const wrong of ["", "guessed"]) {
    const error = await world.failure(register("mallory", wrong));
    expect(error.reason).toBe("SETUP_TOKEN_REQUIRED");
  }
  expect((await register("ann", "from the log")).account?.owner).toBe(true);
  expect((await register("bob", "")).account?.owner).toBe(false);
});

const MODES = RegistrationMode;

test("P10: who may register is open on loopback, invite-only beyond it, and what the owner says", async () => {
  const near = await World.upgraded();
  const nearMode = await near.call("getRegistration", {});
  expect(nearMode).toMatchObject({ mode: MODES.REGISTRATION_MODE_OPEN, setupTokenNeeded: false });
  await near.call("register", { username: "ann", password: PASSWORD });
  await near.call("register", { username: "bob", password: PASSWORD });

  const far = await World.upgraded({ setupToken: "from the log", inviteOnlyByDefault: true });
  const modeOf = async () => await far.call("getRegistration", {});
  expect(await modeOf()).toMatchObject({
    mode: MODES.REGISTRATION_MODE_OPEN,
    setupTokenNeeded: true,
  });
  const setupToken = "from the log";
  const ann = await far.call("register", { username: "ann", password: PASSWORD, setupToken });
  expect(await modeOf()).toMatchObject({
    mode: MODES.REGISTRATION_MODE_INVITE_ONLY,
    setupTokenNeeded: false,
  });
  const bob = { username: "bob", password: PASSWORD };
  expect((await far.failure(far.call("register", bob))).reason).toBe("INVITE_REQUIRED");
  await far.call("setRegistration", { mode: MODES.REGISTRATION_MODE_OPEN }, ann.token);
  expect((await modeOf()).mode).toBe(MODES.REGISTRATION_MODE_OPEN);
  const { token } = await far.call("register", bob);
  const closed = { mode: MODES.REGISTRATION_MODE_CLOSED };
  const denied = await far.failure(far.call("setRegistration", closed, token));
  expect(denied.reason).toBe("PERMISSION_DENIED");
  await far.call("setRegistration", closed, ann.token);
  const carol = { username: "carol", password: PASSWORD };
  expect((await far.failure(far.call("register", carol))).reason).toBe("REGISTRATION_CLOSED");
});

test("P11: an address that knocks at a closed door again and again must pause", async () => {
  const tuning = { loginFailuresMax: 1 };
  const world = await World.upgraded({ inviteOnlyByDefault: true, tuning });
  await world.call("register", { username: "ann", password: PASSWORD });
  const knock = async (n: number) => {
    const call = world.call("register", { username: `stranger-${n}`, password: PASSWORD });
    return await world.failure(call);
  };
  for (let n = 1; n <= 10; n += 1) expect((await knock(n)).reason).toBe("INVITE_REQUIRED");
  const paused = await knock(11);
  expect(paused.reason).toBe("RATE_LIMITED");
  expect(paused.retryAfterMs).toBeGreaterThan(0);
});
