// P6 with witnesses: three nodes with the chat and two without, as real processes. Any two of the three die, one after the
// other or at once, and sends and reads go on; nothing is lost, nothing stored twice.
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { MemberRole, RoomVisibility } from "@parley/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { parley } from "../harness/command.ts";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { DirectNode } from "../harness/direct-node.ts";
import { sameStateEverywhere } from "../harness/oracle.ts";
import { leaderOf, statusOf } from "../harness/status.ts";

let cluster: DevCluster | undefined;
const clients: ParleyClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await cluster?.destroy();
  cluster = undefined;
});

async function clientOf(servers: readonly string[], token = ""): Promise<ParleyClient> {
  const client = new ParleyClient({ servers, carrier: grpcCarrier(), token });
  clients.push(client);
  await client.start();
  return client;
}

/** Sends one after the other, as fast as they are acknowledged; every failure is one too many. */
class Chatterbox {
  readonly bodies: string[] = [];
  #running = true;
  readonly #client: ParleyClient;
  readonly #roomId: number;
  readonly #loop: Promise<void>;

  constructor(client: ParleyClient, roomId: number) {
    this.#client = client;
    this.#roomId = roomId;
    this.#loop = this.#run();
    // Told by `stop`.
    this.#loop.catch(() => {});
  }

  async #run(): Promise<void> {
    while (this.#running) {
      const body = `number ${this.bodies.length + 1}`;
      await this.#client.send(this.#roomId, body);
      this.bodies.push(body);
    }
  }

  /** Sends that begin now are acknowledged. */
  async goesOn(): Promise<void> {
    const before = this.bodies.length;
    await until(() => this.bodies.length >= before + 5, "sends to go on");
  }

  async stop(): Promise<readonly string[]> {
    this.#running = false;
    await this.#loop;
    return this.bodies;
  }
}

/** Only these data nodes are left: one of them leads, and what is read there is current. */
async function dataNodeLeads(running: DevCluster, ids: readonly number[]): Promise<void> {
  await until(
    async () => {
      const status = await statusOf(running.node(ids[0] ?? 1).grpc);
      return status?.hasQuorum === true && ids.includes(status.leaderId);
    },
    `one of ${ids.join(", ")} to lead`,
  );
}

describe("three data nodes and two witnesses", () => {
  test("P6: any two data nodes die, in turn and at once, also where only the witnesses have what the third lacks", {
    timeout: 400_000,
  }, async () => {
    cluster = await DevCluster.start(3, undefined, "", 2);
    const running = cluster;
    expect(running.nodes.map(({ role }) => role)).toEqual([
      undefined,
      undefined,
      undefined,
      "witness",
      "witness",
    ]);
    const client = await clientOf(running.addresses);
    await client.register({ username: "owner", password: "a long password" });
    const created = await client.call("createRoom", {
      name: "lobby",
      visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
    });
    const roomId = created.room?.id ?? 0;
    const chatter = new Chatterbox(client, roomId);
    await chatter.goesOn();
    const others = (...ids: readonly number[]) => [1, 2, 3].filter((id) => !ids.includes(id));
    const allBack = async () => {
      await leaderOf(running, true);
      await chatter.goesOn();
    };

    // One after the other, the leader first.
    const first = await leaderOf(running);
    running.kill(first);
    await running.waitDead(first);
    await dataNodeLeads(running, others(first));
    await chatter.goesOn();
    const second = await leaderOf(running);
    running.kill(second);
    await running.waitDead(second);
    await dataNodeLeads(running, others(first, second));
    await chatter.goesOn();
    for (const id of [first, second]) await running.restart(id);
    await allBack();

    // Two at once.
    for (const pair of [
      [1, 2],
      [2, 3],
    ]) {
      for (const id of pair) running.kill(id);
      for (const id of pair) await running.waitDead(id);
      await dataNodeLeads(running, others(...pair));
      await chatter.goesOn();
      for (const id of pair) await running.restart(id);
      await allBack();
    }

    // The one that is left was away: what was said meanwhile comes to it from a witness.
    running.kill(3);
    await running.waitDead(3);
    await dataNodeLeads(running, [1, 2]);
    await chatter.goesOn();
    for (const id of [1, 2]) running.kill(id);
    for (const id of [1, 2]) await running.waitDead(id);
    await running.restart(3);
    await dataNodeLeads(running, [3]);
    await chatter.goesOn();
    for (const id of [1, 2]) await running.restart(id);
    await allBack();

    const acknowledged = await chatter.stop();
    await sameStateEverywhere(running);
    for (const node of running.dataNodes) {
      const direct = new DirectNode(node.grpc, client.token);
      const history = await direct.wholeHistory(roomId);
      direct.close();
      expect(history.map((message) => message.body)).toEqual(acknowledged);
    }

    // What an operator sees, and what a witness says to a client.
    const status = await statusOf(running.node(4).grpc);
    expect(status?.members.map(({ role }) => role)).toEqual([
      MemberRole.MEMBER_ROLE_VOTER,
      MemberRole.MEMBER_ROLE_VOTER,
      MemberRole.MEMBER_ROLE_VOTER,
      MemberRole.MEMBER_ROLE_WITNESS,
      MemberRole.MEMBER_ROLE_WITNESS,
    ]);
    const { http, grpc } = running.node(4);
    expect((await fetch(`http://${http}/livez`)).status).toBe(200);
    expect((await fetch(`http://${http}/readyz`)).status).toBe(503);
    const asked = await parley(["send", "lobby", "hello", "--server", grpc, "--timeout", "5"]);
    expect(asked.code).not.toBe(0);
  });
});
