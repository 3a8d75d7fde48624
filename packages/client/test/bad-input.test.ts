// What the SDK is asked to bear: each has a clear error or none at all, and nothing is lost (P11).
import { LIMITS, Message } from "@parley/protocol";
import { expect, test } from "vitest";
import { newWorld, startedWorld, watch } from "./client-world.ts";
import { SeededRandom } from "./virtual-world.ts";

test.each([
  ["a 1 MB paste", "x".repeat(1_000_000)],
  ["10,000 emoji", "🎉".repeat(10_000)],
  ["as many marks on one letter", `a${"\u0301".repeat(10_000)}`],
])("%s: refused at once with the numbers, and nothing is stored or sent", async (_, text) => {
  const { client, clock, node } = await startedWorld(1);
  const queued = client.enqueue(1, text);
  const bytes = new TextEncoder().encode(text).length;
  await expect(queued.committed).rejects.toMatchObject({
    reason: "TOO_LARGE",
    message: `a message has at most ${LIMITS.bodyBytesMax} bytes, this one has ${bytes}`,
  });
  await expect(queued.stored).rejects.toMatchObject({ reason: "TOO_LARGE" });
  expect(client.outbox()).toEqual([]);
  await clock.advance(10);
  expect(node(1).session.requests).toEqual([]);
});

test.each([
  ["a family of emoji", "👩‍👩‍👧‍👦".repeat(100)],
  ["right-to-left and zero-width tricks", "\u202eevil\u200b\u2066\u2069\ufeff"],
  ["exactly the limit", "x".repeat(LIMITS.bodyBytesMax)],
])("%s travels as it was written", async (_, text) => {
  const { client, clock, node } = await startedWorld(1);
  const bodies: string[] = [];
  node(1).onRequest = (session, request) => {
    if (request.op.$case === "send") bodies.push(request.op.value.body);
    session.commit(request, 11);
  };
  const sent = client.send(1, text);
  await clock.advance(1);
  expect((await sent).message.body).toBe(text);
  expect(bodies).toEqual([text]);
});

test("half a surrogate pair, which no bytes can carry, is refused and not altered", async () => {
  const { client } = await startedWorld(1);
  await expect(client.send(1, "broken \ud83c")).rejects.toMatchObject({
    reason: "INVALID_ARGUMENT",
    message: "the text is not valid Unicode",
  });
});

test.each([1, 2, 3, 4, 5])(
  "P2, P3, P5: a connection that is cut every second for a minute loses and doubles nothing (seed %i)",
  async (seed) => {
    const { client, clock, cluster } = newWorld(3, { random: new SeededRandom(seed) });
    const random = new SeededRandom(seed + 100);
    const stored = new Map<string, { revision: number; body: string }>();
    for (const node of cluster.nodes) {
      node.revision = 0;
      node.onRequest = (session, request) => {
        if (request.op.$case !== "send") return;
        const { clientMessageId, body, roomId } = request.op.value;
        const known = stored.get(clientMessageId) ?? { revision: stored.size + 1, body };
        const isNew = !stored.has(clientMessageId);
        stored.set(clientMessageId, known);
        for (const each of cluster.nodes) each.revision = stored.size;
        // The answer, or the event, or both, may be lost with the connection.
        if (random.int(3) > 0) session.commit(request, known.revision);
        if (!isNew) return;
        const event = {
          $case: "message",
          value: eventMessage(known.revision, body, roomId),
        } as const;
        session.send({ events: [{ revision: known.revision, event }], cursor: known.revision });
      };
      // Whoever resumes gets what follows its cursor.
      const catchUp = () => {
        const session = node.sessions.at(-1);
        const hello = session?.hellos.at(-1);
        if (session === undefined || session.closed || hello?.subscribe !== true) return;
        const events = [...stored.values()]
          .filter(({ revision }) => revision > hello.afterRevision)
          .map(({ revision, body }) => ({
            revision,
            event: { $case: "message", value: eventMessage(revision, body, 1) } as const,
          }));
        session.send({ events, cursor: stored.size });
      };
      const tick = () => {
        catchUp();
        clock.after(100, tick);
      };
      clock.after(100, tick);
    }
    await client.start();
    const seen: string[] = [];
    client.subscribe({
      afterRevision: 0,
      onItem: (item) => {
        if (item.kind === "event" && item.event.event?.$case === "message") {
          seen.push(item.event.event.value.body);
        }
      },
    });
    const texts = Array.from({ length: 120 }, (_, at) => `text ${at}`);
    const results = [];
    for (let second = 0; second < 60; second++) {
      for (const text of texts.slice(2 * second, 2 * second + 2)) {
        results.push(watch(client.send(1, text)));
        await clock.advance(random.int(500));
      }
      for (const node of cluster.nodes) {
        for (const session of node.sessions) session.end("closed", "cut");
      }
      await clock.advance(500);
    }
    await clock.advance(10_000);
    expect(results.filter(({ value }) => value === undefined)).toEqual([]);
    expect([...stored.values()].map(({ body }) => body)).toEqual(texts);
    expect(seen).toEqual(texts);
    expect(client.outbox()).toEqual([]);
    await client.close();
  },
);

function eventMessage(revision: number, body: string, roomId: number) {
  const whose = { authorId: 7, author: "alice", clientMessageId: `r${revision}` };
  const what = { id: revision, seq: revision, revision, roomId, body };
  return Message.fromPartial({ ...whose, ...what });
}
