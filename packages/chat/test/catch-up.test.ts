// P5: what a subscriber sees by catching up equals what it would have seen live.

import { DatabaseSync } from "node:sqlite";
import {
  Event,
  type Event as EventView,
  type FollowedThread,
  type Message,
  UnreadResponse,
} from "@parley/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  Admission,
  type AppliedEntry,
  ChatMachine,
  ChatReader,
  deleteCommand,
  deleteRoomCommand,
  editCommand,
  inviteMemberCommand,
  joinRoomCommand,
  leaveRoomCommand,
  markReadCommand,
  removeMemberCommand,
  setRoleCommand,
  updateProfileCommand,
  updateRoomCommand,
} from "../src/index.ts";
import { arbitraryLog, asEntries } from "./arbitrary-log.ts";
import { World } from "./world.ts";

/** All pages of a catch-up, with the rules that every page keeps checked on the way. */
function catchUp(reader: ChatReader, accountId: number, after: number, bytesMax: number) {
  const events: EventView[] = [];
  let cursor = after;
  for (;;) {
    const page = reader.read({ kind: "catch-up", accountId, afterRevision: cursor, bytesMax });
    if (page.kind !== "page") throw new Error(`unexpected ${page.kind}`);
    let last = cursor;
    let bytes = 0;
    for (const { revision, event } of page.events) {
      const decoded = Event.decode(event);
      expect(decoded.revision).toBe(revision);
      expect(revision).toBeGreaterThan(cursor);
      expect(revision).toBeGreaterThanOrEqual(last);
      if (revision > last) expect(bytes === 0 || bytes < bytesMax).toBe(true);
      last = revision;
      bytes += event.length;
      events.push(decoded);
    }
    expect(page.upToRevision).toBeGreaterThanOrEqual(last);
    if (page.upToRevision === page.revision) return events;
    expect(page.upToRevision).toBeGreaterThan(cursor);
    cursor = page.upToRevision;
  }
}

interface SeenRoom {
  name: string;
  topic: string;
  visibility: number;
  readSeq: number;
  lastSeq: number;
  unreadCount: number;
  mentionCount: number;
  /** By the number of the message that they are about. */
  readonly threads: Map<number, FollowedThread>;
  readonly members: Map<number, number>;
  readonly messages: Map<number, Message>;
  starred: boolean;
  muted: boolean;
  writeForbidden: boolean;
  writeForbiddenUntilMs: number;
}

/** A subscriber's cache, as a client keeps it. */
class Subscriber {
  readonly accountId: number;
  readonly rooms = new Map<number, SeenRoom>();
  /** Whom the account has blocked. */
  blocked: readonly number[] = [];
  readonly #gone = new Set<number>();

  constructor(accountId: number) {
    this.accountId = accountId;
  }

  see(event: EventView): void {
    const it = event.event;
    switch (it?.$case) {
      case "roomReset": {
        const room = it.value.room;
        if (room === undefined) throw new Error("a reset without its room");
        const { name, topic, visibility, readSeq, lastSeq, unreadCount, mentionCount } = room;
        const { starred, muted, writeForbidden, writeForbiddenUntilMs } = room;
        const members = new Map([[this.accountId, room.role as number]]);
        const messages = new Map();
        const counts = { readSeq, lastSeq, unreadCount, mentionCount };
        const threads = new Map<number, FollowedThread>();
        this.rooms.set(room.id, {
          ...{
            name,
            topic,
            visibility,
            starred,
            muted,
            writeForbidden,
            writeForbiddenUntilMs,
            ...counts,
          },
          ...{ threads, members, messages },
        });
        return;
      }
      case "roomRemoved":
        this.rooms.delete(it.value.roomId);
        return;
      case "roomChanged": {
        const { id, name, topic, visibility } = it.value;
        Object.assign(this.#room(id), { name, topic, visibility });
        return;
      }
      case "membershipChanged": {
        const { members } = this.#room(it.value.roomId);
        const id = it.value.account?.id ?? 0;
        if (it.value.role === 0) members.delete(id);
        else members.set(id, it.value.role);
        return;
      }
      case "message": {
        const { messages } = this.#room(it.value.roomId);
        expect(messages.has(it.value.seq)).toBe(false);
        messages.set(it.value.seq, this.#named(it.value));
        const room = this.#room(it.value.roomId);
        if (it.value.seq > room.lastSeq) this.#count(room, it.value, 1);
        room.lastSeq = Math.max(room.lastSeq, it.value.seq);
        return;
      }
      case "messageChanged": {
        const room = this.#room(it.value.roomId);
        if (it.value.deleted) this.#count(room, it.value, -1);
        const { messages } = this.#room(it.value.roomId);
        // Older than what this subscriber has loaded: nothing to change.
        if (messages.has(it.value.seq)) messages.set(it.value.seq, this.#named(it.value));
        return;
      }
      case "readMarker":
        Object.assign(this.#room(it.value.roomId), {
          readSeq: it.value.seq,
          unreadCount: it.value.unreadCount,
          mentionCount: it.value.mentionCount,
        });
        return;
      case "threadMarker": {
        const { roomId, following, thread } = it.value;
        if (thread === undefined) throw new Error("a marker without its thread");
        const { threads } = this.#room(roomId);
        if (following) threads.set(thread.threadRootSeq, thread);
        else threads.delete(thread.threadRootSeq);
        return;
      }
      case "blocked":
        this.blocked = it.value.accountIds;
        return;
      case "roomPreference": {
        const { roomId, starred, muted } = it.value;
        Object.assign(this.#room(roomId), { starred, muted });
        return;
      }
      case "roomWriting": {
        const { roomId, forbidden, untilMs } = it.value;
        Object.assign(this.#room(roomId), {
          writeForbidden: forbidden,
          writeForbiddenUntilMs: untilMs,
        });
        return;
      }
      case "accountChanged":
        if (!it.value.deleted) return;
        this.#gone.add(it.value.id);
        for (const { messages } of this.rooms.values()) {
          for (const [seq, message] of messages) messages.set(seq, this.#named(message));
        }
        return;
      default:
        throw new Error("an empty event");
    }
  }

  /** The rule by which clients keep the counts (see afterEvent in the SDK). */
  #count(room: SeenRoom, message: Message, by: number): void {
    const { threadRootSeq, seq, authorId, mentionsRoom, mentions } = message;
    const place = threadRootSeq === 0 ? room : room.threads.get(threadRootSeq);
    if (authorId === this.accountId || place === undefined || seq <= place.readSeq) return;
    const isForMe = mentionsRoom || mentions.includes(this.accountId);
    const unreadCount = place.unreadCount + by;
    const mentionCount = place.mentionCount + (isForMe ? by : 0);
    if (threadRootSeq === 0) Object.assign(room, { unreadCount, mentionCount });
    else
      room.threads.set(threadRootSeq, {
        ...room.threads.get(threadRootSeq),
        threadRootSeq,
        readSeq: place.readSeq,
        unreadCount,
        mentionCount,
      });
  }

  #named(message: Message): Message {
    return this.#gone.has(message.authorId) ? { ...message, author: "deleted account" } : message;
  }

  #room(id: number): SeenRoom {
    const room = this.rooms.get(id);
    if (room === undefined) throw new Error(`an event of room ${id}, which is not in the list`);
    return room;
  }

  counts(): unknown[] {
    return [...this.rooms]
      .map(([roomId, { readSeq, lastSeq, unreadCount, mentionCount, threads }]) => ({
        roomId,
        readSeq,
        lastSeq,
        unreadCount: [...threads.values()].reduce((n, one) => n + one.unreadCount, unreadCount),
        mentionCount: [...threads.values()].reduce((n, one) => n + one.mentionCount, mentionCount),
      }))
      .sort((x, y) => x.roomId - y.roomId);
  }

  /** In an order that does not depend on how it came about. */
  state(): unknown {
    const byKey = <T>(map: Map<number, T>) => [...map].sort(([x], [y]) => x - y);
    return byKey(this.rooms).map(([id, room]) => ({
      id,
      ...room,
      threads: byKey(room.threads),
      members: byKey(room.members),
      messages: byKey(room.messages),
    }));
  }
}

/** What a live subscription of the account is sent for an entry. */
function live(entry: AppliedEntry, admission: Admission, accountId: number): EventView[] {
  return entry.deliveries
    .filter(({ audience }) => {
      if (audience.kind === "everyone") return true;
      if (audience.kind === "account") return audience.accountId === accountId;
      const isExcepted = audience.exceptAccountId === accountId;
      return !isExcepted && admission.isMember(audience.roomId, accountId);
    })
    .map(({ event }) => Event.decode(event));
}

test("P5: a cache caught up from any revision, in pages of any size, equals one kept live", () => {
  const sizes = fc.constantFrom(1, 60, 500, 1_000_000);
  fc.assert(
    fc.property(arbitraryLog, fc.nat(), sizes, (commands, at, bytesMax) => {
      const db = new DatabaseSync(":memory:");
      const machine = ChatMachine.open(db);
      const admission = new Admission();
      const splitAt = at % commands.length;
      const always = [1, 2, 3, 4].map((id) => new Subscriber(id));
      const resumed = [1, 2, 3, 4].map((id) => new Subscriber(id));
      for (const entry of machine.apply(asEntries(commands)).entries) {
        admission.applyEntry(entry);
        for (const subscriber of always) {
          for (const event of live(entry, admission, subscriber.accountId)) subscriber.see(event);
        }
        if (entry.index > splitAt) continue;
        for (const subscriber of resumed) {
          for (const event of live(entry, admission, subscriber.accountId)) subscriber.see(event);
        }
      }
      const reader = new ChatReader(db);
      for (const [i, subscriber] of resumed.entries()) {
        const { accountId } = subscriber;
        if (admission.account(accountId)?.deleted !== false) continue;
        const events = catchUp(reader, accountId, splitAt, bytesMax);
        for (const event of events) subscriber.see(event);
        expect(subscriber.state()).toEqual(always[i]?.state());
        expect(subscriber.blocked).toEqual(always[i]?.blocked);
        const counted = reader.read({ kind: "unread", accountId });
        if (counted.kind !== "response") throw new Error("no counts");
        expect(UnreadResponse.decode(counted.response).rooms).toEqual(always[i]?.counts());
        expect(subscriber.counts()).toEqual(always[i]?.counts());
        // A page later a message that was new may come again as changed, so more pages can have more.
        const whole = catchUp(reader, accountId, splitAt, 1_000_000);
        expect(events.length).toBeGreaterThanOrEqual(whole.length);
        const query = { kind: "catch-up-count", accountId, afterRevision: splitAt } as const;
        expect(reader.read({ ...query, countMax: 10_000 })).toMatchObject({
          kind: "count",
          count: whole.length,
        });
        const bounded = reader.read({ ...query, countMax: 2 });
        expect(bounded).toMatchObject({ count: Math.min(2, whole.length) });
      }
    }),
    { numRuns: 120 },
  );
});

function cases(world: World, accountId: number, after: number): (string | undefined)[] {
  return catchUp(new ChatReader(world.db), accountId, after, 1_000_000).map(
    ({ event }) => event?.$case,
  );
}

function pair() {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  return { world, anna, bob, roomId };
}

test("P5: new messages come as new, older changed ones as changed, each with its latest content", () => {
  const { world, anna, bob, roomId } = pair();
  world.send(anna, roomId, "old");
  const cursor = world.revision;
  world.send(anna, roomId, "new");
  world.send(anna, roomId, "newest");
  world.ok(deleteCommand({ roomId, seqs: [1, 2], requestId: world.id() }, anna));
  const events = catchUp(new ChatReader(world.db), bob.accountId, cursor, 1_000_000);
  expect(events.map(({ event }) => event)).toMatchObject([
    { $case: "message", value: { seq: 2, body: "", deleted: true } },
    { $case: "message", value: { seq: 3, body: "newest" } },
    { $case: "messageChanged", value: { seq: 1, deleted: true, revision: world.revision } },
    { $case: "messageChanged", value: { seq: 2, deleted: true, revision: world.revision } },
  ]);
});

test("P5: a message that is deleted by the time it is told is unread until its deletion is told, in pages of any size", () => {
  const { world, anna, bob, roomId } = pair();
  world.upgrade();
  world.send(anna, roomId, "before");
  const cursor = world.revision;
  for (const body of ["@bob one", "@bob two", "three"]) world.send(anna, roomId, body);
  world.ok(markReadCommand({ roomId, seq: 1, requestId: "", threadRootSeq: 0 }, bob));
  world.ok(deleteCommand({ roomId, seqs: [2, 4], requestId: world.id() }, anna));
  for (const bytesMax of [1, 60, 500, 1_000_000]) {
    const subscriber = new Subscriber(bob.accountId);
    const first = catchUp(new ChatReader(world.db), bob.accountId, 0, 1_000_000);
    for (const event of first.filter(({ revision }) => revision <= cursor)) subscriber.see(event);
    for (const event of catchUp(new ChatReader(world.db), bob.accountId, cursor, bytesMax)) {
      subscriber.see(event);
    }
    const counts = { roomId, readSeq: 1, lastSeq: 4, unreadCount: 1, mentionCount: 1 };
    expect(subscriber.counts()).toEqual([counts]);
  }
});

test("P5: from the beginning everything visible comes; nothing from before the joining", () => {
  const { world, anna, bob, roomId } = pair();
  world.send(anna, roomId, "to both");
  const carol = world.register("carol");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, carol));
  world.send(bob, roomId, "to all three");
  expect(cases(world, carol.accountId, 0)).toEqual(["roomReset", "message"]);
  expect(cases(world, bob.accountId, 0)).toEqual([
    "roomReset",
    "message",
    "membershipChanged",
    "message",
  ]);
});

test("visibility: whoever left, was removed, or lost the room sees the removal and nothing else", () => {
  for (const way of ["left", "kicked", "banned", "deleted"] as const) {
    const { world, anna, bob, roomId } = pair();
    const cursor = world.revision;
    world.send(anna, roomId, "before");
    const remove = { roomId, ban: way === "banned", requestId: world.id() };
    if (way === "left") world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
    else if (way === "deleted") world.ok(deleteRoomCommand(remove, anna));
    else world.ok(removeMemberCommand(remove, anna, bob.accountId));
    if (way !== "deleted") {
      world.send(anna, roomId, "after");
      const change = { roomId, name: "", topic: "secret", visibility: 0 as const };
      world.ok(updateRoomCommand({ ...change, requestId: world.id() }, anna));
    }
    const events = catchUp(new ChatReader(world.db), bob.accountId, cursor, 1_000_000);
    const reason = { left: 1, kicked: 2, banned: 3, deleted: 4 }[way];
    const by = way === "left" ? bob.accountId : anna.accountId;
    expect(events.map(({ event }) => event)).toMatchObject([
      { $case: "roomRemoved", value: { roomId, reason, byAccountId: by } },
    ]);
  }
});

test("visibility: a ban of somebody who never was in the room tells them nothing", () => {
  const { world, anna, roomId } = pair();
  const carol = world.register("carol");
  const ban = { roomId, ban: true, requestId: world.id() };
  world.ok(removeMemberCommand(ban, anna, carol.accountId));
  expect(cases(world, carol.accountId, 0)).toEqual([]);
});

test("visibility: rejoining resets the room, and what was said meanwhile is left to History", () => {
  const { world, anna, bob, roomId } = pair();
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  const cursor = world.revision;
  world.send(anna, roomId, "meanwhile");
  world.ok(inviteMemberCommand({ roomId, requestId: world.id() }, anna, bob.accountId));
  world.send(anna, roomId, "again");
  expect(cases(world, bob.accountId, cursor)).toEqual(["roomReset", "message"]);
});

test("P5: each kind of change comes by itself, in a room that is quiet otherwise", () => {
  const { world, anna, bob, roomId } = pair();
  const carol = world.register("carol");
  world.send(anna, roomId, "to be deleted");
  const change = { roomId, name: "", topic: "News", visibility: 0 as const };
  const role = { roomId, role: 2 as const };
  const edit = { roomId, seq: 1, body: "edited", expectedVersion: 0 };
  world.upgrade();
  const steps = [
    ["messageChanged", () => editCommand({ ...edit, requestId: world.id() }, anna)],
    ["messageChanged", () => deleteCommand({ roomId, seqs: [1], requestId: world.id() }, anna)],
    ["roomChanged", () => updateRoomCommand({ ...change, requestId: world.id() }, anna)],
    ["membershipChanged", () => joinRoomCommand({ roomId, requestId: world.id() }, carol)],
    [
      "membershipChanged",
      () => setRoleCommand({ ...role, requestId: world.id() }, anna, carol.accountId),
    ],
    ["membershipChanged", () => leaveRoomCommand({ roomId, requestId: world.id() }, carol)],
    ["message", () => world.sendOf(anna, roomId, "hello")],
    [
      "accountChanged",
      () => updateProfileCommand({ displayName: "A", requestId: world.id() }, anna, "anna"),
    ],
  ] as const;
  for (const [kind, command] of steps) {
    const cursor = world.revision;
    world.ok(command());
    expect(cases(world, bob.accountId, cursor)).toEqual([kind]);
  }
});

test("P5: read positions reach one's other devices, and only one's own", () => {
  const { world, anna, bob, roomId } = pair();
  world.send(anna, roomId, "hello");
  const cursor = world.revision;
  world.ok(markReadCommand({ roomId, seq: 1, requestId: "", threadRootSeq: 0 }, bob));
  expect(cases(world, bob.accountId, cursor)).toEqual(["readMarker"]);
  expect(cases(world, anna.accountId, cursor)).toEqual([]);
});

test("P5: a place in a thread is told with what was unread there then; what follows leads to now", () => {
  const { world, anna, bob, roomId } = pair();
  world.upgrade();
  world.send(anna, roomId, "root");
  const reply = (body: string) => world.send(bob, roomId, body, { threadRootSeq: 1 });
  for (const body of ["one", "@anna two", "three"]) reply(body);
  const cursor = world.revision;
  world.ok(markReadCommand({ roomId, seq: 2, requestId: "", threadRootSeq: 1 }, anna));
  world.ok(deleteCommand({ roomId, seqs: [3], requestId: world.id() }, bob));
  reply("four");
  const events = catchUp(new ChatReader(world.db), anna.accountId, cursor, 1_000_000);
  const place = { threadRootSeq: 1, readSeq: 2, unreadCount: 2, mentionCount: 1 };
  expect(events.map(({ event }) => event)).toMatchObject([
    { $case: "threadMarker", value: { roomId, following: true, thread: place } },
    { $case: "messageChanged", value: { seq: 3, deleted: true } },
    { $case: "message", value: { seq: 5 } },
    { $case: "messageChanged", value: { seq: 1, thread: { replyCount: 3, lastReplySeq: 5 } } },
  ]);
  expect(cases(world, bob.accountId, cursor)).not.toContain("threadMarker");
});

test("P5: what is unread adds up from before the joining, in one page and in many", () => {
  const { world, anna, bob, roomId } = pair();
  for (const body of ["one", "two", "three"]) world.send(anna, roomId, body);
  world.ok(markReadCommand({ roomId, seq: 2, requestId: "", threadRootSeq: 0 }, bob));
  for (const body of ["four", "five"]) world.send(anna, roomId, body);
  for (const bytesMax of [1, 1_000_000]) {
    const subscriber = new Subscriber(bob.accountId);
    for (const event of catchUp(new ChatReader(world.db), bob.accountId, 0, bytesMax)) {
      subscriber.see(event);
    }
    expect(subscriber.counts()).toMatchObject([{ roomId, readSeq: 2, lastSeq: 5, unreadCount: 3 }]);
  }
});

test("a cursor at or beyond the applied revision gives an empty last page", () => {
  const { world, bob } = pair();
  const query = { kind: "catch-up", accountId: bob.accountId, bytesMax: 1000 } as const;
  expect(world.read({ ...query, afterRevision: world.revision })).toEqual({
    kind: "page",
    revision: world.revision,
    events: [],
    upToRevision: world.revision,
  });
});
