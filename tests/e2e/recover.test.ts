// Four disks of five are gone for good: the fifth becomes a new cluster with everything that it had, which grows again. What
// comes back of the old cluster does not get in.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { afterEach, expect, test, vi } from "vitest";
import { parley } from "../harness/command.ts";
import { Crowd } from "../harness/crowd.ts";
import { until } from "../harness/dev-cluster.ts";
import { DirectNode } from "../harness/direct-node.ts";
import { freePort, JoiningServer } from "../harness/joining.ts";
import { checkHistory } from "../harness/oracle.ts";
import { ServerProcess } from "../harness/server-process.ts";
import { stateHashOf, statusOf } from "../harness/status.ts";

const SIZE = 5;
const SURVIVOR = 2;
const BACK_AGAIN = 5;

const dir = mkdtempSync(join(tmpdir(), "parley-recover-"));
const config = join(dir, "config.yaml");
const servers = new Map<number, ServerProcess>();
const addresses: string[] = [];
const newcomer = new JoiningServer(3);
let crowd: Crowd | undefined;
let speaker: ParleyClient | undefined;

afterEach(async () => {
  await speaker?.close();
  await crowd?.close();
  for (const server of servers.values()) await server.kill();
  await newcomer.destroy();
  rmSync(dir, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

function start(id: number): ServerProcess {
  const server = servers.get(id) ?? new ServerProcess();
  servers.set(id, server);
  server.run(["--id", String(id), "--config", config]);
  return server;
}

test("P6: a new cluster from one survivor's disk", { timeout: 300_000 }, async () => {
  const lines = ["nodes:"];
  for (let id = 1; id <= SIZE; id += 1) {
    const port = await freePort();
    addresses.push(`127.0.0.1:${port}`);
    lines.push(`  - {id: ${id}, host: 127.0.0.1, port: ${port}, db_path: n${id}/parley.db}`);
  }
  writeFileSync(config, lines.join("\n"));
  for (let id = 1; id <= SIZE; id += 1) start(id);
  const address = addresses[SURVIVOR - 1] ?? "";
  await until(async () => (await statusOf(address))?.hasQuorum === true, "the cluster to serve");
  const old = (await statusOf(address))?.clusterId ?? "";
  const talkers = await Crowd.gather({ servers: addresses, writers: 4, subscribers: 1, rooms: 2 });
  crowd = talkers;
  await until(() => talkers.acknowledged.length > 200, "some messages");
  await talkers.finishWriting();
  await until(async () => {
    const members = (await statusOf(address))?.members ?? [];
    return members.length === SIZE && members.every(({ lag }) => lag === 0);
  }, "the survivor to have everything");

  const disk = join(dir, `n${SURVIVOR}/parley.db`);
  const recover = (from: string, ...more: string[]) =>
    parley(["recover", from, "--config", config, "--id", String(SURVIVOR), ...more]);
  const running = await recover(disk, "--dry-run");
  expect(running.code).not.toBe(0);
  expect(running.stderr).toContain("Stop the other process");
  for (const server of servers.values()) await server.kill();
  await talkers.close();
  for (const id of [1, 3, 4]) rmSync(join(dir, `n${id}`), { recursive: true });

  const onto = await recover(disk, "--yes");
  expect(onto.stderr).toContain("there is data of a node already");
  renameSync(join(dir, `n${SURVIVOR}`), join(dir, "old"));
  const kept = join(dir, "old/parley.db");
  const looked = await recover(kept, "--dry-run", "--json");
  expect(JSON.parse(looked.stdout)).toMatchObject({
    old_cluster_id: old,
    node_id: SURVIVOR,
    voters: [1, 2, 3, 4, 5],
    cluster_id: null,
  });
  const unconfirmed = await recover(kept);
  expect(unconfirmed.code).toBe(2);
  expect(unconfirmed.stderr).toContain("Lost is what the others acknowledged without this server");
  const made = await recover(kept, "--yes");
  expect(made, made.stderr).toMatchObject({ code: 0 });
  expect(made.stdout).toContain(`--join ${address}`);

  start(SURVIVOR);
  await until(
    async () => (await statusOf(address))?.hasQuorum === true,
    "the new cluster to serve",
  );
  const status = await statusOf(address);
  expect(status?.clusterId).not.toBe(old);
  expect(status?.members.map(({ id }) => id)).toEqual([SURVIVOR]);
  const direct = new DirectNode(address, talkers.token);
  for (const roomId of talkers.roomIds) {
    const said = talkers.acknowledged.filter((one) => one.roomId === roomId);
    expect(checkHistory(await direct.wholeHistory(roomId), said, "recovered")).toEqual([]);
  }
  direct.close();

  // A member of the old cluster comes back with its disk: it is refused, and says why.
  const back = start(BACK_AGAIN);
  await until(() => back.says(`belongs to cluster ${old}`), "the old member to be refused");
  expect((await statusOf(address))?.members.map(({ id }) => id)).toEqual([SURVIVOR]);
  await back.kill();

  vi.stubEnv("PARLEY_OPERATOR_TOKEN", talkers.token);
  newcomer.start([address]);
  const port = await freePort();
  const added = await parley(["add-server", address, "3", `127.0.0.1:${port}`]);
  expect(added, added.stderr).toMatchObject({ code: 0 });
  speaker = new ParleyClient({
    servers: [address],
    carrier: grpcCarrier(),
    token: talkers.token,
  });
  await speaker.start();
  const { message } = await speaker.send(talkers.roomIds[0] ?? 0, "and on it goes");
  expect(message?.seq).toBeGreaterThan(1);
  await until(async () => {
    const hashes = await Promise.all([address, `127.0.0.1:${port}`].map(stateHashOf));
    return new Set(hashes.map((one) => `${one?.appliedIndex} ${one?.hash}`)).size === 1;
  }, "the newcomer to have the same state");
});
