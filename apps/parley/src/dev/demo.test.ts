import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type RunningServer, startServer } from "../testing/running-server.ts";
import { DEMO_PASSWORD, fillDemo } from "./demo.ts";
import { DEMO_ROOMS, type Person } from "./demo-content.ts";

let server: RunningServer;
const clients: ParleyClient[] = [];
beforeEach(async () => {
  server = await startServer();
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server.stop();
});

async function signIn(username: Person): Promise<ParleyClient> {
  const client = new ParleyClient({ servers: [server.address], carrier: grpcCarrier() });
  clients.push(client);
  await client.start();
  await client.login({ username, password: DEMO_PASSWORD });
  return client;
}

test("P2: the demonstration is there once, however often it is written", {
  timeout: 120_000,
}, async () => {
  const options = { servers: [server.address] };
  await fillDemo(options);
  await fillDemo(options);
  const ada = await signIn("ada");
  const { rooms } = await ada.call("listRooms", {});
  const mine = DEMO_ROOMS.filter(({ members }) => members.includes("ada"));
  expect(rooms).toHaveLength(mine.length);
  for (const { name, lines } of mine.filter(({ kind }) => kind !== "direct")) {
    const roomId = rooms.find((room) => room.name === name)?.id ?? 0;
    const { messages } = await ada.call("history", { roomId, limit: 200 });
    expect(messages.map(({ body }) => body)).toEqual(lines.map(({ text }) => text));
    const reacted = messages.map(({ reactions }) =>
      Object.fromEntries(reactions.map(({ emoji, count }) => [emoji, count])),
    );
    const wanted = lines.map(({ reactions = {} }) =>
      Object.fromEntries(
        Object.entries(reactions).map(([emoji, people]) => [emoji, people.length]),
      ),
    );
    expect(reacted).toEqual(wanted);
    expect(messages.filter(({ pinned }) => pinned)).toHaveLength(
      lines.filter(({ pinned }) => pinned === true).length,
    );
  }
  // What is not for everybody is not for everybody.
  const emil = await signIn("emil");
  const his = (await emil.call("listRooms", {})).rooms.map(({ name }) => name);
  expect(his).not.toContain("surprise for emil");
});

test("in a chat that is somebody's already it says so, and writes nothing", async () => {
  const owner = new ParleyClient({ servers: [server.address], carrier: grpcCarrier() });
  clients.push(owner);
  await owner.start();
  await owner.register({ username: "ada", password: "another password" });
  await expect(fillDemo({ servers: [server.address] })).rejects.toMatchObject({
    reason: "WRONG_CREDENTIALS",
  });
  expect((await owner.call("listRooms", {})).rooms).toEqual([]);
});
