// Several tabs of one account over one IndexedDB, with real Web Locks and broadcast channels.
import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  FallbackOutbox,
  IndexedDbOutbox,
  type OutboxChange,
  type OutboxStore,
  outboxName,
  type ParleyClient,
  tabPeers,
} from "../../src/browser/index.ts";
import { newWorld, watch } from "../client-world.ts";
import { type FakeCluster, SeededRandom, settle, VirtualClock } from "../virtual-world.ts";

interface Tab {
  readonly client: ParleyClient;
  readonly cluster: FakeCluster;
  readonly changes: OutboxChange[];
  visible: boolean;
}

let name = "";
let serial = 0;
let clock = new VirtualClock();
let tabs: Tab[] = [];
/** What the servers have stored, by client message id (P2), and how often each was sent. */
let stored = new Map<string, { revision: number; body: string }>();
let transmissions = new Map<string, number>();
let deleted: number[] = [];

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  serial += 1;
  name = outboxName(`cluster-${serial}`, 7);
  clock = new VirtualClock();
  tabs = [];
  stored = new Map();
  transmissions = new Map();
  deleted = [];
});
afterEach(async () => {
  for (const { client } of tabs) await client.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** Each tab has a network of its own to the one cluster, so that one tab can be cut off. */
async function openTab(
  options: { online?: boolean; visible?: boolean; outbox?: OutboxStore } = {},
): Promise<Tab> {
  const { online = true, visible = true } = options;
  const tab: { visible: boolean } = { visible };
  const world = newWorld(1, {
    outbox: options.outbox ?? new IndexedDbOutbox(name),
    outboxPeers: tabPeers(name, { visible: () => tab.visible }),
    clusterId: "cluster",
    clock,
    random: new SeededRandom(tabs.length + 1),
  });
  const node = world.node(1);
  if (!online) node.kill();
  node.onRequest = (session, request) => {
    if (request.op.$case === "delete" && node.hasQuorum) {
      deleted.push(...request.op.value.seqs);
      const value = { deletedCount: 1, revision: 90 };
      return session.reply(request, { $case: "delete", value });
    }
    if (request.op.$case !== "send" || !node.hasQuorum) return;
    const { clientMessageId: id, body } = request.op.value;
    transmissions.set(id, (transmissions.get(id) ?? 0) + 1);
    if (body === "refused") return session.refuse(request, "NOT_A_MEMBER");
    const known = stored.get(id) ?? { revision: stored.size + 20, body };
    stored.set(id, known);
    session.commit(request, known.revision);
  };
  const changes: OutboxChange[] = [];
  world.client.onOutbox((change) => changes.push(change));
  const opened = Object.assign(tab, { client: world.client, cluster: world.cluster, changes });
  tabs.push(opened);
  await world.client.start();
  await pass(50);
  return opened;
}

/** Lets virtual time pass, and whatever real turns locks, channels and the database need. */
async function pass(ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 10) {
    await clock.advance(10);
    for (let turn = 0; turn < 5; turn++) await settle();
  }
}

async function until(condition: () => boolean): Promise<void> {
  await expect
    .poll(
      async () => {
        await pass(20);
        return condition();
      },
      { timeout: 30_000, interval: 1 },
    )
    .toBe(true);
}

const bodies = () => [...stored.values()].map(({ body }) => body);
const sentTwice = () => [...transmissions].filter(([, times]) => times > 1);
const kinds = (tab: Tab) => tab.changes.map(({ kind }) => kind);

test("P2: one tab sends for all; what another writes is shown, sent and acknowledged in both", async () => {
  const [first, second] = [await openTab(), await openTab()];
  const one = first.client.send(1, "from the first");
  const two = second.client.send(1, "from the second");
  const results = [watch(one), watch(two)];
  await until(() => results.every(({ value }) => value !== undefined));
  expect((await two).message.body).toBe("from the second");
  expect(bodies().sort()).toEqual(["from the first", "from the second"]);
  expect(sentTwice()).toEqual([]);
  for (const tab of [first, second]) {
    await until(() => kinds(tab).length === 4);
    expect(kinds(tab).sort()).toEqual(["committed", "committed", "queued", "queued"]);
    expect(tab.client.outbox()).toEqual([]);
  }
  expect(second.cluster.node(1).session.requests).toEqual([]);
  // Its own write is seen by whoever made it (P4), though another tab has sent it.
  expect(second.client.state.revision).toBeGreaterThanOrEqual(21);
});

test("the sender is closed: another tab takes over and sends what waits, in order, once", async () => {
  const first = await openTab({ online: false });
  const second = await openTab();
  second.visible = false;
  const texts = Array.from({ length: 10 }, (_, at) => `text ${at}`);
  for (const text of texts) void (await second.client.enqueue(1, text).stored);
  await until(() => first.client.outbox().length === 10);
  expect(bodies()).toEqual([]);
  await first.client.close();
  await until(() => bodies().length === 10);
  expect(bodies()).toEqual(texts);
  expect(sentTwice()).toEqual([]);
  await until(() => second.client.outbox().length === 0);
});

test("the sender is cut off or frozen: a visible tab takes over after 2 s, and nothing is there twice", async () => {
  const first = await openTab({ online: false });
  const second = await openTab();
  const sent = watch(second.client.send(1, "hello"));
  await until(() => first.client.outbox().length === 1);
  await pass(1_500);
  expect(bodies()).toEqual([]);
  await until(() => sent.value !== undefined);
  expect(bodies()).toEqual(["hello"]);
  // Back again, the first one follows.
  first.cluster.node(1).mode = "up";
  await until(() => first.client.state.phase === "online");
  const next = watch(first.client.send(1, "back"));
  await until(() => next.value !== undefined);
  expect(bodies()).toEqual(["hello", "back"]);
  expect(sentTwice()).toEqual([]);
  expect(first.cluster.node(1).session.requests).toEqual([]);
});

test("a tab that nobody looks at takes nothing over", async () => {
  const first = await openTab({ online: false });
  const second = await openTab({ visible: false });
  second.client.enqueue(1, "hello");
  await until(() => first.client.outbox().length === 1);
  await pass(6_000);
  expect(bodies()).toEqual([]);
  second.visible = true;
  await until(() => bodies().length === 1);
});

test("without a quorum, two visible tabs do not take the lock from each other", async () => {
  const locks = vi.spyOn(navigator.locks, "request");
  const [first, second] = [await openTab(), await openTab()];
  for (const { cluster } of [first, second]) {
    const node = cluster.node(1);
    node.hasQuorum = false;
    node.session.send({ cluster: node.view() });
  }
  await pass(50);
  const asked = locks.mock.calls.length;
  first.client.enqueue(1, "one");
  second.client.enqueue(1, "two");
  await pass(8_000);
  expect(locks.mock.calls.length).toBe(asked);
  expect(bodies()).toEqual([]);
});

test("P2, P3: the quorum is back with 20 waiting in two tabs: 20 delivered, in order, once", async () => {
  const [first, second] = [await openTab(), await openTab()];
  const quorum = (there: boolean) => {
    for (const { cluster } of [first, second]) {
      const node = cluster.node(1);
      node.hasQuorum = there;
      node.session.send({ cluster: node.view() });
    }
  };
  quorum(false);
  await pass(50);
  const results: { value?: unknown }[] = [];
  for (let at = 0; at < 10; at++) {
    for (const tab of [first, second]) {
      const queued = tab.client.enqueue(1, `${tab === first ? "one" : "two"} ${at}`);
      results.push(watch(queued.committed));
      await queued.stored;
    }
  }
  await pass(500);
  expect(bodies()).toEqual([]);
  quorum(true);
  await until(() => results.every(({ value }) => value !== undefined));
  for (const who of ["one", "two"]) {
    const own = bodies().filter((body) => body.startsWith(who));
    expect(own).toEqual(Array.from({ length: 10 }, (_, at) => `${who} ${at}`));
  }
  expect(stored.size).toBe(20);
});

test("a new tab shows what waits, and the messages that failed", async () => {
  const first = await openTab({ online: false });
  await first.client.enqueue(1, "waiting").stored;
  const second = await openTab({ online: false });
  expect(second.client.outbox()).toMatchObject([{ body: "waiting" }]);
  expect(second.client.state.pendingSends).toBe(1);
});

test("a failure is shown in every tab; retrying and dismissing it work in any", async () => {
  const [first, second] = [await openTab(), await openTab()];
  const refused = second.client.enqueue(1, "refused");
  await expect
    .poll(async () => {
      await pass(20);
      return second.client.outbox();
    })
    .toMatchObject([{ failure: { reason: "NOT_A_MEMBER" } }]);
  await expect(refused.committed).rejects.toMatchObject({ reason: "NOT_A_MEMBER" });
  expect(first.client.outbox()).toEqual(second.client.outbox());
  expect(await second.client.retryFailed(refused.clientMessageId)).toBe(true);
  await until(() => transmissions.get(refused.clientMessageId) === 2);
  await until(() => kinds(second).filter((kind) => kind === "failed").length === 2);
  expect(second.client.dismissFailed(refused.clientMessageId)).toBe(true);
  await until(() => first.client.outbox().length === 0);
  expect(first.client.state.pendingSends).toBe(0);
  expect(second.client.state.pendingSends).toBe(0);
});

test("cancelling in a tab that does not send asks the one that does: certain before transmission", async () => {
  const first = await openTab({ online: false });
  const second = await openTab({ online: false });
  const queued = second.client.enqueue(1, "do not send this");
  const outcome = watch(queued.committed);
  await until(() => first.client.outbox().length === 1);
  expect(second.client.cancelSend(queued.clientMessageId)).toBe("asked");
  await until(() => outcome.error !== undefined);
  expect(outcome.error).toMatchObject({ reason: "CANCELLED" });
  expect([first.client.outbox(), second.client.outbox()]).toEqual([[], []]);
  first.cluster.node(1).mode = "up";
  await pass(5_000);
  expect(bodies()).toEqual([]);
});

test("cancelling in a tab that does not send, after transmission: it is deleted once it is committed", async () => {
  const [first, second] = [await openTab(), await openTab()];
  for (const tab of [first, second]) tab.cluster.node(1).hasQuorum = false;
  const queued = second.client.enqueue(1, "taken back");
  await pass(50);
  expect(second.client.cancelSend(queued.clientMessageId)).toBe("asked");
  await until(() => second.client.outbox()[0]?.withdrawal !== undefined);
  expect(first.client.outbox()).toEqual(second.client.outbox());
  for (const tab of [first, second]) tab.cluster.node(1).hasQuorum = true;
  first.cluster.node(1).session.end();
  await until(() => first.client.outbox().length + second.client.outbox().length === 0);
  expect((await queued.committed).message.body).toBe("taken back");
  expect(deleted).toEqual([20]);
  expect(kinds(second)).toEqual(["queued", "withdrawn", "committed", "removed"]);
});

test("what was cancelled in a tab that follows, while nobody heard of it, is deleted by that tab as the sender", async () => {
  const first = await openTab();
  const second = await openTab({ visible: false });
  first.cluster.node(1).hasQuorum = false;
  const queued = second.client.enqueue(1, "taken back");
  await until(() => first.client.outbox().length === 1);
  second.client.cancelSend(queued.clientMessageId);
  await first.client.close();
  await until(() => second.client.outbox().length === 0);
  expect(deleted.length === 1 || bodies().length === 0).toBe(true);
});

test("what was cancelled while a tab slept is not sent when it wakes up as the sender", async () => {
  const first = await openTab({ online: false });
  const second = await openTab({ visible: false });
  const outcome = watch(second.client.enqueue(1, "cancelled elsewhere").committed);
  await until(() => first.client.outbox().length === 1);
  // The news of it goes to a channel that nobody hears.
  const elsewhere = new IndexedDbOutbox(name);
  const [item] = await elsewhere.open();
  elsewhere.remove(item?.clientMessageId ?? "");
  await elsewhere.close();
  await first.client.close();
  await until(() => outcome.error !== undefined);
  expect(outcome.error).toMatchObject({ reason: "OUTCOME_UNKNOWN" });
  expect(bodies()).toEqual([]);
  expect(second.client.outbox()).toEqual([]);
});

test("with storage that is full, what the closed tab had in memory is sent by those that know of it", async () => {
  vi.spyOn(IDBObjectStore.prototype, "add").mockImplementation(() => {
    throw new DOMException("no room", "QuotaExceededError");
  });
  const outbox = () => new FallbackOutbox(new IndexedDbOutbox(name), () => {});
  const first = await openTab({ online: false, outbox: outbox() });
  const second = await openTab({ visible: false, outbox: outbox() });
  await first.client.enqueue(1, "of the first").stored;
  await second.client.enqueue(1, "of the second").stored;
  await until(() => first.client.outbox().length === 2 && second.client.outbox().length === 2);
  await first.client.close();
  await until(() => stored.size === 2);
  expect(bodies().sort()).toEqual(["of the first", "of the second"]);
  expect(sentTwice()).toEqual([]);
});

test("where there are no Web Locks, every tab sends for itself", () => {
  vi.stubGlobal("navigator", {});
  expect(tabPeers(name)).toBeUndefined();
});

test("where the browser's settings forbid locks, a tab sends for itself, and asks no more", async () => {
  const request = vi.fn(() => Promise.reject(new DOMException("denied", "SecurityError")));
  vi.stubGlobal("navigator", { locks: { request } });
  const peers = tabPeers(name, { visible: () => true });
  const onLead = vi.fn();
  peers?.join({ onLead, onFollow: () => {}, onNews: () => {} });
  await expect.poll(() => onLead.mock.calls.length).toBe(1);
  // Nothing that is still on its way asks again.
  await settle();
  peers?.claim();
  expect(request).toHaveBeenCalledTimes(1);
  peers?.leave();
});
