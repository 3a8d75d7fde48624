// Threads: what a reply changes, who follows and by what, what is unread for whom, and what remains of a deleted thread.
import {
  FollowThreadResponse,
  LIMITS,
  ListRoomsRequest,
  ListRoomsResponse,
  MarkReadResponse,
  ThreadRequest,
  ThreadResponse,
  UnreadResponse,
} from "@parley/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Actor,
  deleteCommand,
  followThreadCommand,
  joinRoomCommand,
  leaveRoomCommand,
  markReadCommand,
} from "../src/index.ts";
import { World } from "./world.ts";

/** Anna, Bob and Carol in a room whose first message is Anna's. */
function trio() {
  const world = new World();
  const [anna, bob, carol] = [
    world.register("anna"),
    world.register("bob"),
    world.register("carol"),
  ];
  const roomId = world.room(anna, "General");
  for (const one of [bob, carol]) world.ok(joinRoomCommand({ roomId, requestId: world.id() }, one));
  world.upgrade();
  world.send(anna, roomId, "lunch?");
  const reply = (actor: Actor, body: string, threadRootSeq = 1) =>
    world.send(actor, roomId, body, { threadRootSeq });
  const follow = (actor: Actor, value = true, seq = 1) =>
    followThreadCommand({ roomId, seq, follow: value, requestId: world.id() }, actor);
  const read = (actor: Actor, seq: number, threadRootSeq = 1) =>
    markReadCommand({ roomId, seq, requestId: "", threadRootSeq }, actor);
  const remove = (actor: Actor, ...seqs: number[]) =>
    deleteCommand({ roomId, seqs, requestId: world.id() }, actor);
  return { world, anna, bob, carol, roomId, reply, follow, read, remove };
}

function unread(world: World, { accountId }: Actor): string {
  const answer = world.read({ kind: "unread", accountId });
  if (answer.kind !== "response") throw new Error(`the count is ${answer.kind}`);
  const { unreadCount, mentionCount } = UnreadResponse.decode(answer.response);
  return `${unreadCount} unread, ${mentionCount} mentions`;
}

/** The room as ListRooms shows it: what is unread in it, and by thread. */
function counts(world: World, actor: Actor) {
  const request = ListRoomsRequest.encode(ListRoomsRequest.fromPartial({})).finish();
  const answer = world.read({ kind: "operation", operation: "listRooms", request, ...actor });
  if (answer.kind !== "response") throw new Error(`the rooms are ${answer.kind}`);
  const room = ListRoomsResponse.decode(answer.response).rooms[0];
  return { room: room?.unreadCount, threads: room?.threads };
}

function thread(world: World, actor: Actor, fields: Partial<ThreadRequest>) {
  const request = ThreadRequest.encode(ThreadRequest.fromPartial(fields)).finish();
  const answer = world.read({ kind: "operation", operation: "thread", request, ...actor });
  if (answer.kind === "refused") return answer.error.reason;
  if (answer.kind !== "response") throw new Error(`the thread is ${answer.kind}`);
  const { root, messages, lastSeq, followed } = ThreadResponse.decode(answer.response);
  return { root, seqs: messages.map(({ seq }) => seq), lastSeq, followed };
}

function place(threadRootSeq: number, readSeq: number, unreadCount: number, mentionCount = 0) {
  return { threadRootSeq, readSeq, unreadCount, mentionCount };
}

test("a reply takes the room's next number, and its root tells how many there are", () => {
  const { world, anna, bob, carol, roomId } = trio();
  world.send(bob, roomId, "something else");
  const events = world.events(world.sendOf(bob, roomId, "yes", { threadRootSeq: 1 }));
  const { revision } = world;
  expect(events.map(({ event }) => event.event)).toMatchObject([
    { $case: "message", value: { seq: 3, body: "yes", threadRootSeq: 1 } },
    {
      $case: "messageChanged",
      value: {
        seq: 1,
        revision,
        version: 0,
        thread: { replyCount: 1, lastReplySeq: 3, participantIds: [bob.accountId] },
      },
    },
    { $case: "threadMarker", value: { following: true, thread: place(1, 3, 0) } },
    { $case: "threadMarker", value: { following: true, thread: place(1, 2, 1) } },
  ]);
  expect(events.map(({ to }) => to)).toMatchObject([
    { kind: "room" },
    { kind: "room" },
    { kind: "account", accountId: bob.accountId },
    { kind: "account", accountId: anna.accountId },
  ]);
  // Hidden in the room, so nothing to read for whom it does not concern.
  expect(counts(world, carol)).toEqual({ room: 2, threads: [] });
  expect(counts(world, bob)).toEqual({ room: 1, threads: [place(1, 3, 0)] });
  expect(counts(world, anna)).toEqual({ room: 1, threads: [place(1, 2, 1)] });
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("whoever replies, is mentioned by name or wrote the message follows; others choose to", () => {
  const { world, anna, bob, carol, reply, follow } = trio();
  reply(bob, "yes");
  reply(bob, "@room at one");
  expect([anna, bob, carol].map((one) => unread(world, one))).toEqual([
    "2 unread, 1 mentions",
    "1 unread, 0 mentions",
    "1 unread, 0 mentions",
  ]);
  reply(bob, "@carol?");
  expect(counts(world, carol)).toEqual({ room: 1, threads: [place(1, 3, 1, 1)] });
  reply(anna, "at two");
  expect(counts(world, carol).threads).toEqual([place(1, 3, 2, 1)]);
  expect(FollowThreadResponse.decode(world.ok(follow(carol, false))).followed).toBeUndefined();
  expect(unread(world, carol)).toBe("1 unread, 0 mentions");
  reply(bob, "at two then");
  expect(unread(world, carol)).toBe("1 unread, 0 mentions");
  // Everything that is there counts as read.
  expect(FollowThreadResponse.decode(world.ok(follow(carol))).followed).toEqual(place(1, 6, 0));
  expect(world.events(follow(carol))).toEqual([]);
  reply(bob, "I'm hungry");
  expect(counts(world, carol).threads).toEqual([place(1, 6, 1)]);
});

test("whoever follows no more is left alone, until they reply or are mentioned", () => {
  const { world, anna, bob, reply, follow } = trio();
  // Also before the first reply.
  world.ok(follow(anna, false));
  reply(bob, "yes");
  expect(unread(world, anna)).toBe("0 unread, 0 mentions");
  reply(bob, "@anna");
  expect(counts(world, anna).threads).toEqual([place(1, 2, 1, 1)]);
  world.ok(follow(anna, false));
  reply(anna, "sorry");
  reply(bob, "never mind");
  expect(counts(world, anna).threads).toEqual([place(1, 4, 1)]);
});

test("a thread has a read position of its own: reading the room does not move it, nor the other way", () => {
  const { world, anna, bob, carol, roomId, reply, read } = trio();
  for (const body of ["one", "two", "three"]) reply(bob, body);
  world.send(bob, roomId, "in the room");
  expect(counts(world, anna)).toEqual({ room: 1, threads: [place(1, 1, 3)] });
  world.ok(markReadCommand({ roomId, seq: 99, requestId: "", threadRootSeq: 0 }, anna));
  expect(counts(world, anna)).toEqual({ room: 0, threads: [place(1, 1, 3)] });
  const [event] = world.events(read(anna, 3));
  expect(event).toEqual({
    to: { kind: "account", accountId: anna.accountId },
    event: {
      revision: world.revision,
      event: {
        $case: "threadMarker",
        value: { roomId, following: true, thread: place(1, 3, 1) },
      },
    },
  });
  expect(world.events(read(anna, 2))).toEqual([]);
  expect(MarkReadResponse.decode(world.ok(read(anna, 99))).readSeq).toBe(4);
  expect(counts(world, anna)).toEqual({ room: 0, threads: [place(1, 4, 0)] });
  // Who does not follow has no place to move.
  expect(MarkReadResponse.decode(world.ok(read(carol, 99))).readSeq).toBe(0);
  expect(counts(world, carol).threads).toEqual([]);
});

test("deleting replies takes them back, each message told once; the root's tombstone keeps its thread", () => {
  const { world, anna, bob, carol, roomId, reply, remove, follow } = trio();
  for (const body of ["one", "@anna two", "three"]) reply(bob, body);
  reply(carol, "four");
  const events = world.events(remove(anna, 5, 3, 1));
  expect(events.map(({ event }) => event.event)).toMatchObject([
    {
      value: {
        seq: 1,
        deleted: true,
        thread: {
          replyCount: 2,
          lastReplySeq: 4,
          participantIds: [bob.accountId, carol.accountId],
        },
      },
    },
    { value: { seq: 3, deleted: true, threadRootSeq: 1 } },
    { value: { seq: 5, deleted: true, threadRootSeq: 1 } },
  ]);
  expect(unread(world, anna)).toBe("2 unread, 0 mentions");
  expect(thread(world, carol, { roomId, threadRootSeq: 1 })).toMatchObject({
    root: { deleted: true, body: "", thread: { replyCount: 2 } },
    seqs: [2, 3, 4, 5],
    lastSeq: 5,
  });
  const late = world.sendOf(bob, roomId, "too late", { threadRootSeq: 1 });
  expect(world.reason(late)).toBe("MESSAGE_NOT_FOUND");
  expect(world.reason(follow(carol))).toBe("MESSAGE_NOT_FOUND");
  expect(world.reason(follow(carol, false))).toBe("ok");
  // A tombstone never changes: who counts would take it back twice.
  const after = world.events(remove(bob, 2));
  expect(after.map(({ event }) => event.event)).toMatchObject([{ value: { seq: 2 } }]);
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("when the last reply is deleted, the one before it is the last", () => {
  const { world, bob, carol, roomId, reply, remove } = trio();
  for (const body of ["one", "two", "three"]) reply(bob, body);
  const summary = () => {
    const shown = thread(world, carol, { roomId, threadRootSeq: 1 });
    if (typeof shown === "string") throw new Error(shown);
    const { replyCount, lastReplySeq } = shown.root?.thread ?? {};
    return [replyCount, lastReplySeq];
  };
  world.ok(remove(bob, 3));
  expect(summary()).toEqual([2, 4]);
  world.ok(remove(bob, 4));
  expect(summary()).toEqual([1, 2]);
  world.ok(remove(bob, 2));
  expect(summary()).toEqual([0, 0]);
  reply(carol, "four");
  expect(summary()).toEqual([1, 5]);
});

test("a reply has no thread of its own, and a thread is about a message that is there", () => {
  const { world, bob, roomId, reply, follow } = trio();
  reply(bob, "yes");
  const to = (threadRootSeq: number) => world.sendOf(bob, roomId, "x", { threadRootSeq });
  expect(world.reason(to(2))).toBe("INVALID_ARGUMENT");
  expect(world.reason(to(9))).toBe("MESSAGE_NOT_FOUND");
  expect(world.reason(follow(bob, true, 2))).toBe("INVALID_ARGUMENT");
  expect(world.reason(follow(bob, false, 2))).toBe("INVALID_ARGUMENT");
  expect(world.reason(follow(bob, false, 9))).toBe("MESSAGE_NOT_FOUND");
  expect(thread(world, bob, { roomId, threadRootSeq: 2 })).toBe("INVALID_ARGUMENT");
  expect(thread(world, bob, { roomId, threadRootSeq: 9 })).toBe("MESSAGE_NOT_FOUND");
});

test("P2: a repeated reply is stored once, and its id with another thread is another message", () => {
  const { world, anna, bob, roomId } = trio();
  world.send(anna, roomId, "another one");
  const to = (threadRootSeq: number) =>
    world.sendOf(bob, roomId, "yes", { threadRootSeq, clientMessageId: "m" });
  const first = world.ok(to(1));
  expect(world.ok(to(1))).toEqual(first);
  expect(world.reason(to(2))).toBe("ID_REUSED");
  expect(world.reason(to(0))).toBe("ID_REUSED");
});

test("a thread is read in pages, as history is, by whoever may read the room", () => {
  const { world, bob, carol, roomId, reply } = trio();
  for (let n = 0; n < 5; n += 1) {
    reply(bob, `reply ${n}`);
    world.send(carol, roomId, `between ${n}`);
  }
  const page = (fields: Partial<ThreadRequest>) =>
    thread(world, carol, { roomId, threadRootSeq: 1, ...fields });
  expect(page({})).toMatchObject({ seqs: [2, 4, 6, 8, 10], lastSeq: 10 });
  expect(page({ limit: 2 })).toMatchObject({ seqs: [8, 10] });
  expect(page({ limit: 2, beforeSeq: 8 })).toMatchObject({ seqs: [4, 6] });
  expect(page({ limit: 2, afterSeq: 3 })).toMatchObject({ seqs: [4, 6] });
  expect(page({ afterSeq: 3, beforeSeq: 7 })).toMatchObject({ seqs: [4, 6] });
  expect(page({ limit: 201 })).toBe("INVALID_ARGUMENT");
  const dave = world.register("dave");
  expect(thread(world, dave, { roomId, threadRootSeq: 1 })).toMatchObject({ followed: undefined });
  const hidden = world.room(bob, "Hidden", 2);
  world.send(bob, hidden, "psst");
  expect(thread(world, dave, { roomId: hidden, threadRootSeq: 1 })).toBe("NOT_A_MEMBER");
});

test("leaving ends it: whoever comes back follows nothing, and nothing from before is unread", () => {
  const { world, anna, bob, roomId, reply } = trio();
  reply(bob, "yes");
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  reply(anna, "are you there, @bob?");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  expect(counts(world, bob)).toEqual({ room: 0, threads: [] });
  reply(anna, "hello");
  expect(counts(world, bob)).toEqual({ room: 0, threads: [] });
  reply(anna, "@bob");
  expect(counts(world, bob)).toEqual({ room: 0, threads: [place(1, 4, 1, 1)] });
});

test("P11: of 1,000 threads the one followed or read least recently is let go", () => {
  const { world, anna, bob, roomId, follow, read } = trio();
  const max = LIMITS.threadsFollowedMax;
  for (let n = 2; n <= max + 1; n += 1) world.send(anna, roomId, `message ${n}`);
  world.ok(follow(bob, true, 2));
  world.ok(follow(bob, true, 1));
  for (let n = 3; n <= max; n += 1) world.ok(follow(bob, true, n));
  world.send(anna, roomId, "news", { threadRootSeq: 2 });
  world.ok(read(bob, max + 2, 2));
  const events = world.events(follow(bob, true, max + 1));
  expect(events.map(({ event }) => event.event)).toMatchObject([
    { value: { following: true, thread: { threadRootSeq: max + 1 } } },
    { value: { following: false, thread: { threadRootSeq: 1 } } },
  ]);
  expect(counts(world, bob).threads).toHaveLength(max);
  // What was let go in a room that one has left is told to nobody.
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  const other = world.room(bob, "Other");
  world.send(bob, other, "mine");
  const own = { roomId: other, seq: 1, follow: true, requestId: world.id() };
  expect(world.events(followThreadCommand(own, bob))).toHaveLength(1);
  expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
});

test("what is unread equals a count by hand, over random replies, deletions, reads and follows", () => {
  const step = fc.record({
    who: fc.constantFrom(0, 1, 2),
    what: fc.constantFrom(
      ...["send", "reply", "reply", "reply", "mention", "everybody"],
      ...["delete", "delete", "read", "read-thread", "follow", "unfollow"],
    ),
    root: fc.constantFrom(1, 2, 3),
    seq: fc.integer({ min: 1, max: 150 }),
  });
  interface ByHand {
    readonly author: number;
    readonly root: number;
    readonly mentioned: readonly number[];
    deleted: boolean;
  }
  fc.assert(
    fc.property(fc.array(step, { minLength: 80, maxLength: 160, size: "max" }), (steps) => {
      const { world, anna, bob, carol, roomId, reply, follow, read, remove } = trio();
      const people = [anna, bob, carol];
      const names = ["anna", "bob", "carol"];
      const messages: ByHand[] = [{ author: 0, root: 0, mentioned: [], deleted: false }];
      const say = (author: number, root: number, mentioned: number[] = []) =>
        messages.push({ author, root, mentioned, deleted: false });
      for (const actor of [bob, carol]) {
        world.send(actor, roomId, "root");
        say(people.indexOf(actor), 0);
      }
      const readTo = [0, 0, 0];
      /** By person and thread; undefined = never, false = not any more, a number = follows and has read up to it. */
      const followed: (Map<number, number | false> | undefined)[] = people.map(() => new Map());
      const startsAt = (who: number, root: number, seq: number) => {
        if (typeof followed[who]?.get(root) !== "number") followed[who]?.set(root, seq);
      };
      const authorStarts = (root: number, seq: number) => {
        const author = messages[root - 1]?.author ?? 0;
        if (followed[author]?.get(root) === undefined) followed[author]?.set(root, seq);
      };
      for (const { who, what, root, seq } of steps) {
        const actor = people[who] ?? anna;
        const isOver = messages[root - 1]?.deleted === true;
        const next = messages.length + 1;
        const mentionedOne = seq % 3;
        if (what === "send") {
          world.send(actor, roomId, "x");
          say(who, 0);
        } else if (what === "reply" || what === "mention" || what === "everybody") {
          if (isOver) continue;
          const to = what === "mention" ? `@${names[mentionedOne]} ` : "";
          reply(actor, `${to}${what === "everybody" ? "@room " : ""}x`, root);
          say(who, root, what === "mention" ? [mentionedOne] : what === "reply" ? [] : [0, 1, 2]);
          startsAt(who, root, next);
          if (what === "mention") startsAt(mentionedOne, root, next - 1);
          authorStarts(root, next - 1);
        } else if (what === "delete") {
          if (world.reason(remove(actor, seq)) !== "ok") continue;
          const message = messages[seq - 1];
          if (message !== undefined) message.deleted = true;
        } else if (what === "read") {
          world.ok(markReadCommand({ roomId, seq, requestId: "", threadRootSeq: 0 }, actor));
          readTo[who] = Math.max(readTo[who] ?? 0, Math.min(seq, messages.length));
        } else if (what === "read-thread") {
          world.ok(read(actor, seq, root));
          const last = messages.findLastIndex((message) => message.root === root) + 1;
          const before = followed[who]?.get(root);
          if (typeof before !== "number") continue;
          followed[who]?.set(root, Math.max(before, Math.min(seq, last)));
        } else {
          const reason = world.reason(follow(actor, what === "follow", root));
          if (reason !== "ok") continue;
          const last = messages.findLastIndex((message) => message.root === root) + 1;
          if (what === "follow") startsAt(who, root, last);
          else if (typeof followed[who]?.get(root) === "number") followed[who]?.set(root, false);
          else authorStarts(root, -1);
          if (what === "unfollow" && followed[who]?.get(root) === -1)
            followed[who]?.set(root, false);
        }
      }
      const byHand = people.map((_, who) => {
        const counted = messages.filter(({ author, root, deleted }, i) => {
          if (author === who || deleted) return false;
          const after = root === 0 ? readTo[who] : followed[who]?.get(root);
          return typeof after === "number" && i + 1 > after;
        });
        const mine = counted.filter(({ mentioned }) => mentioned.includes(who));
        return `${counted.length} unread, ${mine.length} mentions`;
      });
      expect(people.map((actor) => unread(world, actor))).toEqual(byHand);
      expect(world.machine.recomputeHash()).toBe(world.machine.stateHash(0)?.hash);
    }),
    { numRuns: 25 },
  );
});

test("rolling upgrade: until the state knows threads, nothing of them is put into the log", () => {
  const world = new World();
  const anna = world.register("anna");
  const roomId = world.room(anna, "General");
  world.send(anna, roomId, "lunch?");
  const commands = () => [
    world.sendOf(anna, roomId, "yes", { threadRootSeq: 1 }),
    followThreadCommand({ roomId, seq: 1, follow: true, requestId: world.id() }, anna),
    markReadCommand({ roomId, seq: 1, requestId: "", threadRootSeq: 1 }, anna),
  ];
  const reasons = () => commands().map((command) => world.reason(command));
  expect(reasons()).toEqual(Array(3).fill("NOT_YET_SUPPORTED"));
  world.upgrade();
  expect(reasons()).toEqual(Array(3).fill("ok"));
});
