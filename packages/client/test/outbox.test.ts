import { expect, test } from "vitest";
import { MemoryOutbox, type OutboxChange, ParleyClient } from "../src/index.ts";
import { ROOM_WINDOW } from "../src/outbox.ts";
import { newWorld, sends, startedWorld, watch } from "./client-world.ts";
import { type FakeNode, SeededRandom, type SentRequest } from "./virtual-world.ts";

/** A node that keeps messages as a real one does: once, and only after their predecessor. */
class Keeper {
  readonly stored = new Map<string, number>();
  readonly bodies: string[] = [];
  #revision = 100;

  attach(node: FakeNode, refusal: (body: string) => string | undefined = () => undefined): void {
    node.onRequest = (session, request) => {
      if (request.op.$case !== "send") return;
      const { clientMessageId, afterClientMessageId, body } = request.op.value;
      const before = this.stored.get(clientMessageId);
      if (before !== undefined) return session.commit(request, before);
      if (afterClientMessageId !== "" && !this.stored.has(afterClientMessageId)) {
        return session.refuse(request, "PREDECESSOR_MISSING");
      }
      const reason = refusal(body);
      if (reason !== undefined) return session.refuse(request, reason);
      this.stored.set(clientMessageId, ++this.#revision);
      this.bodies.push(body);
      return session.commit(request, this.#revision);
    };
  }
}

test("P3: each send names the unanswered one before it in its room; what is sent together shares a frame", async () => {
  const { clock, client, node } = await startedWorld(1);
  for (const text of ["a", "b", "c"]) void client.send(1, text);
  void client.send(2, "other");
  await clock.advance(1);
  const got = sends(node(1).session.requests);
  expect(got.map(({ body }) => body)).toEqual(["a", "b", "c", "other"]);
  const ids = got.map(({ clientMessageId }) => clientMessageId);
  expect(got.map((send) => send.afterClientMessageId)).toEqual(["", ids[0], ids[1], ""]);
  expect(node(1).session.frames.filter(({ requests }) => requests.length > 0)).toHaveLength(1);
});

test("a reply says what it answers, also when an earlier process wrote it", async () => {
  const store = new MemoryOutbox();
  const { clock, client, node } = await startedWorld(1, { outbox: store });
  void client.send(1, "yes", { replyToSeq: 12 }).catch(() => {});
  await clock.advance(1);
  expect(sends(node(1).session.requests)).toMatchObject([{ body: "yes", replyToSeq: 12 }]);
  await client.close();
  const later = await startedWorld(1, { outbox: store });
  await later.clock.advance(1);
  expect(sends(later.node(1).session.requests)).toMatchObject([{ body: "yes", replyToSeq: 12 }]);
  for (const replyToSeq of [-1, 1.5, Number.NaN, 2 ** 60]) {
    await expect(later.client.send(1, "no", { replyToSeq })).rejects.toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
  }
});

test("a reply in a thread says in which, also when an earlier process wrote it", async () => {
  const store = new MemoryOutbox();
  const { clock, client, node } = await startedWorld(1, { outbox: store });
  void client.send(1, "in the thread", { threadRootSeq: 12 }).catch(() => {});
  await clock.advance(1);
  expect(sends(node(1).session.requests)).toMatchObject([{ threadRootSeq: 12, replyToSeq: 0 }]);
  await client.close();
  const later = await startedWorld(1, { outbox: store });
  await later.clock.advance(1);
  expect(sends(later.node(1).session.requests)).toMatchObject([{ threadRootSeq: 12 }]);
  await expect(later.client.send(1, "no", { threadRootSeq: -1 })).rejects.toMatchObject({
    reason: "INVALID_ARGUMENT",
  });
});

test("P3: after a commit the next send needs no predecessor", async () => {
  const { clock, client, node } = await startedWorld(1);
  new Keeper().attach(node(1));
  await Promise.all([client.send(1, "a"), clock.advance(1)]);
  void client.send(1, "b");
  await clock.advance(1);
  expect(sends(node(1).session.requests)[1]?.afterClientMessageId).toBe("");
});

test("P11: a room has a window of sends in flight, and goes on as they are answered", async () => {
  const { clock, client, node } = await startedWorld(1);
  const waiting: SentRequest[] = [];
  node(1).onRequest = (_, request) => waiting.push(request);
  const all = Array.from({ length: 200 }, (_, at) => watch(client.send(1, `m${at}`)));
  await clock.advance(1);
  expect(waiting).toHaveLength(ROOM_WINDOW);
  const keeper = new Keeper();
  keeper.attach(node(1));
  for (const request of waiting) node(1).onRequest?.(node(1).session, request);
  await clock.advance(1);
  expect(all.every(({ value }) => value !== undefined)).toBe(true);
  expect(keeper.bodies).toEqual(all.map((_, at) => `m${at}`));
});

test("P2, P3: over a failover, everything unanswered is sent again, first one first, and stored once in order", async () => {
  const { clock, client, node } = await startedWorld(3);
  const keeper = new Keeper();
  // The first node stores but its answers to all but two are lost.
  let answers = 0;
  keeper.attach(node(1));
  const storing = node(1).onRequest;
  node(1).onRequest = (session, request) => {
    if (++answers > 2) session.closed = true;
    storing?.(session, request);
    session.closed = false;
  };
  keeper.attach(node(2));
  keeper.attach(node(3));
  const texts = Array.from({ length: 10 }, (_, at) => `m${at}`);
  const all = texts.map((text) => watch(client.send(1, text)));
  await clock.advance(1);
  node(1).kill();
  await clock.advance(50);
  expect(all.map(({ error }) => error).filter((error) => error !== undefined)).toEqual([]);
  expect(all.map(({ value }) => value?.message.body)).toEqual(texts);
  expect(keeper.bodies).toEqual(texts);
});

test("P3: what fails for good blocks nothing: its successors are linked anew and keep their order", async () => {
  const { clock, client, node } = await startedWorld(1);
  const keeper = new Keeper();
  keeper.attach(node(1), (body) => (body === "bad" ? "NOT_A_MEMBER" : undefined));
  const changes: OutboxChange[] = [];
  client.onOutbox((change) => changes.push(change));
  const texts = ["a", "bad", "b", "c", "d"];
  const all = texts.map((text) => watch(client.send(1, text)));
  await clock.advance(500);
  expect(all[1]?.error).toMatchObject({ name: "ParleyError", reason: "NOT_A_MEMBER" });
  expect(keeper.bodies).toEqual(["a", "b", "c", "d"]);
  expect(all.filter(({ value }) => value !== undefined)).toHaveLength(4);
  expect(client.state.pendingSends).toBe(0);
  const [failed] = client.outbox();
  expect(failed).toMatchObject({ body: "bad", failure: { reason: "NOT_A_MEMBER" } });
  expect(changes.filter(({ kind }) => kind === "failed")).toHaveLength(1);
  // The author may try again, or dismiss it.
  keeper.attach(node(1));
  expect(await client.retryFailed(failed?.clientMessageId ?? "")).toBe(true);
  await clock.advance(1);
  expect(keeper.bodies).toEqual(["a", "b", "c", "d", "bad"]);
  expect(client.outbox()).toEqual([]);
});

test("P3: a passing refusal of one message holds back those behind it, and nobody hears of it", async () => {
  const { clock, client, node } = await startedWorld(1);
  const keeper = new Keeper();
  let limited = 2;
  keeper.attach(node(1), (body) => (body === "b" && limited-- > 0 ? "RATE_LIMITED" : undefined));
  const all = ["a", "b", "c", "d"].map((text) => watch(client.send(1, text)));
  await clock.advance(2_000);
  expect(all.every(({ value }) => value !== undefined)).toBe(true);
  expect(keeper.bodies).toEqual(["a", "b", "c", "d"]);
  expect(node(1).session.requests.length).toBeLessThan(25);
});

test("P6: without a quorum sends wait, for minutes if need be, and are delivered once when it is back", async () => {
  const { clock, client, node } = await startedWorld(1);
  const keeper = new Keeper();
  let quorum = false;
  keeper.attach(node(1), () => (quorum ? undefined : "NO_QUORUM"));
  const all = Array.from({ length: 20 }, (_, at) => watch(client.send(1, `m${at}`)));
  await clock.advance(300_000);
  expect(all.every(({ error, value }) => error === undefined && value === undefined)).toBe(true);
  // One retry a room every two seconds or so, not one per message and round trip.
  expect(node(1).session.requests.length).toBeLessThan(20 * 250);
  quorum = true;
  await clock.advance(4_000);
  expect(keeper.bodies).toEqual(Array.from({ length: 20 }, (_, at) => `m${at}`));
  expect(all.every(({ value }) => value !== undefined)).toBe(true);
});

test("the next process sends first what the last one left", async () => {
  const outbox = new MemoryOutbox();
  const { clock, client, cluster, node } = await startedWorld(1, { outbox });
  for (const text of ["a", "b"]) client.send(1, text).catch(() => {});
  await clock.advance(1);
  const ids = sends(node(1).session.requests).map(({ clientMessageId }) => clientMessageId);
  await client.close();
  const keeper = new Keeper();
  keeper.attach(node(1));
  const carrier = { servers: "node1:1", carrier: cluster, outbox, token: "token", clock };
  const next = new ParleyClient({ ...carrier, random: new SeededRandom(2) });
  const committed: string[] = [];
  next.onOutbox((change) => {
    if (change.kind === "committed") committed.push(change.item.clientMessageId);
  });
  const third = next.send(1, "c");
  await next.start();
  await clock.advance(1);
  expect((await third).message.body).toBe("c");
  expect(keeper.bodies).toEqual(["a", "b", "c"]);
  expect(committed.slice(0, 2)).toEqual(ids);
  expect(await outbox.open()).toEqual([]);
});

test("cancelling is certain before transmission", async () => {
  const { clock, client, node } = newWorld(1);
  const early = client.enqueue(1, "never mind");
  const seen = watch(early.committed);
  expect(client.cancelSend(early.clientMessageId)).toBe("cancelled");
  const kept = client.enqueue(1, "kept");
  await client.start();
  await clock.advance(1);
  expect(seen.error).toMatchObject({ reason: "CANCELLED" });
  expect(sends(node(1).session.requests).map(({ body }) => body)).toEqual(["kept"]);
  expect(client.cancelSend(kept.clientMessageId)).toBe("withdrawn");
  expect(client.cancelSend("no such id")).toBe("unknown");
});

/** Stores sends as `Keeper` does, and keeps what is asked to be deleted: `reason` = why it is refused; "" = nobody answers. */
function deleting(node: FakeNode, reason: () => string | undefined) {
  const asked: { readonly seqs: readonly number[]; readonly requestId: string }[] = [];
  new Keeper().attach(node);
  const storing = node.onRequest;
  node.onRequest = (session, request) => {
    if (request.op.$case !== "delete") return storing?.(session, request);
    asked.push(request.op.value);
    const refusal = reason();
    if (refusal === "") return;
    if (refusal !== undefined) return session.refuse(request, refusal);
    session.reply(request, { $case: "delete", value: { deletedCount: 1, revision: 200 } });
  };
  return asked;
}

test("P2: what is cancelled after transmission is deleted once it is committed, by one request id over processes and failovers", async () => {
  const outbox = new MemoryOutbox();
  const { clock, client, cluster } = await startedWorld(1, { outbox });
  const queued = client.enqueue(1, "taken back");
  const next = watch(client.send(1, "the next one"));
  await clock.advance(1);
  expect(client.cancelSend(queued.clientMessageId)).toBe("withdrawn");
  expect(client.cancelSend(queued.clientMessageId)).toBe("withdrawn");
  const seq0 = { seq: 0, requestId: "" };
  expect(client.outbox()[0]).toMatchObject({ body: "taken back", withdrawal: seq0 });
  await client.close();
  const node = cluster.node(1);
  let reason: string | undefined = "";
  const asked = deleting(node, () => reason);
  const carrier = { servers: "node1:1", carrier: cluster, outbox, token: "token", clock };
  const second = new ParleyClient({ ...carrier, random: new SeededRandom(2) });
  await second.start();
  await clock.advance(1);
  expect(next.error).toMatchObject({ reason: "CANCELLED" });
  expect(asked).toMatchObject([{ seqs: [101] }]);
  expect(second.outbox()).toMatchObject([{ withdrawal: { seq: 101 } }]);
  expect(second.state.pendingSends).toBe(1);
  // The node dies with the answer, then the process.
  node.kill();
  node.mode = "up";
  await clock.advance(3_000);
  expect(asked).toHaveLength(2);
  await second.close();
  reason = undefined;
  const third = new ParleyClient({ ...carrier, random: new SeededRandom(3) });
  await third.start();
  await clock.advance(1);
  expect(third.outbox()).toEqual([]);
  expect(await outbox.open()).toEqual([]);
  const ids = new Set(asked.map(({ requestId }) => requestId));
  expect([asked.length, ids.size, ids.has("")]).toEqual([3, 1, false]);
});

test("a deletion that is refused in passing is repeated; one whose id is too old gets a new one", async () => {
  const { clock, client, node } = await startedWorld(1);
  const reasons = ["NO_QUORUM", "ID_EXPIRED", undefined];
  const queued = client.enqueue(1, "taken back");
  await clock.advance(1);
  client.cancelSend(queued.clientMessageId);
  const asked = deleting(node(1), () => reasons.shift());
  node(1).kill();
  node(1).mode = "up";
  await clock.advance(10_000);
  expect(client.outbox()).toEqual([]);
  const [first, second, third] = asked.map(({ requestId }) => requestId);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
});

test("a deletion that is refused for good says so, and can be tried again or forgotten", async () => {
  const { clock, client, node } = await startedWorld(1);
  const changes: OutboxChange[] = [];
  client.onOutbox((change) => changes.push(change));
  const queued = client.enqueue(1, "taken back");
  const sent = watch(queued.committed);
  await clock.advance(1);
  client.cancelSend(queued.clientMessageId);
  let reason: string | undefined = "NOT_A_MEMBER";
  const asked = deleting(node(1), () => reason);
  node(1).kill();
  node(1).mode = "up";
  await clock.advance(3_000);
  expect(sent.value?.message.body).toBe("taken back");
  const failure = { reason: "NOT_A_MEMBER" };
  expect(client.outbox()).toMatchObject([{ withdrawal: { seq: 101 }, failure }]);
  expect(client.state.pendingSends).toBe(0);
  await Promise.all([client.retryFailed(queued.clientMessageId), clock.advance(1)]);
  expect(asked).toHaveLength(2);
  expect(client.outbox()).toMatchObject([{ failure }]);
  reason = undefined;
  await Promise.all([client.retryFailed(queued.clientMessageId), clock.advance(1)]);
  expect(client.outbox()).toEqual([]);
  expect(changes.map(({ kind }) => kind)).toEqual([
    "queued",
    "withdrawn",
    "committed",
    "failed",
    "withdrawn",
    "failed",
    "withdrawn",
    "removed",
  ]);
});

test("what was cancelled and can never be sent is gone; its successors keep their order", async () => {
  const { clock, client, node } = await startedWorld(1);
  const queued = client.enqueue(1, "taken back");
  const outcome = watch(queued.committed);
  const next = watch(client.send(1, "the next one"));
  await clock.advance(1);
  client.cancelSend(queued.clientMessageId);
  new Keeper().attach(node(1), (body) => (body === "taken back" ? "NOT_A_MEMBER" : undefined));
  node(1).kill();
  node(1).mode = "up";
  await clock.advance(3_000);
  expect(outcome.error).toMatchObject({ reason: "CANCELLED" });
  expect(next.value?.message.body).toBe("the next one");
  expect(client.outbox()).toEqual([]);
});

test("an aborted send ends the waiting; what was transmitted may still be delivered", async () => {
  const { clock, client, node } = await startedWorld(1);
  const controller = new AbortController();
  const sent = watch(client.send(1, "hello", { signal: controller.signal }));
  await clock.advance(1);
  controller.abort();
  await clock.advance(1);
  expect(sent.error).toMatchObject({ reason: "CANCELLED" });
  expect(client.outbox()).toHaveLength(1);
  const [request] = node(1).session.requests;
  if (request === undefined) throw new Error("nothing was sent");
  node(1).session.commit(request, 11);
  await clock.advance(1);
  expect(client.outbox()).toEqual([]);
});

test("P11: a full outbox says so at once, and what is too large or empty never enters it", async () => {
  const { client } = newWorld(1, { outboxBounds: { itemsMax: 3, bytesMax: 30_000 } });
  for (const text of ["a", "b"]) void client.send(1, text).catch(() => {});
  await expect(client.send(1, "x".repeat(16_385))).rejects.toMatchObject({ reason: "TOO_LARGE" });
  await expect(client.send(1, "")).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
  await expect(client.send(1, "\ud800")).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
  void client.send(1, "c").catch(() => {});
  await expect(client.send(1, "d")).rejects.toMatchObject({ reason: "LIMIT_REACHED", code: 8 });
  const byBytes = newWorld(1, { outboxBounds: { bytesMax: 30_000 } }).client;
  void byBytes.send(1, "x".repeat(16_000)).catch(() => {});
  await expect(byBytes.send(1, "x".repeat(16_000))).rejects.toMatchObject({
    reason: "LIMIT_REACHED",
  });
});

test("an outbox that can't be written fails the send instead of losing it later", async () => {
  const broken = new MemoryOutbox();
  broken.put = () => Promise.reject(new Error("disk on fire")) as never;
  const { client } = await startedWorld(1, { outbox: broken });
  await expect(client.send(1, "hello")).rejects.toMatchObject({
    reason: "INTERNAL",
    message: expect.stringContaining("disk on fire"),
  });
  expect(client.outbox()).toEqual([]);
});

test("an outbox that can't be opened fails the start, and the sends that wait for it", async () => {
  const broken = new MemoryOutbox();
  broken.open = () => Promise.reject(new Error("held by another process"));
  const { client } = newWorld(1, { outbox: broken });
  const sent = watch(client.send(1, "hello"));
  await expect(client.start()).rejects.toThrow("held by another process");
  expect(sent.error).toMatchObject({ reason: "INTERNAL" });
});

test("messages for another cluster are never sent to this one, and stay readable", async () => {
  const { clock, cluster, client, node } = await startedWorld(1);
  client.send(1, "for the old one").catch(() => {});
  await clock.advance(1);
  node(1).kill();
  cluster.clusterId = "another";
  node(1).mode = "up";
  await clock.advance(3_000);
  expect(client.state).toMatchObject({ phase: "online", clusterId: "another", revision: 0 });
  expect(node(1).session.requests).toEqual([]);
  expect(client.outbox()).toMatchObject([
    { body: "for the old one", failure: { reason: "WRONG_CLUSTER" } },
  ]);
});
