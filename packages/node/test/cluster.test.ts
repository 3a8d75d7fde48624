// The node on real time: bootstrap, writes through any node, failover, identity.
import {
  CreateRoomRequest,
  CreateRoomResponse,
  HistoryRequest,
  HistoryResponse,
  type OperationName,
  RegisterRequest,
  RegisterResponse,
  RoomVisibility,
  SendRequest,
  SendResponse,
} from "@parley/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { LocalCluster } from "./local-cluster.ts";

let cluster: LocalCluster;
afterEach(() => cluster.close());

async function boot(size: number): Promise<LocalCluster> {
  cluster = new LocalCluster(size);
  await Promise.all(cluster.configured.map((node) => cluster.start(node.id)));
  await cluster.leader();
  return cluster;
}

function call(id: number, operation: OperationName, request: Uint8Array, token = "") {
  return cluster.services(id).chat.call(operation, request, {
    token,
    remote: "test",
    deadlineMs: performance.now() + 20_000,
    signal: undefined,
  });
}

async function signUp(id: number, username: string): Promise<string> {
  const request = RegisterRequest.fromPartial({ username, password: "correct horse" });
  const bytes = await call(id, "register", RegisterRequest.encode(request).finish());
  return RegisterResponse.decode(bytes).token;
}

async function makeRoom(id: number, token: string): Promise<number> {
  const request = CreateRoomRequest.fromPartial({
    name: "lobby",
    visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
  });
  const bytes = await call(id, "createRoom", CreateRoomRequest.encode(request).finish(), token);
  return CreateRoomResponse.decode(bytes).room?.id ?? 0;
}

async function send(id: number, token: string, roomId: number, clientMessageId: string) {
  const request = SendRequest.fromPartial({
    roomId,
    body: `says ${clientMessageId}`,
    clientMessageId,
  });
  const bytes = await call(id, "send", SendRequest.encode(request).finish(), token);
  return SendResponse.decode(bytes);
}

async function history(id: number, token: string, roomId: number, minRevision: number) {
  const request = HistoryRequest.fromPartial({ roomId, limit: 200, minRevision });
  const bytes = await call(id, "history", HistoryRequest.encode(request).finish(), token);
  return HistoryResponse.decode(bytes).messages;
}

test("P6: a follower whose disk is nearly full takes its clients' writes: only the leader's disk counts", async () => {
  cluster = new LocalCluster(3);
  await Promise.all(cluster.configured.map((node) => cluster.start(node.id)));
  const leader = await cluster.leader();
  const full = cluster.configured.map((node) => node.id).find((id) => id !== leader) ?? 0;
  await cluster.kill(full);
  const log = cluster.disks.get(full)?.log;
  if (log === undefined) throw new Error("it has no disk");
  log.freeBytes = async () => 0;
  await cluster.start(full);
  await expect.poll(() => cluster.logged.join("\n"), { timeout: 20_000 }).toContain("nearly full");
  await cluster.leader();
  expect(await signUp(full, "written-on-a-full-disk")).not.toBe("");
});

describe("a cluster of real nodes", () => {
  test("three empty nodes become one cluster, and any of them takes writes", async () => {
    await boot(3);
    const token = await signUp(1, "ada");
    const roomId = await makeRoom(2, token);
    const sent = [];
    for (const id of [1, 2, 3]) sent.push((await send(id, token, roomId, `m${id}`)).message);
    expect(sent.map((message) => message?.seq)).toEqual([1, 2, 3]);
    for (const id of [1, 2, 3]) {
      const messages = await history(id, token, roomId, sent.at(-1)?.revision ?? 0);
      expect(messages).toEqual(sent);
    }
    expect(cluster.fatal).toEqual([]);
  });

  test("P1, P2, P6: the leader dies with sends under way; each is stored once", async () => {
    await boot(3);
    const token = await signUp(1, "ada");
    const roomId = await makeRoom(1, token);
    const leader = await cluster.leader();
    const survivor = leader === 1 ? 2 : 1;
    const sends = Array.from({ length: 50 }, (_, at) => send(survivor, token, roomId, `m${at}`));
    await cluster.kill(leader);
    const replies = await Promise.all(sends);
    const revision = Math.max(...replies.map((reply) => reply.message?.revision ?? 0));
    const messages = await history(survivor, token, roomId, revision);
    expect(messages.map((message) => message.seq)).toEqual(replies.map((_, at) => at + 1));
    expect(messages.map((message) => message.clientMessageId)).toEqual(
      replies.map((_, at) => `m${at}`),
    );
    expect(cluster.fatal).toEqual([]);
  });

  test("a full restart finds everything", async () => {
    await boot(3);
    const token = await signUp(1, "ada");
    const roomId = await makeRoom(1, token);
    const before = (await send(3, token, roomId, "kept")).message;
    for (const id of [1, 2, 3]) await cluster.kill(id);
    await Promise.all([1, 2, 3].map((id) => cluster.start(id)));
    await cluster.leader();
    expect(await history(2, token, roomId, before?.revision ?? 0)).toEqual([before]);
  });

  test("one node is a cluster of its own", async () => {
    await boot(1);
    const token = await signUp(1, "ada");
    expect(token).not.toBe("");
  });
});
