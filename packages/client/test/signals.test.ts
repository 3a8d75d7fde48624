// What the application shows: the health of the connection, and what became of each message.
import { expect, test } from "vitest";
import {
  COMMITTED_KEPT_MAX,
  Deliveries,
  type Health,
  HealthMonitor,
  type ParleyClient,
} from "../src/index.ts";
import { newWorld, startedWorld } from "./client-world.ts";
import { type FakeNode, VirtualClock } from "./virtual-world.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;

function record(client: ParleyClient, clock: VirtualClock) {
  const monitor = new HealthMonitor(client, clock);
  const seen: Health[] = [monitor.getSnapshot()];
  monitor.subscribe(() => seen.push(monitor.getSnapshot()));
  return { monitor, seen, kinds: () => seen.map(({ kind }) => kind) };
}

function loseQuorum(node: FakeNode, staleMs = 0): void {
  node.hasQuorum = false;
  node.session.send({ cluster: { ...node.view(), staleMs } });
}

test("P7: a gap under 1 s is not shown", async () => {
  const { client, clock, node } = await startedWorld(3);
  const { kinds } = record(client, clock);
  node(1).kill();
  await clock.advance(900);
  expect(client.state).toMatchObject({ phase: "online", nodeId: expect.any(Number) });
  expect(client.state.nodeId).not.toBe(1);
  expect(new Set(kinds())).toEqual(new Set(["online"]));
});

test("a longer gap is shown, with what waits, until a node is there again", async () => {
  const { client, clock, cluster, node } = await startedWorld(3);
  const { monitor, kinds } = record(client, clock);
  for (const each of cluster.nodes) each.kill();
  void client.send(1, "kept");
  await clock.advance(990);
  expect(monitor.getSnapshot()).toMatchObject({ kind: "online", waiting: 1 });
  await clock.advance(20);
  expect(monitor.getSnapshot()).toMatchObject({ kind: "reconnecting", waiting: 1 });
  expect(monitor.getSnapshot()).toMatchObject({
    problem: expect.stringContaining("node"),
    trouble: { kind: expect.any(String), address: expect.any(String) },
  });
  node(2).mode = "up";
  node(2).onRequest = (session, request) => session.commit(request, 11);
  await clock.advance(5_000);
  expect(monitor.getSnapshot()).toMatchObject({ kind: "online", nodeId: 2, waiting: 0 });
  expect([...new Set(kinds())]).toEqual(["online", "reconnecting"]);
});

test("before a node has been met it says connecting, and why not", async () => {
  const { client, clock, cluster } = newWorld(3);
  for (const each of cluster.nodes) each.mode = "down";
  const { monitor } = record(client, clock);
  await client.start();
  await clock.advance(3_000);
  expect(monitor.getSnapshot()).toMatchObject({
    kind: "connecting",
    problem: expect.stringContaining("refused"),
    trouble: { kind: "refused", address: expect.any(String) },
  });
});

test("P6: without a quorum it is read-only, as of when it last had one, by the servers' clock", async () => {
  // A clock that is wrong by a day: what the servers call now is yesterday here.
  const clock = new VirtualClock();
  const { client, node, cluster } = await startedWorld(1, { clock });
  const serverNowMs = () => clock.wallMs() - DAY_MS;
  node(1).session.send({ pong: { nonce: 1, serverTimeMs: serverNowMs() } });
  await clock.advance(0);
  const { monitor, seen } = record(client, clock);
  expect(cluster.nodes).toHaveLength(1);
  node(1).answersPings = false;
  const lostAtMs = serverNowMs() - 300;
  loseQuorum(node(1), 300);
  await clock.advance(900);
  expect(monitor.getSnapshot().kind).toBe("online");
  await clock.advance(200);
  expect(monitor.getSnapshot()).toMatchObject({ kind: "read-only", nodeId: 1, waiting: 0 });
  expect((monitor.getSnapshot() as { asOfMs: number }).asOfMs).toBe(lostAtMs);
  // Its age grows, and what it is as of stays: nothing is rendered anew.
  const before = seen.length;
  node(1).session.send({ cluster: { ...node(1).view(), staleMs: 1_399 } });
  await clock.advance(1);
  expect(seen.length).toBe(before);
  node(1).hasQuorum = true;
  node(1).session.send({ cluster: node(1).view() });
  await clock.advance(1);
  expect(monitor.getSnapshot()).toMatchObject({ kind: "online", nodeId: 1, waiting: 0 });
});

test("an election, in which the quorum is missing for a moment, is not shown", async () => {
  const { client, clock, node } = await startedWorld(3);
  const { kinds } = record(client, clock);
  for (let round = 0; round < 5; round++) {
    loseQuorum(node(1));
    await clock.advance(400);
    node(1).hasQuorum = true;
    node(1).session.send({ cluster: node(1).view() });
    await clock.advance(400);
  }
  expect(new Set(kinds())).toEqual(new Set(["online"]));
});

test("a snapshot is the same object until it changes, as useSyncExternalStore asks", async () => {
  const { client, clock, node } = await startedWorld(3);
  const monitor = new HealthMonitor(client, clock);
  const { getSnapshot, subscribe } = monitor;
  let calls = 0;
  const leave = subscribe(() => calls++);
  const first = getSnapshot();
  node(1).session.send({ cluster: node(1).view() });
  await clock.advance(10);
  expect(getSnapshot()).toBe(first);
  expect(calls).toBe(0);
  leave();
  monitor.close();
  await client.close();
  expect(calls).toBe(0);
});

test("each message: waiting, committed on k of n, or failed and why", async () => {
  const { client, clock, node } = await startedWorld(3);
  const early = client.enqueue(1, "early");
  await early.stored;
  const deliveries = new Deliveries(client);
  let changes = 0;
  deliveries.subscribe(() => changes++);
  const [kept, lost] = [client.enqueue(1, "kept"), client.enqueue(2, "refused")];
  await clock.advance(1);
  for (const { clientMessageId } of [early, kept, lost]) {
    expect(deliveries.of(clientMessageId)).toEqual({ kind: "waiting" });
    expect(deliveries.of(clientMessageId)).toBe(deliveries.of(clientMessageId));
  }
  for (const request of node(1).session.requests) {
    if (request.op.$case !== "send") continue;
    if (request.op.value.roomId === 2) node(1).session.refuse(request, "NOT_A_MEMBER");
    else node(1).session.commit(request, request.id + 10);
  }
  await clock.advance(1);
  for (const { clientMessageId } of [early, kept]) {
    expect(deliveries.of(clientMessageId)).toMatchObject({
      kind: "committed",
      replicas: 2,
      nodes: 3,
    });
  }
  expect(deliveries.of(lost.clientMessageId)).toMatchObject({
    kind: "failed",
    reason: "NOT_A_MEMBER",
  });
  expect(changes).toBe(5);
  client.dismissFailed(lost.clientMessageId);
  expect(deliveries.of(lost.clientMessageId)).toBeUndefined();
  deliveries.close();
});

test("P1: ticks grow as the members' disks follow, and never shrink", async () => {
  const { client, clock, node } = await startedWorld(3);
  client.subscribe({ afterRevision: 10 });
  node(1).onRequest = (session, request) => session.commit(request, 20);
  const deliveries = new Deliveries(client);
  const positions = async (...revisions: number[]) => {
    const nodes = revisions.map((revision, at) => ({ nodeId: at + 1, revision }));
    node(1).session.send({ positions: { nodes } });
    await clock.advance(1);
  };
  const { clientMessageId } = client.enqueue(1, "hello");
  await clock.advance(1);
  let changes = 0;
  deliveries.subscribe(() => changes++);
  const tick = () => deliveries.of(clientMessageId);
  expect(tick()).toMatchObject({ replicas: 2, nodes: 3 });
  await positions(20, 19, 5);
  expect(tick()).toMatchObject({ replicas: 2, nodes: 3 });
  expect(changes).toBe(1);
  // Two more members, of which one is a witness.
  await positions(20, 20, 5, 20, 7);
  expect(tick()).toMatchObject({ replicas: 3, nodes: 5 });
  await positions(25, 21, 20, 20, 20);
  expect(tick()).toMatchObject({ replicas: 5, nodes: 5 });
  expect(changes).toBe(3);
  await positions(25, 0, 0, 0, 0);
  expect(tick()).toMatchObject({ replicas: 5, nodes: 5 });
  // For messages of others, by revision.
  expect(client.spread(25)).toEqual({ replicas: 1, nodes: 5 });
});

test("P1: by its revision a message is counted that was written elsewhere, and never says less than a majority", async () => {
  const { client, clock, node } = await startedWorld(3);
  client.subscribe({ afterRevision: 10 });
  const deliveries = new Deliveries(client);
  const positions = async (...revisions: number[]) => {
    const nodes = revisions.map((revision, at) => ({ nodeId: at + 1, revision }));
    node(1).session.send({ positions: { nodes } });
    await clock.advance(1);
  };
  const tick = (revision: number) => deliveries.of("written elsewhere", revision);
  expect(tick(8)).toBeUndefined();
  await positions(20, 0, 0);
  expect(tick(8)).toBeUndefined();
  await positions(20, 20, 7);
  expect(tick(8)).toEqual({ kind: "committed", replicas: 2, nodes: 3 });
  expect(tick(8)).toBe(tick(9));
  expect(tick(7)).toMatchObject({ replicas: 3, nodes: 3 });
  await positions(21, 21, 21);
  // Another leader has not heard of the third one yet.
  await positions(22, 22, 0);
  expect(tick(21)).toMatchObject({ replicas: 3, nodes: 3 });
  expect(tick(22)).toMatchObject({ replicas: 2, nodes: 3 });
  deliveries.close();
});

test("P11: ticks of committed messages are remembered up to a bound", async () => {
  const { client, clock, node } = await startedWorld(1);
  let revision = 10;
  node(1).onRequest = (session, request) => session.commit(request, ++revision);
  const deliveries = new Deliveries(client);
  const sent = Array.from({ length: COMMITTED_KEPT_MAX + 5 }, () => client.enqueue(1, "x"));
  await clock.advance(100);
  const known = sent.filter(({ clientMessageId }) => deliveries.of(clientMessageId) !== undefined);
  expect(known).toHaveLength(COMMITTED_KEPT_MAX);
  expect(known.at(-1)).toBe(sent.at(-1));
});
