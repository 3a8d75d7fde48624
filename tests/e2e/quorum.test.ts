// P4, P6, P7 where a majority is missing, and where a leader sleeps through its own replacement.

import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { Consistency, RoomVisibility } from "@parley/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { DirectNode } from "../harness/direct-node.ts";
import { sameStateEverywhere } from "../harness/oracle.ts";
import { leaderOf, statusOf } from "../harness/status.ts";

let cluster: DevCluster | undefined;
const clients: ParleyClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await cluster?.destroy();
  cluster = undefined;
});

async function owner(
  servers: readonly string[],
): Promise<{ client: ParleyClient; roomId: number }> {
  const client = new ParleyClient({ servers, carrier: grpcCarrier() });
  clients.push(client);
  await client.start();
  await client.register({ username: "owner", password: "a long password" });
  const created = await client.call("createRoom", {
    name: "lobby",
    visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
  });
  return { client, roomId: created.room?.id ?? 0 };
}

describe("without a majority", () => {
  test("P6: two of three dead: reads are served with their age, sends wait and are stored once", {
    timeout: 240_000,
  }, async () => {
    cluster = await DevCluster.start(3);
    const running = cluster;
    const { client, roomId } = await owner(running.addresses);
    await client.send(roomId, "before");
    const survivor = 1;
    for (const id of [2, 3]) running.kill(id);
    for (const id of [2, 3]) await running.waitDead(id);

    const sends = [1, 2, 3].map((number) => client.send(roomId, `while alone ${number}`));
    let settled = 0;
    for (const send of sends) send.finally(() => (settled += 1)).catch(() => {});

    const reader = new DirectNode(running.node(survivor).grpc, client.token);
    await until(async () => {
      const page = await reader.history({ roomId, limit: 10 });
      return page.staleMs > 0 && page.messages.some((message) => message.body === "before");
    }, "history marked with its age");
    const linearizable = reader.history(
      { roomId, limit: 10, consistency: Consistency.CONSISTENCY_LINEARIZABLE },
      1_500,
    );
    await expect(linearizable).rejects.toThrow(/NO_QUORUM|DEADLINE_EXCEEDED|majority/);
    expect(settled).toBe(0);

    await running.restart(2);
    const results = await Promise.all(sends);
    expect(results.map((result) => result.message.seq)).toEqual([2, 3, 4]);
    await running.restart(3);
    await leaderOf(running, true);
    await sameStateEverywhere(running);
    for (const node of running.nodes) {
      const direct = new DirectNode(node.grpc, client.token);
      const history = await direct.wholeHistory(roomId);
      direct.close();
      expect(history.map((message) => message.body)).toEqual([
        "before",
        "while alone 1",
        "while alone 2",
        "while alone 3",
      ]);
    }
  });
});

describe("a leader that is stopped for 5 s", () => {
  test("P4, P7: another takes over, and the old one never answers a stale linearizable read", {
    timeout: 240_000,
  }, async () => {
    cluster = await DevCluster.start(3);
    const running = cluster;
    const { client, roomId } = await owner(running.addresses);
    await client.send(roomId, "first");
    const old = await leaderOf(running);
    const onOld = new DirectNode(running.node(old).grpc, client.token);
    await onOld.history({ roomId, limit: 10 });

    running.signal(old, "SIGSTOP");
    const stoppedMs = performance.now();
    const others = running.nodes.filter((node) => node.id !== old);
    await until(async () => {
      const states = await Promise.all(others.map((node) => statusOf(node.grpc)));
      return states.some(
        (state) => state !== undefined && state.leaderId !== 0 && state.leaderId !== old,
      );
    }, "a new leader");
    const elsewhere = new ParleyClient({
      servers: others.map((node) => node.grpc),
      carrier: grpcCarrier(),
      token: client.token,
    });
    clients.push(elsewhere);
    await elsewhere.start();
    const sent = await elsewhere.send(roomId, "while the old leader sleeps");
    // Asked while it still sleeps, after the acknowledgement: whatever it answers once it wakes has to show
    // the new message, so it must not believe that it leads.
    const ask = onOld.history(
      { roomId, limit: 200, consistency: Consistency.CONSISTENCY_LINEARIZABLE },
      60_000,
    );
    await until(() => performance.now() - stoppedMs > 5_000, "five seconds");
    running.signal(old, "SIGCONT");
    const answer = await ask;
    expect(answer.messages.map((message) => message.seq)).toContain(sent.message.seq);
    onOld.close();
    await leaderOf(running, true);
    await sameStateEverywhere(running);
  });
});
