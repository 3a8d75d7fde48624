// What the promises say must be true after a run, checked against every node through the API.
import type { Event, Message } from "@parley/protocol";
import { type DevCluster, until } from "./dev-cluster.ts";
import { stateHashOf } from "./status.ts";

/** One acknowledged send, as its writer saw it. */
export interface Acknowledged {
  readonly roomId: number;
  readonly seq: number;
  readonly body: string;
  readonly clientMessageId: string;
}

/** Breaches of P1, P2 and P3 in one room's history; none = []. */
export function checkHistory(
  history: readonly Message[],
  acknowledged: readonly Acknowledged[],
  where: string,
): string[] {
  const breaches: string[] = [];
  history.forEach((message, at) => {
    if (message.seq !== at + 1)
      breaches.push(`${where}: P3 sequence ${message.seq} at place ${at + 1}`);
  });
  const ids = new Set(history.map((message) => `${message.authorId} ${message.clientMessageId}`));
  if (ids.size !== history.length) breaches.push(`${where}: P2 a message is stored twice`);
  for (const ack of acknowledged) {
    const found = history[ack.seq - 1];
    if (found?.clientMessageId !== ack.clientMessageId || found.body !== ack.body) {
      breaches.push(`${where}: P1 acknowledged ${ack.clientMessageId} is not at ${ack.seq}`);
    }
  }
  // One sender's messages stand in the order in which they were sent: bodies end in "#n".
  const last = new Map<number, number>();
  for (const message of history) {
    const number = Number(message.body.split("#")[1]);
    if (number <= (last.get(message.authorId) ?? -1)) {
      breaches.push(`${where}: P3 author ${message.authorId} out of order at ${message.seq}`);
    }
    last.set(message.authorId, number);
  }
  return breaches;
}

/** Breaches of P5: what a subscriber saw as new against what history shows. */
export function checkSubscription(
  events: readonly Event[],
  history: readonly Message[],
  roomId: number,
  where: string,
): string[] {
  const seen = events.flatMap((event) =>
    event.event?.$case === "message" && event.event.value.roomId === roomId
      ? [event.event.value.seq]
      : [],
  );
  const breaches: string[] = [];
  seen.forEach((seq, at) => {
    if (seq !== at + 1)
      breaches.push(`${where}: P5 saw ${seq} as number ${at + 1} of room ${roomId}`);
  });
  if (seen.length !== history.length) {
    breaches.push(
      `${where}: P5 saw ${seen.length} of ${history.length} messages of room ${roomId}`,
    );
  }
  return breaches.slice(0, 5);
}

/** Waits until all nodes answer with one state hash at one applied index. */
export async function sameStateEverywhere(cluster: DevCluster): Promise<void> {
  let answers: string[] = [];
  await until(
    async () => {
      const hashes = await Promise.all(cluster.dataNodes.map((node) => stateHashOf(node.grpc)));
      answers = hashes.map((hash) =>
        hash === undefined ? "no answer" : `${hash.appliedIndex} ${hash.hash}`,
      );
      const byIndex = new Map<number, string>();
      for (const hash of hashes) {
        if (hash === undefined) return false;
        const other = byIndex.get(hash.appliedIndex) ?? hash.hash;
        if (other !== hash.hash) throw new Error(`state diverged: ${answers.join(" | ")}`);
        byIndex.set(hash.appliedIndex, hash.hash);
      }
      return byIndex.size === 1;
    },
    `one state everywhere, now ${answers.join(" | ")}`,
  );
}
