// Who may open a session over a WebSocket: pages of members, asked for by a member's name.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { SESSION_PATH, SessionSockets } from "./session-socket.ts";

const OWN = "10.0.0.1:8400";
const FORBIDDEN = 403;
/** Let in, and sent away because nothing serves here yet. */
const TRY_AGAIN_LATER = 1013;

let server: Server;
let sockets: SessionSockets | undefined;

afterEach(() => {
  sockets?.close();
  server.close();
});

async function serve(httpAddresses: readonly string[], isSecure = false): Promise<SessionSockets> {
  const opened = new SessionSockets({
    services: () => undefined,
    httpAddresses: () => httpAddresses,
    ownAddress: () => OWN,
    isSecure,
  });
  sockets = opened;
  server = createServer().on("upgrade", (...args) => opened.upgrade(...args));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return opened;
}

/** The close code, or the status that the upgrade was refused with. */
async function dial(host: string, origin?: string): Promise<number> {
  const { port } = server.address() as AddressInfo;
  const headers = { host, ...(origin === undefined ? {} : { origin }) };
  const socket = new WebSocket(`ws://127.0.0.1:${port}${SESSION_PATH}`, { headers });
  return await new Promise((resolve) => {
    socket.on("unexpected-response", (request, { statusCode }) => {
      request.destroy();
      resolve(statusCode ?? 0);
    });
    socket.on("error", () => {});
    socket.on("close", (code) => resolve(code));
  });
}

test("a page comes from a member, and asks by a member's name", async () => {
  await serve(["127.0.0.1:8400", "10.0.0.2:8400"]);
  expect(await dial("127.0.0.1:8400", "http://10.0.0.2:8400")).toBe(TRY_AGAIN_LATER);
  expect(await dial("localhost:8400", "http://localhost:8400")).toBe(TRY_AGAIN_LATER);
  expect(await dial(OWN)).toBe(TRY_AGAIN_LATER);
  expect(await dial("evil.example:8400", "http://10.0.0.2:8400")).toBe(FORBIDDEN);
  expect(await dial("127.0.0.1:8400", "http://evil.example")).toBe(FORBIDDEN);
  expect(await dial("127.0.0.1:8400", "https://10.0.0.2:8400")).toBe(FORBIDDEN);
  expect(await dial("127.0.0.1:8400", "null")).toBe(FORBIDDEN);
});

test("members behind a proxy are known by their public URLs, and this one by its own address too", async () => {
  const behind = await serve(["https://one.example.org", "https://two.example.org"]);
  expect(behind.socketOrigins()).toEqual(["wss://one.example.org", "wss://two.example.org"]);
  expect(behind.isKnownHost("one.example.org")).toBe(true);
  expect(behind.isKnownHost("three.example.org")).toBe(false);
  expect(await dial("one.example.org", "https://two.example.org")).toBe(TRY_AGAIN_LATER);
  expect(await dial(OWN, `http://${OWN}`)).toBe(TRY_AGAIN_LATER);
  expect(await dial("one.example.org", "http://two.example.org")).toBe(FORBIDDEN);
});
