import { expect, test } from "vitest";
import { newWorld, sends, startedWorld, watch } from "./client-world.ts";
import type { FakeNode } from "./virtual-world.ts";

const UNREAD = { rooms: [], unreadCount: 0, mentionCount: 0, revision: 0, staleMs: 0 };

function commitAll(node: FakeNode): void {
  node.onRequest = (session, request) => session.commit(request, 11);
}

test("P7: a send whose node dies is answered by another, with the same id, and no error", async () => {
  const { clock, client, node, serving } = await startedWorld(3);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 1, signedIn: true, leaderId: 1 });
  expect(client.state.nodes).toEqual(["node1:1", "node2:1", "node3:1"]);
  const sent = client.send(5, "hello");
  await clock.advance(1);
  const first = node(1).session.requests[0];
  node(1).kill();
  await clock.advance(10);
  expect(client.state.nodeId).not.toBe(1);
  const again = serving().session.requests[0];
  expect(again?.op).toEqual(first?.op);
  if (again === undefined) throw new Error("nothing was sent again");
  serving().session.commit(again, 11);
  expect((await sent).message.body).toBe("hello");
  expect(client.state.pendingSends).toBe(0);
  await client.close();
  expect(clock.armed).toBe(0);
});

test("the first retry is at once and elsewhere; then delays double up to 2 s, jittered", async () => {
  const { clock, cluster, node } = await startedWorld(1);
  const killedAtMs = clock.monotonicMs();
  node(1).kill();
  await clock.advance(20_000);
  const at = cluster.dials.slice(1).map(({ atMs }) => atMs - killedAtMs);
  expect(at[0]).toBe(0);
  const gaps = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
  for (const [index, gap] of gaps.entries()) {
    const full = Math.min(2_000, 50 * 2 ** index);
    expect(gap).toBeGreaterThanOrEqual(full / 2);
    expect(gap).toBeLessThanOrEqual(full + 1);
  }
  expect(gaps.length).toBeGreaterThan(10);
});

test("a node that is back is found again, without anybody asking", async () => {
  const { clock, client, node } = await startedWorld(1);
  node(1).kill();
  await clock.advance(10_000);
  expect(client.state.phase).toBe("connecting");
  node(1).mode = "up";
  await clock.advance(2_100);
  expect(client.state.phase).toBe("online");
});

test("a stopped node: an unanswered send goes to a second node after 700 ms, and the session follows", async () => {
  const { clock, cluster, client, node, serving } = await startedWorld(3);
  const startedMs = clock.monotonicMs();
  commitAll(node(2));
  commitAll(node(3));
  node(1).mode = "stopped";
  const sent = watch(client.send(1, "hello"));
  await clock.advance(690);
  expect(cluster.dials).toHaveLength(1);
  await clock.advance(20);
  expect(cluster.dials).toHaveLength(2);
  expect(sent.value?.message.body).toBe("hello");
  expect(serving().id).not.toBe(1);
  expect(node(1).session.closed).toBe(true);
  expect(client.state.phase).toBe("online");
  expect(clock.monotonicMs() - startedMs).toBeLessThan(1_000);
});

test("a stopped node among dead ones: the second node is found without a pause", async () => {
  const { clock, client, node } = await startedWorld(5);
  for (const id of [2, 3, 4]) node(id).kill();
  commitAll(node(5));
  node(1).mode = "stopped";
  const sent = watch(client.send(1, "hello"));
  await clock.advance(710);
  expect(sent.value?.message.body).toBe("hello");
  expect(client.state.nodeId).toBe(5);
});

test("a slow node that answers after all keeps its session, and the second link is closed", async () => {
  const { clock, cluster, client, node } = await startedWorld(2);
  const sent = watch(client.send(1, "hello"));
  await clock.advance(800);
  expect(cluster.dials).toHaveLength(2);
  expect(sends(node(2).session.requests)).toEqual(sends(node(1).session.requests));
  const [request] = node(1).session.requests;
  if (request === undefined) throw new Error("nothing was sent");
  node(1).session.commit(request, 11);
  await clock.advance(1);
  expect(sent.value?.message.seq).toBe(11);
  expect(node(2).session.closed).toBe(true);
  expect(client.state.nodeId).toBe(1);
  // The late answer of a closed link does no harm, and the next hedge waits.
  void client.send(1, "again");
  await clock.advance(750);
  expect(cluster.dials).toHaveLength(2);
});

test("a refusal by the second node decides nothing while the first may still answer", async () => {
  const { clock, client, node } = await startedWorld(2);
  node(2).onRequest = (session, request) => session.refuse(request, "NO_QUORUM");
  const sent = watch(client.send(1, "hello"));
  await clock.advance(800);
  const [request] = node(1).session.requests;
  if (request === undefined) throw new Error("nothing was sent");
  node(1).session.commit(request, 11);
  await clock.advance(1);
  expect(sent.value?.replicas).toBe(2);
  expect(client.state.nodeId).toBe(1);
});

test("what the second node refused is tried again once it is the first (simulator seed 195)", async () => {
  const { clock, client, node } = await startedWorld(2);
  node(1).mode = "stopped";
  let refusals = 0;
  node(2).onRequest = (session, request) => {
    // It refuses the send, wins the race with its answer to the read, and then has room.
    if (request.op.$case === "unread") {
      session.reply(request, { $case: "unread", value: { ...UNREAD, revision: 11 } });
    } else if (refusals++ === 0) session.refuse(request, "DISK_FULL", { retryAfterMs: 1_000 });
    else session.commit(request, 12);
  };
  const sent = watch(client.send(1, "hello"));
  await clock.advance(1);
  const read = watch(client.call("unread", {}));
  await clock.advance(800);
  expect(read.value?.revision).toBe(11);
  expect(client.state.nodeId).toBe(2);
  expect(sent.value).toBeUndefined();
  await clock.advance(1_300);
  expect(sent.value?.message.revision).toBe(12);
  expect(refusals).toBe(2);
});

test("a second node that becomes the first and never answers is given up as well", async () => {
  const { clock, client, node } = await startedWorld(2);
  const sent = watch(client.send(1, "hello"));
  // Both take the send and answer pings only. In the end the first is given up.
  await clock.advance(900);
  expect(sends(node(2).session.requests)).toHaveLength(1);
  const silent = node(2).session;
  while (client.state.nodeId === 1) await clock.advance(100);
  expect(silent.closed).toBe(false);
  commitAll(node(1));
  commitAll(node(2));
  await clock.advance(5_000);
  expect(silent.closed).toBe(true);
  expect(sent.value?.message.body).toBe("hello");
});

test("a silent link is probed after 3 s and given up 500 ms later; a live one is left alone", async () => {
  const { clock, cluster, client, node } = await startedWorld(2);
  await clock.advance(30_000);
  expect(cluster.dials).toHaveLength(1);
  expect(node(1).session.pings).toBeGreaterThan(10);
  await clock.advance(1_000);
  node(1).mode = "stopped";
  // It was heard last up to 1.5 s before it stopped.
  await clock.advance(1_900);
  expect(client.state.nodeId).toBe(1);
  await clock.advance(1_700);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 2 });
});

test("a probe from outside finds a dead link at once", async () => {
  const { clock, client, node } = await startedWorld(2);
  node(1).mode = "stopped";
  client.probe();
  await clock.advance(510);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 2 });
});

test("a node that accepts and never speaks does not hold the client up", async () => {
  const { clock, client, node } = newWorld(2, { servers: "node1:1,node2:1" });
  node(1).mode = "stopped";
  node(2).mode = "stopped";
  await client.start();
  await clock.advance(2_000);
  node(2).mode = "up";
  await clock.advance(10_000);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 2 });
});

test("a farewell moves the session at once", async () => {
  const { clock, client, node } = await startedWorld(2);
  node(1).session.send({ goAway: { reason: "SHUTTING_DOWN", cursor: 0, retryAfterMs: 0 } });
  await clock.advance(1);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 2 });
});

test("P11: a frame that can't be decoded ends the link, not the client", async () => {
  const { clock, client, node } = await startedWorld(2);
  node(1).session.sendBytes(Uint8Array.of(0xff, 0xff, 0xff));
  await clock.advance(1);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 2 });
  expect(client.state.problem).toContain("malformed");
  expect(client.state.trouble).toEqual({ kind: "malformed", address: node(1).address });
});

test("P6: a node without a quorum is left when another has one, and kept when none has", async () => {
  const { clock, cluster, client, node } = await startedWorld(3);
  for (const id of [1, 2, 3]) node(id).hasQuorum = false;
  node(1).session.send({ cluster: { ...cluster.view(), hasQuorum: false, staleMs: 5 } });
  await clock.advance(900);
  expect(cluster.dials).toHaveLength(1);
  await clock.advance(10_000);
  // Others are asked now and then; the session stays where it is.
  expect(cluster.dials.length).toBeGreaterThan(4);
  expect(cluster.dials.length).toBeLessThan(40);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 1, hasQuorum: false });
  node(3).hasQuorum = true;
  await clock.advance(10_000);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 3, hasQuorum: true });
  const dials = cluster.dials.length;
  await clock.advance(20_000);
  expect(cluster.dials).toHaveLength(dials);
});

test("P6: a second node that has no quorum either does not end the search (simulator seed 15)", async () => {
  const { clock, client, node } = await startedWorld(3);
  commitAll(node(1));
  commitAll(node(3));
  node(1).mode = "stopped";
  node(3).kill();
  const sent = watch(client.send(1, "hello"));
  // The send is slow, so a second node gets it too. Neither answers: both are cut off from the rest.
  await clock.advance(1_000);
  expect(sends(node(2).session.requests)).toHaveLength(1);
  node(1).mode = "up";
  for (const id of [1, 2]) {
    node(id).hasQuorum = false;
    node(id).session.send({ cluster: node(id).view() });
  }
  node(3).mode = "up";
  await clock.advance(5_000);
  expect(client.state).toMatchObject({ nodeId: 3, hasQuorum: true });
  expect(sent.value?.message.body).toBe("hello");
});

test("P6: a node that does not get writes confirmed is left (simulator seed 6)", async () => {
  const { clock, client, node } = await startedWorld(2);
  // Its disk has stopped: it hears of the leader, but applies nothing any more.
  node(1).onRequest = (session, request) => session.refuse(request, "OUTCOME_UNKNOWN");
  commitAll(node(2));
  const sent = watch(client.send(1, "hello"));
  await clock.advance(100);
  expect(client.state.nodeId).toBe(2);
  expect(sent.value?.message.body).toBe("hello");
});

test("hedges that were in vain go round all other nodes", async () => {
  const { clock, client, node } = await startedWorld(4);
  for (let i = 0; i < 3; i++) {
    const hedged = new Set([2, 3, 4].filter((id) => node(id).sessions.length > 0)).size;
    expect(hedged).toBe(i);
    void client.send(1, `slow ${i}`);
    let sessions = 0;
    const count = () => node(2).sessions.length + node(3).sessions.length + node(4).sessions.length;
    for (sessions = count(); count() === sessions; ) await clock.advance(100);
    const { requests } = node(1).session;
    const request = requests.at(-1);
    if (request === undefined) throw new Error("nothing was sent");
    node(1).session.commit(request, 11 + i);
    await clock.advance(10);
    expect(client.state.nodeId).toBe(1);
  }
  expect([2, 3, 4].map((id) => node(id).sessions.length)).toEqual([1, 1, 1]);
});

test("a client that prefers the leader follows it", async () => {
  const { clock, cluster, client, node } = await startedWorld(3, { preferLeader: true });
  expect(client.state.nodeId).toBe(1);
  cluster.leaderId = 3;
  node(1).session.send({ cluster: cluster.view() });
  await clock.advance(1_100);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 3 });
});

test("the same seed gives the same run", async () => {
  const traces = [];
  for (const _ of [1, 2]) {
    const { clock, cluster, client, node } = await startedWorld(5);
    for (const id of [2, 3, 4, 5]) commitAll(node(id));
    for (let round = 0; round < 20; round++) void client.send(1, `m${round}`).catch(() => {});
    node(1).kill();
    await clock.advance(5_000);
    node(client.state.nodeId).kill();
    await clock.advance(5_000);
    const frames = cluster.nodes.map(({ sessions }) => sessions.map(({ frames }) => frames));
    traces.push(JSON.stringify([cluster.dials, frames]));
  }
  expect(traces[0]).toBe(traces[1]);
  expect(traces[0]).toContain("node1:1");
});

test("P6: the age of data without a quorum grows while nobody tells of it anew", async () => {
  const { clock, client, cluster, node } = await startedWorld(1);
  expect(client.state.staleMs).toBe(0);
  node(1).hasQuorum = false;
  node(1).session.send({ cluster: { ...cluster.view(), hasQuorum: false, staleMs: 500 } });
  await clock.advance(1);
  expect(client.state.staleMs).toBeGreaterThanOrEqual(500);
  await clock.advance(4_000);
  expect(client.state.staleMs).toBeGreaterThanOrEqual(4_500);
  expect(client.state.staleMs).toBeLessThan(4_600);
  node(1).session.send({ cluster: cluster.view() });
  await clock.advance(1);
  expect(client.state.staleMs).toBe(0);
});
