// The cache over IndexedDB and what keeps it in step with the cluster.
import "fake-indexeddb/auto";
import { type Event, type Message, Room } from "@parley/protocol";
import { IDBFactory } from "fake-indexeddb";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  ChatSync,
  FallbackOutbox,
  IndexedDbCache,
  IndexedDbOutbox,
  leftovers,
  outboxName,
} from "../../src/browser/index.ts";
import type { ChatCacheStore } from "../../src/index.ts";
import { type ClientWorld, newWorld, watch } from "../client-world.ts";
import { ALICE, type FakeNode, messageAt, settle, VirtualClock } from "../virtual-world.ts";

const WHOSE = { clusterId: "cluster", accountId: ALICE.id };

interface Page extends ClientWorld {
  readonly sync: ChatSync;
  readonly events: Event[];
  readonly problems: string[];
  readonly foreign: string[];
  resets: number;
  close(): Promise<void>;
}

const pages: Page[] = [];
beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
});
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

function room(id: number, fields: Partial<Room> = {}): Room {
  const base = { id, name: `room ${id}`, visibility: 1 as const, memberCount: 1, role: 1 as const };
  return { ...Room.fromPartial(base), ...fields };
}

function message(revision: number, seq: number, fields: Partial<Message> = {}): Message {
  const base = messageAt(revision, { roomId: 1, body: `m${seq}`, clientMessageId: `c${seq}` });
  return { ...base, seq, ...fields };
}

function event(revision: number, change: NonNullable<Event["event"]>): Event {
  return { revision, event: change };
}
const posted = (revision: number, seq: number) =>
  event(revision, { $case: "message", value: message(revision, seq) });

/** A node that knows these rooms and messages, as of a revision. */
function chatNode(node: FakeNode, chat: { rooms: Room[]; messages: Message[]; revision: number }) {
  node.revision = chat.revision;
  node.onRequest = (session, request) => {
    const { revision } = chat;
    if (request.op.$case === "listRooms") {
      const value = { rooms: chat.rooms, nextPageToken: "", revision, staleMs: 0 };
      session.reply(request, { $case: "listRooms", value });
    } else if (request.op.$case === "history") {
      const { beforeSeq, limit, roomId } = request.op.value;
      const before = beforeSeq === 0 ? Number.MAX_SAFE_INTEGER : beforeSeq;
      const messages = chat.messages
        .filter((each) => each.roomId === roomId && each.seq < before)
        .slice(-limit);
      const value = { messages, revision, staleMs: 0, lastSeq: chat.messages.length };
      session.reply(request, { $case: "history", value });
    }
  };
}

/** A page that is opened: paints from the cache, then goes on from it. */
async function openPage(
  chat: { rooms: Room[]; messages: Message[]; revision: number },
  options: {
    store?: ChatCacheStore;
    clusterId?: string;
    onListenerError?: (cause: unknown) => void;
  } = {},
): Promise<Page> {
  const store = options.store ?? new IndexedDbCache(WHOSE);
  const contents = await store.open().catch(() => undefined);
  const clock = new VirtualClock();
  const world = newWorld(1, {
    clock,
    clusterId: "cluster",
    seenRevision: contents?.cursor ?? 0,
    outbox: new FallbackOutbox(new IndexedDbOutbox(outboxName("cluster", ALICE.id)), () => {}),
  });
  world.cluster.clusterId = options.clusterId ?? "cluster";
  chatNode(world.node(1), chat);
  const problems: string[] = [];
  const foreign: string[] = [];
  const sync = new ChatSync({
    ...WHOSE,
    client: world.client,
    store,
    contents,
    clock,
    onProblem: ({ reason }) => problems.push(reason),
    onOtherCluster: (id) => foreign.push(id),
    onListenerError: options.onListenerError,
  });
  const events: Event[] = [];
  const page: Page = {
    ...world,
    sync,
    events,
    problems,
    foreign,
    resets: 0,
    close: async () => {
      await sync.close();
      await world.client.close();
    },
  };
  sync.onEvents((batch) => events.push(...batch));
  sync.onReset(() => {
    page.resets += 1;
  });
  pages.push(page);
  await world.client.start();
  sync.start();
  await pass(page, 10);
  return page;
}

async function pass(page: ClientWorld, ms: number): Promise<void> {
  for (let at = 0; at < ms; at++) {
    await page.clock.advance(1);
    for (let turn = 0; turn < 8; turn++) await settle();
  }
}

async function send(page: Page, events: readonly Event[], cursor: number): Promise<void> {
  page.serving().session.send({ events: [...events], cursor });
  await pass(page, 10);
}

/** What is in the database, by a store of its own. */
async function kept(roomId = 1, beforeSeq = 1_000_000) {
  const store = new IndexedDbCache(WHOSE);
  const { cursor, rooms } = await store.open();
  const to = rooms.find((row) => row.room.id === roomId)?.ranges.at(-1)?.to ?? 0;
  const messages = await store.messages(roomId, Math.min(beforeSeq, to + 1), 1_000);
  await store.close();
  return { cursor, rooms, messages };
}

const chatOf = (revision: number, rooms: Room[], messages: Message[] = []) => ({
  revision,
  rooms,
  messages,
});

test("P5: the first page loads the rooms and goes on from there; the next one paints at once and resumes", async () => {
  const first = await openPage(chatOf(20, [room(1, { lastSeq: 1 })]));
  expect(first.sync.rooms.getSnapshot()).toMatchObject({ loaded: true, rooms: [{ id: 1 }] });
  expect(first.serving().session.hellos.at(-1)).toMatchObject({
    subscribe: true,
    afterRevision: 20,
    maxCatchUpEvents: 2_000,
  });
  await send(first, [posted(21, 2), posted(22, 3)], 25);
  expect(first.events.map(({ revision }) => revision)).toEqual([21, 22]);
  expect(await kept()).toMatchObject({ cursor: 25, rooms: [{ room: { lastSeq: 3 } }] });
  // Killed: nothing is closed.
  const store = new IndexedDbCache(WHOSE);
  const contents = await store.open();
  expect(contents.rooms.map((row) => row.room.lastSeq)).toEqual([3]);
  const next = await openPage(chatOf(30, [room(1, { lastSeq: 3 })]), { store });
  expect(next.serving().session.requests).toEqual([]);
  expect(next.serving().session.hellos.at(-1)).toMatchObject({ afterRevision: 25 });
  expect((await next.sync.history(1, 0, 50)).messages.map(({ seq }) => seq)).toEqual([2, 3]);
});

test("P5: what listens and throws stops neither the others nor what comes next, and is reported", async () => {
  const thrown: unknown[] = [];
  const page = await openPage(chatOf(20, [room(1)]), {
    onListenerError: (cause) => thrown.push(cause),
  });
  const heard: number[] = [];
  page.sync.onEvents(() => {
    throw new TypeError("Illegal constructor");
  });
  page.sync.onEvents((events) => heard.push(...events.map(({ revision }) => revision)));
  await send(page, [posted(21, 1)], 21);
  await send(page, [posted(22, 2)], 22);
  expect(heard).toEqual([21, 22]);
  expect(page.sync.cursor).toBe(22);
  expect(thrown).toHaveLength(2);
});

test("back after 1,000 rooms × 1,000 messages: a RESYNC, and the sidebar from room summaries alone", async () => {
  const page = await openPage(chatOf(20, [room(1)]));
  const { session } = page.serving();
  const before = session.requests.length;
  const rooms = Array.from({ length: 1_000 }, (_, at) => room(at + 1, { lastSeq: 1_000 }));
  chatNode(page.serving(), chatOf(1_000_020, rooms));
  session.send({ resync: { reason: "TOO_OLD", revision: 1_000_020 } });
  const startedMs = performance.now();
  await pass(page, 5);
  expect(page.sync.rooms.getSnapshot().rooms).toHaveLength(1_000);
  expect(page.events).toEqual([]);
  expect(session.requests.slice(before).map(({ op }) => op.$case)).toEqual(["listRooms"]);
  await expect.poll(async () => (await kept()).rooms.length).toBe(1_000);
  expect((await kept()).cursor).toBe(1_000_020);
  // A second is promised on an idle machine; this one is shared.
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});

test("P4: a page that paints from its cache asks nodes for nothing older", async () => {
  const first = await openPage(chatOf(20, [room(1)]));
  await send(first, [posted(39, 1)], 40);
  const next = await openPage(chatOf(40, [room(1)]));
  void next.client.call("listRooms").catch(() => {});
  await pass(next, 2);
  const asked = next.serving().session.requests.at(-1)?.op.value;
  expect(asked).toMatchObject({ minRevision: 40 });
});

test("P5: RESYNC loads the rooms anew, drops old messages, and nothing is missed or repeated", async () => {
  const chat = chatOf(20, [room(1, { lastSeq: 2 }), room(2)]);
  const page = await openPage(chat);
  await send(page, [posted(21, 3)], 21);
  // Away for long: room 2 is gone, room 3 is new, and the node that is asked is not there yet.
  chat.revision = 90;
  chat.rooms = [room(1, { lastSeq: 400 }), room(3)];
  page.serving().session.send({ resync: { reason: "TOO_OLD", revision: 100 } });
  page.serving().session.send({ events: [posted(101, 401)], cursor: 101 });
  await pass(page, 50);
  expect(page.resets).toBe(1);
  expect(page.sync.rooms.getSnapshot().rooms.map(({ id }) => id)).toEqual([1, 2]);
  chat.revision = 105;
  chat.rooms = [room(1, { lastSeq: 402 }), room(3)];
  await pass(page, 1_500);
  expect(page.resets).toBe(2);
  expect(page.sync.rooms.getSnapshot().rooms).toMatchObject([{ id: 1, lastSeq: 402 }, { id: 3 }]);
  // The list was newer than the first events after it: they are told once all the same.
  await send(page, [posted(104, 402), posted(106, 403)], 106);
  expect(page.events.map(({ revision }) => revision)).toEqual([21, 101, 104, 106]);
  const { cursor, rooms, messages } = await kept();
  expect(cursor).toBe(106);
  expect(rooms.map((row) => [row.room.id, row.room.lastSeq])).toEqual([
    [1, 403],
    [3, 0],
  ]);
  // From before, nothing: between 3 and 401 something is missing, and the cache knows.
  expect(messages.map(({ seq }) => seq)).toEqual([401, 402, 403]);
  expect((await kept(1, 4)).messages).toEqual([]);
});

test("events of one revision that come in several batches are all applied", async () => {
  const page = await openPage(chatOf(20, [room(1), room(2)]));
  const renamed = (id: number) =>
    event(30, { $case: "roomChanged", value: room(id, { name: `new ${id}` }) });
  const many = Array.from({ length: 300 }, (_, at) => posted(21, at + 1));
  await send(page, [...many, renamed(1), renamed(2)], 30);
  expect(page.events).toHaveLength(302);
  const { cursor, rooms, messages } = await kept();
  expect(cursor).toBe(30);
  expect(rooms.map((row) => row.room.name)).toEqual(["new 1", "new 2"]);
  expect(messages).toHaveLength(300);
});

test("another cluster on the same origin: its cache is apart, the old one is dropped, texts can be copied", async () => {
  const first = await openPage(chatOf(20, [room(1)]));
  first.serving().mode = "stopped";
  await first.client.enqueue(1, "unsent").stored;
  await first.close();
  pages.pop();
  expect((await kept()).rooms).toHaveLength(1);
  const page = await openPage(chatOf(5, [room(1, { name: "another room 1" })]), {
    clusterId: "another",
  });
  page.serving().session.send({ resync: { reason: "FOREIGN", revision: 5 } });
  await pass(page, 20);
  expect(page.foreign).toEqual(["another"]);
  expect(page.sync.rooms.getSnapshot().rooms).toEqual([]);
  expect(await kept()).toMatchObject({ cursor: 0, rooms: [] });
  const found = await leftovers(outboxName("another", ALICE.id));
  expect(found).toMatchObject([{ clusterId: "cluster", items: [{ body: "unsent" }] }]);
});

test("two tabs, one cache: the slower one takes nothing back", async () => {
  const [fast, slow] = [
    await openPage(chatOf(20, [room(1)])),
    await openPage(chatOf(20, [room(1)])),
  ];
  const edited = event(23, {
    $case: "messageChanged",
    value: message(23, 1, { body: "edited", version: 1 }),
  });
  await send(fast, [posted(21, 1), posted(22, 2), edited], 24);
  await send(slow, [posted(21, 1)], 21);
  expect(await kept()).toMatchObject({
    cursor: 24,
    messages: [{ seq: 1, body: "edited" }, { seq: 2 }],
  });
  await send(slow, [posted(22, 2), edited, posted(25, 3)], 25);
  expect(await kept()).toMatchObject({
    cursor: 25,
    messages: [{ seq: 1 }, { seq: 2 }, { seq: 3 }],
  });
  expect(slow.events.map(({ revision }) => revision)).toEqual([21, 22, 23, 25]);
});

test("P5: what does not join on to the cache, or is older, leaves it as it is", async () => {
  const store = new IndexedDbCache(WHOSE);
  await store.open();
  const row = { room: room(1), revision: 20, ranges: [], bytes: 0, usedAtMs: 0 };
  await store.replace({ cursor: 20, rooms: [row] });
  await store.apply({ after: 22, events: [posted(23, 2)], cursor: 23 });
  await store.replace({ cursor: 19, rooms: [] });
  expect(await kept()).toMatchObject({ cursor: 20, rooms: [{ room: { lastSeq: 0 } }] });
  await store.apply({ after: 18, events: [posted(21, 1)], cursor: 22 });
  await store.apply({ after: 22, events: [posted(23, 2)], cursor: 23 });
  expect(await kept()).toMatchObject({ cursor: 23, messages: [{ seq: 1 }, { seq: 2 }] });
  await store.close();
});

test("history is asked for once, then at hand; a deleted text leaves the cache", async () => {
  const messages = Array.from({ length: 10 }, (_, at) => message(at + 1, at + 1));
  const page = await openPage(chatOf(20, [room(1, { lastSeq: 10 })], messages));
  const asked = watch(page.sync.history(1, 0, 4));
  await pass(page, 5);
  expect(asked.value).toMatchObject({ from: "node" });
  const again = await page.sync.history(1, 0, 4);
  expect(again.from).toBe("cache");
  expect(again.messages.map(({ seq }) => seq)).toEqual([7, 8, 9, 10]);
  const older = watch(page.sync.history(1, 7, 4));
  await pass(page, 5);
  expect(older.value?.messages.map(({ seq }) => seq)).toEqual([3, 4, 5, 6]);
  const gone = message(21, 8, { body: "", deleted: true });
  await send(page, [event(21, { $case: "messageChanged", value: gone })], 21);
  const all = (await kept()).messages;
  expect(all.map(({ seq }) => seq)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
  expect(JSON.stringify(all)).not.toContain('"m8"');
});

test("a page of history that is older than the cache is shown and not kept", async () => {
  const store = new IndexedDbCache(WHOSE);
  await store.open();
  const row = { room: room(1, { lastSeq: 5 }), revision: 20, ranges: [], bytes: 0, usedAtMs: 0 };
  await store.replace({ cursor: 30, rooms: [row] });
  await store.keep({ roomId: 1, messages: [message(5, 5)], revision: 29 });
  expect(await store.messages(1, 6, 10)).toEqual([]);
  await store.keep({ roomId: 1, messages: [message(5, 5)], revision: 30 });
  expect(await store.messages(1, 6, 10)).toHaveLength(1);
  await store.close();
});

test("kicked: the room and everything in it leave the cache", async () => {
  const page = await openPage(chatOf(20, [room(1), room(2)]));
  await send(page, [posted(21, 1)], 21);
  const removed = { roomId: 1, reason: 2 as const, byAccountId: 9 };
  await send(page, [event(22, { $case: "roomRemoved", value: removed })], 22);
  expect(page.sync.rooms.getSnapshot().rooms.map(({ id }) => id)).toEqual([2]);
  // Back again, it is loaded by history, not from what was there before.
  await send(
    page,
    [event(23, { $case: "roomReset", value: { room: room(1, { lastSeq: 1 }) } })],
    23,
  );
  const { rooms, messages } = await kept();
  expect(rooms.map((row) => row.room.id)).toEqual([1, 2]);
  expect(messages).toEqual([]);
});

test("a deleted account's name leaves the cache, from its messages and from its direct room", async () => {
  const bob = { ...ALICE, id: 9, username: "bob", displayName: "Bob" };
  const direct = room(2, { visibility: 3, peer: bob });
  const page = await openPage(chatOf(20, [room(1), direct]));
  const byBob = message(21, 1, { authorId: 9, author: "bob" });
  const gone = {
    ...bob,
    username: "deleted account",
    displayName: "deleted account",
    deleted: true,
  };
  await send(
    page,
    [
      event(21, { $case: "message", value: byBob }),
      posted(22, 2),
      event(23, { $case: "accountChanged", value: gone }),
      posted(24, 3),
    ],
    24,
  );
  const names = page.sync.rooms.getSnapshot().rooms.map(({ peer }) => peer?.username);
  expect(names).toEqual([undefined, "deleted account"]);
  const { cursor, rooms, messages } = await kept();
  expect(cursor).toBe(24);
  expect(rooms.map((row) => [row.room.lastSeq, row.room.peer?.username])).toEqual([
    [3, undefined],
    [0, "deleted account"],
  ]);
  expect(messages.map(({ author }) => author)).toEqual(["deleted account", "alice", "alice"]);
});

test("signing out wipes the cache under every tab; the others go on without", async () => {
  const [leaving, staying] = [
    await openPage(chatOf(20, [room(1)])),
    await openPage(chatOf(20, [room(1)])),
  ];
  await send(leaving, [posted(21, 1)], 21);
  await leaving.sync.close();
  await new IndexedDbCache(WHOSE).wipe();
  expect(await kept()).toMatchObject({ cursor: 0, rooms: [], messages: [] });
  await send(staying, [posted(21, 1), posted(22, 2)], 22);
  expect(staying.sync.rooms.getSnapshot().rooms).toMatchObject([{ lastSeq: 2 }]);
  expect(staying.problems).toEqual(["STORAGE_UNAVAILABLE"]);
  expect(await kept()).toMatchObject({ cursor: 0, rooms: [] });
});

test.each([
  ["forbidden", "SecurityError", "STORAGE_UNAVAILABLE"],
  ["full", "QuotaExceededError", "STORAGE_FULL"],
])("storage that is %s: the page goes on without a cache, and says so", async (_, name, reason) => {
  const store = new IndexedDbCache(WHOSE);
  if (name === "SecurityError") {
    vi.spyOn(indexedDB, "open").mockImplementation(() => {
      throw new DOMException("denied", name);
    });
  }
  vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
    throw new DOMException("no room", name);
  });
  const page = await openPage(chatOf(20, [room(1)], [message(1, 1)]), { store });
  await send(page, [posted(21, 1), posted(22, 2)], 22);
  expect(page.problems).toHaveLength(1);
  if (reason === "STORAGE_FULL") expect(page.problems).toEqual([reason]);
  expect(page.sync.rooms.getSnapshot()).toMatchObject({ loaded: true, rooms: [{ lastSeq: 2 }] });
  expect(page.events.map(({ revision }) => revision)).toEqual([21, 22]);
  const history = watch(page.sync.history(1));
  await pass(page, 5);
  expect(history.value).toMatchObject({ from: "node" });
});

test("P11: beyond its bound, the messages of the room that was used least recently go", async () => {
  let nowMs = 1;
  const store = new IndexedDbCache({ ...WHOSE, bytesMax: 10_000, nowMs: () => nowMs++ });
  await store.open();
  const rows = [1, 2, 3].map((id) => ({
    room: room(id, { lastSeq: 10 }),
    revision: 20,
    ranges: [],
    bytes: 0,
    usedAtMs: 0,
  }));
  await store.replace({ cursor: 20, rooms: rows });
  for (const roomId of [2, 1, 3]) {
    const messages = Array.from({ length: 10 }, (_, at) =>
      message(at + 1, at + 1, { roomId, body: "x".repeat(100) }),
    );
    await store.keep({ roomId, messages, revision: 20 });
  }
  const counts = [];
  for (const roomId of [1, 2, 3]) counts.push((await store.messages(roomId, 11, 50)).length);
  expect(counts).toEqual([10, 0, 10]);
  await store.close();
});

test("P5: whatever fails in between, the rows are exactly those of the cursor", async () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant("post" as const), roomId: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant("edit" as const), roomId: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant("remove" as const), roomId: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant("join" as const), roomId: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant("fail" as const), roomId: fc.constant(0) }),
    fc.record({ kind: fc.constant("reopen" as const), roomId: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 40 }), async (changes) => {
      vi.stubGlobal("indexedDB", new IDBFactory());
      let store = new IndexedDbCache(WHOSE);
      await store.open();
      const rows = [1, 2, 3].map((id) => ({
        room: room(id),
        revision: 10,
        ranges: [],
        bytes: 0,
        usedAtMs: 0,
      }));
      await store.replace({ cursor: 10, rooms: rows });
      const model = new Map(rows.map((row) => [row.room.id, new Map<number, string>()]));
      const seqs = new Map([1, 2, 3].map((id) => [id, 0]));
      let revision = 10;
      for (const { kind, roomId } of changes) {
        if (kind === "reopen") {
          await store.close();
          store = new IndexedDbCache(WHOSE);
          expect((await store.open()).cursor).toBe(revision);
          continue;
        }
        const bodies = model.get(roomId);
        const seq = (seqs.get(roomId) ?? 0) + 1;
        const next = revision + 1;
        if (kind === "fail") {
          // The transaction breaks after its rows, at the cursor.
          const spy = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(() => {
            throw new DOMException("no room", "QuotaExceededError");
          });
          const lost = [
            event(next, { $case: "roomRemoved", value: { roomId: 1, reason: 1, byAccountId: 0 } }),
          ];
          await expect(
            store.apply({ after: revision, events: lost, cursor: next }),
          ).rejects.toMatchObject({
            reason: "STORAGE_FULL",
          });
          spy.mockRestore();
          continue;
        }
        let made: Event;
        if (kind === "post") {
          if (bodies === undefined) continue;
          made = event(next, {
            $case: "message",
            value: message(next, seq, { roomId, body: `b${next}` }),
          });
          bodies.set(seq, `b${next}`);
          seqs.set(roomId, seq);
        } else if (kind === "edit") {
          const first = bodies?.keys().next().value;
          if (bodies === undefined || first === undefined) continue;
          const value = message(next, first, { roomId, body: `b${next}` });
          made = event(next, { $case: "messageChanged", value });
          bodies.set(first, `b${next}`);
        } else if (kind === "remove") {
          made = event(next, {
            $case: "roomRemoved",
            value: { roomId, reason: 1, byAccountId: 0 },
          });
          model.delete(roomId);
        } else {
          const lastSeq = seqs.get(roomId) ?? 0;
          made = event(next, { $case: "roomReset", value: { room: room(roomId, { lastSeq }) } });
          model.set(roomId, new Map());
        }
        await store.apply({ after: revision, events: [made], cursor: next });
        revision = next;
      }
      await store.close();
      const after = new IndexedDbCache(WHOSE);
      const contents = await after.open();
      expect(contents.cursor).toBe(revision);
      expect(contents.rooms.map((row) => row.room.id).sort()).toEqual([...model.keys()].sort());
      for (const [id, bodies] of model) {
        const messages = await after.messages(id, (seqs.get(id) ?? 0) + 1, 1_000);
        expect(messages.map(({ seq, body }) => [seq, body])).toEqual([...bodies]);
      }
      await after.close();
    }),
    { numRuns: 60 },
  );
});
