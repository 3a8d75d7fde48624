import { expect, test } from "vitest";
import type { Random } from "../ports.ts";
import { VirtualClock } from "../service/testing/virtual-clock.test.support.ts";
import { ReadRounds } from "./read-rounds.ts";

function rounds(clock: VirtualClock, run: number) {
  const asked: Uint8Array[] = [];
  const random: Random = { int: () => 0, bytes: (length) => new Uint8Array(length).fill(run) };
  const reads = new ReadRounds((context) => asked.push(context) > 0, clock, random, 100);
  return { asked, reads };
}

test("P4: a reader never joins a round that began before it asked", async () => {
  const clock = new VirtualClock();
  const { asked, reads } = rounds(clock, 1);
  const deadlineMs = clock.monotonicMs() + 5_000;
  const first = reads.read(deadlineMs);
  const second = reads.read(deadlineMs);
  reads.confirmed(asked[0] ?? new Uint8Array(), 10);
  reads.confirmed(asked[1] ?? new Uint8Array(), 20);
  expect([await first, await second]).toEqual([10, 20]);
});

test("a round that was asked for again is still answered by the first answer", async () => {
  const clock = new VirtualClock();
  const { asked, reads } = rounds(clock, 1);
  const read = reads.read(clock.monotonicMs() + 5_000);
  await clock.advance(200);
  reads.poke(false);
  expect(asked.length).toBe(2);
  reads.confirmed(asked[0] ?? new Uint8Array(), 7);
  expect(await read).toBe(7);
});

test("P4: an answer to an earlier run of the process confirms nothing", async () => {
  const clock = new VirtualClock();
  const before = rounds(clock, 1);
  void before.reads.read(clock.monotonicMs() + 5_000);
  const { asked, reads } = rounds(clock, 2);
  const read = reads.read(clock.monotonicMs() + 5_000);
  reads.confirmed(before.asked[0] ?? new Uint8Array(), 1);
  reads.confirmed(asked[0] ?? new Uint8Array(), 9);
  expect(await read).toBe(9);
});
