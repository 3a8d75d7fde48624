import { Event, LIMITS, lengthDelimitedField, ServerFrame } from "@parley/protocol";
import { expect, test } from "vitest";
import { Outbox } from "./outbox.ts";
import { SharedEvent } from "./shared-event.ts";
import { TestSink } from "./testing/world.test.support.ts";

function eventOf(revision: number, bytes = 0): SharedEvent {
  // An unknown field stands for content of any size.
  const padding =
    bytes === 0 ? new Uint8Array() : lengthDelimitedField(1_000, new Uint8Array(bytes));
  const head = Event.encode({ revision, event: undefined }).finish();
  return new SharedEvent(new Uint8Array([...head, ...padding]));
}

function framesOf(sink: TestSink): ServerFrame[] {
  return sink.sent.map((bytes) => ServerFrame.decode(bytes));
}

test("all that was gathered in a turn is one frame: replies, events, cursor, pong", () => {
  const sink = new TestSink();
  const outbox = new Outbox(sink);
  outbox.reply(300, 2, new Uint8Array());
  outbox.event(7, eventOf(7));
  outbox.event(7, eventOf(7));
  outbox.pong(5, 6);
  outbox.flush(9);
  outbox.flush(9);
  const [frame, ...others] = framesOf(sink);
  expect(others).toEqual([]);
  expect(frame?.replies.map((reply) => reply.id)).toEqual([300]);
  expect(frame?.events.map((event) => event.revision)).toEqual([7, 7]);
  expect(frame?.cursor).toBe(9);
  expect(frame?.pong).toEqual({ nonce: 5, serverTimeMs: 6 });
});

test("a revision is never split between frames, and each frame's cursor is whole (P5)", () => {
  const sink = new TestSink();
  const outbox = new Outbox(sink);
  for (let revision = 1; revision <= 6; revision += 1) {
    outbox.event(revision, eventOf(revision, 600_000));
    outbox.event(revision, eventOf(revision, 600_000));
  }
  outbox.flush(6);
  const frames = framesOf(sink);
  expect(frames.map((frame) => frame.events.map((event) => event.revision))).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 5],
    [6, 6],
  ]);
  expect(frames.map((frame) => frame.cursor)).toEqual([1, 2, 3, 4, 5, 6]);
});

test("a reader that is too slow gets a farewell with the cursor of what it was sent", () => {
  const sink = new TestSink();
  const outbox = new Outbox(sink);
  sink.stalled = true;
  outbox.event(1, eventOf(1, 1_000));
  outbox.flush(1);
  outbox.event(2, eventOf(2, LIMITS.sessionBacklogBytesMax));
  expect(outbox.tooSlow).toBe(true);
  outbox.goAway("SLOW_SUBSCRIBER", 2, 50);
  expect(outbox.gatheredBytes).toBe(0);
  expect(sink.ended).toBe(true);
  expect(framesOf(sink).at(-1)?.goAway).toEqual({
    reason: "SLOW_SUBSCRIBER",
    cursor: 1,
    retryAfterMs: 50,
  });
});

test("a large answer alone does not make its reader slow", () => {
  const outbox = new Outbox(new TestSink());
  outbox.reply(1, 34, new Uint8Array(LIMITS.sessionBacklogBytesMax + 1));
  expect(outbox.tooSlow).toBe(false);
});
