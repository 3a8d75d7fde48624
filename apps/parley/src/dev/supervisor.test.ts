import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { askStatus } from "../cli/cluster-client.ts";
import { DevRun, isDead, leaderSeenBy } from "../testing/dev-run.ts";
import { eventually } from "../testing/running-server.ts";

const SLOW = { timeout: 180_000 };

let run: DevRun;
beforeEach(() => {
  run = new DevRun();
});
afterEach(async () => await run.cleanUp());

describe("parley dev", () => {
  it(
    "serves; nodes are killed, restarted and paused through the socket; SIGINT ends it",
    SLOW,
    async () => {
      const dev = await run.start("--nodes", "3");
      expect(dev.output().match(/^ready/gm)).toHaveLength(1);
      expect(run.cluster().nodes.map(({ id }) => id)).toEqual([1, 2, 3]);
      expect(run.pids().some(isDead)).toBe(false);

      const leader = await leaderSeenBy(run.node(1).grpc);
      const other = run.node(leader === 1 ? 2 : 1);
      expect(await run.control("kill", leader)).toMatchObject({
        ok: true,
        pid: null,
        state: "dead",
      });
      expect(run.node(leader).pid).toBeNull();
      expect(await run.control("kill", leader)).toMatchObject({ ok: false });
      expect(dev.output()).toMatch(`n${leader}  killed (kill -9) · 2 of 3 nodes run`);
      await eventually("another leader", async () => {
        const now = await leaderSeenBy(other.grpc);
        return now !== 0 && now !== leader;
      });

      expect(await run.control("restart", leader)).toMatchObject({ ok: true, state: "running" });
      const restarted = run.node(leader);
      expect(restarted.pid).not.toBeNull();
      await eventually("it follows", async () => (await leaderSeenBy(restarted.grpc)) !== 0);

      expect(await run.control("pause", leader)).toMatchObject({ ok: true, state: "paused" });
      await expect(askStatus(restarted.grpc, { timeoutMs: 500 })).rejects.toThrow();
      expect(await run.control("resume", leader)).toMatchObject({ ok: true, state: "running" });
      await eventually("it answers", async () => (await leaderSeenBy(restarted.grpc)) !== 0);
      expect(await run.control("status")).toMatchObject({
        ok: true,
        nodes: [{ id: 1 }, { id: 2 }, { id: 3 }],
      });

      // A second one on the same data is refused, and harms nothing.
      const second = run.parley(["dev", "--data", run.folder]);
      expect(await second.ended).toBe(2);
      expect(second.output()).toMatch(/already runs on .* \(pid \d+\)/);

      const pids = run.pids();
      await run.control("pause", 2);
      dev.child.kill("SIGINT");
      expect(await dev.ended).toBe(0);
      expect(pids.every(isDead)).toBe(true);
      expect(run.cluster().nodes.map(({ pid }) => pid)).toEqual([null, null, null]);
      const log = readFileSync(join(run.folder, "logs", "n1.log"), "utf8")
        .trim()
        .split("\n");
      for (const line of log) expect(JSON.parse(line)).toHaveProperty("msg");
    },
  );

  it(
    "P6, P8: a leader is cut off from its peers: the others choose another, it knows that it leads no more, and follows when healed",
    SLOW,
    async () => {
      await run.start("--nodes", "3");
      const leader = await leaderSeenBy(run.node(1).grpc);
      const [cut, other] = [run.node(leader), run.node(leader === 1 ? 2 : 1)];
      const seenByCut = () => askStatus(cut.grpc, { timeoutMs: 5_000 });
      expect(await run.control("cut-off", leader)).toMatchObject({ ok: true, cut_off: "peers" });
      await eventually("another leader", async () => {
        const now = await leaderSeenBy(other.grpc);
        return now !== 0 && now !== leader;
      });
      // It still answers clients, and says that it has no majority.
      await eventually("it gives up", async () => (await seenByCut()).leaderId === 0);
      expect(run.node(leader).pid).toBe(cut.pid);
      expect(await run.control("status")).toMatchObject({
        ok: true,
        leader: await leaderSeenBy(other.grpc),
      });
      expect(await run.control("heal", leader)).toMatchObject({ ok: true, cut_off: "none" });
      await eventually("it follows", async () => {
        const [one, all] = [await seenByCut(), await askStatus(other.grpc, { timeoutMs: 5_000 })];
        return one.leaderId !== 0 && one.leaderId === all.leaderId && one.term === all.term;
      });
      expect(await run.control("heal", leader)).toMatchObject({ ok: false });

      expect(await run.control("isolate", leader)).toMatchObject({ ok: true, cut_off: "all" });
      await expect(seenByCut()).rejects.toThrow();
      // A process that is started anew has its network.
      expect(await run.control("restart", leader)).toMatchObject({ ok: true, cut_off: "none" });
      await eventually("it answers", async () => (await leaderSeenBy(cut.grpc)) !== 0);
    },
  );

  it(
    "servers end when the supervisor is killed, and the next one takes over their data",
    SLOW,
    async () => {
      const first = await run.start("--nodes", "1");
      const before = await askStatus(run.node(1).grpc, { timeoutMs: 5_000 });
      const [pid] = run.pids();
      first.child.kill("SIGKILL");
      await first.ended;
      expect(pid).toBeDefined();
      await run.start();
      expect(isDead(pid ?? 0)).toBe(true);
      const after = await askStatus(run.node(1).grpc, { timeoutMs: 5_000 });
      expect(after.clusterId).toBe(before.clusterId);
      expect(after.term).toBeGreaterThan(before.term);
    },
  );

  it("--supervise starts again what was killed from outside", SLOW, async () => {
    await run.start("--nodes", "1", "--supervise");
    const [pid] = run.pids();
    process.kill(pid ?? 0, "SIGKILL");
    await eventually("a new process", () => {
      const [now] = run.pids();
      return now !== undefined && now !== pid;
    });
    await eventually("it leads", async () => (await leaderSeenBy(run.node(1).grpc)) === 1);
  });
});

describe("parley server", () => {
  it("names what is wrong with its configuration, and ends with 2", SLOW, async () => {
    const config = join(run.folder, "none.yaml");
    const server = run.parley(["server", "--id", "1", "--config", config]);
    expect(await server.ended).toBe(2);
    expect(server.output()).toMatch(/none\.yaml: cannot be read .*--config/);
  });
});
