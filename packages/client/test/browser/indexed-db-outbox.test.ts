import "fake-indexeddb/auto";
import { ParleyError } from "@parley/protocol";
import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  deleteOutbox,
  FallbackOutbox,
  IndexedDbOutbox,
  leftovers,
  outboxName,
} from "../../src/browser/index.ts";
import { newWorld, startedWorld } from "../client-world.ts";
import { item, outboxStoreContract } from "../outbox-store-contract.ts";
import { SeededRandom } from "../virtual-world.ts";

const NAME = outboxName("c", 7);

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

outboxStoreContract("IndexedDB", () => new IndexedDbOutbox(NAME));
outboxStoreContract(
  "IndexedDB with a fallback",
  () => new FallbackOutbox(new IndexedDbOutbox(NAME), () => {}),
);

/** Whatever writes from now on finds the browser's storage full. */
function fillStorage(): { free(): void } {
  const spy = vi.spyOn(IDBObjectStore.prototype, "add").mockImplementation(() => {
    throw new DOMException("no room", "QuotaExceededError");
  });
  return { free: () => spy.mockRestore() };
}

/** As in a private window, or with cookies blocked. */
function forbidStorage(): { allow(): void } {
  const spy = vi.spyOn(indexedDB, "open").mockImplementation(() => {
    throw new DOMException("access is denied", "SecurityError");
  });
  return { allow: () => spy.mockRestore() };
}

async function left(name = NAME) {
  const outbox = new IndexedDbOutbox(name);
  const items = await outbox.open();
  await outbox.close();
  return items;
}

test("P1: a put is done only when a transaction with strict durability is", async () => {
  const begun = vi.spyOn(IDBDatabase.prototype, "transaction");
  const outbox = new IndexedDbOutbox(NAME);
  await outbox.open();
  begun.mockClear();
  await Promise.all(["a", "b", "c"].map((id) => outbox.put(item(id))));
  expect(begun.mock.calls.map(([, mode, options]) => [mode, options?.durability])).toEqual([
    ["readwrite", "strict"],
  ]);
  await outbox.close();
});

test("full storage: a put says so, and nothing of its transaction stays", async () => {
  const outbox = new IndexedDbOutbox(NAME);
  await outbox.open();
  await outbox.put(item("before"));
  const full = fillStorage();
  const puts = await Promise.allSettled([outbox.put(item("a")), outbox.put(item("b"))]);
  for (const put of puts) {
    expect(put).toMatchObject({ status: "rejected", reason: { reason: "STORAGE_FULL" } });
  }
  full.free();
  await outbox.put(item("after"));
  await outbox.close();
  expect(await left()).toEqual([item("before"), item("after")]);
});

test("a transaction that the browser aborts for want of room is told as such", async () => {
  const outbox = new IndexedDbOutbox(NAME);
  await outbox.open();
  const error = new DOMException("no room", "QuotaExceededError");
  const add = IDBObjectStore.prototype.add;
  const spy = vi.spyOn(IDBObjectStore.prototype, "add").mockImplementation(function (
    this: IDBObjectStore,
    ...args
  ) {
    const request = add.apply(this, args);
    Object.defineProperty(this.transaction, "error", { value: error });
    this.transaction.abort();
    return request;
  });
  await expect(outbox.put(item("a"))).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  spy.mockRestore();
  await outbox.put(item("b"));
  await outbox.close();
  expect(await left()).toEqual([item("b")]);
});

test("forbidden storage is told as such, with the browser's own words", async () => {
  forbidStorage();
  const error = await new IndexedDbOutbox(NAME).open().catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ParleyError);
  expect(error).toMatchObject({
    reason: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining("access is denied"),
  });
});

test("a browser without IndexedDB at all is no exception", async () => {
  vi.stubGlobal("indexedDB", undefined);
  const problems: unknown[] = [];
  const outbox = new FallbackOutbox(new IndexedDbOutbox(NAME), (problem) => problems.push(problem));
  expect(await outbox.open()).toEqual([]);
  expect(problems).toMatchObject([{ reason: "STORAGE_UNAVAILABLE" }]);
  await outbox.put(item("a"));
  expect(await outbox.open()).toEqual([item("a")]);
});

test("nothing is lost while storage is full, and it is durable, in order, once there is room", async () => {
  const problems: (string | undefined)[] = [];
  const outbox = new FallbackOutbox(new IndexedDbOutbox(NAME), (problem) =>
    problems.push(problem?.reason),
  );
  await outbox.open();
  await outbox.put(item("a"));
  const full = fillStorage();
  await outbox.put(item("b"));
  await Promise.all([outbox.put(item("c")), outbox.put(item("d"))]);
  expect(problems).toEqual(["STORAGE_FULL"]);
  expect(outbox.problem?.message).toContain("full");
  expect(await left()).toEqual([item("a")]);
  outbox.remove("c");
  full.free();
  await outbox.put(item("e"));
  expect(problems).toEqual(["STORAGE_FULL", undefined]);
  expect(await left()).toEqual(["a", "b", "d", "e"].map((id) => item(id)));
  await outbox.close();
});

test("a message that was sent makes room: what waits for it is saved then", async () => {
  const outbox = new FallbackOutbox(new IndexedDbOutbox(NAME), () => {});
  await outbox.open();
  await outbox.put(item("a"));
  const full = fillStorage();
  await outbox.put(item("b"));
  full.free();
  outbox.remove("a");
  await expect.poll(() => left()).toEqual([item("b")]);
  await outbox.close();
});

test("P1: a send over forbidden storage is delivered all the same, and the page knows", async () => {
  forbidStorage();
  const problems: (string | undefined)[] = [];
  const outbox = new FallbackOutbox(new IndexedDbOutbox(NAME), (problem) =>
    problems.push(problem?.reason),
  );
  const { client, clock, serving } = await startedWorld(3, { outbox });
  serving().onRequest = (session, request) => session.commit(request, 11);
  const sent = client.send(1, "hello");
  await clock.advance(1);
  expect((await sent).message.body).toBe("hello");
  expect(problems).toEqual(["STORAGE_UNAVAILABLE"]);
  await client.close();
});

test("without a fallback, a send that can't be stored fails with the reason", async () => {
  const { client, clock } = await startedWorld(3, { outbox: new IndexedDbOutbox(NAME) });
  fillStorage();
  const queued = client.enqueue(1, "hello");
  await expect(queued.stored).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  await expect(queued.committed).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  expect(client.outbox()).toEqual([]);
  await clock.advance(0);
  await client.close();
});

test("a page that was closed leaves its messages to the next, which sends them first and once", async () => {
  const first = await startedWorld(3, { outbox: new IndexedDbOutbox(NAME), clusterId: "cluster" });
  const queued = first.client.enqueue(1, "from the closed tab");
  await queued.stored;
  // Killed: nothing is closed, nothing is said.
  const outbox = new IndexedDbOutbox(NAME);
  const next = newWorld(3, { outbox, clusterId: "cluster", random: new SeededRandom(2) });
  const bodies: string[] = [];
  next.node(1).onRequest = (session, request) => {
    if (request.op.$case === "send") bodies.push(request.op.value.body);
    session.commit(request, 10 + bodies.length);
  };
  const starting = next.client.start();
  const sent = next.client.send(1, "from the new one");
  await starting;
  await expect
    .poll(async () => {
      await next.clock.advance(1);
      return bodies;
    })
    .toEqual(["from the closed tab", "from the new one"]);
  await sent;
  await expect.poll(() => left()).toEqual([]);
  await next.client.close();
  await first.client.close();
});

test("two tabs of one account write to one outbox without losing or doubling anything", async () => {
  const [one, two] = [new IndexedDbOutbox(NAME), new IndexedDbOutbox(NAME)];
  await Promise.all([one.open(), two.open()]);
  const writes = Array.from({ length: 50 }, (_, at) => [
    one.put(item(`one${at}`)),
    two.put(item(`two${at}`)),
    // Both know of a message and write it again.
    one.put(item("shared")),
    two.put(item("shared")),
  ]);
  await Promise.all(writes.flat());
  const ids = (await one.items()).map(({ clientMessageId }) => clientMessageId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toHaveLength(101);
  const ofOne = ids.filter((id) => id.startsWith("one"));
  expect(ofOne).toEqual(Array.from({ length: 50 }, (_, at) => `one${at}`));
  await Promise.all([one.close(), two.close()]);
});

test("another cluster on the same origin: outboxes are apart, and the old texts can be copied", async () => {
  const old = new IndexedDbOutbox(outboxName("old:cluster", 7));
  await old.open();
  await old.put(item("a", "do not lose me"));
  await old.close();
  const current = outboxName("new", 7);
  expect(await left(current)).toEqual([]);
  const found = await leftovers(current);
  expect(found).toEqual([
    {
      name: outboxName("old:cluster", 7),
      clusterId: "old:cluster",
      accountId: 7,
      items: [item("a", "do not lose me")],
    },
  ]);
  await deleteOutbox(found[0]?.name ?? "");
  expect(await leftovers(current)).toEqual([]);
});

test("after closing, nothing is accepted", async () => {
  const outbox = new IndexedDbOutbox(NAME);
  await outbox.open();
  await outbox.close();
  await expect(outbox.put(item("late"))).rejects.toThrow("closed");
});
