import type { Message, OutboxItem, Room } from "@parley/client/browser";
import { describe, expect, test } from "vitest";
import { plainName } from "./format.ts";
import { matches } from "./quick-switcher.tsx";
import { parse, pathOf } from "./route.ts";
import { rowsOf } from "./rows.ts";

const NOON_MS = new Date(2026, 10, 26, 12).getTime();

function message(seq: number, authorId: number, atMs: number): Message {
  return { seq, authorId, sentAtMs: atMs, clientMessageId: `c${seq}`, replyToSeq: 0 } as Message;
}

const unsentOf = (clientMessageId: string) => ({ clientMessageId }) as OutboxItem;
const kinds = (rows: ReturnType<typeof rowsOf>) =>
  rows.map((row) => (row.kind === "message" && row.isGrouped ? "grouped" : row.kind));

describe("rows", () => {
  test("days, groups of one author, and the line above what is unread and not one's own", () => {
    const messages = [
      message(1, 1, NOON_MS - 86_400_000),
      message(2, 1, NOON_MS),
      message(3, 1, NOON_MS + 1_000),
      message(4, 2, NOON_MS + 2_000),
      message(5, 2, NOON_MS + 3_600_000),
    ];
    const rows = rowsOf({ messages, unsent: [], ownId: 1, unreadAfter: 2, markedSeq: 0 });
    expect(kinds(rows)).toEqual([
      "day",
      "message",
      "day",
      "message",
      "grouped",
      "unread",
      "message",
      "message",
    ]);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });

  test("the line stands above what was marked, even one's own, also the very first", () => {
    const messages = [message(1, 1, NOON_MS), message(2, 2, NOON_MS)];
    const rows = rowsOf({ messages, unsent: [], ownId: 1, unreadAfter: 1, markedSeq: 1 });
    expect(kinds(rows)).toEqual(["day", "unread", "message", "message"]);
  });

  test("an unsent message keeps its key when it is committed, and is never there twice", () => {
    const waiting = rowsOf({
      messages: [],
      unsent: [unsentOf("c7")],
      ownId: 1,
      unreadAfter: 0,
      markedSeq: 0,
    });
    const both = rowsOf({
      messages: [message(7, 1, NOON_MS)],
      unsent: [unsentOf("c7")],
      ownId: 1,
      unreadAfter: 0,
      markedSeq: 0,
    });
    expect(kinds(both)).toEqual(["day", "message"]);
    expect(both[1]?.key).toBe(waiting[0]?.key);
  });
});

test("paths name a room, a message and a thread, or nothing", () => {
  for (const route of [
    { roomId: 0, seq: 0, thread: 0 },
    { roomId: 7, seq: 0, thread: 0 },
    { roomId: 7, seq: 12, thread: 0 },
    { roomId: 7, seq: 0, thread: 12 },
    { roomId: 7, seq: 13, thread: 12 },
  ]) {
    expect(parse(pathOf(route))).toEqual(route);
  }
  expect(parse("/r/7?thread=x&thread=2")).toEqual({ roomId: 7, seq: 0, thread: 0 });
  for (const path of ["/r/x", "/r/-1", "/r/1/2/3", "/r/99999999999999999999", "/elsewhere"]) {
    expect(parse(path)).toEqual({ roomId: 0, seq: 0, thread: 0 });
  }
});

test("names can't turn the text around, nor be nothing", () => {
  expect(plainName("gnp\u202Eexe")).toBe("gnpexe");
  expect(plainName("\u200B\u200D\u2060")).toBe("(no name)");
});

test("the switcher finds beginnings first, then words, then the rest", () => {
  const room = (id: number, name: string) =>
    ({ id, name, unreadCount: 0, threads: [] as Room["threads"] }) as Room;
  const rooms = [room(1, "rebel"), room(2, "big bell"), room(3, "bell"), room(4, "attic")];
  expect(matches(rooms, "be", 0).map(({ id }) => id)).toEqual([3, 2, 1]);
  const many = Array.from({ length: 1_000 }, (_, at) => room(at, `room ${at}`));
  expect(matches(many, "999", 0).map(({ id }) => id)).toEqual([999]);
});
