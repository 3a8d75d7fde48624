// Across machines: each server in a network namespace with an address of its own, the same file on each, TLS by `parley certs`; links
// that are cut, cut one way, cut in part, or slow. What an operator does is done there as well.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Event, Message } from "@parley/protocol";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { wipe } from "../harness/joining.ts";
import { Asked, Machines, whyNoMachines } from "../harness/machines.ts";
import { type Acknowledged, checkHistory, checkSubscription } from "../harness/oracle.ts";
import { ServerProcess } from "../harness/server-process.ts";

const PARLEY = fileURLToPath(new URL("../../apps/parley/bin/parley.mjs", import.meta.url));
const CROWD = fileURLToPath(new URL("../harness/crowd-process.ts", import.meta.url));
const FORWARDER = fileURLToPath(new URL("../harness/forwarder.ts", import.meta.url));

const PORT = 7400;
/** The machine of server 5 is reached by way of another one, which passes everything on later. */
const SLOW = 5;
const RELAY = 105;
const CLIENTS = 200;
const COMMAND_MS_MAX = 60_000;
const DELAY_MS = 50;

const problem = await whyNoMachines();
if (problem !== undefined) console.warn(`tests across machines are skipped: ${problem}`);

interface Status {
  readonly leader_id: number;
  readonly has_quorum: boolean;
  readonly members: readonly {
    readonly id: number;
    readonly raft_id: number;
    readonly role: string;
    readonly healthy: boolean;
    readonly lag: number;
  }[];
}

interface Ran {
  readonly code: number;
  readonly output: string;
}

describe.skipIf(problem !== undefined)("across machines", () => {
  const dir = mkdtempSync(join(tmpdir(), "parley-machines-"));
  const config = join(dir, "cluster.yaml");
  const ca = join(dir, "certs/ca.crt");
  const servers = new Map<number, ServerProcess>();
  let machines: Machines;
  let crowd: Asked;
  let token = "";

  const addressOf = (id: number) => `${Machines.address(id === SLOW ? RELAY : id)}:${PORT}`;

  beforeAll(async () => {
    machines = await Machines.make([1, 2, 3, 4, SLOW, 6, RELAY, CLIENTS]);
  }, 120_000);

  afterEach(({ task }) => {
    if (task.result?.state !== "fail") return;
    for (const { output } of servers.values()) console.error(output.slice(-15).join("\n"));
  });

  afterAll(async () => {
    await machines?.destroy();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  /** A command of somebody on the clients' machine. */
  function parley(...args: readonly string[]): Promise<Ran> {
    const [program, rest] = machines.command(CLIENTS, [PARLEY, ...args]);
    const env = { ...process.env, PARLEY_CA: ca, PARLEY_OPERATOR_TOKEN: token };
    return new Promise((resolve) => {
      execFile(program, rest, { timeout: COMMAND_MS_MAX, env }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, output: stdout + stderr });
      });
    });
  }

  async function statusOf(id: number): Promise<Status | undefined> {
    const { code, output } = await parley(
      "status",
      "--server",
      addressOf(id),
      "--json",
      "--timeout",
      "3",
    );
    return code === 0 ? (JSON.parse(output) as Status) : undefined;
  }

  function start(id: number, args = ["--config", config]): ServerProcess {
    const server = servers.get(id) ?? new ServerProcess();
    servers.set(id, server);
    server.follow(machines.spawn(id, [PARLEY, "server", "--id", String(id), ...args]));
    return server;
  }

  async function leader(seenBy: number): Promise<number> {
    let found = 0;
    await until(
      async () => {
        const status = await statusOf(seenBy);
        found = status?.has_quorum === true ? status.leader_id : 0;
        return found !== 0;
      },
      "a leader",
      60_000,
    );
    return found;
  }

  const progress = () => crowd.ask({ do: "progress", count: 40 });

  async function settled(seenBy: number, voters: readonly number[]): Promise<void> {
    await until(
      async () => {
        const members = (await statusOf(seenBy))?.members ?? [];
        const votes = members.filter(({ role }) => role === "MEMBER_ROLE_VOTER");
        return (
          votes
            .map(({ id }) => id)
            .sort()
            .join() === [...voters].sort().join() &&
          members.every(({ healthy, lag }) => healthy && lag < 500)
        );
      },
      `voters ${voters.join(", ")} to be well`,
      120_000,
    );
  }

  test("one file, cut links, slow links, growth, wiped disks: nothing is lost, nothing is there twice", {
    timeout: 400_000,
  }, async () => {
    const lines = [1, 2, 3, 4, SLOW].map((id) => {
      const listen = id === SLOW ? `, listen_host: ${Machines.address(SLOW)}` : "";
      const host = addressOf(id).split(":")[0];
      return `  - {id: ${id}, host: ${host}, port: ${PORT}, db_path: n${id}/parley.db${listen}}`;
    });
    writeFileSync(config, `nodes:\n${lines.join("\n")}\n`);
    for (const command of [
      ["init", "--dir", join(dir, "certs")],
      ["node", "--config", config],
    ]) {
      expect(await parley("certs", ...command)).toMatchObject({ code: 0 });
    }
    machines.spawn(RELAY, [
      FORWARDER,
      Machines.address(RELAY),
      String(PORT),
      Machines.address(SLOW),
      String(DELAY_MS),
    ]);
    const first = start(1);
    for (const id of [2, 3, 4, SLOW]) start(id);
    let setupToken = "";
    await until(
      () => {
        setupToken = /--setup-token (\S+)/.exec(first.output.join("\n"))?.[1] ?? "";
        return setupToken !== "";
      },
      "the set-up token",
      60_000,
    );

    crowd = new Asked(machines.spawn(CLIENTS, [CROWD]));
    const options = {
      servers: [1, 2, 3, 4, SLOW].map(addressOf),
      writers: 4,
      subscribers: 2,
      rooms: 2,
      tls: { ca: await readFile(ca, "utf8") },
      setupToken,
    };
    const gathered = await crowd.ask<{ token: string; roomIds: number[] }>({
      do: "gather",
      options,
    });
    token = gathered.token;
    await progress();

    // The leader's cable is pulled: another one leads, and the old one follows when it is back.
    let leads = await leader(1);
    await machines.cable(leads, "down");
    await progress();
    await machines.cable(leads, "up");
    await settled(leads, [1, 2, 3, 4, SLOW]);

    // One way: what the leader sends no longer reaches two of the others.
    leads = await leader(1);
    const [a, b, c, d] = [1, 2, 3, 4, SLOW].filter((id) => id !== leads) as [
      number,
      number,
      number,
      number,
    ];
    for (const other of [a, b]) await machines.cut(leads, other);
    await progress();
    for (const other of [a, b]) await machines.mend(leads, other);

    // In part: two pairs of servers can't see each other, and everybody sees a majority.
    for (const [one, other] of [
      [a, c],
      [b, d],
    ] as const) {
      await machines.cut(one, other);
      await machines.cut(other, one);
    }
    await progress();
    for (const [one, other] of [
      [a, c],
      [b, d],
    ] as const) {
      await machines.mend(one, other);
      await machines.mend(other, one);
    }
    await settled(1, [1, 2, 3, 4, SLOW]);

    // A sixth machine joins, and takes the place of the one behind the slow link.
    const certified = await parley(
      "certs",
      "node",
      "6",
      "--dir",
      join(dir, "certs"),
      "--host",
      Machines.address(6),
    );
    expect(certified, certified.output).toMatchObject({ code: 0 });
    const joining = join(dir, "six.yaml");
    writeFileSync(
      joining,
      `join: ["${addressOf(1)}", "${addressOf(2)}"]\ndata_dir: ${join(dir, "n6")}\n`,
    );
    start(6, ["--config", joining]);
    const added = await parley("add-server", addressOf(2), "6", addressOf(6), "--wait", "50");
    expect(added, added.output).toMatchObject({ code: 0 });
    await settled(1, [1, 2, 3, 4, SLOW, 6]);
    const removed = await parley("remove-server", addressOf(6), String(SLOW));
    expect(removed, removed.output).toMatchObject({ code: 0 });
    await settled(6, [1, 2, 3, 4, 6]);
    await progress();

    // A disk is lost while people write.
    const wiped = (await leader(6)) === 4 ? 3 : 4;
    const before = (await statusOf(6))?.members.find(({ id }) => id === wiped)?.raft_id ?? 0;
    await servers.get(wiped)?.kill();
    wipe(join(dir, `n${wiped}/parley.db`));
    start(wiped);
    await until(
      async () => {
        const member = (await statusOf(6))?.members.find(({ id }) => id === wiped);
        return (member?.raft_id ?? 0) > before && member?.role === "MEMBER_ROLE_VOTER";
      },
      "the wiped server to vote again",
      120_000,
    );
    await progress();

    const told = await crowd.ask<{
      acknowledged: Acknowledged[];
      events: Event[][];
      errors: string[];
    }>({ do: "finish" });
    const left = [1, 2, 3, 4, 6];
    await settled(1, left);
    const verified = await parley("verify", "--deep", "--server", addressOf(6));
    expect(verified, verified.output).toMatchObject({ code: 0 });
    const saved = await parley("backup", join(dir, "chat.backup"), "--server", addressOf(1));
    expect(saved, saved.output).toMatchObject({ code: 0 });
    const histories = await crowd.ask<{ address: string; roomId: number; messages: Message[] }[]>({
      do: "read",
      addresses: left.map(addressOf),
    });
    const breaches = histories.flatMap(({ address, roomId, messages }) => [
      ...checkHistory(
        messages,
        told.acknowledged.filter((one) => one.roomId === roomId),
        `${address} room ${roomId}`,
      ),
      ...told.events.flatMap((events, at) =>
        checkSubscription(events, messages, roomId, `subscriber ${at}`),
      ),
    ]);
    expect(breaches).toEqual([]);
    expect(told.errors).toEqual([]);
    expect(histories).toHaveLength(left.length * gathered.roomIds.length);
  });
});
