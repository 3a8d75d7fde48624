// The gap that a killed leader makes: from `kill -9` to the first acknowledged send, and until all
// clients are served again. The clients are those of the SDK; they must see no error (P7).
import { type DevCluster, until } from "../tests/harness/dev-cluster.ts";
import { leaderOf } from "../tests/harness/status.ts";
import { closeWriters, connectWriters, type Fleet } from "./fleet.ts";

export interface FailoverResult {
  readonly firstAckMs: number;
  readonly allAckedMs: number;
  readonly errors: number;
}

/** One round; the killed node is restarted and has caught up when it returns. */
export async function measureFailover(
  cluster: DevCluster,
  fleet: Fleet,
  clients: number,
): Promise<FailoverResult> {
  const writers = await connectWriters(cluster.addresses, fleet, clients);
  let running = true;
  let errors = 0;
  let killedMs = Number.POSITIVE_INFINITY;
  let firstAckMs = 0;
  const acked = new Set<number>();
  let allAckedMs = 0;
  const loops = writers.map(async ({ client, roomId }, at) => {
    while (running) {
      const began = performance.now();
      try {
        await client.send(roomId, "failover");
      } catch {
        errors += 1;
      }
      // Only what was asked for after the kill: an answer may have been on its way already.
      if (began < killedMs) continue;
      if (firstAckMs === 0) firstAckMs = performance.now() - killedMs;
      acked.add(at);
      if (acked.size === clients && allAckedMs === 0) allAckedMs = performance.now() - killedMs;
    }
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const leader = await leaderOf(cluster);
  cluster.kill(leader);
  killedMs = performance.now();
  await until(() => allAckedMs > 0, "all clients to be served again");
  running = false;
  await Promise.all(loops);
  await closeWriters(writers);
  await cluster.waitDead(leader);
  await cluster.restart(leader);
  await until(async () => (await leaderOf(cluster, true)) > 0, "the killed node to be back");
  return { firstAckMs, allAckedMs, errors };
}
