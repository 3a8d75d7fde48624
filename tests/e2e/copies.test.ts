// A follower that was away while the log went on without it comes back through a copy of the chat file; a backup
// becomes a new cluster. Real processes, real sockets, kill -9.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { STATE_VERSION } from "@parley/chat";
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { RoomVisibility } from "@parley/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { changeOneRow, damageMessagesPage } from "../harness/chat-file.ts";
import { Crowd } from "../harness/crowd.ts";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { DirectNode } from "../harness/direct-node.ts";
import { checkHistory, sameStateEverywhere } from "../harness/oracle.ts";
import { leaderOf, statusOf } from "../harness/status.ts";

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));
const SHORT_LOG =
  "compaction: {log_entries_max: 200, log_tail_entries: 20, copy_bytes_per_second: 500000}";

let cluster: DevCluster | undefined;
let crowd: Crowd | undefined;
const folders: string[] = [];
afterEach(async () => {
  await crowd?.close();
  crowd = undefined;
  await cluster?.destroy();
  cluster = undefined;
  vi.unstubAllEnvs();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function parley(...args: string[]): { readonly code: number | null; readonly text: string } {
  const done = spawnSync(process.execPath, [PARLEY, ...args], {
    encoding: "utf8",
    timeout: 120_000,
  });
  return { code: done.status, text: done.stdout + done.stderr };
}

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-copies-"));
  folders.push(folder);
  return folder;
}

async function compactedIndex(running: DevCluster, id: number): Promise<number> {
  const status = await statusOf(running.node(id).grpc);
  return status?.members.find((member) => member.id === id)?.storage?.compactedIndex ?? 0;
}

async function appliedIndex(running: DevCluster, id: number): Promise<number> {
  const status = await statusOf(running.node(id).grpc);
  return status?.members.find((member) => member.id === id)?.appliedIndex ?? 0;
}

function logOf(running: DevCluster, id: number): string {
  return readFileSync(join(running.dir, "logs", `n${id}.log`), "utf8");
}

/** People talk, and a follower is dead for so long that the log can't catch it up any more. */
async function oneLeftBehind(subscribers: number) {
  const running = await DevCluster.start(3, undefined, SHORT_LOG);
  cluster = running;
  const talkers = await Crowd.gather({
    servers: running.addresses,
    writers: 3,
    subscribers,
    rooms: 2,
  });
  crowd = talkers;
  const leader = await leaderOf(running);
  const away = leader === 1 ? 2 : 1;
  const before = await appliedIndex(running, away);
  running.kill(away);
  await running.waitDead(away);
  await until(
    async () => (await compactedIndex(running, leader)) > before + 400,
    "the log to go on without it",
  );
  return { running, talkers, leader, away };
}

describe("copies of the chat file", () => {
  test("P1, P5, P7: a follower that the log can't catch up comes back under load, killed once on the way", {
    timeout: 300_000,
  }, async () => {
    const { running, talkers, leader, away } = await oneLeftBehind(2);
    await running.restart(away);
    const isInstalled = () =>
      logOf(running, away).includes("a copy of the chat file was installed");
    // Once more in the middle of it.
    const sentBefore = talkers.sent;
    const incoming = `${running.node(away).db_path}-incoming`;
    await until(
      () => existsSync(incoming) && statSync(incoming).size > 0,
      "the copy to begin to come",
      120_000,
    );
    running.kill(away);
    await running.waitDead(away);
    expect(isInstalled()).toBe(false);
    await running.restart(away);
    await until(isInstalled, "the copy to be installed", 120_000);
    await until(async () => {
      const [own, other] = [await appliedIndex(running, away), await appliedIndex(running, leader)];
      return own > 0 && other - own < 200;
    }, "it to catch up");
    await until(() => talkers.sent > sentBefore + 50, "sends to flow on");

    await talkers.finishWriting();
    await leaderOf(running, true);
    await sameStateEverywhere(running);
    const direct = new DirectNode(running.node(away).grpc, talkers.token);
    for (const roomId of talkers.roomIds) {
      const history = await direct.wholeHistory(roomId);
      const said = talkers.acknowledged.filter((one) => one.roomId === roomId);
      expect(checkHistory(history, said, `node ${away}`)).toEqual([]);
    }
    direct.close();
    expect(talkers.errors).toEqual([]);
    const status = parley("status", "--server", running.addresses.join(","));
    expect(status.text).toMatch(/KiB|MiB/);
  });

  test("P7, P9: a leader whose chat file is damaged can't give a copy: it hands over and stops, and comes back with another's", {
    timeout: 300_000,
  }, async () => {
    const { running, talkers, leader, away } = await oneLeftBehind(1);
    // Nobody reads the page until a copy is made.
    await talkers.finishWriting();
    damageMessagesPage(running.node(leader).db_path);
    await running.restart(away);
    await running.waitDead(leader);
    expect(logOf(running, leader)).toMatch(/this node stops: .*the chat file is damaged/);
    expect(logOf(running, leader)).toContain("handing leadership over");
    await until(
      () => logOf(running, away).includes("a copy of the chat file was installed"),
      "another leader's copy to be installed",
      120_000,
    );
    await running.restart(leader);
    await until(
      async () => (await statusOf(running.node(leader).grpc))?.hasQuorum === true,
      "the damaged one to serve again",
      120_000,
    );
    expect(logOf(running, leader)).toContain("it is put aside and made again");
    await sameStateEverywhere(running);
    for (const id of [leader, away]) {
      const direct = new DirectNode(running.node(id).grpc, talkers.token);
      for (const roomId of talkers.roomIds) {
        const history = await direct.wholeHistory(roomId);
        const said = talkers.acknowledged.filter((one) => one.roomId === roomId);
        expect(checkHistory(history, said, `node ${id}`)).toEqual([]);
      }
      direct.close();
    }
  });

  test("verify tells which node's tables are damaged, and that the nodes differ, with exit code 1", {
    timeout: 300_000,
  }, async () => {
    const running = await DevCluster.start(3);
    cluster = running;
    const servers = running.addresses.join(",");
    const editor = new ParleyClient({ servers: [...running.addresses], carrier: grpcCarrier() });
    await editor.start();
    await editor.register({ username: "editor", password: "a long password" });
    const { room } = await editor.call("createRoom", {
      name: "lobby",
      visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
    });
    const roomId = room?.id ?? 0;
    const seq = (await editor.send(roomId, "helo")).message?.seq ?? 0;
    await until(
      async () => (await statusOf(running.node(1).grpc))?.stateVersion === STATE_VERSION,
      "messages to be editable",
    );
    await sameStateEverywhere(running);
    const sound = parley("verify", "--deep", "--server", servers);
    expect(sound, sound.text).toMatchObject({ code: 0 });
    expect(sound.text).toMatch(/^all 3 nodes hold the same state at revision \d+$/m);

    // Behind a running node's back; one that starts would find it, and make its tables again.
    const changed = 2;
    changeOneRow(
      running.node(changed).db_path,
      "UPDATE messages SET body = 'hell' WHERE room_id = ? AND seq = ?",
      roomId,
      seq,
    );
    const shallow = parley("verify", "--server", servers);
    expect(shallow, shallow.text).toMatchObject({ code: 0 });
    const deep = parley("verify", "--deep", "--server", servers);
    expect(deep, deep.text).toMatchObject({ code: 1 });
    expect(deep.text).toMatch(/^n1 .*tables: sound$/m);
    expect(deep.text).toMatch(/^n2 .*tables: DAMAGED$/m);
    expect(deep.text).toMatch(/^n3 .*tables: sound$/m);
    const json = parley("verify", "--deep", "--json", "--server", servers);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.text)).toMatchObject({ equal: true, sound: false });

    // What is made of the row from now on is something else there.
    await editor.call("edit", { roomId, seq, body: "hello", expectedVersion: 0 });
    await editor.close();
    const differing = parley("verify", "--server", servers);
    expect(differing, differing.text).toMatchObject({ code: 1 });
    expect(differing.text).toMatch(/^the nodes DIFFER at revision \d+$/m);

    // Started again it finds the damage, and has the others' state.
    running.kill(changed);
    await running.waitDead(changed);
    await running.restart(changed);
    await sameStateEverywhere(running);
    expect(logOf(running, changed)).toContain("it is put aside and made again");
    const mended = parley("verify", "--deep", "--server", servers);
    expect(mended, mended.text).toMatchObject({ code: 0 });
  });

  test("a live backup becomes a new cluster with the same chat; verify finds all nodes equal", {
    timeout: 300_000,
  }, async () => {
    const running = await DevCluster.start(3, undefined, SHORT_LOG);
    cluster = running;
    const talkers = await Crowd.gather({
      servers: running.addresses,
      writers: 2,
      subscribers: 1,
      rooms: 2,
    });
    crowd = talkers;
    await until(() => talkers.acknowledged.length > 300, "some messages");
    const servers = running.addresses.join(",");
    const folder = scratch();
    const file = join(folder, "chat.backup");
    const known = [...talkers.acknowledged];
    vi.stubEnv("PARLEY_OPERATOR_TOKEN", talkers.token);
    const made = parley("backup", file, "--server", servers, "--json");
    expect(made.code, made.text).toBe(0);
    const { revision } = JSON.parse(made.text) as { revision: number };
    const verified = parley("verify", "--deep", "--server", servers);
    expect(verified.text).toMatch(/hold the same state/);
    expect(verified.code).toBe(0);
    const roomIds = [...talkers.roomIds];
    const { token } = talkers;
    const { clusterId } = (await statusOf(running.node(1).grpc)) ?? {};
    await talkers.close();
    crowd = undefined;
    await running.destroy();
    cluster = undefined;

    const damaged = join(folder, "damaged.backup");
    const bytes = readFileSync(file);
    bytes[bytes.length - 1_000] = (bytes[bytes.length - 1_000] ?? 0) ^ 1;
    writeFileSync(damaged, bytes);
    const fresh = scratch();
    const config = join(fresh, "cluster.yaml");
    const list = [1, 2, 3].map(
      (id) => `  - {id: ${id}, host: 127.0.0.1, port: ${7_400 + id}, db_path: n${id}/parley.db}`,
    );
    writeFileSync(config, `nodes:\n${list.join("\n")}\n`);
    const refused = parley("restore", damaged, "--config", config);
    expect(refused.code).not.toBe(0);
    expect(refused.text).toMatch(/damaged/);
    const restored = parley("restore", file, "--config", config);
    expect(restored.text).toMatch(new RegExp(`revision ${revision}`));
    const again = parley("restore", file, "--config", config);
    expect(again.text).toMatch(/there is data of a node already/);

    cluster = await DevCluster.start(3, fresh);
    const now = cluster;
    await leaderOf(now, true);
    await sameStateEverywhere(now);
    expect((await statusOf(now.node(1).grpc))?.clusterId).not.toBe(clusterId);
    const direct = new DirectNode(now.node(2).grpc, token);
    for (const roomId of roomIds) {
      const history = await direct.wholeHistory(roomId);
      const said = known.filter((one) => one.roomId === roomId);
      expect(checkHistory(history, said, "restored")).toEqual([]);
    }
    direct.close();
  });
});
