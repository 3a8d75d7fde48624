// P1–P5 after the fact: what a crowd was promised against what each node holds.
import { expect } from "vitest";
import type { Crowd } from "./crowd.ts";
import { until } from "./dev-cluster.ts";
import { DirectNode } from "./direct-node.ts";
import { checkHistory, checkSubscription } from "./oracle.ts";
import { stateHashOf } from "./status.ts";

/** All of these hold everything that was acknowledged, once, in order, and the same state. */
export async function verify(writing: Crowd, addresses: readonly string[]): Promise<void> {
  await writing.finishWriting();
  await until(async () => {
    const hashes = await Promise.all(addresses.map((address) => stateHashOf(address)));
    const distinct = new Set(hashes.map((one) => `${one?.appliedIndex} ${one?.hash}`));
    return distinct.size === 1 && !hashes.includes(undefined);
  }, "one state everywhere");
  await until(() => writing.heard, "subscribers to see everything");
  const breaches: string[] = [];
  for (const address of addresses) {
    const reader = new DirectNode(address, writing.token);
    for (const roomId of writing.roomIds) {
      const history = await reader.wholeHistory(roomId);
      const acknowledged = writing.acknowledged.filter((ack) => ack.roomId === roomId);
      breaches.push(...checkHistory(history, acknowledged, `${address} room ${roomId}`));
      for (const [at, events] of writing.events.entries()) {
        breaches.push(...checkSubscription(events, history, roomId, `subscriber ${at}`));
      }
    }
    reader.close();
  }
  expect(breaches).toEqual([]);
  expect(writing.errors).toEqual([]);
}
