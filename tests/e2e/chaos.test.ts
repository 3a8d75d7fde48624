// P1–P7 with real processes: writers and subscribers go on through the SDK while servers are killed
// with `kill -9`, one or two at a time, the leader at least half the time.
import { afterEach, describe, test } from "vitest";
import { Crowd } from "../harness/crowd.ts";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { sameStateEverywhere } from "../harness/oracle.ts";
import { seededRandom } from "../harness/seeded-random.ts";
import { leaderOf } from "../harness/status.ts";
import { verify } from "../harness/verify.ts";

const SEED = Number(process.env.PARLEY_SEED ?? Math.floor(Math.random() * 2 ** 31));

let cluster: DevCluster | undefined;
let crowd: Crowd | undefined;
afterEach(async () => {
  await crowd?.close();
  await cluster?.destroy();
});

/** Kills and restarts, round by round, while the crowd writes. */
async function rounds(count: number, victimsMax: number): Promise<void> {
  const random = seededRandom(SEED);
  for (let round = 0; round < count; round += 1) {
    if (cluster === undefined || crowd === undefined) throw new Error("nothing runs");
    const leader = await leaderOf(cluster);
    const ids = cluster.nodes.map((node) => node.id);
    const victims = new Set<number>();
    const wanted = 1 + random(victimsMax);
    if (round % 2 === 0) victims.add(leader);
    while (victims.size < wanted) victims.add(ids[random(ids.length)] ?? leader);
    const before = crowd.acknowledged.length;
    for (const id of victims) cluster.kill(id);
    // It goes on with the victims dead: that is P6.
    await until(
      () => (crowd?.acknowledged.length ?? 0) > before + 20,
      `acknowledgements in round ${round} with ${[...victims].join(", ")} dead`,
    );
    for (const id of victims) {
      await cluster.waitDead(id);
      await cluster.restart(id);
    }
    await leaderOf(cluster, true);
  }
}

async function verifyAll(): Promise<void> {
  if (cluster === undefined || crowd === undefined) throw new Error("nothing runs");
  await crowd.finishWriting();
  await sameStateEverywhere(cluster);
  await verify(crowd, cluster.addresses);
}

describe(`kill -9 under load (PARLEY_SEED=${SEED})`, () => {
  test("P1–P7: five nodes, one or two killed at a time, 20 rounds", {
    timeout: 600_000,
  }, async () => {
    cluster = await DevCluster.start(5);
    crowd = await Crowd.gather({
      servers: cluster.addresses,
      writers: 8,
      subscribers: 8,
      rooms: 3,
    });
    await rounds(20, 2);
    await verifyAll();
  });

  test("P1–P7: three nodes, one killed at a time", { timeout: 300_000 }, async () => {
    cluster = await DevCluster.start(3);
    crowd = await Crowd.gather({
      servers: cluster.addresses,
      writers: 4,
      subscribers: 4,
      rooms: 2,
    });
    await rounds(8, 1);
    await verifyAll();
  });

  test("everything is there after a full restart of all five", { timeout: 300_000 }, async () => {
    cluster = await DevCluster.start(5);
    crowd = await Crowd.gather({
      servers: cluster.addresses,
      writers: 4,
      subscribers: 2,
      rooms: 2,
    });
    await until(() => (crowd?.acknowledged.length ?? 0) > 200, "some messages");
    for (const node of cluster.nodes) cluster.kill(node.id);
    for (const node of cluster.nodes) await cluster.waitDead(node.id);
    for (const node of cluster.nodes) await cluster.restart(node.id);
    await leaderOf(cluster, true);
    const before = crowd.acknowledged.length;
    await until(() => (crowd?.acknowledged.length ?? 0) > before + 50, "more messages");
    await verifyAll();
  });
});
