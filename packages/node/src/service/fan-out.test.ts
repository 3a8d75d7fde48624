import type { AdmissionChange, AppliedEntry, ChatAnswer, ChatQuery, Delivery } from "@parley/chat";
import { Admission } from "@parley/chat";
import { Event } from "@parley/protocol";
import { expect, test } from "vitest";
import type { ChatReads } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { DEFAULT_FAN_OUT_LIMITS, FanOut, type LiveSubscriber } from "./fan-out.ts";
import type { SharedEvent } from "./shared-event.ts";
import { Subscription } from "./subscription.ts";
import { VirtualClock } from "./testing/virtual-clock.test.support.ts";

class Listener implements LiveSubscriber {
  readonly accountId: number;
  liveAfter = 0;
  readonly got: number[] = [];
  readonly bytes: SharedEvent[] = [];
  fellBack = 0;

  constructor(accountId: number) {
    this.accountId = accountId;
  }

  deliver(revision: number, event: SharedEvent): void {
    this.got.push(revision);
    this.bytes.push(event);
  }

  typing(): void {}
  readReceipts(): void {}

  fallBack(): void {
    this.fellBack += 1;
  }
}

function world(limits = DEFAULT_FAN_OUT_LIMITS) {
  const clock = new VirtualClock();
  const admission = new Admission();
  // The fan-out needs no more of a replica than this.
  const state = { admission, appliedRevision: 0 };
  const replica = state as unknown as Replica;
  const fanOut = new FanOut(replica, clock, limits);
  let last = 0;
  const apply = (
    deliveries: readonly Omit<Delivery, "event">[],
    changes: readonly AdmissionChange[] = [],
    index = last + 1,
  ) => {
    last = index;
    state.appliedRevision = index;
    for (const change of changes) admission.apply(change);
    const event = Event.encode({ revision: index, event: undefined }).finish();
    const entry: AppliedEntry = {
      index,
      term: 1,
      outcome: { kind: "empty" },
      changes,
      deliveries: deliveries.map(({ audience }) => ({ audience, event })),
    };
    fanOut.onEntry(entry);
  };
  return { clock, fanOut, replica, apply };
}

function member(roomId: number, accountId: number, joinedRevision: number): AdmissionChange {
  return { kind: "member", roomId, accountId, role: 1, joinedRevision, writeForbiddenUntilMs: 0 };
}

function toRoom(roomId: number, exceptAccountId = 0): Omit<Delivery, "event"> {
  return { audience: { kind: "room", roomId, exceptAccountId } };
}

test("an event reaches its audience and nobody else", () => {
  const { fanOut, apply } = world();
  apply([], [member(1, 10, 1), member(1, 20, 1), member(2, 30, 1)]);
  fanOut.onBatchEnd();
  const [ann, phone, bob, eve] = [10, 10, 20, 30].map((id) => new Listener(id));
  if (ann === undefined || phone === undefined || bob === undefined || eve === undefined) return;
  for (const listener of [ann, phone, bob, eve]) {
    listener.liveAfter = fanOut.applied;
    fanOut.join(listener);
  }
  apply([toRoom(1)]);
  apply([toRoom(1, 10)]);
  apply([{ audience: { kind: "account", accountId: 30 } }]);
  apply([{ audience: { kind: "everyone" } }]);
  apply([toRoom(1)], [{ kind: "member-removed", roomId: 1, accountId: 20 }]);
  apply([toRoom(2)], [member(2, 10, 7)]);
  fanOut.onBatchEnd();
  expect(ann.got).toEqual([2, 5, 6, 7]);
  expect(phone.got).toEqual(ann.got);
  expect(bob.got).toEqual([2, 3, 5]);
  expect(eve.got).toEqual([4, 5, 7]);
  expect(phone.bytes[0]?.frameField).toBe(ann.bytes[0]?.frameField);
  fanOut.leave(phone);
  apply([toRoom(1)]);
  fanOut.onBatchEnd();
  expect(phone.got).not.toContain(8);
  expect(ann.got).toContain(8);
});

test("a gap in the entries sends live subscribers back to catching up (P5)", () => {
  const { fanOut, apply } = world();
  apply([{ audience: { kind: "everyone" } }]);
  fanOut.onBatchEnd();
  const listener = new Listener(10);
  listener.liveAfter = 1;
  fanOut.join(listener);
  expect(fanOut.covers(0)).toBe(true);
  apply([{ audience: { kind: "everyone" } }], [], 50);
  fanOut.onBatchEnd();
  expect(listener.fellBack).toBe(1);
  expect(listener.got).toEqual([]);
  expect(fanOut.liveCount).toBe(0);
  expect(fanOut.covers(1)).toBe(false);
  expect(fanOut.covers(49)).toBe(true);
});

test("a subscription goes on after a gap from where it was, and repeats nothing (P5)", async () => {
  const { clock, fanOut, replica, apply } = world();
  const everyone = { audience: { kind: "everyone" } as const };
  const asked: number[] = [];
  const got: number[] = [];
  const chatStore = {
    read: async (query: ChatQuery): Promise<ChatAnswer> => {
      if (query.kind !== "catch-up") throw new Error(query.kind);
      asked.push(query.afterRevision);
      const event = Event.encode({ revision: 20, event: undefined }).finish();
      return { kind: "page", revision: 50, events: [{ revision: 20, event }], upToRevision: 50 };
    },
  };
  apply([everyone]);
  fanOut.onBatchEnd();
  const subscription = new Subscription(
    { replica, chatStore: chatStore as unknown as ChatReads, clock, fanOut },
    { accountId: 1, afterRevision: 0, eventsMax: 0, resyncReason: undefined },
    {
      event: (revision) => got.push(revision),
      typing() {},
      readReceipts() {},
      live() {},
      flush() {},
      backlogBytes: () => 0,
      resync() {},
      fail(error) {
        throw error;
      },
    },
  );
  subscription.start();
  await clock.advance(1);
  apply([everyone]);
  apply([everyone]);
  fanOut.onBatchEnd();
  apply([everyone], [], 50);
  fanOut.onBatchEnd();
  await clock.advance(1);
  apply([everyone]);
  fanOut.onBatchEnd();
  expect(asked).toEqual([3]);
  expect(got).toEqual([1, 2, 3, 20, 51]);
  expect(subscription.position).toBe(51);
});

test("the ring forgets the oldest by count and by bytes, and says so", () => {
  const everyone = { audience: { kind: "everyone" } as const };
  const byCount = world({ ...DEFAULT_FAN_OUT_LIMITS, ringEntriesMax: 3 });
  for (let i = 0; i < 10; i += 1) byCount.apply([everyone]);
  byCount.fanOut.onBatchEnd();
  expect(byCount.fanOut.covers(6)).toBe(false);
  expect(byCount.fanOut.covers(7)).toBe(true);
  expect([...byCount.fanOut.recentFor(1, 7)].map(({ revision }) => revision)).toEqual([8, 9, 10]);
  const byBytes = world({ ...DEFAULT_FAN_OUT_LIMITS, ringBytesMax: 300 });
  for (let i = 0; i < 10; i += 1) byBytes.apply([everyone]);
  expect(byBytes.fanOut.covers(7)).toBe(false);
  expect(byBytes.fanOut.covers(8)).toBe(true);
});

test("more events than fit a slice wait for the next turns; past the bound they do not (P11)", async () => {
  const everyone = { audience: { kind: "everyone" } as const };
  const { clock, fanOut, apply } = world({
    ...DEFAULT_FAN_OUT_LIMITS,
    sliceBytes: 1,
    waitingEntriesMax: 5,
  });
  apply([]);
  fanOut.onBatchEnd();
  const listener = new Listener(10);
  listener.liveAfter = 1;
  fanOut.join(listener);
  for (let i = 0; i < 8; i += 1) apply([everyone]);
  fanOut.onBatchEnd();
  expect(listener.got).toEqual([2, 3, 4]);
  expect(fanOut.dispatched).toBe(4);
  await clock.advance(0);
  expect(listener.got).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
});
