// P8 and P9 with real processes: servers are added, removed, replaced and wiped while people write.
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { MemberRole, type StatusResponse } from "@parley/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Crowd } from "../harness/crowd.ts";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { freePort, interruptedParley, JoiningServer, parley, wipe } from "../harness/joining.ts";
import { leaderOf, statusOf } from "../harness/status.ts";
import { verify } from "../harness/verify.ts";

let cluster: DevCluster | undefined;
let crowd: Crowd | undefined;
const joined: JoiningServer[] = [];
afterEach(async () => {
  await crowd?.close();
  for (const server of joined.splice(0)) await server.destroy();
  await cluster?.destroy();
  vi.unstubAllEnvs();
});

async function boot(nodes: number): Promise<{ cluster: DevCluster; crowd: Crowd }> {
  cluster = await DevCluster.start(nodes);
  crowd = await Crowd.gather({
    servers: cluster.addresses,
    writers: 4,
    subscribers: 2,
    rooms: 2,
  });
  // The first account owns the instance: its login is an operator's on every server, those that join later too.
  vi.stubEnv("PARLEY_OPERATOR_TOKEN", crowd.token);
  return { cluster, crowd };
}

function joiner(id: number): JoiningServer {
  const server = new JoiningServer(id);
  joined.push(server);
  return server;
}

async function progress(writing: Crowd): Promise<void> {
  const before = writing.acknowledged.length;
  await until(() => writing.acknowledged.length > before + 30, "acknowledgements", 120_000);
}

function voters(status: StatusResponse | undefined): readonly number[] {
  const members = status?.members ?? [];
  return members
    .filter(({ role }) => role === MemberRole.MEMBER_ROLE_VOTER)
    .map(({ id }) => id)
    .sort((a, b) => a - b);
}

describe("a cluster that grows and heals, under load", () => {
  test("P8: 3 → 4 → 5 servers, started or added first; then the leader is removed", {
    timeout: 400_000,
  }, async () => {
    const run = await boot(3);
    const any = run.cluster.node(2).grpc;
    const fourth = joiner(4);
    fourth.start([any]);
    await until(() => fourth.says("has no server 4 yet"), "the fourth to say what it waits for");
    const port4 = await freePort();
    const added4 = await parley("add-server", any, "4", `127.0.0.1:${port4}`);
    expect(added4, added4.output).toMatchObject({ code: 0 });
    expect(added4.output).toContain("server 4 is a voter");

    // Interrupted before there is anything to add, and again while it catches up: asked again, it goes on.
    const port5 = await freePort();
    const add5 = ["add-server", any, "5", `127.0.0.1:${port5}`, "--wait", "120"] as const;
    const waiting = await interruptedParley("no server answers", ...add5);
    expect(waiting.code, waiting.output).not.toBe(0);
    expect((await statusOf(any))?.members.map(({ id }) => id)).toEqual([1, 2, 3, 4]);
    const onlooker = new ParleyClient({ servers: [any], carrier: grpcCarrier() });
    await onlooker.start();
    const adding5 = interruptedParley("server 5 is a learner", ...add5);
    const fifth = joiner(5);
    fifth.start([`127.0.0.1:${port4}`]);
    await adding5;
    const added5 = await parley(...add5);
    // It may have become a voter meanwhile, with nobody waiting for it.
    expect(added5, added5.output).toMatchObject({ code: 0 });
    expect(added5.output).toContain("server 5 is a voter");
    expect(voters(await statusOf(any))).toContain(5);
    const again5 = await parley(...add5);
    expect(again5, again5.output).toMatchObject({ code: 0 });
    expect(again5.output).toContain("server 5 is a voter");
    expect(again5.output).not.toContain("learner");
    await until(
      () => onlooker.state.nodes.includes(`127.0.0.1:${port5}`),
      "clients to know of the fifth",
    );
    await onlooker.close();
    await progress(run.crowd);

    const leader = await leaderOf(run.cluster);
    const removed = await parley("remove-server", `127.0.0.1:${port4}`, String(leader));
    expect(removed, removed.output).toMatchObject({ code: 0 });
    const left = [1, 2, 3, 4, 5].filter((id) => id !== leader);
    await until(
      async () => String(voters(await statusOf(`127.0.0.1:${port5}`))) === String(left),
      "the others to be the cluster",
    );
    if (leader <= 3) {
      const gone = run.cluster.node(leader).grpc;
      await until(async () => (await statusOf(gone))?.removed === true, "the removed one to know");
    }
    await progress(run.crowd);

    // One that stays, whoever it was that led.
    const stays = leader === 4 ? fifth : fourth;
    const [id, member] = [String(stays.id), `127.0.0.1:${leader === 4 ? port5 : port4}`];
    const elsewhere = `127.0.0.1:${await freePort()}`;
    const twice = await parley("add-server", member, id, elsewhere);
    expect(twice, twice.output).toMatchObject({ code: 1 });
    expect(twice.output).toContain("ID_EXISTS");
    expect(twice.output).toContain(member);
    const asLearner = await parley("add-server", member, id, member, "--learner");
    expect(asLearner, asLearner.output).toMatchObject({ code: 1 });
    expect(asLearner.output).toContain("ID_EXISTS");
    expect(asLearner.output).toContain(`parley demote ${id}`);
    const nobody = await parley(
      "add-server",
      member,
      "9",
      `127.0.0.1:${await freePort()}`,
      "--wait",
      "1",
    );
    expect(nobody.code).not.toBe(0);
    expect(nobody.output).toMatch(/no server answers .*--join/);

    // Restarted, a joined server finds its place again by itself.
    await stays.kill();
    stays.start([any]);
    await until(
      async () => (await statusOf(member))?.hasQuorum === true,
      `server ${id} to be back (server ${leader} led, and was removed)`,
    );
    const servers = new Map(run.cluster.nodes.map((node) => [node.id, node.grpc]));
    servers.set(4, `127.0.0.1:${port4}`).set(5, `127.0.0.1:${port5}`).delete(leader);
    await verify(run.crowd, [...servers.values()]);
  });

  test("P9: two of five lose their disks, one after the other, the leader too", {
    timeout: 400_000,
  }, async () => {
    const run = await boot(5);
    let before = 0;
    for (const which of ["other", "leader"] as const) {
      let leader = await leaderOf(run.cluster, true);
      if (leader === before) {
        // The same one twice would be one.
        leader = before === 1 ? 2 : 1;
        const given = await parley("transfer-leader", run.cluster.node(3).grpc, String(leader));
        expect(given, given.output).toMatchObject({ code: 0 });
      }
      const id = which === "leader" ? leader : leader === 5 ? 4 : 5;
      before = id;
      run.cluster.kill(id);
      await run.cluster.waitDead(id);
      wipe(run.cluster.node(id).db_path);
      await run.cluster.restart(id);
      const witness = run.cluster.node(id === 1 ? 2 : 1).grpc;
      await until(
        async () => {
          const status = await statusOf(witness);
          const member = status?.members.find((one) => one.id === id);
          return (member?.raftId ?? 0) > 5 && voters(status).length === 5;
        },
        `server ${id} to be taken back`,
        120_000,
      );
      await progress(run.crowd);
    }
    await verify(run.crowd, run.cluster.addresses);
  });

  test("P8: the leader is killed in the middle of a joint change", {
    timeout: 400_000,
  }, async () => {
    const run = await boot(3);
    const fourth = joiner(4);
    const port4 = await freePort();
    fourth.start(run.cluster.addresses);
    const address4 = `127.0.0.1:${port4}`;
    const added = await parley("add-server", run.cluster.node(1).grpc, "4", address4, "--learner");
    expect(added, added.output).toMatchObject({ code: 0 });
    const leader = await leaderOf(run.cluster);
    const [old = 0, asked = 0] = [1, 2, 3].filter((id) => id !== leader);
    let isAskedFor = true;
    const replacing = parley(
      ...["replace-server", run.cluster.node(asked).grpc, String(old), "4", "--timeout", "60"],
    ).finally(() => {
      isAskedFor = false;
    });
    // As soon as anybody shows that the change has begun, or is through already.
    await until(async () => {
      const status = await statusOf(run.cluster.node(leader).grpc);
      return status?.joint === true || voters(status).includes(4) || !isAskedFor;
    }, "the change to begin");
    run.cluster.kill(leader);
    await run.cluster.waitDead(leader);
    const replaced = await replacing;
    expect(replaced, replaced.output).toMatchObject({ code: 0 });
    await run.cluster.restart(leader);
    await until(async () => {
      const status = await statusOf(address4);
      return (
        status?.joint === false && String(voters(status)) === String([leader, asked, 4].sort())
      );
    }, "the new majority");
    await progress(run.crowd);
    await verify(run.crowd, [
      run.cluster.node(leader).grpc,
      run.cluster.node(asked).grpc,
      address4,
    ]);
  });
});
