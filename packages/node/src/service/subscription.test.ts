// P5, as a property: whatever is sent, joined, left and deleted, and whenever subscribers come, go
// and resume, each of them gets every message once as new, and ends with what history shows.
import { Event, LIMITS, type Message, RoomVisibility, ServerFrame } from "@parley/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_FAN_OUT_LIMITS, type FanOutLimits } from "./fan-out.ts";
import { type TestClient, TestSink, World } from "./testing/world.test.support.ts";

const NAMES = ["ann", "bob", "eve"];
const ROOMS = 2;

/** A client's cache, kept as a real one keeps it, with every rule of the protocol checked. */
class Device {
  readonly rooms = new Map<number, Map<number, Message>>();
  readonly token: string;
  readonly #world: World;
  #client: TestClient | undefined;
  #framesRead = 0;
  #cursor = 0;

  constructor(world: World, token: string) {
    this.#world = world;
    this.token = token;
  }

  get cursor(): number {
    return this.#cursor;
  }

  connect(): void {
    if (this.#client !== undefined) return;
    this.#client = this.#world.connect();
    this.#framesRead = 0;
    this.#client.hello({ token: this.token, subscribe: true, afterRevision: this.#cursor });
  }

  disconnect(): void {
    this.read();
    this.#client?.end();
    this.#client = undefined;
  }

  read(): void {
    const sent = this.#client?.sink.sent ?? [];
    for (; this.#framesRead < sent.length; this.#framesRead += 1) {
      this.#frame(ServerFrame.decode(sent[this.#framesRead] ?? new Uint8Array()));
    }
  }

  #frame(frame: ServerFrame): void {
    expect(frame.goAway).toBeUndefined();
    expect(frame.resync).toBeUndefined();
    const before = this.#cursor;
    for (const event of frame.events) {
      // A frame never splits a revision, so what is in it is newer than all frames before.
      expect(event.revision).toBeGreaterThan(before);
      expect(event.revision).toBeGreaterThanOrEqual(this.#cursor);
      this.#cursor = event.revision;
      this.#event(event);
    }
    if (frame.cursor !== 0) {
      expect(frame.cursor).toBeGreaterThanOrEqual(this.#cursor);
      this.#cursor = frame.cursor;
    }
  }

  #event({ event }: Event): void {
    switch (event?.$case) {
      case "roomReset":
        this.rooms.set(event.value.room?.id ?? 0, new Map());
        return;
      case "roomRemoved":
        this.rooms.delete(event.value.roomId);
        return;
      case "message": {
        const room = this.rooms.get(event.value.roomId);
        expect(room, "a message of a room that is not in the list").toBeDefined();
        expect(room?.has(event.value.seq), "a message twice as new").toBe(false);
        room?.set(event.value.seq, event.value);
        return;
      }
      case "messageChanged":
        if (this.rooms.get(event.value.roomId)?.has(event.value.seq)) {
          this.rooms.get(event.value.roomId)?.set(event.value.seq, event.value);
        }
        return;
    }
  }
}

const who = fc.nat({ max: NAMES.length - 1 });
const where = fc.nat({ max: ROOMS - 1 });
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("send" as const), who, where }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("join" as const), who, where }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), who, where }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), who, where }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("connect" as const), device: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop" as const), device: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(6) }) },
);

const delays = fc.record({
  applyDelayMs: fc.integer({ min: 1, max: 4 }),
  showDelayMs: fc.nat(3),
  readDelayMs: fc.nat(5),
});

/** From keeping everything at hand to keeping almost nothing, so that all ways are taken. */
const limits: fc.Arbitrary<FanOutLimits> = fc.record({
  sliceMs: fc.constantFrom(0, 4),
  sliceBytes: fc.constantFrom(1, 500, 1_000_000),
  waitingEntriesMax: fc.constantFrom(2, 10_000),
  waitingBytesMax: fc.constantFrom(1_000, 1_000_000),
  ringBytesMax: fc.constantFrom(600, 4_000, 1_000_000),
  ringEntriesMax: fc.constantFrom(2, 10, 1_000),
  pageBytes: fc.constantFrom(1, 200, 100_000),
  handOverBytesMax: fc.constantFrom(200, 100_000),
});

async function run(
  steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[],
  slow: { applyDelayMs: number; showDelayMs: number; readDelayMs: number },
  fanOutLimits: FanOutLimits,
): Promise<void> {
  const world = await World.start({ fanOutLimits });
  const accounts: { token: string; id: number }[] = [];
  for (const name of NAMES) accounts.push(await world.register(name));
  const tokenOf = (index: number) => accounts[index]?.token ?? "";
  const roomIds: number[] = [];
  for (let i = 0; i < ROOMS; i += 1) {
    const request = { name: `room ${i}`, visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC };
    const { room } = await world.call("createRoom", request, tokenOf(0));
    roomIds.push(room?.id ?? 0);
    await world.call("joinRoom", { roomId: room?.id ?? 0 }, tokenOf(1));
  }
  Object.assign(world.log, slow);
  // Two devices of each account.
  const devices = [...accounts, ...accounts].map(({ token }) => new Device(world, token));
  const underWay: Promise<unknown>[] = [];
  let sends = 0;
  const start = (promise: Promise<unknown>) => underWay.push(promise.catch(() => {}));
  for (const next of steps) {
    switch (next.kind) {
      case "send": {
        sends += 1;
        const clientMessageId = `m${sends}`;
        const roomId = roomIds[next.where] ?? 0;
        const body = `body ${sends}`;
        start(world.start("send", { roomId, body, clientMessageId }, tokenOf(next.who)));
        break;
      }
      case "join":
        start(world.start("joinRoom", { roomId: roomIds[next.where] ?? 0 }, tokenOf(next.who)));
        break;
      case "leave":
        start(world.start("leaveRoom", { roomId: roomIds[next.where] ?? 0 }, tokenOf(next.who)));
        break;
      case "delete": {
        const roomId = roomIds[next.where] ?? 0;
        const seqs = Array.from({ length: 3 }, (_, i) => 1 + ((sends * 7 + i * 3) % (sends + 1)));
        start(world.start("delete", { roomId, seqs: [...new Set(seqs)] }, tokenOf(next.who)));
        break;
      }
      case "connect":
        devices[next.device]?.connect();
        break;
      case "drop":
        devices[next.device]?.disconnect();
        break;
      case "wait":
        await world.clock.advance(next.ms);
        break;
    }
    for (const device of devices) device.read();
  }
  for (const device of devices) device.connect();
  await world.clock.finish(Promise.all(underWay));
  await world.clock.until(() => {
    for (const device of devices) device.read();
    return devices.every(({ cursor }) => cursor === world.log.lastIndex);
  });
  for (const [index, device] of devices.entries()) {
    const accountId = accounts[index % accounts.length]?.id ?? 0;
    for (const roomId of roomIds) {
      const member = world.log.admission.membership(roomId, accountId);
      const cached = device.rooms.get(roomId);
      expect(cached === undefined, "in the list exactly while a member").toBe(member === undefined);
      if (member === undefined) continue;
      const { messages } = await world.call("history", { roomId, limit: 200 }, device.token);
      const shown = messages.filter(({ id }) => id > member.joinedRevision);
      expect([...(cached?.values() ?? [])]).toEqual(shown);
    }
  }
}

describe("P5", () => {
  test("every message once as new, and in the end what history shows, under any interleaving", {
    timeout: 300_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 120 }),
        delays,
        limits,
        async (steps, slow, fanOutLimits) => run(steps, slow, fanOutLimits),
      ),
      { numRuns: 150 },
    );
  });

  test("a subscriber catches up to live while messages keep coming", async () => {
    const world = await World.start({
      fanOutLimits: { ringEntriesMax: 4, pageBytes: 1_000, handOverBytesMax: 2_000 },
    });
    const ann = await world.register("ann");
    const request = { name: "busy", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC };
    const { room } = await world.call("createRoom", request, ann.token);
    const roomId = room?.id ?? 0;
    let sent = 0;
    const sendSome = (count: number) =>
      Array.from({ length: count }, () => {
        sent += 1;
        const message = { roomId, body: `${sent}`, clientMessageId: `${sent}` };
        return world.start("send", message, ann.token);
      });
    await world.clock.finish(Promise.all(sendSome(300)));
    world.log.readDelayMs = 2;
    const client = world.connect();
    client.hello({ token: ann.token, subscribe: true });
    for (let i = 0; i < 200; i += 1) {
      sendSome(2);
      await world.clock.advance(1);
    }
    expect(world.service.load.subscribers).toBe(1);
    await world.clock.advance(10);
    const seqs = client.events.flatMap(({ event }) =>
      event?.$case === "message" ? [event.value.seq] : [],
    );
    expect(seqs).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
  });

  test("one batch is one frame for each subscriber, with the same bytes for the event", async () => {
    const world = await World.start();
    const ann = await world.register("ann");
    const { room } = await world.call(
      "createRoom",
      { name: "r", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC },
      ann.token,
    );
    const clients = Array.from({ length: 5 }, () => {
      const client = world.connect();
      client.hello({ token: ann.token, subscribe: true, afterRevision: world.log.appliedRevision });
      return client;
    });
    await world.clock.advance(2);
    const before = clients.map(({ sink }) => sink.sent.length);
    const sends = Array.from({ length: 20 }, (_, i) =>
      world.start("send", { roomId: room?.id ?? 0, body: "x", clientMessageId: `${i}` }, ann.token),
    );
    await world.clock.finish(Promise.all(sends));
    await world.clock.advance(2);
    expect(clients.map(({ sink }, i) => sink.sent.length - (before[i] ?? 0))).toEqual([
      1, 1, 1, 1, 1,
    ]);
    expect(clients[0]?.events).toHaveLength(20);
  });

  test("the stream of events for tools gives the same events as a session", async () => {
    const world = await World.start({ fanOutLimits: { ringEntriesMax: 3, pageBytes: 100 } });
    const ann = await world.register("ann");
    const { room } = await world.call(
      "createRoom",
      { name: "r", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC },
      ann.token,
    );
    const send = (id: string) =>
      world.call("send", { roomId: room?.id ?? 0, body: id, clientMessageId: id }, ann.token);
    for (let i = 0; i < 10; i += 1) await send(`before ${i}`);
    const client = world.connect();
    client.hello({ token: ann.token, subscribe: true });
    const sink = new TestSink();
    const context = { token: ann.token, remote: "x", deadlineMs: 0 };
    const handle = world.service.subscribe(new Uint8Array(), context, sink);
    await world.clock.advance(50);
    for (let i = 0; i < 10; i += 1) await send(`after ${i}`);
    await world.clock.advance(50);
    expect(sink.sent.map((bytes) => Event.decode(bytes))).toEqual(client.events);
    expect(client.events.length).toBeGreaterThan(20);
    handle.cancel();
    const sent = sink.sent.length;
    await send("too late");
    expect(world.service.load.eventStreams).toBe(0);
    expect(sink.sent.length).toBe(sent);
    expect(sink.ended).toBe(true);
  });

  test("a stream of events that is not read ends, and its memory is released (P11)", async () => {
    const world = await World.start();
    const ann = await world.register("ann");
    const { room } = await world.call(
      "createRoom",
      { name: "r", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC },
      ann.token,
    );
    const sink = new TestSink();
    sink.stalled = true;
    world.service.subscribe(
      new Uint8Array(),
      { token: ann.token, remote: "x", deadlineMs: 0 },
      sink,
    );
    const body = "x".repeat(LIMITS.bodyBytesMax);
    for (let i = 0; i < 1_000 && !sink.ended; i += 1) {
      await world.call("send", { roomId: room?.id ?? 0, body, clientMessageId: `${i}` }, ann.token);
    }
    expect(sink.endedWith).toMatchObject({ reason: "SLOW_SUBSCRIBER" });
    expect(world.service.load).toMatchObject({ eventStreams: 0, subscribers: 0 });
  });

  test("a fan-out to very many subscribers leaves the loop to others in between", async () => {
    const world = await World.start({
      fanOutLimits: { ...DEFAULT_FAN_OUT_LIMITS, sliceMs: 0 },
    });
    const ann = await world.register("ann");
    const { room } = await world.call(
      "createRoom",
      { name: "r", visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC },
      ann.token,
    );
    const client = world.connect();
    client.hello({ token: ann.token, subscribe: true, afterRevision: world.log.appliedRevision });
    await world.clock.advance(2);
    const sends = Array.from({ length: 20 }, (_, i) =>
      world.start("send", { roomId: room?.id ?? 0, body: "x", clientMessageId: `${i}` }, ann.token),
    );
    await world.clock.finish(Promise.all(sends));
    await world.clock.advance(2);
    // With no time to hold the loop each entry has a turn of its own.
    expect(client.frames.filter(({ events }) => events.length > 0)).toHaveLength(20);
  });
});
