import { expect, test } from "vitest";
import { MemoryOutbox, ParleyClient } from "../src/index.ts";
import { FakeCluster, SeededRandom, VirtualClock } from "./virtual-world.ts";

function world(size: number, options: Partial<ConstructorParameters<typeof ParleyClient>[0]> = {}) {
  const clock = new VirtualClock();
  const cluster = new FakeCluster(clock, size);
  const client = new ParleyClient({
    servers: "node1:1",
    carrier: cluster,
    outbox: new MemoryOutbox(),
    token: "token",
    clock,
    random: new SeededRandom(1),
    ...options,
  });
  return { clock, cluster, client };
}

test("P7: a send whose node dies is answered by another, with the same id, and no error", async () => {
  const { clock, cluster, client } = world(3);
  await client.start();
  await clock.advance(0);
  expect(client.state).toMatchObject({ phase: "online", nodeId: 1, signedIn: true });
  const sent = client.send(5, "hello");
  await clock.advance(1);
  const first = cluster.node(1).session.requests[0];
  cluster.node(1).kill();
  await clock.advance(10);
  const { nodeId } = client.state;
  expect(nodeId).not.toBe(1);
  const { session } = cluster.node(nodeId);
  const again = session.requests[0];
  expect(again?.op).toEqual(first?.op);
  if (again === undefined) throw new Error("nothing was sent again");
  session.commit(again, 11);
  await clock.advance(1);
  expect((await sent).message.body).toBe("hello");
  expect(client.state.pendingSends).toBe(0);
  await client.close();
  expect(clock.armed).toBe(0);
});
