import type { AppliedEntry } from "@parley/chat";
import { ParleyError } from "@parley/protocol";
import { expect, test } from "vitest";
import { VirtualClock } from "../service/testing/virtual-clock.test.support.ts";
import { type PlaceResult, Proposals } from "./proposals.ts";

function applied(index: number, term: number): AppliedEntry {
  return { index, term, outcome: { kind: "empty" }, changes: [], deliveries: [] };
}

class Fixture {
  readonly clock = new VirtualClock();
  /** What was asked of the placer, oldest first. */
  readonly asked: number[] = [];
  answer: (id: number) => PlaceResult = () => ({ kind: "no-leader" });
  readonly proposals = new Proposals(
    {
      place: (id) => {
        this.asked.push(id);
        return this.answer(id);
      },
    },
    this.clock,
    100,
    0,
  );

  propose(signal?: AbortSignal): Promise<AppliedEntry | ParleyError> {
    return this.proposals
      .propose(new Uint8Array(1), this.clock.monotonicMs() + 10_000, signal)
      .catch((error: ParleyError) => error);
  }

  forward(to: number): void {
    this.answer = () => ({ kind: "forwarded", to });
  }
}

test("P3: a later write waits behind one that waits, also when a leader is known meanwhile", async () => {
  const one = new Fixture();
  void one.propose();
  one.forward(2);
  void one.propose();
  expect(one.asked).toEqual([1]);
  one.proposals.leaderIs(5);
  expect(one.asked).toEqual([1, 1, 2]);
});

test("P2: a change of leader places again what is not in the new leader's log, once and in order", async () => {
  const one = new Fixture();
  one.forward(2);
  void one.propose();
  void one.propose();
  one.proposals.placedAt(2, 1, { term: 4, index: 7 });
  one.asked.length = 0;
  one.proposals.leaderIs(4);
  expect(one.asked).toEqual([2]);
  one.proposals.leaderIs(5);
  expect(one.asked).toEqual([2, 1, 2]);
});

test("an answer of an earlier leader does not stand in the way of the answer of the new one", async () => {
  const one = new Fixture();
  one.forward(2);
  const done = one.propose();
  one.forward(3);
  one.proposals.leaderIs(5);
  one.proposals.placedAt(2, 1, { term: 4, index: 1_000 });
  one.proposals.placedAt(3, 1, { term: 5, index: 8 });
  one.proposals.applied(applied(8, 5));
  expect(await done).toMatchObject({ index: 8, term: 5 });
});

test("a lost answer is asked for again, and the write is not reported as refused any more (P2)", async () => {
  const one = new Fixture();
  one.forward(2);
  const done = one.propose();
  one.proposals.giveUpForwards(2);
  one.proposals.placeWaiting();
  expect(one.asked).toEqual([1, 1]);
  one.proposals.refused(2, 1, new ParleyError("OVERLOADED", "full"));
  one.proposals.placeWaiting();
  one.proposals.placedAt(2, 1, { term: 1, index: 3 });
  one.proposals.applied(applied(3, 1));
  expect(await done).toMatchObject({ index: 3 });
});

test("a forward without an answer is given up after a while", async () => {
  const one = new Fixture();
  one.forward(2);
  void one.propose();
  await one.clock.advance(1_900);
  one.proposals.poke();
  expect(one.asked).toEqual([1]);
  await one.clock.advance(200);
  one.proposals.poke();
  expect(one.asked).toEqual([1, 1]);
});

test("a session's signal has one listener, however many writes it saw, and gives all of them up", async () => {
  const one = new Fixture();
  const abort = new AbortController();
  let listeners = 0;
  const add = abort.signal.addEventListener.bind(abort.signal);
  abort.signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  const results = Array.from({ length: 10 }, () => one.propose(abort.signal));
  expect(listeners).toBe(1);
  abort.abort();
  for (const result of results) expect(await result).toMatchObject({ reason: "CANCELLED" });
  expect(one.proposals.pending).toBe(0);
});

test("past its deadline: nothing was written, or nobody knows", async () => {
  const one = new Fixture();
  const unasked = one.propose();
  await one.clock.advance(10_100);
  expect(await unasked).toMatchObject({ reason: "NO_QUORUM" });
  one.forward(2);
  const asked = one.propose();
  await one.clock.advance(10_100);
  expect(await asked).toMatchObject({ reason: "OUTCOME_UNKNOWN" });
});
