// A rolling upgrade with real processes (DESIGN section 5): five servers with a program from before messages could be edited are
// replaced one after the other by this one, while people write.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { STATE_VERSION } from "@parley/chat";
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { afterEach, expect, test, vi } from "vitest";
import { Crowd } from "../harness/crowd.ts";
import { until } from "../harness/dev-cluster.ts";
import { freePort, JoiningServer, parley } from "../harness/joining.ts";
import { OLDER_PROGRAM, ServerProcess } from "../harness/server-process.ts";
import { statusOf } from "../harness/status.ts";
import { verify } from "../harness/verify.ts";

const SIZE = 5;

const dir = mkdtempSync(join(tmpdir(), "parley-upgrade-"));
const servers: ServerProcess[] = [];
const addresses: string[] = [];
let crowd: Crowd | undefined;
let editor: ParleyClient | undefined;
const late = new JoiningServer(6);

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") {
    for (const { output } of servers) console.error(output.slice(-30).join("\n"));
  }
  await editor?.close();
  await crowd?.close();
  await Promise.all([...servers, late].map((server) => server.kill()));
  await late.destroy();
  rmSync(dir, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

function args(at: number): readonly string[] {
  return ["--id", String(at + 1), "--config", join(dir, "config.yaml")];
}

async function settled(at: number): Promise<void> {
  await until(
    async () => {
      const status = await statusOf(addresses[at] ?? "");
      return (
        status?.hasQuorum === true &&
        status.members.every((member) => member.healthy && member.lag < 1_000)
      );
    },
    `server ${at + 1} to be back`,
  );
}

async function versionsSeenBy(at: number): Promise<string> {
  const status = await statusOf(addresses[at] ?? "");
  const known = status?.members.map(({ stateVersion }) => stateVersion);
  return `${status?.stateVersion}: ${known}`;
}

test("a newer program comes to one server after the other; what it brings is there with the last", {
  timeout: 400_000,
}, async () => {
  const lines = ["nodes:"];
  for (let at = 0; at < SIZE; at += 1) {
    const port = await freePort();
    addresses.push(`127.0.0.1:${port}`);
    lines.push(
      `  - {id: ${at + 1}, host: 127.0.0.1, port: ${port}, db_path: n${at + 1}/parley.db}`,
    );
  }
  writeFileSync(join(dir, "config.yaml"), lines.join("\n"));
  for (let at = 0; at < SIZE; at += 1) {
    const server = new ServerProcess();
    servers.push(server);
    server.run(args(at), OLDER_PROGRAM);
  }
  await settled(0);
  crowd = await Crowd.gather({ servers: addresses, writers: 4, subscribers: 2, rooms: 2 });
  const roomId = crowd.roomIds[0] ?? 0;
  editor = new ParleyClient({ servers: addresses, carrier: grpcCarrier() });
  await editor.start();
  await editor.register({ username: "editor", password: "a long password" });
  await editor.call("joinRoom", { roomId });
  const { message } = await editor.send(roomId, "helo");
  const seq = message?.seq ?? 0;
  const client = editor;
  const edit = () => client.call("edit", { roomId, seq, body: "hello", expectedVersion: 0 });

  for (const [at, server] of servers.entries()) {
    // Some program is old: it does not know the operation, or the cluster does not have it yet.
    await expect(edit()).rejects.toMatchObject({
      reason: expect.stringMatching(/^(UNKNOWN_OPERATION|NOT_YET_SUPPORTED)$/),
    });
    const before = crowd.acknowledged.length;
    await server.stop();
    server.run(args(at));
    await settled(at);
    const writing = crowd;
    await until(() => writing.acknowledged.length > before + 30, "acknowledgements");
    if (at === 0) expect(await versionsSeenBy(0)).toBe(`1: ${STATE_VERSION},1,1,1,1`);
  }
  const risen = `${STATE_VERSION}: ${servers.map(() => STATE_VERSION)}`;
  await until(async () => (await versionsSeenBy(2)) === risen, "the version to rise");
  expect((await edit()).message).toMatchObject({ seq, body: "hello", version: 1 });
  const reacted = await editor.call("react", { roomId, seq, emoji: "🎉", add: true });
  expect(reacted.reactions).toMatchObject([{ emoji: "🎉", count: 1 }]);
  await verify(crowd, addresses);

  // There is no way back, neither for a member nor for a newcomer, and both are told so.
  await servers[4]?.stop();
  servers[4]?.run(args(4), OLDER_PROGRAM);
  await until(() => servers[4]?.isRunning === false, "the older program to refuse");
  expect(servers[4]?.says("it is too old, start the newer one")).toBe(true);
  servers[4]?.run(args(4));
  await settled(4);

  vi.stubEnv("PARLEY_OPERATOR_TOKEN", crowd.token);
  const add = ["add-server", addresses[0] ?? "", "6", `127.0.0.1:${await freePort()}`] as const;
  late.start(addresses, OLDER_PROGRAM);
  const refused = await parley(...add, "--wait", "120");
  expect(refused, refused.output).toMatchObject({ code: 1 });
  expect(refused.output).toContain("TOO_OLD");
  expect(refused.output).toContain("start the newer Parley there");
  expect((await statusOf(addresses[0] ?? ""))?.members).toHaveLength(SIZE);
  await late.stop();
  late.start(addresses);
  const added = await parley(...add, "--wait", "120");
  expect(added, added.output).toMatchObject({ code: 0 });
});
