// Acknowledged sends per second and their latency: closed loop, each client one send at a time.
import type { DevCluster } from "../tests/harness/dev-cluster.ts";
import { closeWriters, connectWriters, type Fleet } from "./fleet.ts";
import { cpuSeconds, percentile } from "./stats.ts";

/** About 200 bytes, as a chat line with some substance. */
const BODY = "The quick brown fox jumps over the lazy dog. ".repeat(4).padEnd(200, ".");

/** For the servers' code to be compiled and the batches to find their size. */
const WARM_UP_MS = 3_000;

export interface ThroughputResult {
  readonly clients: number;
  readonly sendsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  /** Cores used. */
  readonly clientCores: number;
  readonly serverCores: number;
}

export async function measureThroughput(
  cluster: DevCluster,
  fleet: Fleet,
  clients: number,
  seconds: number,
): Promise<ThroughputResult> {
  const writers = await connectWriters(cluster.addresses, fleet, clients);
  const latencies: number[] = [];
  let errors = 0;
  let measuring = false;
  let running = true;
  const loops = writers.map(async ({ client, roomId }) => {
    while (running) {
      const began = performance.now();
      try {
        await client.send(roomId, BODY);
      } catch {
        errors += 1;
      }
      if (measuring) latencies.push(performance.now() - began);
    }
  });
  const pids = cluster.nodes.flatMap((node) => (node.pid === null ? [] : [node.pid]));
  const serverCpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  await sleep(WARM_UP_MS);
  measuring = true;
  const began = performance.now();
  const clientBefore = process.cpuUsage();
  const serversBefore = serverCpu();
  await sleep(seconds * 1_000);
  measuring = false;
  const elapsed = (performance.now() - began) / 1_000;
  const used = process.cpuUsage(clientBefore);
  const servers = serverCpu() - serversBefore;
  running = false;
  await Promise.all(loops);
  await closeWriters(writers);
  latencies.sort((a, b) => a - b);
  return {
    clients,
    sendsPerSecond: latencies.length / elapsed,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
    errors,
    clientCores: (used.user + used.system) / 1e6 / elapsed,
    serverCores: servers / elapsed,
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
