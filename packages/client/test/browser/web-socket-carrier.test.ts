import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ClientFrame, LIMITS } from "@parley/protocol";
import { afterEach, expect, test } from "vitest";
import { type WebSocket as ServerSocket, WebSocketServer } from "ws";
import { ParleyClient, webSocketCarrier } from "../../src/browser/index.ts";
import { originOf, sessionUrl } from "../../src/browser/web-socket-carrier.ts";
import type { LinkEnd } from "../../src/ports.ts";
import { Committed, chatty, serveNode } from "./scripted-node.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(onSession: (socket: ServerSocket) => void): Promise<[string, () => void]> {
  const { address, kill } = await serveNode(onSession);
  cleanups.push(kill);
  return [address, kill];
}

function dial(address: string): Promise<{ end: LinkEnd; detail: string }> {
  return new Promise((resolve) => {
    const link = webSocketCarrier({ secure: false }).dial(address, {
      onOpen: () => {},
      onFrame: () => {},
      onEnd: (end, detail) => resolve({ end, detail }),
    });
    cleanups.push(() => link.close());
  });
}

async function connect(servers: string | readonly string[]): Promise<ParleyClient> {
  const client = new ParleyClient({
    servers,
    carrier: webSocketCarrier({ secure: false }),
    token: "token",
  });
  cleanups.push(() => client.close());
  await client.start();
  return client;
}

test("P7: over a WebSocket, a send goes on at another node when the first one dies", async () => {
  const addresses: string[] = [];
  const [one, kill] = await serve(chatty(1, () => addresses));
  const [two] = await serve(chatty(2, () => addresses));
  addresses.push(one, two);
  const client = await connect(`http://${one}`);
  expect((await client.send(1, "first")).message.body).toBe("first");
  expect(client.state).toMatchObject({ nodeId: 1, nodes: [`http://${one}`, `http://${two}`] });
  kill();
  expect((await client.send(1, "second")).message.body).toBe("second");
  expect(client.state.nodeId).toBe(2);
});

test("P2, P3: a WebSocket that is cut again and again loses nothing, doubles nothing, keeps the order", async () => {
  const log = new Committed();
  const addresses: string[] = [];
  let sessions = 0;
  // Each session is cut after a few frames, in the middle of what it was doing.
  const fragile = (nodeId: number) => (socket: ServerSocket) => {
    sessions += 1;
    chatty(nodeId, () => addresses, log)(socket);
    let frames = 0;
    socket.on("message", () => {
      frames += 1;
      if (frames === 3) socket.terminate();
    });
  };
  addresses.push((await serve(fragile(1)))[0], (await serve(fragile(2)))[0]);
  const client = await connect(addresses.map((address) => `http://${address}`));
  const texts = Array.from({ length: 30 }, (_, at) => `text ${at}`);
  const sent: Promise<unknown>[] = [];
  for (const text of texts) {
    sent.push(client.send(1, text));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(sent);
  expect(log.bodies).toEqual(texts);
  expect(sessions).toBeGreaterThan(2);
  expect(client.outbox()).toEqual([]);
});

test("a refused connection is reported as such", async () => {
  const [address, kill] = await serve(() => {});
  kill();
  await expect.poll(() => dial(`http://${address}`)).toMatchObject({ end: "refused" });
});

test("what is no address is refused, not thrown", async () => {
  expect(await dial("not an address")).toMatchObject({ end: "refused" });
});

test.each([
  ["a text message", (socket: ServerSocket) => socket.send("hello"), "malformed"],
  ["too big", (socket: ServerSocket) => socket.close(1009, "too big"), "malformed"],
  ["going away", (socket: ServerSocket) => socket.close(1001, "restart"), "closed"],
  ["cut off", (socket: ServerSocket) => socket.terminate(), "closed"],
] as const)("the end of a link says why: %s", async (_, onSession, end) => {
  const [address] = await serve(onSession);
  expect((await dial(`http://${address}`)).end).toBe(end);
});

test.each([
  ["bytes that are no frame", Uint8Array.of(0xff, 0xff, 0xff)],
  ["a frame over its bound", new Uint8Array(LIMITS.serverFrameBytesMax + 1)],
  ["text", "<html>not a session</html>"],
])("P11: a server that answers garbage is left for another: %s", async (_, garbage) => {
  const addresses: string[] = [];
  const [bad] = await serve((socket) => {
    socket.on("error", () => {});
    socket.send(garbage);
  });
  const [good] = await serve(chatty(2, () => addresses));
  addresses.push(bad, good);
  const client = await connect([`http://${bad}`, `http://${good}`]);
  expect((await client.send(1, "hello")).message.body).toBe("hello");
  expect(client.state.nodeId).toBe(2);
});

test("the token is in the first frame and never in the address", async () => {
  const asked: string[] = [];
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  const hello = new Promise<string>((resolve) => {
    server.on("connection", (socket, request) => {
      asked.push(request.url ?? "", JSON.stringify(request.headers));
      socket.on("message", (bytes: Buffer) =>
        resolve(ClientFrame.decode(bytes).hello?.token ?? ""),
      );
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    http.close();
  });
  await connect(`http://127.0.0.1:${(http.address() as AddressInfo).port}`);
  expect(await hello).toBe("token");
  expect(asked[0]).toBe("/session");
  expect(asked.join()).not.toContain("token");
});

test("addresses are origins; a page over TLS dials over TLS", () => {
  const node = { id: 1, address: "one:7001", httpAddress: "one:8001" };
  expect(originOf(node, false)).toBe("http://one:8001");
  expect(originOf(node, true)).toBe("https://one:8001");
  expect(originOf({ ...node, httpAddress: "" }, true)).toBeUndefined();
  const origin = "https://chat.example.org";
  expect(originOf({ ...node, httpAddress: origin }, false)).toBe(origin);
  expect(sessionUrl("http://localhost:8001")).toBe("ws://localhost:8001/session");
  expect(sessionUrl("https://[::1]:8443")).toBe("wss://[::1]:8443/session");
});
