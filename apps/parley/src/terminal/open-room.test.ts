import type { ParleyClient } from "@parley/client";
import { Message, Room } from "@parley/protocol";
import { describe, expect, it } from "vitest";
import { OpenRoom } from "./open-room.ts";
import { RoomBook } from "./room-book.ts";

const ROOM = Room.fromPartial({ id: 1, name: "lobby", visibility: 1 });

function message(seq: number, roomId = 1): Message {
  return Message.fromPartial({ id: seq, roomId, seq, author: "ann", body: `text ${seq}` });
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
  const room = new OpenRoom({
    client,
    book: new RoomBook(),
    print: (text) => void printed.push(text),
    onChange: () => {},
  });
  const reply = (...seqs: number[]) => {
    answer.resolve({ messages: seqs.map((seq) => message(seq)), staleMs: 0 });
    answer = Promise.withResolvers();
  };
  const shown = () => printed.flatMap((line) => /text (\d+)/.exec(line)?.[1] ?? []).map(Number);
  return { room, reply, shown, asked, printed };
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

  it("shows nothing of other rooms, and says what to do when none is open", async () => {
    const { room, shown } = setUp();
    room.show(message(1, 2), "");
    expect(shown()).toEqual([]);
    expect(() => room.require()).toThrow(/\/join ROOM/);
  });
});
