// Messages: once (P2), in order (P3), deleted into tombstones, read and unread.
import { DeleteResponse, MarkReadResponse, SendResponse, UnreadResponse } from "@parley/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Actor,
  deleteCommand,
  joinRoomCommand,
  leaveRoomCommand,
  markReadCommand,
  openDirectCommand,
  removeMemberCommand,
  setRoleCommand,
} from "../src/index.ts";
import { HOUR_MS, World } from "./world.ts";

function pair() {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  const roomId = world.room(anna, "General");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, bob));
  return { world, anna, bob, roomId };
}

function unread(world: World, actor: Actor): UnreadResponse {
  const answer = world.read({ kind: "unread", accountId: actor.accountId });
  if (answer.kind !== "response") throw new Error(`unexpected ${answer.kind}`);
  return UnreadResponse.decode(answer.response);
}

test("P3: each room counts 1, 2, 3 … without a gap, refused sends included", () => {
  const { world, anna, bob, roomId } = pair();
  const other = world.room(bob, "Other");
  expect(world.send(anna, roomId, "a").seq).toBe(1);
  expect(world.send(bob, roomId, "b").seq).toBe(2);
  expect(world.reason(world.sendOf(anna, other, "no"))).toBe("NOT_A_MEMBER");
  expect(world.send(bob, other, "c").seq).toBe(1);
  expect(world.reason(world.sendOf(anna, roomId, "no", { replyToSeq: 9 }))).toBe(
    "MESSAGE_NOT_FOUND",
  );
  expect(world.send(anna, roomId, "d")).toMatchObject({ seq: 3, id: world.revision });
});

test("a reply answers a message of its room that is there; that it was deleted since does not matter", () => {
  const { world, anna, bob, roomId } = pair();
  const other = world.room(anna, "Other");
  world.send(anna, roomId, "a");
  world.send(anna, roomId, "b");
  expect(world.send(bob, roomId, "to b", { replyToSeq: 2 })).toMatchObject({ replyToSeq: 2 });
  for (const replyToSeq of [4, 5, Number.MAX_SAFE_INTEGER]) {
    expect(world.reason(world.sendOf(bob, roomId, "to the future", { replyToSeq }))).toBe(
      "MESSAGE_NOT_FOUND",
    );
  }
  // Two messages there, none here.
  expect(world.reason(world.sendOf(anna, other, "to the other room", { replyToSeq: 1 }))).toBe(
    "MESSAGE_NOT_FOUND",
  );
  world.ok(deleteCommand({ roomId, seqs: [1], requestId: world.id() }, anna));
  expect(world.reason(world.sendOf(bob, roomId, "to a", { replyToSeq: 1 }))).toBe("ok");
});

test("P3: sent_at never decreases in a room, whatever the leaders' clocks do", () => {
  const { world, anna, roomId } = pair();
  const first = world.send(anna, roomId, "a");
  world.nowMs -= HOUR_MS;
  expect(world.send(anna, roomId, "b").sentAtMs).toBe(first.sentAtMs);
});

test("P2: a retry gets the stored message, also after other messages, and tells nobody", () => {
  const { world, anna, bob, roomId } = pair();
  const command = world.sendOf(anna, roomId, "once", { clientMessageId: "the id" });
  const first = world.ok(command);
  world.send(bob, roomId, "meanwhile");
  const retry = world.apply(command);
  expect(retry.outcome).toEqual({ kind: "ok", response: first });
  expect(retry.deliveries).toEqual([]);
  // The id is the author's own.
  expect(world.send(bob, roomId, "mine", { clientMessageId: "the id" }).seq).toBe(3);
});

test("P2: an id with other content is refused: body, room or reply", () => {
  const { world, anna, roomId } = pair();
  const other = world.room(anna, "Other");
  const clientMessageId = "the id";
  world.send(anna, roomId, "once", { clientMessageId });
  for (const command of [
    world.sendOf(anna, roomId, "twice", { clientMessageId }),
    world.sendOf(anna, other, "once", { clientMessageId }),
    world.sendOf(anna, roomId, "once", { clientMessageId, replyToSeq: 1 }),
  ]) {
    expect(world.reason(command)).toBe("ID_REUSED");
  }
});

test("P2: a retry is recognised after the message was deleted, the room left, and months later", () => {
  const { world, anna, bob, roomId } = pair();
  const command = world.sendOf(bob, roomId, "once", { clientMessageId: "the id" });
  const first = SendResponse.decode(world.ok(command)).message;
  world.ok(deleteCommand({ roomId, seqs: [1], requestId: world.id() }, anna));
  world.ok(leaveRoomCommand({ roomId, requestId: world.id() }, bob));
  world.nowMs += 200 * 24 * HOUR_MS;
  const retry = SendResponse.decode(world.ok(command)).message;
  expect(retry).toMatchObject({ id: first?.id, seq: 1, sentAtMs: first?.sentAtMs });
  expect(retry).toMatchObject({ deleted: true, body: "" });
  const changed = world.sendOf(bob, roomId, "other", { clientMessageId: "the id" });
  expect(world.reason(changed)).toBe("ID_REUSED");
});

test("P3: a send whose predecessor is not in the room is refused, and accepted after it", () => {
  const { world, anna, bob, roomId } = pair();
  const other = world.room(anna, "Other");
  const second = world.sendOf(anna, roomId, "second", { afterClientMessageId: "first" });
  expect(world.reason(second)).toBe("PREDECESSOR_MISSING");
  world.send(bob, roomId, "not hers", { clientMessageId: "first" });
  expect(world.reason(second)).toBe("PREDECESSOR_MISSING");
  world.send(anna, other, "elsewhere", { clientMessageId: "first" });
  expect(world.reason(second)).toBe("PREDECESSOR_MISSING");
  world.send(anna, roomId, "first here", { clientMessageId: "first here" });
  expect(
    world.reason(world.sendOf(anna, roomId, "second", { afterClientMessageId: "first here" })),
  ).toBe("ok");
});

test("a send is told to the room, the author's other devices included, as the stored message", () => {
  const { world, anna, roomId } = pair();
  const events = world.events(world.sendOf(anna, roomId, "hello", { replyToSeq: 0 }));
  expect(events).toMatchObject([
    {
      to: { kind: "room", roomId, exceptAccountId: 0 },
      event: {
        revision: world.revision,
        event: { $case: "message", value: { body: "hello", author: "anna", seq: 1 } },
      },
    },
  ]);
});

test("direct messages: one room for two, kept for the one who is away", () => {
  const world = new World();
  const [anna, bob] = [world.register("anna"), world.register("bob")];
  world.ok(openDirectCommand({ requestId: world.id() }, anna, bob.accountId));
  const roomId = world.revision;
  world.send(anna, roomId, "are you there?");
  expect(unread(world, bob)).toMatchObject({ unreadCount: 1, rooms: [{ roomId, unreadCount: 1 }] });
  expect(world.send(bob, roomId, "yes").seq).toBe(2);
});

test("deleting leaves tombstones: one or several of one's own, all or none", () => {
  const { world, anna, bob, roomId } = pair();
  for (const body of ["a", "b", "c"]) world.send(bob, roomId, body);
  world.send(anna, roomId, "hers");
  const wipe = (actor: Actor, seqs: number[]) =>
    deleteCommand({ roomId, seqs, requestId: world.id() }, actor);
  expect(world.reason(wipe(bob, [1, 4]))).toBe("PERMISSION_DENIED");
  expect(world.reason(wipe(bob, [1, 5]))).toBe("MESSAGE_NOT_FOUND");
  expect(unread(world, anna).unreadCount).toBe(3);
  const applied = world.apply(wipe(bob, [3, 1, 3]));
  expect(applied.deliveries).toHaveLength(2);
  const response = applied.outcome.kind === "ok" ? applied.outcome.response : new Uint8Array(0);
  expect(DeleteResponse.decode(response).deletedCount).toBe(2);
  const again = world.apply(wipe(bob, [1, 2, 3]));
  const second = again.outcome.kind === "ok" ? again.outcome.response : new Uint8Array(0);
  expect(DeleteResponse.decode(second).deletedCount).toBe(1);
  expect(again.deliveries).toHaveLength(1);
  expect(world.db.prepare("SELECT count(*) AS n FROM messages WHERE body = ''").get()).toEqual({
    n: 3,
  });
});

test("the events of a deletion are the tombstones, at the deletion's revision", () => {
  const { world, anna, bob, roomId } = pair();
  for (const body of ["a", "b"]) world.send(bob, roomId, body);
  const events = world.events(deleteCommand({ roomId, seqs: [2, 1], requestId: world.id() }, anna));
  expect(events.map(({ event }) => event)).toMatchObject([
    { revision: world.revision, event: { $case: "messageChanged", value: { seq: 1, body: "" } } },
    {
      revision: world.revision,
      event: {
        $case: "messageChanged",
        value: { seq: 2, deleted: true, revision: world.revision, author: "bob" },
      },
    },
  ]);
});

test("admins and owners of a room delete anybody's messages, plain members only their own", () => {
  const { world, anna, bob, roomId } = pair();
  world.send(anna, roomId, "a");
  world.send(bob, roomId, "b");
  const wipe = (actor: Actor, seq: number) =>
    world.reason(deleteCommand({ roomId, seqs: [seq], requestId: world.id() }, actor));
  expect(wipe(bob, 1)).toBe("PERMISSION_DENIED");
  expect(wipe(anna, 2)).toBe("ok");
  const promote = { roomId, role: 2 as const, requestId: world.id() };
  world.ok(setRoleCommand(promote, anna, bob.accountId));
  expect(wipe(bob, 1)).toBe("ok");
});

test("the read position is a maximum, at most the newest message, and tells one's own devices", () => {
  const { world, anna, bob, roomId } = pair();
  for (const body of ["a", "b", "c"]) world.send(bob, roomId, body);
  const mark = (seq: number) =>
    markReadCommand({ roomId, seq, requestId: "", threadRootSeq: 0 }, anna);
  const events = world.events(mark(2));
  expect(events).toMatchObject([
    {
      to: { kind: "account", accountId: anna.accountId },
      event: { event: { $case: "readMarker", value: { roomId, seq: 2 } } },
    },
  ]);
  expect(world.events(mark(1))).toEqual([]);
  expect(world.events(mark(2))).toEqual([]);
  expect(MarkReadResponse.decode(world.ok(mark(1))).readSeq).toBe(2);
  expect(MarkReadResponse.decode(world.ok(mark(Number.MAX_SAFE_INTEGER))).readSeq).toBe(3);
  expect(unread(world, anna).unreadCount).toBe(0);
});

test("somebody who joins starts with everything read", () => {
  const { world, anna, roomId } = pair();
  world.send(anna, roomId, "before");
  const carol = world.register("carol");
  world.ok(joinRoomCommand({ roomId, requestId: world.id() }, carol));
  expect(unread(world, carol).rooms).toMatchObject([
    { roomId, unreadCount: 0, readSeq: 1, lastSeq: 1 },
  ]);
});

test("nothing is sent to a room by those who were removed or never in it", () => {
  const { world, anna, bob, roomId } = pair();
  world.ok(removeMemberCommand({ roomId, ban: true, requestId: world.id() }, anna, bob.accountId));
  expect(world.reason(world.sendOf(bob, roomId, "let me in"))).toBe("BANNED");
  expect(world.reason(world.sendOf(world.register("carol"), roomId, "hi"))).toBe("NOT_A_MEMBER");
  expect(world.reason(world.sendOf(anna, 999, "hi"))).toBe("ROOM_NOT_FOUND");
});

test("unread counts equal a count by hand, over random sends, deletions and reads", () => {
  const step = fc.record({
    who: fc.constantFrom(0, 1, 2),
    what: fc.constantFrom("send", "send", "send", "send", "delete", "read"),
    seq: fc.integer({ min: 1, max: 150 }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 200, size: "max" }), (steps) => {
      const { world, anna, bob, roomId } = pair();
      const people = [anna, bob, world.register("carol")];
      const [, , carol] = people;
      if (carol === undefined) return;
      world.ok(joinRoomCommand({ roomId, requestId: world.id() }, carol));
      const messages: { author: number; deleted: boolean }[] = [];
      const read = [0, 0, 0];
      for (const { who, what, seq } of steps) {
        const actor = people[who] ?? anna;
        if (what === "send") {
          world.send(actor, roomId, "x");
          messages.push({ author: who, deleted: false });
        } else if (what === "read") {
          world.ok(markReadCommand({ roomId, seq, requestId: "", threadRootSeq: 0 }, actor));
          read[who] = Math.max(read[who] ?? 0, Math.min(seq, messages.length));
        } else {
          const command = deleteCommand({ roomId, seqs: [seq], requestId: world.id() }, actor);
          if (world.reason(command) !== "ok") continue;
          const message = messages[seq - 1];
          if (message !== undefined) message.deleted = true;
        }
      }
      const counted = people.map((actor) => unread(world, actor).unreadCount);
      const byHand = people.map(
        (_, who) =>
          messages.filter((m, i) => i + 1 > (read[who] ?? 0) && m.author !== who && !m.deleted)
            .length,
      );
      expect(counted).toEqual(byHand);
    }),
    { numRuns: 15 },
  );
});
