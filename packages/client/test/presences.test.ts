// Who is online: asked for those that are shown, and kept over failovers.
import { LIMITS } from "@parley/protocol";
import { expect, test } from "vitest";
import { Presences } from "../src/index.ts";
import { startedWorld } from "./client-world.ts";
import type { FakeSession } from "./virtual-world.ts";

function watched(session: FakeSession): (readonly number[])[] {
  return session.frames.flatMap(({ watch }) => (watch === undefined ? [] : [watch.accountIds]));
}

function tell(session: FakeSession, online: number[], offline: number[] = []): void {
  session.send({ presence: { onlineAccountIds: online, offlineAccountIds: offline } });
}

async function started() {
  const world = await startedWorld(3);
  const presences = new Presences(world.client, world.clock);
  let changes = 0;
  presences.subscribe(() => changes++);
  return { ...world, presences, changes: () => changes };
}

test("nodes are asked for what all views show, once for those that come and go together", async () => {
  const { clock, node, presences } = await started();
  const sidebar = presences.show([1, 2]);
  const dialog = presences.show([2, 3]);
  await clock.advance(1);
  expect(watched(node(1).session)).toEqual([[2, 3, 1]]);
  dialog();
  await clock.advance(1);
  expect(watched(node(1).session).at(-1)).toEqual([1, 2]);
  // The same people in another view are nothing to ask for.
  const other = presences.show([2, 1]);
  sidebar();
  await clock.advance(1);
  expect(watched(node(1).session)).toHaveLength(2);
  other();
  await clock.advance(1);
  expect(watched(node(1).session).at(-1)).toEqual([]);
});

test("what is told is kept for as long as somebody shows it, with when they were seen to go", async () => {
  const { clock, client, node, presences, changes } = await started();
  const hide = presences.show([1, 2]);
  await clock.advance(1);
  expect(presences.of(1)).toBeUndefined();
  tell(node(1).session, [1], [2]);
  await clock.advance(1_000);
  expect(presences.of(1)).toEqual({ online: true, leftAtMs: undefined });
  expect(presences.of(2)).toEqual({ online: false, leftAtMs: undefined });
  const first = presences.of(1);
  tell(node(1).session, [1]);
  await clock.advance(1);
  expect(presences.of(1)).toBe(first);
  expect(changes()).toBe(1);
  tell(node(1).session, [], [1]);
  await clock.advance(1);
  const leftAtMs = clock.wallMs() - 1 + client.state.clockOffsetMs;
  expect(presences.of(1)).toEqual({ online: false, leftAtMs });
  hide();
  await clock.advance(1);
  expect(presences.of(1)).toBeUndefined();
});

test("P7: another node is asked for the same, and what it says takes the place of what was known", async () => {
  const { clock, node, presences, serving } = await started();
  presences.show([1, 2]);
  await clock.advance(1);
  tell(node(1).session, [1, 2]);
  await clock.advance(1);
  node(1).kill();
  await clock.advance(100);
  expect(watched(serving().session)).toEqual([[1, 2]]);
  expect(presences.of(1)?.online).toBe(true);
  tell(serving().session, [1], [2]);
  await clock.advance(1);
  expect(presences.of(2)?.online).toBe(false);
});

test("P11: of too many, the newest view's are asked for", async () => {
  const { clock, node, presences } = await started();
  presences.show(Array.from({ length: LIMITS.watchedAccountsMax }, (_, at) => at + 1));
  presences.show([1_001, 1_002]);
  await clock.advance(1);
  const [ids = []] = watched(node(1).session);
  expect(ids).toHaveLength(LIMITS.watchedAccountsMax);
  expect(ids.slice(0, 2)).toEqual([1_001, 1_002]);
});
