// Files on three nodes: uploaded on any of them, also while nodes die, and the same on all.
import { createHash } from "node:crypto";
import {
  CreateRoomRequest,
  CreateRoomResponse,
  DownloadRequest,
  DownloadResponse,
  LIMITS,
  type OperationName,
  RegisterRequest,
  RegisterResponse,
  RoomVisibility,
  SendRequest,
  SendResponse,
  UploadRequest,
  UploadResponse,
} from "@parley/protocol";
import { afterEach, expect, test } from "vitest";
import { LocalCluster } from "./local-cluster.ts";

const CHUNK = LIMITS.fileChunkBytesMax;

let cluster: LocalCluster;
afterEach(() => cluster.close());

async function call(on: number, name: OperationName, bytes: Uint8Array, token = "") {
  const deadlineMs = performance.now() + 30_000;
  return cluster.services(on).chat.call(name, bytes, {
    token,
    remote: "test",
    deadlineMs,
    signal: undefined,
  });
}

test("a file is uploaded on followers and the leader in turn, survives its death, and is read on the others", async () => {
  cluster = new LocalCluster(3);
  await Promise.all(cluster.configured.map((node) => cluster.start(node.id)));
  const leader = await cluster.leader();
  // The state has files once the leader has heard of everybody's version.
  while (
    [1, 2, 3].some((id) => (cluster.nodes.get(id)?.replica?.admission.stateVersion ?? 0) < 14)
  ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const account = { username: "ada", password: "correct horse" };
  const register = RegisterRequest.encode(RegisterRequest.fromPartial(account)).finish();
  const { token } = RegisterResponse.decode(await call(leader, "register", register));
  const made = {
    name: "lobby",
    visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
  };
  const create = CreateRoomRequest.encode(CreateRoomRequest.fromPartial(made)).finish();
  const { room } = CreateRoomResponse.decode(await call(leader, "createRoom", create, token));

  const all = Uint8Array.from({ length: 5 * CHUNK + 9 }, (_, at) => (at * 13) & 0xff);
  const file = {
    clientFileId: "f",
    name: "f.bin",
    size: all.length,
    sha256: new Uint8Array(createHash("sha256").update(all).digest()),
  };
  let serving = [leader, ...[1, 2, 3].filter((id) => id !== leader)];
  for (let offset = 0, piece = 0; offset < all.length; piece += 1) {
    const data = all.subarray(offset, offset + CHUNK);
    const request = UploadRequest.fromPartial({ ...file, offset, data });
    const bytes = UploadRequest.encode(request).finish();
    const answer = await call(serving[piece % serving.length] ?? 0, "upload", bytes, token);
    offset = UploadResponse.decode(answer).received;
    if (piece === 3) {
      await cluster.kill(leader);
      serving = serving.slice(1);
      await cluster.leader();
    }
  }
  const [first = 0, second = 0] = serving;
  const message = { roomId: room?.id ?? 0, clientMessageId: "m", clientFileIds: ["f"] };
  const send = SendRequest.encode(SendRequest.fromPartial(message)).finish();
  const sent = SendResponse.decode(await call(first, "send", send, token)).message;
  const [attachment] = sent?.attachments ?? [];
  expect(attachment).toMatchObject({ name: "f.bin", size: all.length });
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < all.length; ) {
    const wanted = { fileId: attachment?.fileId ?? 0, offset, minRevision: sent?.id ?? 0 };
    const bytes = DownloadRequest.encode(DownloadRequest.fromPartial(wanted)).finish();
    const { data } = DownloadResponse.decode(await call(second, "download", bytes, token));
    parts.push(data);
    offset += data.length;
  }
  expect(Buffer.concat(parts).equals(all)).toBe(true);
  expect(cluster.fatal).toEqual([]);
});
