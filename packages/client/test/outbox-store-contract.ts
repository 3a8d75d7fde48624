// What every outbox store must do; the memory, file and IndexedDB ones are held to it.
import { expect, test } from "vitest";
import type { OutboxItem, OutboxStore } from "../src/ports.ts";

export function item(id: string, body = `text of ${id} ☕`): OutboxItem {
  const whose = { clusterId: "c", accountId: 7, roomId: 1 };
  return { clientMessageId: id, ...whose, body, replyToSeq: 0, queuedAtMs: 5 };
}

/**
 * `make` makes a store over the same contents as before; `fresh` = the test's first one, which has
 * nothing from before.
 */
export function outboxStoreContract(name: string, make: (fresh: boolean) => OutboxStore): void {
  const left = async (): Promise<readonly OutboxItem[]> => {
    const store = make(false);
    const items = await store.open();
    await store.close();
    return items;
  };

  test(`contract, ${name}: what was put and not removed comes back in order`, async () => {
    const store = make(true);
    expect(await store.open()).toEqual([]);
    await Promise.all(["a", "b", "c"].map((id) => store.put(item(id))));
    store.remove("b");
    const reply = { ...item("d"), replyToSeq: 12 };
    await store.put(reply);
    const failed = { ...item("a"), failure: { reason: "TOO_LARGE", message: "too large" } };
    await store.put(failed);
    const withdrawn = { ...item("c"), withdrawal: { seq: 9, requestId: "r" } };
    await store.put(withdrawn);
    await store.close();
    expect(await left()).toEqual([failed, withdrawn, reply]);
  });

  test(`contract, ${name}: the order is that of the calls, not of the ids or of the waiting`, async () => {
    const store = make(true);
    await store.open();
    const ids = Array.from({ length: 200 }, (_, at) => `m${(at * 7919) % 200}`);
    const puts = ids.slice(0, 100).map((id) => store.put(item(id)));
    for (const id of ids.slice(100)) await store.put(item(id));
    await Promise.all(puts);
    await store.close();
    expect((await left()).map(({ clientMessageId }) => clientMessageId)).toEqual(ids);
  });

  test(`contract, ${name}: calls take effect in their order, waited for or not`, async () => {
    const store = make(true);
    await store.open();
    const first = store.put(item("a", "one"));
    store.remove("a");
    store.remove("never put");
    const second = store.put(item("b", "one"));
    const third = store.put(item("b", "two"));
    await Promise.all([first, second, third]);
    await store.close();
    expect(await left()).toEqual([item("b", "two")]);
  });

  test(`contract, ${name}: closing writes what was put and not waited for`, async () => {
    const store = make(true);
    await store.open();
    store.put(item("a"))?.catch(() => {});
    await store.close();
    expect(await left()).toEqual([item("a")]);
  });

  test(`contract, ${name}: any text comes back as it was`, async () => {
    const bodies = ["", '\u0000\n\r\t"\\', "👩‍👩‍👧‍👦 \u202eabc\u200b", "x".repeat(16_384)];
    const store = make(true);
    await store.open();
    for (const [at, body] of bodies.entries()) await store.put(item(`m${at}`, body));
    await store.close();
    expect((await left()).map(({ body }) => body)).toEqual(bodies);
  });
}
