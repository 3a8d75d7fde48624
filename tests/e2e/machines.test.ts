// Across machines: each server in a network namespace with an address of its own, the same file on each, TLS by `parley certs`; links
// that are cut, cut one way, cut in part, or slow. What an operator does is done there as well.
import { renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { STATE_VERSION } from "@parley/chat";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { wipe } from "../harness/joining.ts";
import { Machines, whyNoMachines } from "../harness/machines.ts";
import { PORT, Site } from "../harness/site.ts";

const FORWARDER = fileURLToPath(new URL("../harness/forwarder.ts", import.meta.url));

/** The machine of server 5 is reached by way of another one, which passes everything on later. */
const SLOW = 5;
const RELAY = 105;
const PEOPLE = 200;
const DELAY_MS = 50;

const problem = await whyNoMachines();
if (problem !== undefined) console.warn(`tests across machines are skipped: ${problem}`);

describe.skipIf(problem !== undefined)("across machines", () => {
  let machines: Machines;
  let site: Site | undefined;

  beforeAll(async () => {
    machines = await Machines.make([1, 2, 3, 4, SLOW, 6, RELAY, PEOPLE]);
  }, 120_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") console.error(site?.tail());
    await site?.close();
    site = undefined;
  }, 60_000);

  afterAll(async () => {
    await machines?.destroy();
  }, 60_000);

  test("one file, cut links, slow links, growth, wiped disks: nothing is lost, nothing is there twice", {
    timeout: 400_000,
  }, async () => {
    const running = new Site(
      machines,
      [{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }, { id: SLOW, by: RELAY }],
      PEOPLE,
    );
    site = running;
    machines.spawn(RELAY, [
      FORWARDER,
      Machines.address(RELAY),
      String(PORT),
      Machines.address(SLOW),
      String(DELAY_MS),
    ]);
    await running.open();

    // The leader's cable is pulled: another one leads, and the old one follows when it is back.
    let leads = await running.leader(1);
    await machines.cable(leads, "down");
    await running.progress();
    await machines.cable(leads, "up");
    await running.settled(leads, [1, 2, 3, 4, SLOW]);

    // One way: what the leader sends no longer reaches two of the others.
    leads = await running.leader(1);
    const [a, b, c, d] = [1, 2, 3, 4, SLOW].filter((id) => id !== leads) as [
      number,
      number,
      number,
      number,
    ];
    for (const other of [a, b]) await machines.cut(leads, other);
    await running.progress();
    for (const other of [a, b]) await machines.mend(leads, other);

    // In part: two pairs of servers can't see each other, and everybody sees a majority.
    const pairs = [
      [a, c],
      [b, d],
    ] as const;
    for (const [one, other] of pairs) {
      await machines.cut(one, other);
      await machines.cut(other, one);
    }
    await running.progress();
    for (const [one, other] of pairs) {
      await machines.mend(one, other);
      await machines.mend(other, one);
    }
    await running.settled(1, [1, 2, 3, 4, SLOW]);

    // A sixth machine joins as a read replica, and takes the place of the one behind the slow link.
    running.start(6, await running.writeJoining(6, [1, 2]));
    const six = running.addressOf(6);
    const added = await running.done(
      "add-server",
      running.addressOf(2),
      "6",
      six,
      "--learner",
      "--wait",
      "50",
    );
    expect(added).toContain("server 6 is a read replica, and has caught up");
    await running.done("replace-server", six, String(SLOW), "6");
    await running.settled(6, [1, 2, 3, 4, 6]);
    await running.progress();

    // Leadership goes where it is told to; a vote is taken away and given back.
    await running.done("transfer-leader", six, "6");
    await running.leader(1, [6]);
    await running.done("demote", six, "2");
    await running.settled(6, [1, 3, 4, 6]);
    await running.done("promote", six, "2");
    await running.settled(6, [1, 2, 3, 4, 6]);

    // A disk is lost while people write.
    const wiped = (await running.leader(6)) === 4 ? 3 : 4;
    const raftIdOf = async () =>
      (await running.statusOf(6))?.members.find(({ id }) => id === wiped)?.raft_id ?? 0;
    const before = await raftIdOf();
    await running.kill(wiped);
    wipe(join(running.dir, `n${wiped}/parley.db`));
    running.start(wiped);
    await until(
      async () => (await raftIdOf()) > before,
      "the wiped server to be taken back",
      120_000,
    );
    await running.settled(6, [1, 2, 3, 4, 6]);
    await running.progress();

    // One is taken out, and has nothing more to say.
    const removed = wiped === 3 ? 4 : 3;
    const left = [1, 2, 3, 4, 6].filter((id) => id !== removed);
    await running.done("remove-server", six, String(removed));
    await running.settled(6, left);
    await running.progress();

    await running.judge(left);
    await running.done("verify", "--deep", "--server", six);
  });

  test("P6: of three data nodes any two are cut off, in turn and at once; two witnesses keep the third going", {
    timeout: 400_000,
  }, async () => {
    const witnesses = [4, 5];
    const running = new Site(
      machines,
      [{ id: 1 }, { id: 2 }, { id: 3 }, ...witnesses.map((id) => ({ id, witness: true as const }))],
      PEOPLE,
    );
    site = running;
    await running.open();
    const data = [1, 2, 3];
    const othersThan = (...ids: readonly number[]) => data.filter((id) => !ids.includes(id));

    // At once, each pair: the one that is left leads, and has everything.
    for (const alone of data) {
      for (const other of othersThan(alone)) await machines.cable(other, "down");
      await running.leader(alone, [alone]);
      await running.progress();
      for (const other of othersThan(alone)) await machines.cable(other, "up");
      await running.settled(alone, data);
    }

    // In turn, whoever leads.
    const first = await running.leader(1);
    await machines.cable(first, "down");
    const second = await running.leader(othersThan(first)[0] ?? 0, othersThan(first));
    await running.progress();
    await machines.cable(second, "down");
    await running.leader(othersThan(first, second)[0] ?? 0, othersThan(first, second));
    await running.progress();
    for (const id of [first, second]) await machines.cable(id, "up");
    await running.settled(1, data);

    // One way: the leader hears the witnesses, and they don't hear it; then the other way round.
    for (const isHeard of [false, true]) {
      const leads = await running.leader(1);
      const ways = witnesses.map((id) => (isHeard ? [id, leads] : [leads, id]) as [number, number]);
      for (const [from, to] of ways) await machines.cut(from, to);
      await running.progress();
      for (const [from, to] of ways) await machines.mend(from, to);
      await running.settled(1, data);
    }

    await running.judge(data);
    await running.done("verify", "--deep", "--server", running.addressOf(2));
  });

  test("a newer program comes to one machine after the other; a lost majority is recovered from, a backup restored", {
    timeout: 400_000,
  }, async () => {
    const ids = [1, 2, 3];
    const running = new Site(
      machines,
      ids.map((id) => ({ id })),
      PEOPLE,
    );
    site = running;
    await running.open("older");

    for (const id of ids) {
      expect((await running.statusOf(id))?.state_version).toBe(1);
      await running.stop(id);
      running.start(id);
      await running.settled(id, ids);
      await running.progress();
    }
    await until(
      async () => (await running.statusOf(1))?.state_version === STATE_VERSION,
      "the state version to rise",
      60_000,
    );
    await running.judge(ids);
    const backup = join(running.dir, "chat.backup");
    await running.done("backup", backup, "--server", running.addressOf(1));
    const old = (await running.statusOf(1))?.cluster_id;

    // Two disks of three are gone. The third becomes a cluster of its own, which grows again.
    const survivor = 2;
    await until(async () => {
      const members = (await running.statusOf(survivor))?.members ?? [];
      return members.every(({ lag }) => lag === 0);
    }, "the survivor to have everything");
    await running.killAll();
    const kept = join(running.dir, "kept");
    renameSync(join(running.dir, `n${survivor}`), kept);
    const which = ["--config", running.config, "--id", String(survivor)];
    await running.done("recover", join(kept, "parley.db"), ...which, "--yes");
    running.start(survivor);
    await running.leader(survivor, [survivor]);
    const recovered = (await running.statusOf(survivor))?.cluster_id;
    expect(recovered).not.toBe(old);
    running.start(4, await running.writeJoining(4, [survivor]));
    await running.done(
      "add-server",
      running.addressOf(survivor),
      "4",
      running.addressOf(4),
      "--wait",
      "50",
    );
    await running.settled(4, [survivor, 4]);
    await running.judgeHistories([survivor, 4]);
    await running.done("verify", "--deep", "--server", running.addressOf(4));

    // The backup becomes a third cluster, on the machines of the first.
    await running.killAll();
    const restored = join(running.dir, "restored.yaml");
    running.write(restored, "restored-n");
    await running.done("restore", backup, "--config", restored);
    for (const id of ids) running.start(id, restored);
    await running.settled(3, ids);
    expect([old, recovered]).not.toContain((await running.statusOf(3))?.cluster_id);
    await running.judgeHistories(ids);
  });
});
