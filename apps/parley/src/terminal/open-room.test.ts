import { stripVTControlCharacters } from "node:util";
import type { ParleyClient } from "@parley/client";
import { Message, Room } from "@parley/protocol";
import { describe, expect, it, vi } from "vitest";
import { OpenRoom } from "./open-room.ts";
import { RoomBook } from "./room-book.ts";

const ROOM = Room.fromPartial({ id: 1, name: "lobby", visibility: 1 });

const NOON = new Date(2026, 10, 26, 12).getTime();
const DAY_MS = 24 * 3_600_000;

function message(seq: number, roomId = 1, sentAtMs = NOON): Message {
  const fields = { id: seq, roomId, seq, author: "ann", body: `text ${seq}`, sentAtMs };
  return Message.fromPartial(fields);
}

/** An open room on a history that answers when it is told to. */
function setUp() {
  const printed: string[] = [];
  const asked: object[] = [];
  let answer = Promise.withResolvers<object>();
  const client = {
    call: async (_name: string, request: object) => {
      asked.push(request);
      return await answer.promise;
    },
  } as unknown as ParleyClient;
  const book = new RoomBook();
  const room = new OpenRoom({
    client,
    book,
    print: (text) => void printed.push(stripVTControlCharacters(text)),
    isBlocked: () => false,
    onChange: () => {},
  });
  const replyWith = (...messages: readonly Message[]) => {
    answer.resolve({ messages, staleMs: 0 });
    answer = Promise.withResolvers();
  };
  const reply = (...seqs: number[]) => replyWith(...seqs.map((seq) => message(seq)));
  const shown = () => printed.flatMap((line) => /text (\d+)/.exec(line)?.[1] ?? []).map(Number);
  return { room, book, reply, replyWith, shown, asked, printed };
}

describe("the open room (P5)", () => {
  it("shows a message once that comes both with the history and as an event", async () => {
    const { room, reply, shown } = setUp();
    const opened = room.open(ROOM);
    room.show(message(3), "");
    room.show(message(4), "");
    reply(1, 2, 3);
    await opened;
    room.show(message(4), "");
    room.show(message(5), "");
    room.stop();
    expect(shown()).toEqual([1, 2, 3, 4, 5]);
  });

  it("goes back from the oldest message that is shown", async () => {
    const { room, reply, shown, asked } = setUp();
    const opened = room.open(ROOM);
    reply(8, 9);
    await opened;
    const earlier = room.showHistory(2);
    reply(6, 7);
    await earlier;
    room.show(message(10), "");
    room.stop();
    expect(asked).toMatchObject([{ beforeSeq: 0 }, { beforeSeq: 8, limit: 2 }]);
    expect(shown()).toEqual([8, 9, 6, 7, 10]);
  });

  it("says where what is new begins, and fetches all of it", async () => {
    const { room, book, reply, asked, printed } = setUp();
    book.load([{ ...ROOM, lastSeq: 40, readSeq: 20, unreadCount: 20 }]);
    const opened = room.open(ROOM);
    reply(19, 20, 21, 22);
    await opened;
    room.stop();
    expect(asked).toMatchObject([{ limit: 25 }]);
    const at = printed.indexOf("── 20 new ──");
    expect(printed[at - 1]).toContain("text 20");
    expect(printed[at + 1]).toContain("text 21");
  });

  it("leaves replies in threads to their threads, and says how many there are", async () => {
    const { room, replyWith, shown, printed } = setUp();
    const opened = room.open(ROOM);
    const thread = { replyCount: 1, lastReplySeq: 3, lastReplyAtMs: NOON, participantIds: [9] };
    replyWith({ ...message(2), thread }, { ...message(3), threadRootSeq: 2 }, message(4));
    await opened;
    room.show({ ...message(5), threadRootSeq: 2 }, "");
    room.show(message(6), "");
    room.stop();
    expect(shown()).toEqual([2, 4, 6]);
    expect(printed[2]).toContain("text 2  1 reply, 12:00 (/thread 2)");
  });

  it("says when a day begins, and where earlier messages begin and end", async () => {
    const { room, replyWith, printed } = setUp();
    const opened = room.open(ROOM);
    replyWith(message(3, 1, NOON - DAY_MS), message(4));
    await opened;
    const earlier = room.showHistory(2);
    replyWith(message(2, 1, NOON - 2 * DAY_MS));
    await earlier;
    room.show(message(5), "");
    room.stop();
    const lines = printed.slice(1).map((line) => line.replace(/^\d\d:\d\d #\d ann: /, ""));
    expect(lines).toEqual([
      "── Wednesday 25 November 2026 ──",
      "text 3",
      "── Thursday 26 November 2026 ──",
      "text 4",
      "── earlier: #2 to #2, Tuesday 24 November 2026 ──",
      "text 2",
      "── back to now ──",
      "text 5",
    ]);
  });

  it("shows what a reply answers: of what was shown at once, of other messages when it was looked up", async () => {
    const { room, replyWith, reply, printed, asked } = setUp();
    const opened = room.open(ROOM);
    reply(8, 9);
    await opened;
    room.show({ ...message(10), replyToSeq: 9 }, "");
    expect(printed.at(-1)).toContain("#10 ann (to #9 ann: text 9): text 10");
    room.show({ ...message(11), replyToSeq: 3 }, "");
    room.show(message(12), "");
    expect(printed.at(-1)).toContain("text 10");
    expect(asked.at(-1)).toMatchObject({ afterSeq: 2, beforeSeq: 4 });
    replyWith({ ...message(3), deleted: true });
    await vi.waitFor(() => expect(printed.at(-1)).toContain("text 12"));
    expect(printed.at(-2)).toContain("#11 ann (to #3 ann: (deleted)): text 11");
    room.changed({ ...message(9), body: "better", version: 1 });
    room.show({ ...message(13), replyToSeq: 9 }, "");
    room.stop();
    expect(printed.at(-1)).toContain("(to #9 ann: better)");
  });

  it("shows nothing of other rooms, and says what to do when none is open", async () => {
    const { room, shown } = setUp();
    room.show(message(1, 2), "");
    expect(shown()).toEqual([]);
    expect(() => room.require()).toThrow(/\/join ROOM/);
  });
});
