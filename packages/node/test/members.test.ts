// P8 and P9 on real time: servers come, go, and lose their disks while the cluster is written to.

import { STATE_VERSION } from "@parley/chat";
import type { NodeTuning } from "@parley/node";
import {
  AddServerRequest,
  AddServerResponse,
  BootstrapState,
  CreateRoomRequest,
  CreateRoomResponse,
  DemoteServerRequest,
  HistoryRequest,
  HistoryResponse,
  MemberRole,
  type OperationName,
  ParleyError,
  PeerFrame,
  PeerHello,
  PROTOCOL_VERSION,
  PromoteServerRequest,
  RegisterRequest,
  RegisterResponse,
  RemoveServerRequest,
  ReplaceServerRequest,
  RoomVisibility,
  SendRequest,
  SendResponse,
  StatusResponse,
  TransferLeadershipRequest,
} from "@parley/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { LocalCluster, OPERATOR_TOKEN } from "./local-cluster.ts";

let cluster: LocalCluster;
afterEach(() => cluster.close());

async function boot(
  size: number,
  tuning: Partial<NodeTuning> = {},
  preferred = 0,
): Promise<LocalCluster> {
  cluster = new LocalCluster(size, tuning);
  if (preferred > 0) cluster.priorities.set(preferred, 10);
  await Promise.all(cluster.configured.map((node) => cluster.start(node.id)));
  await cluster.leader();
  return cluster;
}

function context(token = "", ms = 20_000) {
  return { token, remote: "test", deadlineMs: performance.now() + ms };
}

function asOperator(ms = 20_000) {
  return { ...context(OPERATOR_TOKEN, ms), isLocal: true };
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function statusOf(id: number): Promise<StatusResponse> {
  const bytes = await cluster.services(id).cluster.status(new Uint8Array(0), context());
  return StatusResponse.decode(bytes);
}

async function votersSeenBy(id: number): Promise<readonly number[]> {
  const { members } = await statusOf(id);
  return members.filter((one) => one.role === MemberRole.MEMBER_ROLE_VOTER).map((one) => one.id);
}

function add(at: number, id: number, options: { learner?: boolean; ms?: number } = {}) {
  const request = AddServerRequest.fromPartial({
    id,
    address: `node-${id}:1`,
    learner: options.learner ?? false,
  });
  return cluster
    .services(at)
    .cluster.addServer(AddServerRequest.encode(request).finish(), asOperator(options.ms));
}

function remove(at: number, id: number, force = false) {
  const request = RemoveServerRequest.encode({ id, force }).finish();
  return cluster.services(at).cluster.removeServer(request, asOperator());
}

/** One account, one room, and sends that never stop. */
class Chatter {
  readonly token: string;
  readonly roomId: number;
  readonly acknowledged: { readonly seq: number; readonly clientMessageId: string }[] = [];
  /** Why attempts failed; each was made again. */
  readonly failures: string[] = [];
  #running = true;
  #loop: Promise<void> = Promise.resolve();
  #sent = 0;

  private constructor(token: string, roomId: number) {
    this.token = token;
    this.roomId = roomId;
  }

  static async start(): Promise<Chatter> {
    const request = RegisterRequest.fromPartial({ username: "ada", password: "correct horse" });
    const registered = await call(1, "register", RegisterRequest.encode(request).finish());
    const { token } = RegisterResponse.decode(registered);
    const room = CreateRoomRequest.fromPartial({
      name: "lobby",
      visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
    });
    const made = await call(1, "createRoom", CreateRoomRequest.encode(room).finish(), token);
    const chatter = new Chatter(token, CreateRoomResponse.decode(made).room?.id ?? 0);
    chatter.#loop = chatter.#run();
    return chatter;
  }

  /** Stops, and checks that everything acknowledged is there on every node (P1, P2, P3). */
  async stopAndCheck(): Promise<void> {
    this.#running = false;
    await this.#loop;
    expect(this.acknowledged.length).toBeGreaterThan(0);
    for (const id of cluster.nodes.keys()) {
      if ((await statusOf(id)).removed) continue;
      const messages = await this.#history(id);
      expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, at) => at + 1));
      for (const { seq, clientMessageId } of this.acknowledged) {
        expect(messages[seq - 1]?.clientMessageId, `seq ${seq} on node ${id}`).toBe(
          clientMessageId,
        );
      }
    }
  }

  async progress(): Promise<void> {
    const before = this.acknowledged.length;
    await until(() => this.acknowledged.length >= before + 10, "sends to go on");
  }

  async #run(): Promise<void> {
    while (this.#running) {
      this.#sent += 1;
      const clientMessageId = `m${this.#sent}`;
      const body = `says ${clientMessageId}`;
      const request = SendRequest.fromPartial({ roomId: this.roomId, body, clientMessageId });
      const bytes = SendRequest.encode(request).finish();
      for (let attempt = 0; ; attempt += 1) {
        const ids = [...cluster.nodes.keys()].filter((id) => cluster.isServing(id));
        const id = ids[(this.#sent + attempt) % ids.length] ?? 1;
        try {
          const sent = SendResponse.decode(await call(id, "send", bytes, this.token));
          this.acknowledged.push({ seq: sent.message?.seq ?? 0, clientMessageId });
          break;
        } catch (cause) {
          this.failures.push(`server ${id}: ${cause}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async #history(id: number) {
    const messages: HistoryResponse["messages"] = [];
    const last = this.acknowledged.at(-1)?.seq ?? 0;
    await until(async () => {
      messages.length = 0;
      let beforeSeq = 0;
      for (;;) {
        const request = HistoryRequest.fromPartial({ roomId: this.roomId, limit: 200, beforeSeq });
        const bytes = await call(
          id,
          "history",
          HistoryRequest.encode(request).finish(),
          this.token,
        );
        const page = HistoryResponse.decode(bytes).messages;
        messages.unshift(...page);
        beforeSeq = page[0]?.seq ?? 0;
        if (beforeSeq <= 1) break;
      }
      return (messages.at(-1)?.seq ?? 0) >= last;
    }, `node ${id} to show everything`);
    return messages;
  }
}

function call(id: number, operation: OperationName, request: Uint8Array, token = "") {
  return cluster.services(id).chat.call(operation, request, context(token, 5_000));
}

describe("P8: growing", () => {
  test("3 become 4 and 5 under load, whether a server is started or added first", async () => {
    await boot(3);
    const chatter = await Chatter.start();
    const started = cluster.start(4, [2]);
    await until(() => cluster.said(4).some((line) => line.includes("no server 4 yet")), "its wait");
    await add(1, 4);
    await started;
    const added = add(2, 5);
    await until(() => cluster.network.dialled.has("node-5:1"), "the leader to look for it");
    await Promise.all([cluster.start(5, [1, 3]), added]);
    for (const id of [1, 2, 3, 4, 5]) {
      await until(async () => (await votersSeenBy(id)).length === 5, `5 voters as ${id} sees it`);
    }
    await chatter.progress();
    // The five are five: two may die (P6).
    await cluster.kill(1);
    await cluster.kill(2);
    await chatter.progress();
    await chatter.stopAndCheck();
    expect(cluster.fatal).toEqual([]);
  });

  test("asked again, an addition goes on, also when the server votes already", async () => {
    await boot(3);
    const added = add(1, 4);
    await cluster.start(4, [1]);
    await added;
    await add(2, 4);
    await until(async () => (await votersSeenBy(2)).includes(4), "its promotion");
    const { term } = await statusOf(2);
    const answer = AddServerResponse.decode(await add(2, 4));
    expect(answer.member).toMatchObject({ id: 4, role: MemberRole.MEMBER_ROLE_VOTER });
    expect(await votersSeenBy(2)).toEqual([1, 2, 3, 4]);
    expect((await statusOf(2)).members.map(({ raftId }) => raftId)).toEqual([1, 2, 3, 4]);
    expect((await statusOf(2)).term).toBe(term);
  });

  test("a learner serves and never votes, until it is promoted; demoted, it is one again", async () => {
    await boot(3);
    const chatter = await Chatter.start();
    await Promise.all([cluster.start(4, [1]), add(3, 4, { learner: true })]);
    // Another one, added after it, is promoted by the leader: this one has had its time, and is not.
    await Promise.all([cluster.start(5, [1]), add(3, 5)]);
    await until(async () => (await votersSeenBy(4)).includes(5), "the other one's promotion");
    expect(await votersSeenBy(4)).toEqual([1, 2, 3, 5]);
    const { cluster: operators } = cluster.services(4);
    await operators.promoteServer(PromoteServerRequest.encode({ id: 4 }).finish(), asOperator());
    expect(await votersSeenBy(4)).toEqual([1, 2, 3, 4, 5]);
    const demotion = DemoteServerRequest.encode({ id: 4, force: false }).finish();
    await operators.demoteServer(demotion, asOperator());
    expect(await votersSeenBy(4)).toEqual([1, 2, 3, 5]);
    await chatter.stopAndCheck();
  });

  test("what can't be done is refused, and says what to do next", async () => {
    await boot(3);
    const leader = await cluster.leader();
    const elsewhere = AddServerRequest.encode({ id: 2, address: "node-9:1", learner: false });
    await expect(
      cluster.services(1).cluster.addServer(elsewhere.finish(), asOperator()),
    ).rejects.toMatchObject({ reason: "ID_EXISTS", message: expect.stringMatching(/node-2:1/) });
    await expect(add(1, 2, { learner: true })).rejects.toMatchObject({
      reason: "ID_EXISTS",
      message: expect.stringMatching(/a voter .*parley demote 2/),
    });
    const twice = AddServerRequest.fromPartial({ id: 9, address: "node-2:1" });
    const bytes = AddServerRequest.encode(twice).finish();
    await expect(cluster.services(1).cluster.addServer(bytes, asOperator())).rejects.toMatchObject({
      reason: "ADDRESS_EXISTS",
    });
    await expect(add(1, 4, { ms: 1_500 })).rejects.toThrow(/no server answers at node-4:1.*--join/);
    await expect(remove(1, 7)).rejects.toMatchObject({ reason: "SERVER_NOT_FOUND" });
    const dead = leader === 3 ? 2 : 3;
    const other = [1, 2, 3].find((id) => id !== leader && id !== dead) ?? 0;
    await cluster.kill(dead);
    await until(async () => !(await statusOf(leader)).members[dead - 1]?.healthy, "its death");
    await expect(remove(leader, other)).rejects.toMatchObject({ reason: "WOULD_LOSE_QUORUM" });
    await remove(other, dead);
    expect(await votersSeenBy(other)).toEqual([leader, other].sort());
  });

  test("a second change while one runs is refused, and is done when it is asked again", async () => {
    await boot(5);
    const leader = await cluster.leader();
    const [one, other] = [1, 2, 3, 4, 5].filter((id) => id !== leader) as [number, number];
    const { cluster: operators } = cluster.services(leader);
    const demote = (id: number) =>
      operators.demoteServer(
        DemoteServerRequest.encode({ id, force: false }).finish(),
        asOperator(),
      );
    const both = await Promise.allSettled([demote(one), demote(other)]);
    const refusals = both.flatMap((result) =>
      result.status === "rejected" ? [result.reason] : [],
    );
    expect(refusals).toMatchObject([{ reason: "CHANGE_IN_PROGRESS" }]);
    await demote(both[0]?.status === "rejected" ? one : other);
    expect(await votersSeenBy(leader)).toEqual(
      [1, 2, 3, 4, 5].filter((id) => id !== one && id !== other),
    );
  });

  test("P9: a server that has just been removed is not added again with its disk", async () => {
    await boot(3);
    await Promise.all([cluster.start(4, [1]), add(1, 4)]);
    await remove(2, 4);
    // It was seen a moment ago, when it was new.
    await expect(add(1, 4)).rejects.toThrow(/removed from its cluster.*empty its data/);
    expect(await votersSeenBy(1)).toEqual([1, 2, 3]);
  });

  test("the last voter stays", async () => {
    await boot(1);
    await expect(remove(1, 1, true)).rejects.toMatchObject({ reason: "LAST_VOTER" });
  });

  test("a server of another cluster is not taken", async () => {
    await boot(3);
    const stranger = new LocalCluster(1, {}, cluster.network, 8);
    await stranger.start(8);
    await stranger.leader();
    await expect(add(1, 8)).rejects.toMatchObject({ reason: "WRONG_CLUSTER" });
    await stranger.close();
  });
});

describe("another version of the program", () => {
  /** Plays a server at the address that `add` gives `id`, which answers every frame with this one. */
  function answering(id: number, frame: Partial<PeerFrame>): void {
    const bytes = PeerFrame.encode(PeerFrame.fromPartial(frame)).finish();
    cluster.network.transport(`node-${id}:1`).listen((link) => ({
      onFrame: () => void link.send(bytes),
      onEnd: () => {},
      onDrain: () => {},
    }));
  }

  test.each([
    ["older", PROTOCOL_VERSION - 1],
    ["newer", PROTOCOL_VERSION + 1],
  ])("a server whose peer protocol is %s is not added, and both say so", async (_, foreign) => {
    await boot(3);
    const refusal = { reason: "PROTOCOL_VERSION", message: expect.stringMatching(/same version/) };
    // One that answers with its hello, and one that refuses the caller's.
    const hello = PeerHello.fromPartial({
      protocolVersion: foreign,
      nodeId: 4,
      serverUuid: "4",
      bootstrapState: BootstrapState.BOOTSTRAP_STATE_FRESH,
      address: "node-4:1",
    });
    answering(4, { hello });
    await expect(add(1, 4)).rejects.toMatchObject(refusal);
    const error = new ParleyError("PROTOCOL_VERSION", "run the same version of Parley on both");
    answering(5, { error: error.toWire() });
    await expect(add(1, 5)).rejects.toMatchObject(refusal);
    // Started first, it is told when it asks.
    cluster.network.tamper = (_target, bytes) => {
      const frame = PeerFrame.decode(bytes);
      if (frame.hello?.nodeId !== 6) return undefined;
      const said = { ...frame.hello, protocolVersion: foreign };
      return PeerFrame.encode({ ...frame, hello: said }).finish();
    };
    cluster.start(6, [1]).catch(() => {});
    await until(
      () => cluster.said(6).some((line) => line.includes(`speaks peer protocol ${foreign}`)),
      "what it is told",
    );
    expect(await votersSeenBy(1)).toEqual([1, 2, 3]);
    expect((await statusOf(1)).members).toHaveLength(3);
  });

  test("a program that is too old for the state is neither added nor taken back with an empty disk", async () => {
    await boot(3);
    await until(
      async () => (await statusOf(1)).stateVersion === STATE_VERSION,
      "the state's version to rise",
    );
    cluster.stateVersions.set(4, STATE_VERSION - 1);
    cluster.start(4, [1]).catch(() => {});
    await expect(add(1, 4)).rejects.toMatchObject({
      reason: "TOO_OLD",
      message: expect.stringMatching(/Server 4 .*start the newer Parley there/),
    });
    const wiped = (await cluster.leader()) === 3 ? 2 : 3;
    await cluster.kill(wiped);
    cluster.disks.delete(wiped);
    cluster.stateVersions.set(wiped, STATE_VERSION - 1);
    cluster.start(wiped).catch(() => {});
    await until(
      () => cluster.said(wiped).some((line) => line.includes("start the newer Parley there")),
      "the refusal",
    );
    expect((await statusOf(1)).members.map(({ raftId }) => raftId)).toEqual([1, 2, 3]);
    // With the newer program both come in.
    for (const id of [4, wiped]) {
      await cluster.kill(id);
      cluster.stateVersions.delete(id);
    }
    await cluster.start(wiped);
    await until(async () => {
      const { members } = await statusOf(1);
      const member = members.find(({ id }) => id === wiped);
      return (member?.raftId ?? 0) > 3 && member?.role === MemberRole.MEMBER_ROLE_VOTER;
    }, "the wiped one to vote again");
    const added = add(1, 4);
    await Promise.all([cluster.start(4, [1]), added]);
    await until(async () => (await votersSeenBy(1)).length === 4, "four voters");
    expect(cluster.fatal).toEqual([]);
  });
});

describe("P8: leaving", () => {
  test("the leader is removed: it hands over first, says so, and disturbs nobody", async () => {
    await boot(3);
    const chatter = await Chatter.start();
    const leader = await cluster.leader();
    const other = leader === 1 ? 2 : 1;
    await remove(other, leader);
    await until(async () => (await statusOf(leader)).removed, "the removed one to know");
    expect(cluster.said(leader).join("\n")).toContain("removed from the cluster");
    await expect(call(leader, "send", new Uint8Array(0), chatter.token)).rejects.toMatchObject({
      reason: "SHUTTING_DOWN",
    });
    const { term } = await statusOf(other);
    await chatter.progress();
    expect((await statusOf(other)).term).toBe(term);
    expect((await statusOf(other)).members.map(({ id }) => id)).not.toContain(leader);
    // Restarted, it is told again: no link is made with what was removed.
    await cluster.kill(leader);
    await cluster.start(leader).catch((error: unknown) => {
      expect(String(error)).toContain("was removed from cluster");
    });
    await until(() => cluster.said(leader).some((line) => /removed/.test(line)), "its log");
    await chatter.progress();
    await chatter.stopAndCheck();
  });

  test("a learner takes the place of a dead server, in one change", async () => {
    await boot(3);
    const chatter = await Chatter.start();
    await Promise.all([cluster.start(4, [1]), add(3, 4, { learner: true })]);
    const dead = (await cluster.leader()) === 3 ? 2 : 3;
    await cluster.kill(dead);
    await chatter.progress();
    const request = ReplaceServerRequest.encode({ oldId: dead, newId: 4, force: false }).finish();
    await until(
      () =>
        cluster
          .services(1)
          .cluster.replaceServer(request, asOperator())
          .then(
            () => true,
            (error: { reason?: string }) => {
              expect(error.reason).toBe("NOT_CAUGHT_UP");
              return false;
            },
          ),
      "the replacement",
    );
    expect(await votersSeenBy(1)).toEqual([1, dead === 3 ? 2 : 3, 4]);
    await chatter.stopAndCheck();
  });

  test("leadership goes where an operator wants it", async () => {
    await boot(3);
    for (const toId of [1, 2, 3]) {
      const request = TransferLeadershipRequest.encode({ toId }).finish();
      await cluster.services(1).cluster.transferLeadership(request, asOperator());
      expect(await cluster.leader()).toBe(toId);
    }
  });
});

describe("what the leader does by itself", () => {
  async function rolesSeenBy(id: number): Promise<Readonly<Record<number, MemberRole>>> {
    const { members } = await statusOf(id);
    return Object.fromEntries(members.map((member) => [member.id, member.role]));
  }

  test("autopilot: a spare votes in the place of a voter that is dead for long, which is a spare when it is back", async () => {
    await boot(3, { autopilotDeadMs: 1_500 });
    const chatter = await Chatter.start();
    const adding = add(1, 4, { learner: true });
    await cluster.start(4, [1, 2, 3]);
    await adding;
    const leader = await cluster.leader();
    const [dead, other] = [1, 2, 3].filter((id) => id !== leader) as [number, number];
    await cluster.kill(dead);
    await until(
      async () => (await votersSeenBy(leader)).join() === [leader, other, 4].sort().join(),
      "the spare to vote",
    );
    expect((await rolesSeenBy(leader))[dead]).toBe(MemberRole.MEMBER_ROLE_LEARNER);
    await cluster.start(dead);
    await chatter.progress();
    // Its turn comes when another one dies.
    await cluster.kill(other);
    await until(
      async () => (await votersSeenBy(leader)).join() === [leader, dead, 4].sort().join(),
      "the former voter to vote again",
    );
    await chatter.stopAndCheck();
    expect(cluster.fatal).toEqual([]);
  });

  test("P7: leadership goes to the preferred server, and back to it when it has caught up, unnoticed", async () => {
    await boot(3, {}, 2);
    const chatter = await Chatter.start();
    await until(async () => (await cluster.leader()) === 2, "the preferred one to lead");
    await cluster.kill(2);
    expect(await cluster.leader()).not.toBe(2);
    await chatter.progress();
    const noticed = chatter.failures.length;
    await cluster.start(2);
    await until(async () => (await cluster.leader()) === 2, "the preferred one to lead again");
    await chatter.progress();
    expect(chatter.failures.slice(noticed)).toEqual([]);
    await chatter.stopAndCheck();
    expect(cluster.fatal).toEqual([]);
  });
});

/** The leader, after leadership has been given to another one if it is one of these. */
async function leaderOtherThan(others: readonly number[]): Promise<number> {
  const leader = await cluster.leader();
  if (!others.includes(leader)) return leader;
  const toId = [1, 2, 3].find((id) => !others.includes(id)) ?? 0;
  const request = TransferLeadershipRequest.encode({ toId }).finish();
  await cluster.services(leader).cluster.transferLeadership(request, asOperator());
  await until(async () => (await cluster.leader()) === toId, `server ${toId} to lead`);
  return toId;
}

describe("P9: a wiped disk is a new server", () => {
  test("two of five wiped one after the other under load: nothing is lost", async () => {
    await boot(5);
    const chatter = await Chatter.start();
    const others: number[] = [];
    for (const which of ["a follower", "the leader"]) {
      const leader = await leaderOtherThan(others);
      const wiped = which === "the leader" ? leader : leader === 5 ? 4 : 5;
      others.push(wiped);
      await cluster.kill(wiped);
      cluster.disks.delete(wiped);
      await cluster.start(wiped);
      const witness = wiped === 1 ? 2 : 1;
      await until(async () => {
        const { members } = await statusOf(witness);
        const member = members.find(({ id }) => id === wiped);
        return (
          (member?.raftId ?? 0) > 5 &&
          member?.role === MemberRole.MEMBER_ROLE_VOTER &&
          member.healthy
        );
      }, `server ${wiped} to be a voter again`);
      await chatter.progress();
    }
    await chatter.stopAndCheck();
    expect(cluster.fatal).toEqual([]);
  });

  test("one that knows nobody who is still there comes back all the same: it asks whoever calls it", async () => {
    await boot(3);
    await Promise.all([cluster.start(4, [1]), add(1, 4)]);
    await Promise.all([cluster.start(5, [1]), add(1, 5)]);
    await until(async () => (await votersSeenBy(5)).length === 5, "five voters");
    const chatter = await Chatter.start();
    for (const gone of [1, 2]) {
      await remove(5, gone);
      await until(async () => !(await votersSeenBy(5)).includes(gone), `server ${gone} to be gone`);
      await cluster.kill(gone);
      cluster.nodes.delete(gone);
    }
    // Its configuration names 1, 2 and itself.
    await cluster.kill(3);
    cluster.disks.delete(3);
    await cluster.start(3);
    await until(async () => (await votersSeenBy(4)).includes(3), "server 3 to be a voter again");
    await chatter.progress();
    await chatter.stopAndCheck();
    expect(cluster.fatal).toEqual([]);
  });

  test("all that the configuration names are wiped, and others have the cluster: no new one is made", async () => {
    await boot(2);
    await Promise.all([cluster.start(3, [1]), add(1, 3)]);
    await until(async () => (await votersSeenBy(3)).length === 3, "three voters");
    await cluster.kill(1);
    await cluster.kill(2);
    for (const id of [1, 2]) cluster.disks.delete(id);
    cluster.network.dialled.clear();
    cluster.start(1).catch(() => {});
    // Called before it hears of the second, which would complete a new cluster, it asks back.
    await until(() => cluster.network.dialled.has("node-3:1"), "server 1 to ask server 3");
    cluster.start(2).catch(() => {});
    await until(() => cluster.said(1).some((l) => l.includes("no new cluster")), "what it says");
    expect(cluster.nodes.get(1)?.services).toBeUndefined();
    expect(cluster.nodes.get(2)?.services).toBeUndefined();
  });

  test("a founder whose file lists it alone, and that others joined, comes back to them", async () => {
    await boot(1);
    for (const id of [2, 3]) {
      await Promise.all([cluster.start(id, [1]), add(1, id)]);
      await until(async () => (await votersSeenBy(1)).includes(id), `server ${id} to vote`);
    }
    const chatter = await Chatter.start();
    const { clusterId } = await statusOf(2);
    await cluster.kill(1);
    cluster.disks.delete(1);
    await cluster.start(1);
    await until(async () => {
      const { members } = await statusOf(2);
      const member = members.find(({ id }) => id === 1);
      return (member?.raftId ?? 0) > 3 && member?.role === MemberRole.MEMBER_ROLE_VOTER;
    }, "server 1 to be a voter again");
    expect((await statusOf(1)).clusterId).toBe(clusterId);
    await chatter.progress();
    await chatter.stopAndCheck();
    expect(cluster.fatal).toEqual([]);
  });

  test("an id that is in use is not given to another disk", async () => {
    await boot(3);
    const impostor = new LocalCluster(3, {}, cluster.network);
    impostor.addressOf = (id) => (id === 3 ? "elsewhere:1" : `node-${id}:1`);
    const start = impostor.start(3, [1, 2]);
    start.catch(() => {});
    await until(() => impostor.said(3).some((line) => line.includes("ID_IN_USE")), "the refusal");
    expect((await statusOf(1)).members.map(({ raftId }) => raftId)).toEqual([1, 2, 3]);
    await impostor.close();
  });

  test("a majority wiped at once: no new cluster is invented, and it is said what happened", async () => {
    await boot(3);
    await cluster.kill(1);
    await cluster.kill(2);
    for (const id of [1, 2]) {
      cluster.disks.delete(id);
      cluster.start(id).catch(() => {});
    }
    await until(() => cluster.said(3).some((line) => line.includes("empty disks")), "the survivor");
    await until(() => cluster.said(1).some((line) => line.includes("empty disks")), "a wiped one");
    expect(cluster.nodes.get(1)?.services).toBeUndefined();
    expect(cluster.nodes.get(2)?.services).toBeUndefined();
  });
});
