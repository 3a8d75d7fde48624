import { type Event, Message, ReadMarker, Room, ThreadMarker } from "@parley/protocol";
import { expect, test } from "vitest";
import { afterEvent, type CachedRoom, mayNotWrite, newCachedRoom, unreadOf } from "./chat-cache.ts";

const ME = 7;

/** A room of five messages, the last three of them unread, as of revision 100. */
function start(): CachedRoom {
  return newCachedRoom(
    Room.fromPartial({ id: 1, lastSeq: 5, readSeq: 2, unreadCount: 3, mentionCount: 1 }),
    100,
  );
}

function message(seq: number, fields: Partial<Message> = {}): Message {
  return Message.fromPartial({ roomId: 1, seq, id: 100 + seq, authorId: 9, body: "hi", ...fields });
}

function follow(row: CachedRoom, ...changes: [number, NonNullable<Event["event"]>][]): string {
  let after: CachedRoom | undefined = row;
  for (const [revision, change] of changes) {
    after = afterEvent(after, { revision, event: change }, ME);
  }
  if (after === undefined) return "gone";
  const { lastSeq, readSeq } = after.room;
  const { unread, mentions } = unreadOf(after.room);
  return `${readSeq}–${lastSeq}: ${unread} unread, ${mentions} for me`;
}

const posted = (message: Message) => ({ $case: "message", value: message }) as const;
const changed = (message: Message) => ({ $case: "messageChanged", value: message }) as const;
const read = (seq: number, unreadCount: number, mentionCount: number) =>
  ({
    $case: "readMarker",
    value: ReadMarker.fromPartial({ roomId: 1, seq, unreadCount, mentionCount }),
  }) as const;

test("others' messages are unread, one's own are not; one that comes deleted is until its deletion is told", () => {
  expect(follow(start(), [101, posted(message(6))])).toBe("2–6: 4 unread, 1 for me");
  expect(follow(start(), [101, posted(message(6, { authorId: ME }))])).toBe(
    "2–6: 3 unread, 1 for me",
  );
  const gone = message(6, { deleted: true, mentions: [ME], revision: 103 });
  expect(follow(start(), [101, posted(gone)])).toBe("2–6: 4 unread, 2 for me");
  const rest = "3 unread, 1 for me";
  expect(follow(start(), [101, posted(gone)], [103, changed(gone)])).toBe(`2–6: ${rest}`);
  // A marker in between was as of its revision; one after it has left it out.
  expect(follow(start(), [101, posted(gone)], [102, read(2, 4, 2)], [103, changed(gone)])).toBe(
    `2–6: ${rest}`,
  );
});

test("mentions are counted apart, by name and of the room", () => {
  const named = posted(message(6, { mentions: [3, ME] }));
  const all = posted(message(7, { mentionsRoom: true }));
  const other = posted(message(8, { mentions: [3] }));
  expect(follow(start(), [101, named], [102, all], [103, other])).toBe("2–8: 6 unread, 3 for me");
});

test("a deletion takes back what was counted, a reaction or an edit nothing", () => {
  const mention = { deleted: true, mentions: [ME] };
  expect(follow(start(), [101, changed(message(4, mention))])).toBe("2–5: 2 unread, 0 for me");
  expect(follow(start(), [101, changed(message(2, mention))])).toBe("2–5: 3 unread, 1 for me");
  expect(follow(start(), [101, changed(message(4, { version: 1 }))])).toBe(
    "2–5: 3 unread, 1 for me",
  );
});

test("a read marker brings the servers' counts", () => {
  const later = posted(message(6));
  expect(follow(start(), [101, read(4, 1, 0)], [102, later])).toBe("4–6: 2 unread, 0 for me");
});

test("a reply in a thread is unread for who follows it, after the place that they have read to there", () => {
  const reply = (seq: number, fields: Partial<Message> = {}) =>
    posted(message(seq, { threadRootSeq: 2, ...fields }));
  const place = (following: boolean, readSeq: number, unreadCount: number, mentionCount = 0) =>
    ({
      $case: "threadMarker",
      value: ThreadMarker.fromPartial({
        roomId: 1,
        following,
        thread: { threadRootSeq: 2, readSeq, unreadCount, mentionCount },
      }),
    }) as const;
  const rest = "3 unread, 1 for me";
  expect(follow(start(), [101, reply(6)])).toBe(`2–6: ${rest}`);
  const followed = [
    [101, place(true, 5, 0)],
    [102, reply(6)],
    [103, reply(7, { mentions: [ME] })],
  ] as [number, NonNullable<Event["event"]>][];
  expect(follow(start(), ...followed)).toBe("2–7: 5 unread, 2 for me");
  const own = reply(8, { authorId: ME });
  const elsewhere = reply(9, { threadRootSeq: 3 });
  expect(follow(start(), ...followed, [104, own], [105, elsewhere])).toBe(
    "2–9: 5 unread, 2 for me",
  );
  const gone = changed(message(7, { threadRootSeq: 2, deleted: true, mentions: [ME] }));
  expect(follow(start(), ...followed, [104, gone])).toBe("2–7: 4 unread, 1 for me");
  expect(follow(start(), ...followed, [104, place(true, 7, 0)], [105, gone])).toBe(`2–7: ${rest}`);
  expect(follow(start(), ...followed, [104, place(false, 7, 0)], [105, reply(8)])).toBe(
    `2–8: ${rest}`,
  );
  // Reading the room moves nothing in the thread; what a loaded row has counted is not counted again.
  expect(follow(start(), ...followed, [104, read(7, 0, 0)])).toBe("7–7: 2 unread, 1 for me");
  expect(follow(start(), [100, place(true, 5, 9)])).toBe(`2–5: ${rest}`);
});

test("what the row was loaded with is not counted again", () => {
  const events = [
    [98, posted(message(5))],
    [99, changed(message(3, { deleted: true }))],
    [100, read(1, 4, 4)],
  ] as [number, NonNullable<Event["event"]>][];
  expect(follow(start(), ...events)).toBe("2–5: 3 unread, 1 for me");
});

test("what one wants of a room follows the newest event, and is not older than the row", () => {
  const wanted = (revision: number, starred: boolean, muted: boolean): Event => ({
    revision,
    event: { $case: "roomPreference", value: { roomId: 1, starred, muted } },
  });
  const starred = afterEvent(start(), wanted(101, true, false), ME);
  expect(starred?.room).toMatchObject({ starred: true, muted: false, unreadCount: 3 });
  expect(afterEvent(starred, wanted(102, false, true), ME)?.room).toMatchObject({
    starred: false,
    muted: true,
  });
  expect(afterEvent(start(), wanted(99, true, true), ME)?.room.starred).toBe(false);
});

test("an admin's word holds until its time, or until it is taken back", () => {
  const writing = (revision: number, forbidden: boolean, untilMs: number): Event => ({
    revision,
    event: { $case: "roomWriting", value: { roomId: 1, forbidden, untilMs } },
  });
  const muted = afterEvent(start(), writing(101, true, 500), ME);
  if (muted === undefined) throw new Error("the room is gone");
  expect([mayNotWrite(muted.room, 499), mayNotWrite(muted.room, 500)]).toEqual([true, false]);
  const forEver = afterEvent(muted, writing(102, true, 0), ME);
  expect(forEver !== undefined && mayNotWrite(forEver.room, Number.MAX_SAFE_INTEGER)).toBe(true);
  const lifted = afterEvent(forEver, writing(103, false, 0), ME);
  expect(lifted !== undefined && mayNotWrite(lifted.room, 1)).toBe(false);
});
