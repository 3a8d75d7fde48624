import type { HistoryResult, Message } from "@parley/client/browser";
import { beforeAll, describe, expect, test } from "vitest";
import { loadProblemTexts } from "../text/problem-text.ts";
import { Timeline, type TimelineSource } from "./timeline.ts";

function message(seq: number, change: Partial<Message> = {}): Message {
  return {
    id: seq,
    roomId: 1,
    seq,
    revision: seq,
    authorId: 1,
    author: "ann",
    body: `m${seq}`,
    sentAtMs: seq,
    clientMessageId: `c${seq}`,
    deleted: false,
    replyToSeq: 0,
    version: 0,
    editedAtMs: 0,
    ...change,
  } as Message;
}

/** A room with messages 1 … `last`. */
class Room implements TimelineSource {
  last: number;
  /** Set: the next page waits for it. */
  gate: Promise<void> | undefined;

  constructor(last: number) {
    this.last = last;
  }

  async older(_: number, beforeSeq: number, limit: number): Promise<HistoryResult> {
    const before = beforeSeq === 0 ? this.last + 1 : Math.min(beforeSeq, this.last + 1);
    const messages = range(Math.max(1, before - limit), before - 1);
    await this.gate;
    return { messages, from: "node" };
  }

  async newer(_: number, afterSeq: number, limit: number): Promise<readonly Message[]> {
    return range(afterSeq + 1, Math.min(this.last, afterSeq + limit));
  }
}

function range(from: number, to: number): Message[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => message(from + at));
}

const event = (value: Message) =>
  ({ revision: value.revision, event: { $case: "message", value } }) as const;
const changed = (value: Message) =>
  ({ revision: value.revision, event: { $case: "messageChanged", value } }) as const;

const seqs = (timeline: Timeline) => timeline.getSnapshot().messages.map(({ seq }) => seq);
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function opened(room: Room): Promise<Timeline> {
  const timeline = new Timeline(1, room);
  timeline.open();
  await settled();
  return timeline;
}

beforeAll(loadProblemTexts);

describe("a timeline", () => {
  test("grows at both ends without a gap, and knows its beginning", async () => {
    const timeline = await opened(new Room(120));
    expect(seqs(timeline)).toEqual(range(71, 120).map(({ seq }) => seq));
    timeline.apply(event(message(121)));
    await timeline.loadOlder();
    await timeline.loadOlder();
    expect(seqs(timeline)).toEqual(range(1, 121).map(({ seq }) => seq));
    expect(timeline.getSnapshot().hasOlder).toBe(false);
  });

  test("P5: one's own message is shown when its answer comes before the events of its elders, once", async () => {
    const timeline = await opened(new Room(3));
    timeline.add(message(6));
    expect(seqs(timeline)).toEqual([1, 2, 3, 6]);
    timeline.apply(event(message(4)));
    timeline.apply(event(message(5)));
    timeline.apply(event(message(6)));
    expect(seqs(timeline)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("of two states of a message the newer one stays, whichever comes last", async () => {
    const timeline = await opened(new Room(3));
    timeline.apply(changed(message(2, { revision: 9, body: "edited", version: 1 })));
    timeline.apply(event(message(2)));
    timeline.apply(changed(message(2, { revision: 7, body: "between" })));
    expect(timeline.getSnapshot().messages[1]?.body).toBe("edited");
  });

  test("shows the surroundings of a message; events do not make a gap; the end is found again", async () => {
    const room = new Room(500);
    const timeline = await opened(room);
    await timeline.show(100);
    const shown = timeline.getSnapshot();
    expect(shown.atEnd).toBe(false);
    expect(seqs(timeline)).toContain(100);
    timeline.apply(event(message(501)));
    expect(seqs(timeline)).not.toContain(501);
    room.last = 501;
    while (!timeline.getSnapshot().atEnd) await timeline.loadNewer();
    const all = seqs(timeline);
    expect(all.at(-1)).toBe(501);
    expect(all).toEqual(range(all[0] ?? 0, 501).map(({ seq }) => seq));
  });

  test("what was asked before a reset is not used after it", async () => {
    const room = new Room(100);
    const timeline = await opened(room);
    const gate = Promise.withResolvers<void>();
    room.gate = gate.promise;
    const older = timeline.loadOlder();
    room.gate = undefined;
    room.last = 300;
    timeline.reset();
    await settled();
    gate.resolve();
    await older;
    expect(seqs(timeline)).toEqual(range(251, 300).map(({ seq }) => seq));
  });

  test("P5: what is said while the first page is on its way is not missed", async () => {
    const room = new Room(3);
    const gate = Promise.withResolvers<void>();
    room.gate = gate.promise;
    const timeline = new Timeline(1, room);
    timeline.open();
    timeline.apply(event(message(4)));
    timeline.apply(changed(message(2, { revision: 8, body: "edited", version: 1 })));
    timeline.apply(event(message(5)));
    gate.resolve();
    await settled();
    expect(seqs(timeline)).toEqual([1, 2, 3, 4, 5]);
    expect(timeline.getSnapshot().messages[1]?.body).toBe("edited");
    // Nor when everything is loaded anew.
    const again = Promise.withResolvers<void>();
    room.gate = again.promise;
    timeline.reset();
    timeline.apply(event(message(6)));
    again.resolve();
    await settled();
    timeline.apply(event(message(7)));
    // 4 and 5 are not in this room's pages: what stands after a gap is one's own, ahead of its elders.
    expect(seqs(timeline)).toEqual([1, 2, 3, 6, 7]);
  });

  test("a failed page says why, and can be asked for again", async () => {
    let fails = true;
    const timeline = new Timeline(1, {
      older: async () => {
        if (fails) throw new Error("no node could be reached");
        return { messages: range(1, 2), from: "node" };
      },
      newer: async () => [],
    });
    timeline.open();
    await settled();
    expect(timeline.getSnapshot().problem).toMatch(/no node could be reached/i);
    fails = false;
    timeline.retry();
    await settled();
    expect(timeline.getSnapshot()).toMatchObject({ problem: "", loaded: true });
    expect(seqs(timeline)).toEqual([1, 2]);
  });
});
