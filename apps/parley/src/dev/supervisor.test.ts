import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askStatus } from "../cli/cluster-client.ts";
import { eventually } from "../testing/running-server.ts";
import { type ClusterFile, readClusterFile } from "./cluster-file.ts";
import { askSupervisor } from "./control.ts";

const PARLEY = fileURLToPath(new URL("../../bin/parley.mjs", import.meta.url));
const SLOW = { timeout: 180_000 };

interface Run {
  readonly child: ChildProcess;
  output(): string;
  /** The exit code; -1 for an end by a signal. */
  readonly ended: Promise<number>;
}

let folder = "";
const runs: Run[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-dev-e2e-"));
});

afterEach(async () => {
  for (const run of runs.splice(0)) {
    if (run.child.exitCode === null) run.child.kill("SIGTERM");
    await run.ended;
  }
  // Servers whose supervisor was killed end by themselves.
  await eventually("every server has ended", () => pidsOf(readClusterFile(folder)).every(isDead));
  rmSync(folder, { recursive: true, force: true });
});

function pidsOf(file: ClusterFile | undefined): readonly number[] {
  return (file?.nodes ?? []).flatMap(({ pid }) => (pid === null ? [] : [pid]));
}

function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A killed child that nobody has waited for yet counts as dead.
    return existsSync("/proc") && readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return true;
  }
}

function parley(...args: string[]): Run {
  const child = spawn(process.execPath, [PARLEY, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += stripVTControlCharacters(text);
    });
  }
  const ended = new Promise<number>((resolve) =>
    child.once("close", (code) => resolve(code ?? -1)),
  );
  const run = { child, output: () => output, ended };
  runs.push(run);
  return run;
}

async function startDev(...args: string[]): Promise<Run> {
  const run = parley("dev", "--data", folder, ...args);
  await eventually(
    "ready",
    () => {
      if (run.child.exitCode !== null) throw new Error(`it ended:\n${run.output()}`);
      return /^ready /m.test(run.output());
    },
    120_000,
  );
  return run;
}

function cluster(): ClusterFile {
  const file = readClusterFile(folder);
  if (file === undefined) throw new Error("there is no cluster.json");
  return file;
}

function node(id: number) {
  const found = cluster().nodes.find((one) => one.id === id);
  if (found === undefined) throw new Error(`cluster.json has no node ${id}`);
  return found;
}

async function control(cmd: "kill" | "pause" | "resume" | "restart" | "status", id?: number) {
  const request = id === undefined ? { cmd } : { cmd, node: id };
  return await askSupervisor(cluster().control ?? "", request);
}

async function leaderSeenBy(address: string): Promise<number> {
  const status = await askStatus(address, { timeoutMs: 2_000 }).catch(() => undefined);
  return status?.hasQuorum === true ? status.leaderId : 0;
}

describe("parley dev", () => {
  it(
    "serves; nodes are killed, restarted and paused through the socket; SIGINT ends it",
    SLOW,
    async () => {
      const dev = await startDev("--nodes", "3");
      expect(dev.output().match(/^ready/gm)).toHaveLength(1);
      expect(cluster().nodes.map(({ id }) => id)).toEqual([1, 2, 3]);
      expect(pidsOf(cluster()).some(isDead)).toBe(false);

      const leader = await leaderSeenBy(node(1).grpc);
      const other = node(leader === 1 ? 2 : 1);
      expect(await control("kill", leader)).toMatchObject({ ok: true, pid: null, state: "dead" });
      expect(node(leader).pid).toBeNull();
      expect(await control("kill", leader)).toMatchObject({ ok: false });
      await eventually("another leader", async () => {
        const now = await leaderSeenBy(other.grpc);
        return now !== 0 && now !== leader;
      });

      expect(await control("restart", leader)).toMatchObject({ ok: true, state: "running" });
      const restarted = node(leader);
      expect(restarted.pid).not.toBeNull();
      await eventually("it follows", async () => (await leaderSeenBy(restarted.grpc)) !== 0);

      expect(await control("pause", leader)).toMatchObject({ ok: true, state: "paused" });
      await expect(askStatus(restarted.grpc, { timeoutMs: 500 })).rejects.toThrow();
      expect(await control("resume", leader)).toMatchObject({ ok: true, state: "running" });
      await eventually("it answers", async () => (await leaderSeenBy(restarted.grpc)) !== 0);
      expect(await control("status")).toMatchObject({
        ok: true,
        nodes: [{ id: 1 }, { id: 2 }, { id: 3 }],
      });

      // A second one on the same data is refused, and harms nothing.
      const second = parley("dev", "--data", folder);
      expect(await second.ended).toBe(2);
      expect(second.output()).toMatch(/already runs on .* \(pid \d+\)/);

      const pids = pidsOf(cluster());
      await control("pause", 2);
      dev.child.kill("SIGINT");
      expect(await dev.ended).toBe(0);
      expect(pids.every(isDead)).toBe(true);
      expect(cluster().nodes.map(({ pid }) => pid)).toEqual([null, null, null]);
      const log = readFileSync(join(folder, "logs", "n1.log"), "utf8")
        .trim()
        .split("\n");
      for (const line of log) expect(JSON.parse(line)).toHaveProperty("msg");
    },
  );

  it(
    "servers end when the supervisor is killed, and the next one takes over their data",
    SLOW,
    async () => {
      const first = await startDev("--nodes", "1");
      const before = await askStatus(node(1).grpc, { timeoutMs: 5_000 });
      const [pid] = pidsOf(cluster());
      first.child.kill("SIGKILL");
      await first.ended;
      expect(pid).toBeDefined();
      await startDev();
      expect(isDead(pid ?? 0)).toBe(true);
      const after = await askStatus(node(1).grpc, { timeoutMs: 5_000 });
      expect(after.clusterId).toBe(before.clusterId);
      expect(after.term).toBeGreaterThan(before.term);
    },
  );

  it("--supervise starts again what was killed from outside", SLOW, async () => {
    await startDev("--nodes", "1", "--supervise");
    const [pid] = pidsOf(cluster());
    process.kill(pid ?? 0, "SIGKILL");
    await eventually("a new process", () => {
      const [now] = pidsOf(cluster());
      return now !== undefined && now !== pid;
    });
    await eventually("it leads", async () => (await leaderSeenBy(node(1).grpc)) === 1);
  });
});

describe("parley server", () => {
  it("names what is wrong with its configuration, and ends with 2", SLOW, async () => {
    const run = parley("server", "--id", "1", "--config", join(folder, "none.yaml"));
    expect(await run.ended).toBe(2);
    expect(run.output()).toMatch(/none\.yaml: cannot be read .*--config/);
  });
});
