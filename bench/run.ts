// `npm run bench`: throughput, latency and failover of three nodes with fsync, through the public SDK,
// client included, beside what the machine can do at best in the same run.
// Options: --clients 1,16,64,256,1024 --seconds 5 --failovers 10 --nodes 3
import { parseArgs } from "node:util";
import { DevCluster } from "../tests/harness/dev-cluster.ts";
import { measureFailover } from "./failover.ts";
import { prepareFleet } from "./fleet.ts";
import { grpcEchoesPerSecond, syncsPerSecond } from "./limits.ts";
import { median, table } from "./stats.ts";
import { measureThroughput } from "./throughput.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "1,16,64,256,1024" },
    seconds: { type: "string", default: "5" },
    failovers: { type: "string", default: "10" },
    nodes: { type: "string", default: "3" },
  },
});
const counts = values.clients.split(",").map(Number);
const seconds = Number(values.seconds);
const failovers = Number(values.failovers);

const cluster = await DevCluster.start(Number(values.nodes));
try {
  const fleet = await prepareFleet(cluster.addresses, "bench");
  const rows: string[][] = [];
  for (const clients of counts) {
    const syncs = syncsPerSecond(1);
    const echoes = await grpcEchoesPerSecond(clients, 1);
    const result = await measureThroughput(cluster, fleet, clients, seconds);
    rows.push([
      String(clients),
      result.sendsPerSecond.toFixed(0),
      result.p50Ms.toFixed(2),
      result.p99Ms.toFixed(2),
      result.maxMs.toFixed(0),
      String(result.errors),
      `${result.clientCores.toFixed(2)} / ${result.serverCores.toFixed(2)}`,
      `${syncs.toFixed(0)} (${(result.sendsPerSecond / syncs).toFixed(2)})`,
      `${echoes.toFixed(0)} (${(result.sendsPerSecond / echoes).toFixed(2)})`,
    ]);
    console.error(rows.at(-1)?.join("  "));
  }
  console.log(
    `\n## Acknowledged sends, ${values.nodes} nodes, fsync on, ~200 bytes, closed loop\n`,
  );
  console.log(
    table(
      [
        "clients",
        "sends/s",
        "p50 ms",
        "p99 ms",
        "max ms",
        "errors",
        "cores: client / servers",
        "syncs/s of this disk (ratio)",
        "bare gRPC echoes/s (ratio)",
      ],
      rows,
    ),
  );
  if (failovers > 0) {
    const rounds = [];
    for (let round = 0; round < failovers; round += 1) {
      const result = await measureFailover(cluster, fleet, 16);
      console.error(
        `failover ${round + 1}: first ${result.firstAckMs.toFixed(0)} ms, all ${result.allAckedMs.toFixed(0)} ms, errors ${result.errors}`,
      );
      rounds.push(result);
    }
    const first = rounds.map((round) => round.firstAckMs);
    const all = rounds.map((round) => round.allAckedMs);
    const span = (samples: number[]) =>
      `${Math.min(...samples).toFixed(0)} / ${median(samples).toFixed(0)} / ${Math.max(...samples).toFixed(0)}`;
    console.log(
      `\n## Failover: kill -9 of the leader, 16 clients; ms, min / median / max of ${failovers}\n`,
    );
    console.log(
      table(
        ["kill to first ack", "all clients served", "client-visible errors"],
        [[span(first), span(all), String(rounds.reduce((sum, round) => sum + round.errors, 0))]],
      ),
    );
  }
} finally {
  await cluster.destroy();
}
