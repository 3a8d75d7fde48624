// What a person is shown of the cluster (P1, P6), over real processes: ticks that follow the disks,
// and a pill that says read-only exactly while there is no majority.
import { Deliveries, HealthMonitor, ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { RoomVisibility } from "@parley/protocol";
import { afterEach, expect, test } from "vitest";
import { DevCluster, until } from "../harness/dev-cluster.ts";

let cluster: DevCluster | undefined;
let client: ParleyClient | undefined;
afterEach(async () => {
  await client?.close();
  await cluster?.destroy();
  cluster = undefined;
  client = undefined;
});

test("P1, P6: ticks reach 3 of 3, wait at 2 while one is dead, and the pill knows of the majority", {
  timeout: 240_000,
}, async () => {
  cluster = await DevCluster.start(3);
  const running = cluster;
  const sdk = new ParleyClient({ servers: running.addresses, carrier: grpcCarrier() });
  client = sdk;
  await sdk.start();
  await sdk.register({ username: "owner", password: "a long password" });
  const visibility = RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const { room } = await sdk.call("createRoom", { name: "lobby", visibility });
  const roomId = room?.id ?? 0;
  sdk.subscribe({ onItem: () => {} });
  const deliveries = new Deliveries(sdk);
  const health = new HealthMonitor(sdk);
  const send = async (body: string): Promise<string> => {
    const { clientMessageId, committed } = sdk.enqueue(roomId, body);
    await committed;
    return clientMessageId;
  };
  const ticks = (id: string) => {
    const delivery = deliveries.of(id);
    return delivery?.kind === "committed" ? `${delivery.replicas} of ${delivery.nodes}` : "";
  };

  const first = await send("on all");
  await until(() => ticks(first) === "3 of 3", "a message on all three disks");

  running.kill(3);
  await running.waitDead(3);
  const second = await send("on two");
  // A tick that came too early would be there by the time that a later message is acknowledged.
  for (const body of ["a", "b", "c"]) await send(body);
  expect(ticks(second)).toBe("2 of 3");
  expect(health.getSnapshot().kind).toBe("online");

  const lostAtMs = Date.now();
  running.kill(2);
  await running.waitDead(2);
  await until(() => health.getSnapshot().kind === "read-only", "read-only without a majority");
  const pill = health.getSnapshot();
  if (pill.kind !== "read-only") throw new Error("the pill changed");
  expect(pill.asOfMs).toBeGreaterThan(lostAtMs - 5_000);
  expect(pill.asOfMs).toBeLessThanOrEqual(Date.now());
  const waiting = sdk.send(roomId, "kept");
  await until(() => {
    const now = health.getSnapshot();
    return now.kind === "read-only" && now.waiting === 1;
  }, "a waiting message is counted");

  await running.restart(2);
  await running.restart(3);
  await waiting;
  await until(() => health.getSnapshot().kind === "online", "well again");
  await until(() => ticks(second) === "3 of 3", "what the dead one lacked is on its disk as well");
  health.close();
  deliveries.close();
});
