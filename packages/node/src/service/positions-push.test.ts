import type { Positions } from "@parley/protocol";
import { expect, test } from "vitest";
import { LAG_MS, PositionsPush, PUSH_MS_MIN } from "./positions-push.ts";
import { VirtualClock } from "./testing/virtual-clock.test.support.ts";

function world(sessions = 1) {
  const clock = new VirtualClock();
  const state = { revisions: [1, 1, 1], sessions, looks: 0 };
  const pushed: number[][] = [];
  const push = new PositionsPush({
    clock,
    sessions: () => state.sessions,
    positions: (): Positions => {
      state.looks += 1;
      return { nodes: state.revisions.map((revision, at) => ({ nodeId: at + 1, revision })) };
    },
    push: ({ nodes }) => pushed.push(nodes.map(({ revision }) => revision)),
  });
  return { clock, state, pushed, push };
}

test("P11: however many messages there are, positions are told four times a second at most", async () => {
  const { clock, state, pushed, push } = world();
  for (let ms = 0; ms < 2_000; ms++) {
    state.revisions = state.revisions.map((revision) => revision + 1);
    push.moved();
    await clock.advance(1);
  }
  expect(pushed.length).toBeGreaterThan(4);
  expect(pushed.length).toBeLessThanOrEqual(8);
});

test("a member that catches up later is told without anything being applied meanwhile", async () => {
  const { clock, state, pushed, push } = world();
  state.revisions = [9, 9, 2];
  push.moved();
  await clock.advance(10_000);
  expect(pushed).toEqual([[9, 9, 2]]);
  state.revisions = [9, 9, 9];
  await clock.advance(LAG_MS);
  expect(pushed).toEqual([
    [9, 9, 2],
    [9, 9, 9],
  ]);
  // Everybody has everything: nothing is looked at until something moves.
  await clock.advance(1_000);
  const { looks } = state;
  await clock.advance(60_000);
  expect(state.looks).toBe(looks);
});

test("whoever joins is told where the disks are, though nothing has changed", async () => {
  const { clock, pushed, push } = world();
  push.joined();
  await clock.advance(PUSH_MS_MIN);
  push.joined();
  await clock.advance(PUSH_MS_MIN);
  expect(pushed).toEqual([
    [1, 1, 1],
    [1, 1, 1],
  ]);
});

test("P11: with nobody to tell nothing is looked at, and with very many it is told less often", async () => {
  const nobody = world(0);
  nobody.push.moved();
  await nobody.clock.advance(5_000);
  expect(nobody.state.looks).toBe(0);
  const many = world(4_000);
  for (let at = 0; at < 10; at++) {
    many.state.revisions = [at, at, at];
    many.push.moved();
    await many.clock.advance(1_000);
  }
  expect(many.pushed.length).toBeLessThanOrEqual(5);
});
