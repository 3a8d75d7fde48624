import type { HistoryRequest } from "@parley/protocol";
import { expect, test } from "vitest";
import { newWorld, startedWorld, watch } from "./client-world.ts";
import type { FakeNode, FakeSession, SentRequest } from "./virtual-world.ts";

function history(session: FakeSession, request: SentRequest, revision: number, staleMs = 0): void {
  const value = { messages: [], revision, staleMs, lastSeq: 0 };
  session.reply(request, { $case: "history", value });
}

/** Answers reads as a node that has applied `revision`. */
function readsAt(node: FakeNode, revision: number, staleMs = 0): void {
  node.revision = revision;
  node.onRequest = (session, request) => {
    const { minRevision } = request.op.value as HistoryRequest;
    if (minRevision > revision) session.refuse(request, "BEHIND", { retryAfterMs: 50 });
    else history(session, request, revision, staleMs);
  };
}

test("P2: a write keeps its request id over failovers", async () => {
  const { clock, client, node, serving } = await startedWorld(3);
  const made = watch(client.call("createRoom", { name: "attic" }));
  await clock.advance(1);
  const first = node(1).session.requests[0]?.op;
  node(1).kill();
  await clock.advance(10);
  const again = serving().session.requests[0];
  if (again === undefined) throw new Error("nothing was sent again");
  expect(again.op).toEqual(first);
  expect(first?.value).toMatchObject({ name: "attic" });
  expect(first?.value).toMatchObject({ requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  serving().session.reply(again, { $case: "createRoom", value: { room: undefined, revision: 77 } });
  await clock.advance(1);
  expect(made.value).toMatchObject({ revision: 77, stale: false });
  expect(client.state.revision).toBe(77);
});

test("P2: a passing refusal is retried with the same request id, after the delay that it asks for", async () => {
  const { clock, client, node } = await startedWorld(1);
  const ids = new Set<string>();
  const atMs: number[] = [];
  node(1).onRequest = (session, request) => {
    ids.add((request.op.value as { requestId: string }).requestId);
    atMs.push(clock.monotonicMs());
    if (atMs.length < 3) session.refuse(request, "OVERLOADED", { retryAfterMs: 400 });
    else session.reply(request, { $case: "joinRoom", value: { room: undefined, revision: 5 } });
  };
  const joined = watch(client.call("joinRoom", { roomId: 4 }));
  await clock.advance(2_000);
  expect(joined.value?.revision).toBe(5);
  expect(ids.size).toBe(1);
  const gaps = atMs.slice(1).map((ms, at) => ms - (atMs[at] ?? 0));
  for (const gap of gaps) {
    expect(gap).toBeGreaterThanOrEqual(400);
    expect(gap).toBeLessThanOrEqual(501);
  }
});

test("P11: what is refused again and again is asked less and less often, whatever the node names", async () => {
  const { clock, client, node } = await startedWorld(1);
  const atMs: number[] = [];
  node(1).onRequest = (session, request) => {
    atMs.push(clock.monotonicMs());
    session.refuse(request, "OVERLOADED", { retryAfterMs: 100 });
  };
  const joined = watch(client.call("joinRoom", { roomId: 4 }, { deadlineMs: 20_000 }));
  await clock.advance(11_000);
  expect(joined.error).toBeUndefined();
  // 100, 100, 200, 400, 800, 1600 and then each 2000 ms, with some chance on top.
  expect(atMs.length).toBeGreaterThanOrEqual(8);
  expect(atMs.length).toBeLessThanOrEqual(11);
});

test("P4: reads ask for at least the highest revision seen, by writes, reads and events", async () => {
  const { clock, client, node } = await startedWorld(1);
  const asked: number[] = [];
  let revision = 20;
  node(1).onRequest = (session, request) => {
    asked.push((request.op.value as HistoryRequest).minRevision);
    history(session, request, revision);
  };
  for (revision of [20, 30]) {
    const read = client.call("history", { roomId: 1 });
    await clock.advance(1);
    await read;
  }
  void client.call("history", { roomId: 1, minRevision: 99 });
  await clock.advance(1);
  expect(asked).toEqual([0, 20, 99]);
});

test("P4: a node that is behind makes the client go to one that is not", async () => {
  const { clock, client, node } = await startedWorld(3, { seenRevision: 50 });
  readsAt(node(1), 40);
  readsAt(node(2), 45);
  readsAt(node(3), 50);
  for (const id of [1, 2]) node(id).hasQuorum = false;
  const read = watch(client.call("history", { roomId: 1 }));
  await clock.advance(100);
  expect(read.value).toMatchObject({ revision: 50, stale: false });
  expect(client.state.nodeId).toBe(3);
});

test("P4: only when no node that can be reached has it, older data is given, and marked", async () => {
  const { clock, client, node } = await startedWorld(3, { seenRevision: 50 });
  readsAt(node(1), 40, 1_234);
  readsAt(node(2), 45);
  node(3).mode = "down";
  for (const id of [1, 2]) node(id).hasQuorum = false;
  const read = watch(client.call("history", { roomId: 1 }));
  await clock.advance(100);
  expect(read.value).toMatchObject({ stale: true, revision: 40, staleMs: 1_234 });
  expect(client.state).toMatchObject({ phase: "online", revision: 50 });
  // For a while nobody asks again; then what was seen is asked for as before.
  const asked = () =>
    node(1).session.requests.map(({ op }) => (op.value as HistoryRequest).minRevision);
  expect(asked()).toEqual([50, 0]);
  const soon = watch(client.call("history", { roomId: 1 }));
  await clock.advance(1);
  expect(soon.value).toMatchObject({ stale: true });
  await clock.advance(6_000);
  readsAt(node(1), 55);
  const later = watch(client.call("history", { roomId: 1 }));
  await clock.advance(1);
  expect(later.value).toMatchObject({ stale: false, revision: 55 });
  expect(asked()).toEqual([50, 0, 0, 50]);
});

test("P4: a read does not hang on nodes that neither answer nor refuse", async () => {
  const { clock, client, node } = await startedWorld(3, { seenRevision: 50 });
  readsAt(node(1), 40);
  node(2).mode = "stopped";
  node(3).mode = "stopped";
  const read = watch(client.call("history", { roomId: 1 }));
  await clock.advance(3_100);
  expect(read.value).toMatchObject({ stale: true, revision: 40 });
});

test("a read has a deadline of 10 s, a write of 30 s, and a write says that it may have happened", async () => {
  const { clock, client, node } = await startedWorld(1);
  node(1).kill();
  const read = watch(client.call("history", { roomId: 1 }));
  const write = watch(client.call("joinRoom", { roomId: 1 }));
  await clock.advance(9_900);
  expect(read.error).toBeUndefined();
  await clock.advance(200);
  expect(read.error).toMatchObject({ reason: "DEADLINE_EXCEEDED", code: 4 });
  await clock.advance(19_700);
  expect(write.error).toBeUndefined();
  await clock.advance(200);
  expect(write.error).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  const sent = watch(client.call("joinRoom", { roomId: 1 }, { deadlineMs: 5_000 }));
  node(1).mode = "up";
  node(1).onRequest = () => {};
  await clock.advance(6_000);
  expect((sent.error as Error).message).toContain("not known");
});

test("a request can be given up at any time", async () => {
  const { clock, client, node } = await startedWorld(1);
  const controller = new AbortController();
  const read = watch(client.call("history", { roomId: 1 }, { signal: controller.signal }));
  await clock.advance(1);
  controller.abort();
  await clock.advance(1);
  expect(read.error).toMatchObject({ reason: "CANCELLED" });
  const late = node(1).session.requests[0];
  if (late !== undefined) history(node(1).session, late, 90);
  await clock.advance(1);
  expect(client.state.revision).toBe(0);
  const aborted = client.call("history", {}, { signal: AbortSignal.abort() });
  await expect(aborted).rejects.toMatchObject({ reason: "CANCELLED" });
});

test("what can never succeed rejects at once with a typed error", async () => {
  const { clock, client, node } = await startedWorld(1);
  node(1).onRequest = (session, request) => session.refuse(request, "ROOM_NOT_FOUND");
  const read = watch(client.call("history", { roomId: 404 }));
  await clock.advance(1);
  expect(read.error).toMatchObject({ name: "ParleyError", reason: "ROOM_NOT_FOUND", code: 5 });
  expect(node(1).session.requests).toHaveLength(1);
});

test("a long pause that a node asks for is told, a short one is not", async () => {
  const { clock, client, node } = await startedWorld(1, { token: "" });
  node(1).onRequest = (session, request) =>
    session.refuse(request, "RATE_LIMITED", { retryAfterMs: 20_000 });
  const login = watch(client.login({ username: "alice", password: "wrong again" }));
  await clock.advance(1);
  expect(login.error).toMatchObject({ reason: "RATE_LIMITED", retryAfterMs: 20_000 });
});

test("P11: the requests that wait are bounded", async () => {
  const { clock, client, node } = await startedWorld(1, { callsMax: 3 });
  node(1).kill();
  const all = Array.from({ length: 4 }, () => watch(client.call("history", { roomId: 1 })));
  await clock.advance(1);
  expect(all.map(({ error }) => error !== undefined)).toEqual([false, false, false, true]);
  expect(all[3]?.error).toMatchObject({ reason: "OVERLOADED" });
});

test("P11: a request that can't be encoded, or is too large, fails alone", async () => {
  const { clock, client, node } = await startedWorld(1);
  readsAt(node(1), 5);
  const large = watch(client.call("listRooms", { pattern: "x".repeat(2_000_000) }));
  const wrong = watch(client.call("history", { roomId: -1 }));
  const good = watch(client.call("history", { roomId: 1 }));
  await clock.advance(1);
  expect(large.error).toMatchObject({ reason: "TOO_LARGE" });
  expect(wrong.error).toMatchObject({ reason: "INVALID_ARGUMENT" });
  expect(good.value).toMatchObject({ revision: 5 });
  expect(node(1).session.requests).toHaveLength(1);
});

test("a reply of another kind, or none in it, is an error and not a crash", async () => {
  const { clock, client, node } = await startedWorld(1);
  node(1).onRequest = (session, request) =>
    session.reply(request, { $case: "logout", value: { revision: 3 } });
  const read = watch(client.call("history", { roomId: 1 }));
  await clock.advance(1);
  expect(read.error).toMatchObject({ reason: "INTERNAL" });
  node(1).onRequest = (session, request) =>
    session.send({ replies: [{ id: request.id, result: undefined }] });
  const empty = watch(client.call("history", { roomId: 1 }));
  await clock.advance(1);
  expect(empty.error).toMatchObject({ reason: "INTERNAL" });
});

test("after closing, requests and sends are refused, and what waits is told", async () => {
  const { clock, client } = await startedWorld(1);
  const waiting = watch(client.call("history", { roomId: 1 }));
  const sent = watch(client.send(1, "hello"));
  await clock.advance(1);
  await client.close();
  await clock.advance(1);
  for (const { error } of [waiting, sent]) expect(error).toMatchObject({ reason: "CANCELLED" });
  await expect(client.call("history", {})).rejects.toMatchObject({ reason: "CANCELLED" });
  await expect(client.send(1, "x")).rejects.toMatchObject({ reason: "CANCELLED" });
  expect(clock.armed).toBe(0);
});

test.each([
  ["a day and more behind", 30],
  ["a day and more ahead", -30],
  ["about right", 0.5],
])(
  "P2: on a device whose clock is %s, a write is as old as the nodes think it is",
  async (_, hours) => {
    const { client, clock, cluster, node } = newWorld(1);
    cluster.wallOffsetMs = hours * 60 * 60 * 1_000;
    // Asked, and a message written, before a node could tell the time.
    const early = client.enqueue(1, "hello");
    void client.call("createRoom", { name: "one" }).catch(() => {});
    await client.start();
    await clock.advance(1);
    void client.call("createRoom", { name: "two" }).catch(() => {});
    await clock.advance(1);
    const ids = node(1).session.requests.flatMap(({ op }) =>
      op.$case === "createRoom" ? [op.value.requestId] : [],
    );
    expect(ids).toHaveLength(2);
    // A message's id has no age; one that is ahead must not draw the requests' ids after it.
    expect(Math.abs(timeOf(early.clientMessageId) - clock.wallMs())).toBeLessThan(10);
    const expectedMs = Math.abs(hours) < 1 ? clock.wallMs() : node(1).wallMs();
    for (const id of ids) expect(Math.abs(timeOf(id) - expectedMs)).toBeLessThan(10);
  },
);

function timeOf(uuid: string): number {
  return Number.parseInt(uuid.replaceAll("-", "").slice(0, 12), 16);
}
