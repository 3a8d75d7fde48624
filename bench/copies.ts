// `npm run bench:copies`: what a copy of a large chat file costs those who write meanwhile. The same load is measured three
// times: in quiet, while the leader makes a backup, and while a new server is given a copy. Beside the latency of
// sends stands the longest time that the leader's loop stood still.
// Options: --mib 200 --clients 16 --seconds 10
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DevCluster } from "../tests/harness/dev-cluster.ts";
import { freePort, JoiningServer, parley } from "../tests/harness/joining.ts";
import { leaderOf, statusOf } from "../tests/harness/status.ts";
import { closeWriters, connectWriters, type Fleet, prepareFleet, type Writer } from "./fleet.ts";
import { percentile, table } from "./stats.ts";

const MIB = 1024 * 1024;
const FILL_BODY = "All work and no play makes a long chat. ".repeat(200).slice(0, 7_800);
const FILL_CLIENTS = 64;
const BODY = "The quick brown fox jumps over the lazy dog. ".repeat(4).padEnd(200, ".");

const { values } = parseArgs({
  options: {
    mib: { type: "string", default: "200" },
    clients: { type: "string", default: "16" },
    seconds: { type: "string", default: "10" },
  },
});

interface Phase {
  readonly sends: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly stallMs: number;
  readonly seconds: number;
}

/** The longest that the loop of a node stood still since the last question. */
async function longestStallMs(http: string): Promise<number> {
  const text = await (await fetch(`http://${http}/metrics`)).text();
  const found = /^nodejs_eventloop_lag_max_seconds(?:\{[^}]*\})? (\S+)/m.exec(text)?.[1];
  return Number(found) * 1_000;
}

async function fill(servers: readonly string[], fleet: Fleet, bytes: number): Promise<void> {
  const writers = await connectWriters(servers, fleet, FILL_CLIENTS);
  let left = Math.ceil(bytes / FILL_BODY.length);
  await Promise.all(
    writers.map(async ({ client, roomId }) => {
      while (left-- > 0) await client.send(roomId, FILL_BODY);
    }),
  );
  await closeWriters(writers);
}

/** Sends, one at a time from each, until `what` is over. */
async function measure(
  writers: readonly Writer[],
  http: string,
  what: Promise<unknown>,
): Promise<Phase> {
  await longestStallMs(http);
  const latencies: number[] = [];
  let running = true;
  const began = performance.now();
  const loops = writers.map(async ({ client, roomId }) => {
    while (running) {
      const sent = performance.now();
      await client.send(roomId, BODY);
      latencies.push(performance.now() - sent);
    }
  });
  await what;
  running = false;
  await Promise.all(loops);
  const seconds = (performance.now() - began) / 1_000;
  latencies.sort((a, b) => a - b);
  return {
    sends: latencies.length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    maxMs: latencies.at(-1) ?? Number.NaN,
    stallMs: await longestStallMs(http),
    seconds,
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function succeed(...args: readonly string[]): Promise<void> {
  const { code, output } = await parley(...args);
  if (code !== 0) throw new Error(output);
  const told = output.split("\n").filter((line) => line.includes("to go"));
  for (const line of told) console.error(`  ${line}`);
}

// A short log, so that a new server needs a copy.
const cluster = await DevCluster.start(3, undefined, "compaction:\n  log_entries_max: 2000");
const joining = new JoiningServer(4);
try {
  const fleet = await prepareFleet(cluster.addresses, "copies");
  process.env.PARLEY_OPERATOR_TOKEN = fleet.tokens[0] ?? "";
  console.error(`writing ${values.mib} MiB`);
  await fill(cluster.addresses, fleet, Number(values.mib) * MIB);
  const writers = await connectWriters(cluster.addresses, fleet, Number(values.clients));
  const leader = cluster.node(await leaderOf(cluster));
  const phases = new Map<string, Phase>();
  await measure(writers, leader.http, sleep(2_000));
  phases.set("quiet", await measure(writers, leader.http, sleep(Number(values.seconds) * 1_000)));
  const file = join(cluster.dir, "chat.backup");
  phases.set(
    "backup from the leader",
    await measure(writers, leader.http, succeed("backup", file, "--server", leader.grpc)),
  );
  rmSync(file);
  const address = `127.0.0.1:${await freePort()}`;
  joining.start([leader.grpc]);
  phases.set(
    "copy to a new server",
    await measure(writers, leader.http, succeed("add-server", leader.grpc, "4", address)),
  );
  await closeWriters(writers);
  const status = await statusOf(leader.grpc);
  const chatBytes = status?.members.find(({ id }) => id === leader.id)?.storage?.chatBytes ?? 0;
  const quiet = phases.get("quiet");
  const rows = [...phases].map(([name, phase]) => [
    name,
    phase.seconds.toFixed(1),
    phase.sends.toFixed(0),
    phase.p50Ms.toFixed(2),
    `${phase.p99Ms.toFixed(2)} (${(phase.p99Ms / (quiet?.p99Ms ?? 1)).toFixed(2)})`,
    phase.maxMs.toFixed(0),
    phase.stallMs.toFixed(0),
  ]);
  console.log(
    `\n## A copy of ${(chatBytes / MIB).toFixed(0)} MiB under load, three nodes, ${values.clients} clients, ~200 bytes, closed loop\n`,
  );
  console.log(
    table(
      [
        "meanwhile",
        "s",
        "sends/s",
        "p50 ms",
        "p99 ms (ratio to quiet)",
        "max ms",
        "leader's longest stall ms",
      ],
      rows,
    ),
  );
} finally {
  await joining.destroy();
  await cluster.destroy();
}
