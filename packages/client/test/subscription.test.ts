import type { Event } from "@parley/protocol";
import { expect, test } from "vitest";
import type { SubscriptionItem } from "../src/index.ts";
import { type ClientWorld, startedWorld } from "./client-world.ts";
import { type FakeSession, messageEvent, settle } from "./virtual-world.ts";

function revisions(items: readonly SubscriptionItem[]): number[] {
  return items.map((item) => (item.kind === "event" ? item.event.revision : -item.revision));
}

/** Sends the events after the cursor of the session's last hello, one frame each. */
function serveFrom(session: FakeSession, events: readonly Event[]): void {
  const hello = session.hellos.at(-1);
  if (hello?.subscribe !== true) return;
  for (const event of events) {
    if (event.revision > hello.afterRevision) session.send({ events: [event] });
  }
}

async function subscribed(size = 3): Promise<ClientWorld & { items: SubscriptionItem[] }> {
  const world = await startedWorld(size);
  const items: SubscriptionItem[] = [];
  world.client.subscribe({ afterRevision: 10, onItem: (item) => items.push(item) });
  await world.clock.advance(1);
  return { ...world, items };
}

test("P5: a subscription goes on at another node after the last revision received, without loss or repeat", async () => {
  const { clock, client, node, serving, items } = await subscribed();
  expect(node(1).session.hellos.at(-1)).toMatchObject({ subscribe: true, afterRevision: 10 });
  node(1).session.send({ events: [messageEvent(11), messageEvent(12)] });
  await clock.advance(1);
  node(1).kill();
  await clock.advance(10);
  const { session } = serving();
  expect(session.hellos.at(-1)).toMatchObject({
    subscribe: true,
    afterRevision: 12,
    clusterId: "cluster",
  });
  // A node may repeat what it sent; the application does not see it twice.
  session.send({ events: [messageEvent(12), messageEvent(13)] });
  await clock.advance(1);
  expect(revisions(items)).toEqual([11, 12, 13]);
  expect(client.state.revision).toBe(13);
});

test("P5: events of one revision all arrive, and the cursor moves only after the last of them", async () => {
  const { clock, node, serving, items } = await subscribed();
  node(1).session.send({
    events: [messageEvent(11), messageEvent(12, "x"), messageEvent(12, "y")],
  });
  await clock.advance(1);
  const cursors = items.map((item) => (item.kind === "event" ? item.cursor : -1));
  expect(revisions(items)).toEqual([11, 12, 12]);
  expect(cursors).toEqual([11, 11, 12]);
  node(1).kill();
  await clock.advance(10);
  expect(serving().session.hellos.at(-1)).toMatchObject({ afterRevision: 12 });
});

test("P5: a frame's cursor moves past revisions that nobody may see", async () => {
  const { clock, node, serving } = await subscribed();
  node(1).session.send({ events: [messageEvent(11)], cursor: 40 });
  await clock.advance(1);
  node(1).kill();
  await clock.advance(10);
  expect(serving().session.hellos.at(-1)).toMatchObject({ afterRevision: 40 });
});

test("P5: a resync is told to the application, and events follow from its revision", async () => {
  const { clock, node, serving, items } = await subscribed();
  node(1).session.send({ resync: { reason: "too many changes", revision: 500 } });
  node(1).session.send({ events: [messageEvent(501)] });
  await clock.advance(1);
  expect(items[0]).toEqual({ kind: "resync", reason: "too many changes", revision: 500 });
  expect(revisions(items)).toEqual([-500, 501]);
  node(1).kill();
  await clock.advance(10);
  expect(serving().session.hellos.at(-1)).toMatchObject({ afterRevision: 501 });
});

test("the session moves to a second node: the subscription goes with it", async () => {
  const { clock, client, node, items } = await subscribed(2);
  node(2).onRequest = (session, request) => session.commit(request, 50);
  node(1).session.send({ events: [messageEvent(11)] });
  await clock.advance(1);
  node(1).mode = "stopped";
  await Promise.all([client.send(1, "hello"), clock.advance(800)]);
  const hellos = node(2).session.hellos.map(({ subscribe, afterRevision }) => [
    subscribe,
    afterRevision,
  ]);
  expect(hellos).toEqual([
    [false, 0],
    [true, 11],
  ]);
  serveFrom(node(2).session, [messageEvent(11), messageEvent(12)]);
  await clock.advance(1);
  expect(revisions(items)).toEqual([11, 12]);
});

test("without a revision it begins now: after what the client has seen, or the node has", async () => {
  const fresh = await startedWorld(1);
  fresh.client.subscribe();
  await fresh.clock.advance(1);
  expect(fresh.node(1).session.hellos.at(-1)).toMatchObject({ subscribe: true, afterRevision: 10 });
  const seen = await startedWorld(1, { seenRevision: 33 });
  seen.client.subscribe();
  await seen.clock.advance(1);
  expect(seen.node(1).session.hellos.at(-1)).toMatchObject({ subscribe: true, afterRevision: 33 });
});

test("P11: a slow application stops the node instead of filling memory, then loses nothing", async () => {
  const { clock, client, node } = await startedWorld(1);
  const events = Array.from({ length: 500 }, (_, at) => messageEvent(at + 11));
  const subscription = client.subscribe({ afterRevision: 10, bufferMax: 50 });
  await clock.advance(1);
  const { session } = node(1);
  serveFrom(session, events);
  await clock.advance(1);
  // What was on its way after the limit was reached is not kept.
  expect(session.hellos.at(-1)).toMatchObject({ subscribe: false });
  const seen: number[] = [];
  let hellos = session.hellos.length;
  while (seen.length < events.length) {
    const { value, done } = await subscription.next();
    if (done === true) break;
    seen.push(...revisions([value]));
    if (session.hellos.length === hellos) await settle();
    if (session.hellos.length > hellos) {
      hellos = session.hellos.length;
      serveFrom(session, events);
      await clock.advance(1);
    }
  }
  expect(seen).toEqual(events.map(({ revision }) => revision));
  expect(session.hellos.filter(({ subscribe }) => subscribe).length).toBeGreaterThan(5);
  expect(client.state.phase).toBe("online");
  expect(subscription.cursor).toBe(510);
});

test("events that were on their way before a new hello was answered are not counted twice or out of turn", async () => {
  const { clock, client, node } = await startedWorld(1);
  const items: SubscriptionItem[] = [];
  node(1).greets = false;
  client.subscribe({ afterRevision: 10, onItem: (item) => items.push(item) });
  await clock.advance(1);
  node(1).session.send({ events: [messageEvent(99)], cursor: 99 });
  await clock.advance(1);
  expect(items).toEqual([]);
  node(1).session.welcome();
  node(1).session.send({ events: [messageEvent(11)] });
  await clock.advance(1);
  expect(revisions(items)).toEqual([11]);
});

test("closing ends the iteration, tells the node, and makes room for another subscription", async () => {
  const { clock, client, node } = await startedWorld(1);
  const subscription = client.subscribe({ afterRevision: 10 });
  await clock.advance(1);
  expect(() => client.subscribe()).toThrow("subscription already");
  node(1).session.send({ events: [messageEvent(11), messageEvent(12)] });
  await clock.advance(1);
  const seen: number[] = [];
  for await (const item of subscription) {
    seen.push(...revisions([item]));
    break;
  }
  await clock.advance(1);
  expect(seen).toEqual([11]);
  expect(node(1).session.hellos.at(-1)).toMatchObject({ subscribe: false });
  client.subscribe({ afterRevision: subscription.cursor });
  await clock.advance(1);
  expect(node(1).session.hellos.at(-1)).toMatchObject({ subscribe: true, afterRevision: 11 });
});

test("P6: when no node has got to the cursor, the session goes on without events, for reading", async () => {
  const { clock, client, node } = await startedWorld(3, { seenRevision: 900 });
  const behind = () => {
    for (const { hellos, closed } of node(1).sessions) {
      if (closed || hellos.at(-1)?.subscribe !== true) continue;
      node(1).session.send({ goAway: { reason: "BEHIND", cursor: 0, retryAfterMs: 100 } });
    }
  };
  node(1).hasQuorum = false;
  node(2).kill();
  node(3).kill();
  node(1).session.send({ cluster: node(1).view() });
  client.subscribe({ afterRevision: 900 });
  for (let round = 0; round < 30; round++) {
    await clock.advance(100);
    behind();
  }
  expect(client.state.phase).toBe("online");
  expect(node(1).session.hellos.at(-1)).toMatchObject({ subscribe: false });
  node(1).hasQuorum = true;
  node(1).session.send({ cluster: node(1).view() });
  await clock.advance(1);
  expect(node(1).session.hellos.at(-1)).toMatchObject({ subscribe: true, afterRevision: 900 });
});
