// Who types, between nodes: over the peer streams, to members alone, whichever node they are on.
import {
  ClientFrame,
  CreateRoomRequest,
  CreateRoomResponse,
  JoinRoomRequest,
  type OperationName,
  PROTOCOL_VERSION,
  RegisterRequest,
  RegisterResponse,
  RoomVisibility,
  ServerFrame,
} from "@parley/protocol";
import { afterEach, expect, test } from "vitest";
import { LocalCluster } from "./local-cluster.ts";

let cluster: LocalCluster;
afterEach(() => cluster.close());

async function call(id: number, operation: OperationName, request: Uint8Array, token = "") {
  return cluster.services(id).chat.call(operation, request, {
    token,
    remote: "test",
    deadlineMs: performance.now() + 20_000,
    signal: undefined,
  });
}

async function register(id: number, username: string): Promise<string> {
  const request = RegisterRequest.fromPartial({ username, password: "correct horse" });
  const response = await call(id, "register", RegisterRequest.encode(request).finish());
  return RegisterResponse.decode(response).token;
}

/** A subscriber on a node, and whom it was shown to type. */
function subscribe(id: number, token: string) {
  const typists: string[] = [];
  let isLive = false;
  const handler = cluster.services(id).chat.openSession(
    {
      send: (bytes) => {
        const frame = ServerFrame.decode(bytes);
        typists.push(...frame.typists.map(({ username }) => username));
        isLive ||= frame.cursor > 0;
      },
      backlogBytes: () => 0,
      end: () => {},
    },
    "test",
  );
  const say = (frame: Parameters<typeof ClientFrame.fromPartial>[0]) =>
    handler.onFrame(ClientFrame.encode(ClientFrame.fromPartial(frame)).finish());
  say({ hello: { protocolVersion: PROTOCOL_VERSION, token, subscribe: true } });
  return { typists, say, live: () => expect.poll(() => isLive).toBe(true) };
}

/** Like all that is ephemeral it may be lost: it is said again, as people go on typing. */
async function saysUntil(who: ReturnType<typeof subscribe>, roomId: number, seen: () => boolean) {
  const typing = setInterval(() => who.say({ typing: { roomId } }), 20);
  try {
    await expect.poll(seen).toBe(true);
  } finally {
    clearInterval(typing);
  }
}

test("it reaches the members on other nodes, and nobody else there", async () => {
  cluster = new LocalCluster(3);
  await Promise.all(cluster.configured.map((node) => cluster.start(node.id)));
  await cluster.leader();
  const [ann, bob, eve] = await Promise.all([
    register(1, "ann"),
    register(2, "bob"),
    register(3, "eve"),
  ]);
  const visibility = RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const made = CreateRoomRequest.encode(
    CreateRoomRequest.fromPartial({ name: "attic", visibility }),
  ).finish();
  const { room } = CreateRoomResponse.decode(await call(1, "createRoom", made, ann));
  const roomId = room?.id ?? 0;
  const join = JoinRoomRequest.encode(JoinRoomRequest.fromPartial({ roomId })).finish();
  await call(2, "joinRoom", join, bob);
  const [there, stranger, here] = [subscribe(2, bob), subscribe(2, eve), subscribe(1, ann)];
  await Promise.all([there.live(), stranger.live(), here.live()]);

  await saysUntil(here, roomId, () => there.typists.includes("ann"));
  await saysUntil(there, roomId, () => here.typists.includes("bob"));
  stranger.say({ typing: { roomId } });
  await call(3, "joinRoom", join, eve);
  await saysUntil(stranger, roomId, () => here.typists.includes("eve"));
  await expect.poll(() => there.typists).toEqual(["ann", "eve"]);
  expect(here.typists).toEqual(["bob", "eve"]);
  // Of what was said before she came in she has seen nothing, and of herself nothing either.
  expect(stranger.typists).toEqual([]);
});
