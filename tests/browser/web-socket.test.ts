// What a browser speaks, to real servers: the session over a WebSocket, through the SDK's browser carrier; and who may open one.
import { ParleyClient } from "@parley/client";
import { webSocketCarrier } from "@parley/client/browser";
import { type Event, RoomVisibility } from "@parley/protocol";
import { describe, expect, test } from "vitest";
import { WebSocket as RawSocket } from "ws";
import { until } from "../harness/dev-cluster.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const origins = () => stage.cluster.nodes.map((node) => `http://${node.http}`);

async function browserClient(username: string): Promise<ParleyClient> {
  const client = new ParleyClient({
    servers: origins(),
    carrier: webSocketCarrier({ secure: false }),
  });
  await client.start();
  await client.register({ username, password: "a long password" });
  return client;
}

/** Opens a socket as a page with these headers would; resolves with the status of a refusal, or "open". */
function knock(headers: Readonly<Record<string, string>>, path = "/session"): Promise<string> {
  const socket = new RawSocket(`ws://${stage.cluster.node(1).http}${path}`, { headers });
  return new Promise((resolve) => {
    socket.once("open", () => {
      socket.terminate();
      resolve("open");
    });
    socket.once("unexpected-response", (_, response) => {
      resolve(String(response.statusCode));
      response.destroy();
    });
    socket.on("error", (error) => resolve(error.message));
  });
}

describe("the session over a WebSocket", () => {
  test("P2, P5, P7: the node that serves it dies, and a conversation goes on without an error, once and in order", {
    timeout: 120_000,
  }, async () => {
    const wes = await browserClient("wes");
    const wanda = await browserClient("wanda");
    const created = await wes.call("createRoom", {
      name: "wire",
      visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
    });
    const roomId = created.room?.id ?? 0;
    await wanda.call("joinRoom", { roomId });
    const seen: Event[] = [];
    const follow = async () => {
      for await (const item of wanda.subscribe({ afterRevision: 0 })) {
        if (item.kind === "event") seen.push(item.event);
      }
    };
    void follow();
    for (let at = 1; at <= 10; at += 1) await wes.send(roomId, `before ${at}`);
    const serving = stage.cluster.nodes.find((node) => wes.state.address === `http://${node.http}`);
    expect(serving).toBeDefined();
    stage.cluster.kill(serving?.id ?? 0);
    await Promise.all(Array.from({ length: 20 }, (_, at) => wes.send(roomId, `after ${at + 1}`)));
    // They may all have been acknowledged before it was dead.
    await until(() => wes.state.address !== `http://${serving?.http}`, "another node to serve wes");
    const messages = () =>
      seen.flatMap(({ event }) => (event?.$case === "message" ? [event.value] : []));
    await until(() => messages().length >= 30, "everything to be seen");
    expect(messages().map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
    expect(messages().map(({ body }) => body)).toEqual([
      ...Array.from({ length: 10 }, (_, at) => `before ${at + 1}`),
      ...Array.from({ length: 20 }, (_, at) => `after ${at + 1}`),
    ]);
    await Promise.all([wes.close(), wanda.close()]);
    await stage.cluster.restart(serving?.id ?? 0);
  });

  test("P10: a page of a stranger can't open one, nor by another name of this address", async () => {
    const own = stage.cluster.node(1).http;
    const local = own.replace("127.0.0.1", "localhost");
    // It may have been the one that was killed, and is told of the others a moment after it listens.
    const another = { origin: stage.originOf(2) };
    await until(async () => (await knock(another)) === "open", "node 1 to know the others");
    expect(await knock({})).toBe("open");
    expect(await knock({ origin: `http://${own}` })).toBe("open");
    expect(await knock({ origin: `http://${local}`, host: local })).toBe("open");
    for (const origin of [
      "http://evil.example",
      `https://${own}`,
      `http://${own}.evil.example`,
      "null",
      "",
    ]) {
      expect(await knock({ origin }), origin).toBe("403");
    }
    expect(await knock({ host: "evil.example:80" })).toBe("403");
    expect(await knock({}, "/elsewhere")).toBe("404");
  });

  test("P11: text, garbage and what is too large end the socket, and nothing else", async () => {
    const ends = async (data: string | Uint8Array) => {
      const socket = new RawSocket(`ws://${stage.cluster.node(1).http}/session`);
      const closed = new Promise<number>((resolve) => socket.once("close", resolve));
      socket.on("error", () => {});
      socket.once("open", () => socket.send(data));
      return await closed;
    };
    expect(await ends("hello")).toBe(1003);
    expect(await ends(new Uint8Array(2 * 1024 * 1024))).toBe(1009);
    // A farewell frame comes first, which says why.
    expect(await ends(new Uint8Array([0xff, 0xff, 0xff]))).toBe(1005);
    const ready = await fetch(`http://${stage.cluster.node(1).http}/readyz`);
    expect(ready.status).toBe(200);
  });
});
