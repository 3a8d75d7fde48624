// P6 with witnesses, on real time: three nodes with a chat and two without.
import {
  AddServerRequest,
  BackupResponse,
  CreateRoomRequest,
  CreateRoomResponse,
  DemoteServerRequest,
  HistoryRequest,
  HistoryResponse,
  MemberRole,
  MemberState,
  type OperationName,
  RegisterRequest,
  RegisterResponse,
  RemoveServerRequest,
  RoomVisibility,
  SendRequest,
  SendResponse,
  ServerFrame,
  StatusResponse,
  TransferLeadershipRequest,
} from "@parley/protocol";
import { MemoryChatDisk, MemoryLogDisk, MemoryLogStore } from "@parley/store";
import { afterEach, describe, expect, test } from "vitest";
import { LocalCluster, OPERATOR_TOKEN } from "./local-cluster.ts";

let cluster: LocalCluster;
afterEach(() => cluster.close());

/** Three data nodes, 1 to 3, and two witnesses, 4 and 5. `others`: ids that are witnesses if they are ever started. */
async function boot(
  tuning: ConstructorParameters<typeof LocalCluster>[1] = {},
  others: readonly number[] = [],
  prepare: (cluster: LocalCluster) => void = () => {},
): Promise<LocalCluster> {
  cluster = new LocalCluster(5, tuning, undefined, 1, [4, 5, ...others]);
  prepare(cluster);
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

async function memberOf(id: number, seenBy: number) {
  const member = (await statusOf(seenBy)).members.find((one) => one.id === id);
  if (member === undefined) throw new Error(`${seenBy} knows no server ${id}`);
  return member;
}

let lastId = 0;
function freshId(): string {
  lastId += 1;
  return `0199b2c0-0000-7000-9000-${String(lastId).padStart(12, "0")}`;
}

interface Writer {
  send(id: number, text: string): Promise<number>;
  history(id: number): Promise<readonly string[]>;
}

async function signUp(id: number): Promise<Writer> {
  const call = (on: number, name: OperationName, bytes: Uint8Array, token = "") =>
    cluster.services(on).chat.call(name, bytes, context(token));
  const register = RegisterRequest.encode(
    RegisterRequest.fromPartial({
      username: "ada",
      displayName: "Ada",
      password: "correct horse",
    }),
  ).finish();
  const { token } = RegisterResponse.decode(await call(id, "register", register));
  const create = CreateRoomRequest.encode(
    CreateRoomRequest.fromPartial({
      name: "lobby",
      visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
    }),
  ).finish();
  const { room } = CreateRoomResponse.decode(await call(id, "createRoom", create, token));
  const roomId = room?.id ?? 0;
  return {
    async send(on, body) {
      const request = SendRequest.fromPartial({ clientMessageId: freshId(), roomId, body });
      const bytes = SendRequest.encode(request).finish();
      return SendResponse.decode(await call(on, "send", bytes, token)).message?.seq ?? 0;
    },
    async history(on) {
      const request = HistoryRequest.fromPartial({ roomId, limit: 200 });
      const bytes = HistoryRequest.encode(request).finish();
      const { messages } = HistoryResponse.decode(await call(on, "history", bytes, token));
      return messages.map(({ body }) => body);
    },
  };
}

/** The data node that leads, once one does. */
async function dataLeader(): Promise<number> {
  await until(async () => {
    const { leaderId } = await statusOf([...cluster.nodes.keys()][0] ?? 1);
    return leaderId !== 0 && leaderId <= 3 && cluster.nodes.has(leaderId);
  }, "a data node to lead");
  return (await statusOf([...cluster.nodes.keys()][0] ?? 1)).leaderId;
}

/** Kills it once it has what the others have; resolves with what that is. */
async function killWhenQuiet(id: number): Promise<number> {
  await until(async () => {
    const { members } = await statusOf(id);
    const has = members.find((one) => one.id === id)?.appliedIndex ?? 0;
    return has > 0 && members.every(({ commitIndex }) => commitIndex <= has);
  }, `${id} to have everything`);
  await cluster.kill(id);
  // It may have acknowledged one more than it has heard to be committed.
  const log = cluster.disks.get(id)?.log;
  const { lastIndex = 0 } = (await log?.open()) ?? {};
  await log?.close();
  return lastIndex;
}

describe("witnesses", () => {
  test("P6: any two data nodes die, one after the other, and reads and writes go on", async () => {
    await boot();
    const writer = await signUp(1);
    await writer.send(2, "three are there");
    const first = await dataLeader();
    await cluster.kill(first);
    const second = await dataLeader();
    expect(await writer.send(second, "two are there")).toBe(2);
    await cluster.kill(second);
    const last = await dataLeader();
    expect(await writer.send(last, "one is there")).toBe(3);
    expect(await writer.history(last)).toEqual([
      "three are there",
      "two are there",
      "one is there",
    ]);
    expect(cluster.fatal).toEqual([]);
  });

  test("P6: both up-to-date data nodes die at once; a witness brings the third up to date and hands over", async () => {
    await boot();
    const writer = await signUp(1);
    await cluster.kill(3);
    const leader = await dataLeader();
    for (let at = 0; at < 20; at += 1) await writer.send(leader, `without 3: ${at}`);
    // 3 knows nothing of these; only the witnesses do, once 1 and 2 are gone.
    await Promise.all([cluster.kill(1), cluster.kill(2)]);
    await cluster.start(3);
    expect(await dataLeader()).toBe(3);
    expect(await writer.send(3, "with 3 alone")).toBe(21);
    expect(await writer.history(3)).toHaveLength(21);
    const { members } = await statusOf(3);
    expect(members.map(({ role }) => role)).toEqual([
      MemberRole.MEMBER_ROLE_VOTER,
      MemberRole.MEMBER_ROLE_VOTER,
      MemberRole.MEMBER_ROLE_VOTER,
      MemberRole.MEMBER_ROLE_WITNESS,
      MemberRole.MEMBER_ROLE_WITNESS,
    ]);
  });

  test("a witness serves no chat: no call, no session, no copy, no hash", async () => {
    await boot();
    const { chat, cluster: operations } = cluster.services(4);
    await expect(chat.call("listRooms", new Uint8Array(0), context())).rejects.toMatchObject({
      reason: "WITNESS",
    });
    const frames: Uint8Array[] = [];
    let hasEnded = false;
    chat.openSession(
      {
        send: (bytes) => frames.push(bytes),
        backlogBytes: () => 0,
        end: () => {
          hasEnded = true;
        },
      },
      "test",
    );
    expect(ServerFrame.decode(frames[0] ?? new Uint8Array(0)).goAway?.reason).toBe("WITNESS");
    expect(hasEnded).toBe(true);
    expect(chat.ready()).toBe(false);
    await expect(operations.stateHash(new Uint8Array(0), context())).rejects.toMatchObject({
      reason: "WITNESS",
    });
    const backup = Promise.withResolvers<unknown>();
    const answers: BackupResponse[] = [];
    operations.backup(new Uint8Array(0), asOperator(), {
      send: (bytes) => answers.push(BackupResponse.decode(bytes)),
      backlogBytes: () => 0,
      end: (error) => backup.resolve(error),
    });
    expect(await backup.promise).toMatchObject({ reason: "WITNESS" });
    expect(answers).toEqual([]);
  });

  test("clients are told of data nodes only", async () => {
    await boot();
    for (const id of [1, 4]) {
      const ids = cluster.nodes
        .get(id)
        ?.replica?.view()
        .nodes.map((node) => node.id);
      expect(ids).toEqual([1, 2, 3]);
    }
  });

  test("the logs are kept for a data node that is away, whatever the tuning; it comes back from a witness's", async () => {
    await boot({ logEntriesMax: 20, logTailEntries: 5 });
    const writer = await signUp(1);
    // Before the kill: the floor does not rise while a data node is away, and 3 may be the only one that knows it yet.
    await until(async () => {
      const { storage } = await memberOf(4, 4);
      return (storage?.dataFloor ?? 0) > 0;
    }, "the witness to know the floor");
    const since = await killWhenQuiet(3);
    const leader = await dataLeader();
    for (let at = 0; at < 100; at += 1) await writer.send(leader, `${at}`);
    for (const id of [1, 2, 4, 5]) {
      const { storage } = await memberOf(id, id);
      expect(storage?.compactedIndex).toBeLessThanOrEqual(since);
      expect(storage?.dataFloor).toBeLessThanOrEqual(since);
    }
    await Promise.all([cluster.kill(1), cluster.kill(2)]);
    await cluster.start(3);
    expect(await dataLeader()).toBe(3);
    expect(await writer.history(3)).toHaveLength(100);
    // With its fellows back everything is let go of again.
    await Promise.all([cluster.start(1), cluster.start(2)]);
    for (let at = 0; at < 60; at += 1) await writer.send(3, `more ${at}`);
    for (const id of [1, 2, 3, 4, 5]) {
      await until(
        async () => ((await memberOf(id, id)).storage?.compactedIndex ?? 0) > since + 60,
        `${id} to compact its log`,
      );
    }
  });

  test("P6: a witness far behind is brought up to where the logs begin, also when all have been down meanwhile", async () => {
    await boot({ logEntriesMax: 20, logTailEntries: 5 });
    const writer = await signUp(1);
    const behind = await killWhenQuiet(5);
    for (let at = 0; at < 80; at += 1) await writer.send(1, `${at}`);
    for (const id of [1, 2]) {
      await until(
        async () => ((await memberOf(id, id)).storage?.compactedIndex ?? 0) > behind,
        `${id} to compact its log`,
      );
    }
    await Promise.all([1, 2, 3, 4].map((id) => cluster.kill(id)));
    // Nothing is committed without the witness, and nobody who runs has been told a floor.
    await Promise.all([1, 2, 5].map((id) => cluster.start(id)));
    expect(await writer.send(await dataLeader(), "on it goes")).toBe(81);
    expect(cluster.fatal).toEqual([]);
  });

  test("WITNESS_LOG_FULL: at the bound sends are refused, until the data node is back or removed", async () => {
    await boot({ logEntriesMax: 20, logBytesMax: 8 * 1024, witnessLogBytesMax: 24 * 1024 });
    const writer = await signUp(1);
    await cluster.kill(3);
    const leader = await dataLeader();
    const follower = leader === 1 ? 2 : 1;
    let refusal: unknown;
    let sent = 0;
    await until(async () => {
      try {
        await writer.send(follower, "x".repeat(500));
        sent += 1;
      } catch (error) {
        refusal = error;
      }
      return refusal !== undefined;
    }, "a refusal");
    expect(refusal).toMatchObject({ reason: "WITNESS_LOG_FULL" });
    expect(String(refusal)).toContain("node 3");
    const request = RemoveServerRequest.encode({ id: 3, force: false }).finish();
    await cluster.services(leader).cluster.removeServer(request, asOperator());
    await until(async () => {
      try {
        await writer.send(follower, "goes on");
        return true;
      } catch {
        return false;
      }
    }, "sends to be taken again");
    expect((await writer.history(leader)).length).toBe(sent + 1);
  });

  test("P8, P9: a witness that joins late gets a snapshot that stops at the floor, and is as good as the others", async () => {
    await boot({ logEntriesMax: 20, logTailEntries: 5 }, [6]);
    const writer = await signUp(1);
    for (let at = 0; at < 60; at += 1) await writer.send(1, `all have ${at}`);
    await until(
      async () => ((await memberOf(1, 1)).storage?.compactedIndex ?? 0) > 0,
      "the log to be compacted",
    );
    const since = await killWhenQuiet(3);
    const leader = await dataLeader();
    for (let at = 0; at < 20; at += 1) await writer.send(leader, `without 3: ${at}`);
    // 4 is lost for good; 6 takes its place, although 3 is away.
    await cluster.kill(4);
    const joined = cluster.start(6, [1, 2]);
    const request = AddServerRequest.fromPartial({ id: 6, address: "node-6:1" });
    const { cluster: operations } = cluster.services(leader);
    await operations.addServer(AddServerRequest.encode(request).finish(), asOperator());
    await joined;
    await until(
      async () => (await memberOf(6, leader)).role === MemberRole.MEMBER_ROLE_WITNESS,
      "witness 6 to vote",
    );
    expect((await memberOf(6, 6)).storage?.compactedIndex).toBeLessThanOrEqual(since);
    const remove = RemoveServerRequest.encode({ id: 4, force: false }).finish();
    await operations.removeServer(remove, asOperator());
    await cluster.kill(5);
    await Promise.all([cluster.start(3), cluster.kill(1)]);
    await until(async () => {
      try {
        return (await writer.history(3)).length === 80;
      } catch {
        return false;
      }
    }, "3 to have everything");
    expect(cluster.fatal).toEqual([]);
    // It is what it was after a restart, too.
    await cluster.kill(6);
    await cluster.start(6);
    await until(
      async () => (await memberOf(6, 6)).role === MemberRole.MEMBER_ROLE_WITNESS,
      "6 to be back",
    );
  });

  test("a witness that has lost its membership, and whose log does not tell it, gets it from the leader", async () => {
    const disk = new MemoryLogDisk();
    await boot({ logEntriesMax: 20, logTailEntries: 5 }, [], (made) =>
      made.disks.set(4, { log: new MemoryLogStore(disk), chatDisk: new MemoryChatDisk() }),
    );
    const writer = await signUp(1);
    const compactedPast = async (index: number) => {
      while (disk.compacted.index <= index) await writer.send(1, "more");
    };
    await compactedPast(0);
    const early = disk.witness;
    // Past all that it may have noted: then the log tells nothing of what came after.
    await compactedPast(disk.compacted.index + disk.entries.length);
    await cluster.kill(4);
    disk.witness = early;
    const { entries, compacted } = structuredClone(disk);
    await cluster.start(4);
    await until(
      async () => (await memberOf(4, 4)).role === MemberRole.MEMBER_ROLE_WITNESS,
      "4 to know that it is a witness",
    );
    expect(cluster.said(4).join("\n")).toContain("the membership is lost");
    // It has forgotten nothing.
    expect(disk.compacted).toEqual(compacted);
    expect(disk.entries.slice(0, entries.length)).toEqual(entries);
    const leader = await dataLeader();
    await cluster.kill(5);
    await cluster.kill([1, 2, 3].find((id) => id !== leader) ?? 0);
    await writer.send(leader, "with its vote");
    expect(cluster.fatal).toEqual([]);
  });

  test("what makes no sense is refused, with what to do", async () => {
    await boot();
    const leader = await dataLeader();
    const { cluster: operations } = cluster.services(leader);
    const transfer = TransferLeadershipRequest.encode({ toId: 4 }).finish();
    await expect(operations.transferLeadership(transfer, asOperator())).rejects.toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
    const demote = DemoteServerRequest.encode({ id: 5, force: false }).finish();
    await expect(operations.demoteServer(demote, asOperator())).rejects.toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
    expect((await memberOf(leader, leader)).state).toBe(MemberState.MEMBER_STATE_LEADER);
  });

  test("P9: a witness that lost its disk is taken back as a witness, and one under a data node's id is not", async () => {
    await boot();
    const leader = await dataLeader();
    await cluster.kill(4);
    cluster.disks.delete(4);
    await cluster.start(4);
    await until(async () => {
      const { role, raftId } = await memberOf(4, leader);
      return role === MemberRole.MEMBER_ROLE_WITNESS && raftId > 5;
    }, "4 to be a witness again");
    // With empty disks, and the roles exchanged.
    const data = leader === 3 ? 2 : 3;
    const raftIds = async () => (await statusOf(leader)).members.map(({ raftId }) => raftId);
    const before = await raftIds();
    await cluster.kill(data);
    await cluster.kill(5);
    const exchanged = new LocalCluster(5, {}, cluster.network, 1, [4, data]);
    for (const id of [data, 5]) exchanged.start(id).catch(() => {});
    const told = (id: number, what: string) =>
      until(
        () => exchanged.said(id).some((line) => line.includes(what)),
        `${id} to be told: ${what}`,
      );
    await told(data, `Server ${data} of this cluster is no witness`);
    await told(5, "Server 5 is a witness of this cluster");
    expect(await raftIds()).toEqual(before);
    await exchanged.close();
  });

  test("a node does not start as what it is not", async () => {
    await boot();
    const { log } = cluster.disks.get(4) ?? {};
    await cluster.kill(4);
    expect(log).toBeDefined();
    const asData = new LocalCluster(5, {}, cluster.network, 1, [5]);
    asData.disks.set(4, cluster.disks.get(4) as never);
    await expect(asData.start(4)).rejects.toThrow(/a witness of its cluster/);
  });
});
