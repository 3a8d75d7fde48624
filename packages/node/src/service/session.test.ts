// The session protocol, frame by frame.
import { LIMITS, PROTOCOL_VERSION, RoomVisibility } from "@parley/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type TestClient, TestSink, World } from "./testing/world.test.support.ts";

const ROOM = { name: "Lounge", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC };

async function worldWithRoom(options: ConstructorParameters<typeof World>[0] = {}) {
  const world = await World.start(options);
  const ann = await world.register("ann");
  const { room } = await world.call("createRoom", ROOM, ann.token);
  return { world, ann, roomId: room?.id ?? 0 };
}

function sendOf(client: TestClient, roomId: number, id: string, body = id) {
  return client.request("send", { roomId, body, clientMessageId: id });
}

test("a hello is answered with who one is, the cluster and the revision", async () => {
  const { world, ann } = await worldWithRoom();
  const client = world.connect();
  client.hello({ token: ann.token });
  const [frame] = client.frames;
  expect(frame?.welcome).toMatchObject({
    protocolVersion: PROTOCOL_VERSION,
    nodeId: 1,
    account: { id: ann.id, username: "ann", owner: true, online: true },
    cluster: { clusterId: "test-cluster", leaderId: 1, hasQuorum: true },
    revision: world.log.appliedRevision,
  });
});

test("sends pipelined in one frame are proposed in order, without waiting for each other (P3)", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const client = world.connect();
  client.hello({ token: ann.token });
  const requests = Array.from({ length: 50 }, (_, i) => sendOf(client, roomId, `m${i}`));
  const before = world.log.proposed.length;
  client.frame({ requests: requests.slice(0, 30) });
  client.frame({ requests: requests.slice(30) });
  expect(world.log.proposed.length - before).toBe(50);
  const sentBefore = client.sink.sent.length;
  await world.clock.until(() => client.reply(requests.at(-1)?.id ?? 0) !== undefined);
  expect(client.sink.sent.length - sentBefore).toBe(1);
  const seqs = requests.map((request) => {
    const result = client.reply(request.id)?.result;
    return result?.$case === "send" ? result.value.message?.seq : undefined;
  });
  expect(seqs).toEqual(requests.map((_, i) => i + 1));
});

test("P1: subscribers are told how far the members' disks are, together and not message by message", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  world.log.others.set(2, 5).set(3, 4);
  const [shows, asks] = [world.connect(), world.connect()];
  shows.hello({ token: ann.token, subscribe: true, afterRevision: world.log.appliedRevision });
  asks.hello({ token: ann.token });
  const requests = Array.from({ length: 200 }, (_, i) => sendOf(asks, roomId, `m${i}`));
  for (const request of requests) {
    asks.frame({ requests: [request] });
    await world.clock.advance(5);
  }
  await world.clock.advance(1_000);
  const told = shows.frames.flatMap(({ positions }) =>
    positions === undefined ? [] : [positions],
  );
  expect(told.length).toBeGreaterThan(1);
  expect(told.length).toBeLessThanOrEqual(9);
  expect(told.at(-1)?.nodes).toEqual([
    { nodeId: 1, revision: world.log.appliedRevision },
    { nodeId: 2, revision: 5 },
    { nodeId: 3, revision: 4 },
  ]);
  expect(asks.frames.filter(({ positions }) => positions !== undefined)).toEqual([]);
  // Whoever comes when nothing moves any more is told all the same, also when they subscribe long after they connected.
  const late = world.connect();
  late.hello({ token: ann.token });
  await world.clock.advance(5_000);
  late.hello({ token: ann.token, subscribe: true });
  await world.clock.advance(1_000);
  expect(late.frames.filter(({ positions }) => positions !== undefined)).toHaveLength(1);
});

test("requests behind a hello whose token is not known yet wait for it, in order (P4)", async () => {
  const { world: elsewhere, ann, roomId } = await worldWithRoom();
  const world = await World.start();
  world.log.behind = true;
  for (const command of elsewhere.log.commands) world.log.append(command);
  const client = world.connect();
  client.hello({ token: ann.token });
  const requests = [sendOf(client, roomId, "a"), sendOf(client, roomId, "b")];
  for (const request of requests) client.frame({ requests: [request] });
  await world.clock.advance(100);
  expect(client.frames).toEqual([]);
  world.log.catchUp();
  await world.clock.until(() => client.reply(requests[1]?.id ?? 0) !== undefined);
  expect(client.frames[0]?.welcome?.account?.username).toBe("ann");
  const bodies = requests.map(({ id }) => {
    const result = client.reply(id)?.result;
    return result?.$case === "send" ? [result.value.message?.seq, result.value.message?.body] : [];
  });
  expect(bodies).toEqual([
    [1, "a"],
    [2, "b"],
  ]);
});

test("a session that registers or logs in is signed in from then on", async () => {
  const world = await World.start();
  const client = world.connect();
  client.hello();
  await expect(client.call("listRooms", {})).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
  await client.call("register", { username: "ann", password: "ann-password" });
  expect((await client.call("listRooms", {})).rooms).toEqual([]);
  const second = world.connect();
  second.hello();
  await second.call("login", { username: "ann", password: "ann-password" });
  expect((await second.call("getAccount", {})).account?.username).toBe("ann");
});

test("a later hello signs in as somebody else and starts another subscription", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const bob = await world.register("bob");
  const client = world.connect();
  client.hello({ token: ann.token, subscribe: true, afterRevision: world.log.appliedRevision });
  client.hello({ token: bob.token, subscribe: true, afterRevision: world.log.appliedRevision });
  await world.clock.advance(10);
  expect((await client.call("getAccount", {})).account?.username).toBe("bob");
  await world.call("send", { roomId, body: "x", clientMessageId: "x" }, ann.token);
  await world.clock.advance(10);
  expect(client.events).toEqual([]);
  expect(world.service.load.subscribers).toBe(1);
});

test("a wrong protocol version, an unknown token and a frame without hello are sent away", async () => {
  const world = await World.start();
  const version = world.connect();
  version.hello({ protocolVersion: 2 });
  expect(version.goAway?.reason).toBe("PROTOCOL_VERSION");
  const token = world.connect();
  token.hello({ token: "unknown" });
  await world.clock.until(() => token.sink.ended);
  expect(token.goAway?.reason).toBe("UNAUTHENTICATED");
  const none = world.connect();
  none.frame({ ping: { nonce: 1 } });
  expect(none.goAway?.reason).toBe("MALFORMED");
  const silent = world.connect();
  await world.clock.advance(12_000);
  expect(silent.goAway?.reason).toBe("DEADLINE_EXCEEDED");
  expect(world.service.load.sessions).toBe(0);
});

test("a cursor of another cluster is answered with a resync, and events follow from there", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const client = world.connect();
  client.hello({
    token: ann.token,
    clusterId: "foreign",
    subscribe: true,
    afterRevision: 1_000_000,
  });
  await world.clock.advance(5);
  const resync = client.frames.find((frame) => frame.resync !== undefined)?.resync;
  expect(resync).toEqual({ reason: "foreign cluster", revision: world.log.appliedRevision });
  await world.call("send", { roomId, body: "x", clientMessageId: "x" }, ann.token);
  await world.clock.advance(5);
  expect(client.events.map((event) => event.event?.$case)).toEqual(["message"]);
  expect(client.cursor).toBe(world.log.appliedRevision);
});

test("a cursor that the cluster never reached, or too far back, is answered with a resync", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  for (let i = 0; i < 20; i += 1) {
    await world.call("send", { roomId, body: "x", clientMessageId: `${i}` }, ann.token);
  }
  const future = world.connect();
  future.hello({ token: ann.token, subscribe: true, afterRevision: 1_000 });
  const far = world.connect();
  far.hello({ token: ann.token, subscribe: true, afterRevision: 1, maxCatchUpEvents: 10 });
  await world.clock.advance(10);
  for (const client of [future, far]) {
    const frame = client.frames.find(({ resync }) => resync !== undefined);
    expect(frame?.resync?.revision).toBe(world.log.appliedRevision);
    expect(client.events).toEqual([]);
  }
  await world.call("send", { roomId, body: "x", clientMessageId: "last" }, ann.token);
  await world.clock.advance(10);
  expect(far.events).toHaveLength(1);
  expect(future.cursor).toBe(world.log.appliedRevision);
});

test("a cursor that this node has not reached yet is waited for, then BEHIND (P4)", async () => {
  const { world, ann } = await worldWithRoom();
  const revision = world.log.appliedRevision;
  world.log.behind = true;
  world.log.append(new Uint8Array());
  const patient = world.connect();
  patient.hello({ token: ann.token, subscribe: true, afterRevision: revision + 1 });
  await world.clock.advance(500);
  world.log.catchUp();
  await world.clock.advance(10);
  expect(world.service.load.subscribers).toBe(1);
  world.log.behind = true;
  world.log.append(new Uint8Array());
  const late = world.connect();
  late.hello({ token: ann.token, subscribe: true, afterRevision: revision + 2 });
  await world.clock.advance(1_100);
  expect(late.goAway?.reason).toBe("BEHIND");
});

test("a ping is answered at once", async () => {
  const world = await World.start();
  const client = world.connect();
  client.hello();
  client.frame({ ping: { nonce: 77 } });
  expect(client.frames.at(-1)?.pong).toEqual({ nonce: 77, serverTimeMs: world.clock.wallMs() });
});

test("changes of the cluster are pushed to every session, the last of a turn only", async () => {
  const world = await World.start();
  const client = world.connect();
  client.hello();
  world.log.changeView();
  world.log.hasQuorum = false;
  world.log.changeView();
  await world.clock.advance(2);
  const views = client.frames.flatMap(({ cluster }) => (cluster === undefined ? [] : [cluster]));
  expect(views).toMatchObject([{ hasQuorum: false, leaderId: 0, staleMs: 1_234 }]);
});

test("cursors of subscribers who saw nothing move all the same", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const bob = await world.register("bob");
  const client = world.connect();
  client.hello({ token: bob.token, subscribe: true, afterRevision: world.log.appliedRevision });
  await world.clock.advance(5);
  for (let i = 0; i < 10; i += 1) {
    await world.call("send", { roomId, body: "x", clientMessageId: `${i}` }, ann.token);
  }
  await world.clock.advance(1_000);
  expect(client.events).toEqual([]);
  expect(client.cursor).toBe(world.log.appliedRevision);
  expect(client.sink.sent.length).toBeLessThan(5);
});

test("a revoked session is sent away, after the answers that it waits for", async () => {
  const { world, ann } = await worldWithRoom();
  const client = world.connect();
  client.hello({ token: ann.token, subscribe: true });
  await client.call("logout", {});
  await world.clock.until(() => client.sink.ended);
  expect(client.goAway?.reason).toBe("UNAUTHENTICATED");
  expect(world.service.load).toMatchObject({ sessions: 0, subscribers: 0 });
});

test("deleting an account sends away its sessions and its event streams", async () => {
  const world = await World.start();
  await world.register("owner");
  const bob = await world.register("bob");
  const client = world.connect();
  client.hello({ token: bob.token, subscribe: true });
  const sink = new TestSink();
  const context = { token: bob.token, remote: "x", deadlineMs: 0 };
  world.service.subscribe(new Uint8Array(), context, sink);
  await world.clock.advance(5);
  await world.call("deleteAccount", { password: "bob-password" }, bob.token);
  await world.clock.until(() => client.sink.ended && sink.ended);
  expect(client.goAway?.reason).toBe("UNAUTHENTICATED");
  expect(sink.endedWith).toMatchObject({ reason: "UNAUTHENTICATED" });
  expect(world.service.load).toMatchObject({ sessions: 0, eventStreams: 0, subscribers: 0 });
});

test("a subscriber that does not read is disconnected with the cursor of what it was sent (P11)", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const client = world.connect();
  client.hello({ token: ann.token, subscribe: true, afterRevision: world.log.appliedRevision });
  await world.clock.advance(5);
  client.sink.stalled = true;
  const body = "x".repeat(LIMITS.bodyBytesMax);
  let sent = 0;
  for (; !client.sink.ended && sent < 1_000; sent += 1) {
    await world.call("send", { roomId, body, clientMessageId: `${sent}` }, ann.token);
  }
  await world.clock.advance(5);
  expect(client.goAway?.reason).toBe("SLOW_SUBSCRIBER");
  expect(client.sink.backlogBytes()).toBeLessThan(LIMITS.sessionBacklogBytesMax * 1.2);
  expect(world.service.load.subscribers).toBe(0);
  // Resuming from the cursor gives the rest: every message once.
  const next = world.connect();
  next.hello({ token: ann.token, subscribe: true, afterRevision: client.goAway?.cursor ?? 0 });
  await world.clock.advance(500);
  const seqs = [...client.events, ...next.events].map(({ event }) =>
    event?.$case === "message" ? event.value.seq : 0,
  );
  expect(seqs).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
});

test("a reader that pauses while it catches up gets no more than half the bound at once (P11)", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const body = "x".repeat(LIMITS.bodyBytesMax);
  const sends = Array.from({ length: 600 }, (_, i) =>
    world.start("send", { roomId, body, clientMessageId: `${i}` }, ann.token),
  );
  await world.clock.finish(Promise.all(sends));
  const client = world.connect();
  client.sink.stalled = true;
  client.hello({ token: ann.token, subscribe: true });
  await world.clock.advance(100);
  expect(client.sink.ended).toBe(false);
  expect(client.sink.backlogBytes()).toBeLessThan(LIMITS.sessionBacklogBytesMax * 0.7);
  const steps = client.sink.sent.length;
  await world.clock.advance(1_000);
  expect(client.sink.sent.length).toBe(steps);
  for (let i = 0; i < 40 && world.service.load.subscribers === 0; i += 1) {
    client.sink.resume();
    client.sink.stalled = true;
    await world.clock.advance(50);
  }
  await world.clock.advance(50);
  const messages = client.events.filter(({ event }) => event?.$case === "message");
  expect(messages).toHaveLength(600);
  // One that never takes anything is given up.
  const dead = world.connect();
  dead.sink.stalled = true;
  dead.hello({ token: ann.token, subscribe: true });
  await world.clock.advance(32_000);
  expect(dead.goAway?.reason).toBe("SLOW_SUBSCRIBER");
});

test("sessions, requests per frame and unanswered requests are bounded (P11)", async () => {
  const { world, ann, roomId } = await worldWithRoom({ tuning: { sessionsMax: 2 } });
  const client = world.connect();
  client.hello({ token: ann.token });
  const other = world.connect();
  other.hello({ token: ann.token });
  const refused = world.connect();
  expect(refused.goAway).toMatchObject({ reason: "OVERLOADED" });
  expect(refused.goAway?.retryAfterMs).toBeGreaterThan(0);
  other.frame({ requests: Array.from({ length: 1_001 }, () => other.request("unread", {})) });
  expect(other.goAway?.reason).toBe("TOO_LARGE");
  world.log.behind = true;
  const requests = Array.from({ length: 4_097 }, (_, i) => sendOf(client, roomId, `${i}`));
  for (let at = 0; at < requests.length; at += 1_000) {
    client.frame({ requests: requests.slice(at, at + 1_000) });
  }
  await world.clock.advance(2);
  const result = client.reply(requests.at(-1)?.id ?? 0)?.result;
  expect(result).toMatchObject({ $case: "error", value: { reason: "OVERLOADED" } });
  world.log.catchUp();
  await world.clock.until(() => client.reply(requests[4_095]?.id ?? 0) !== undefined);
  expect(client.sink.ended).toBe(false);
});

test("reads of a session run a few at a time, and none while their reader does not read (P11)", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const body = "x".repeat(LIMITS.bodyBytesMax);
  const sends = Array.from({ length: 60 }, (_, i) =>
    world.start("send", { roomId, body, clientMessageId: `${i}` }, ann.token),
  );
  await world.clock.finish(Promise.all(sends));
  const client = world.connect();
  client.hello({ token: ann.token });
  client.sink.stalled = true;
  const requests = Array.from({ length: 20 }, () =>
    client.request("history", { roomId, limit: 60 }),
  );
  client.frame({ requests });
  await world.clock.advance(200);
  expect(client.sink.ended).toBe(false);
  expect(client.sink.backlogBytes()).toBeLessThan(2 * LIMITS.sessionBacklogBytesMax);
  for (let i = 0; i < 20; i += 1) {
    client.sink.resume();
    client.sink.stalled = true;
    await world.clock.advance(50);
  }
  expect(requests.every(({ id }) => client.reply(id)?.result?.$case === "history")).toBe(true);
});

test("an operation that this node does not know is refused, the session goes on", async () => {
  const world = await World.start();
  const client = world.connect();
  client.hello();
  client.frame({ requests: [{ id: 9, timeoutMs: 0, op: undefined }] });
  await world.clock.advance(1);
  expect(client.reply(9)?.result).toMatchObject({
    $case: "error",
    value: { reason: "UNKNOWN_OPERATION" },
  });
  await client.call("register", { username: "ann", password: "ann-password" });
});

test("no bytes make a session throw or the node keep it (P11)", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const template = world.connect();
  template.hello({ token: ann.token });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (frames, greeted) => {
        const client = world.connect();
        if (greeted) {
          client.hello({ token: ann.token });
          client.frame({ requests: [sendOf(client, roomId, "fuzz")] });
        }
        for (const bytes of frames) client.raw(bytes);
        client.end();
        await world.clock.advance(2);
      },
    ),
    { numRuns: 300 },
  );
  expect(world.service.load.sessions).toBe(1);
  await template.call("listRooms", {});
});

test("closing answers what is under way, says farewell with the cursor and refuses the rest", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const busy = world.connect();
  busy.hello({ token: ann.token, subscribe: true, afterRevision: world.log.appliedRevision });
  await world.clock.advance(5);
  world.log.applyDelayMs = 50;
  const request = sendOf(busy, roomId, "last");
  busy.frame({ requests: [request] });
  const closing = world.service.close(1_000);
  expect(world.service.ready()).toBe(false);
  const late = world.connect();
  expect(late.goAway?.reason).toBe("SHUTTING_DOWN");
  const unary = await world.failure(world.start("listRooms", {}, ann.token));
  expect(unary.reason).toBe("SHUTTING_DOWN");
  await world.clock.finish(closing);
  expect(busy.reply(request.id)?.result?.$case).toBe("send");
  expect(busy.goAway).toMatchObject({
    reason: "SHUTTING_DOWN",
    cursor: world.log.appliedRevision,
  });
  expect(world.service.load.sessions).toBe(0);
});

test("closing does not wait longer than its grace", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const busy = world.connect();
  busy.hello({ token: ann.token });
  world.log.behind = true;
  busy.frame({ requests: [sendOf(busy, roomId, "never")] });
  const startedMs = world.clock.monotonicMs();
  await world.clock.finish(world.service.close(200));
  expect(world.clock.monotonicMs() - startedMs).toBeLessThan(300);
  expect(busy.goAway?.reason).toBe("SHUTTING_DOWN");
});

test("ten thousand idle sessions cost a session's replies and events nothing but their share", async () => {
  const { world, ann, roomId } = await worldWithRoom();
  const idle = Array.from({ length: 10_000 }, () => {
    const client = world.connect();
    client.hello({ token: ann.token, subscribe: true, afterRevision: world.log.appliedRevision });
    return client;
  });
  await world.clock.advance(1);
  expect(world.service.load).toMatchObject({ sessions: 10_000, subscribers: 10_000 });
  const busy = idle[0] ?? world.connect();
  await busy.call("send", { roomId, body: "x", clientMessageId: "x" });
  await world.clock.advance(10);
  expect(idle.every(({ sink }) => sink.sent.length === 2)).toBe(true);
  world.log.changeView();
  await world.clock.advance(10);
  expect(idle.every(({ sink }) => sink.sent.length === 3)).toBe(true);
  for (const client of idle) client.end();
  expect(world.service.load).toMatchObject({ sessions: 0, subscribers: 0 });
});
