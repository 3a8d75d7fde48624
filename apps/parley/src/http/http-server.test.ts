// Who gets an answer over HTTP: programs by any name, browsers by the names of members.
import { get } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HttpServer } from "./http-server.ts";
import { SessionSockets } from "./session-socket.ts";
import type { WebApp } from "./web-app.ts";

const PATHS = ["/livez", "/readyz", "/metrics"];
const MEMBER = "one.example.org";

let server: HttpServer;
let port: number;

beforeEach(async () => {
  const sessions = new SessionSockets({
    services: () => undefined,
    httpAddresses: () => [`http://${MEMBER}`],
    ownAddress: () => "10.0.0.1:8400",
    isSecure: false,
  });
  const webApp = {
    has: (path: string) => path === "/",
    answer: (_: unknown, response: { end(text: string): void }) => response.end("the page"),
  } as unknown as WebApp;
  server = new HttpServer({
    readiness: () => ({ ready: true, detail: {} }),
    metrics: { contentType: "text/plain", text: async () => "parley_up 1\n" },
    sessions,
    webApp,
  });
  port = await freePort();
  await server.listen("127.0.0.1", port);
});
afterEach(() => server.close());

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port: free } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return free;
}

function status(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
}

describe.each(PATHS)("%s", (path) => {
  test.each([
    ["a program, by a name of its own", { host: "parley-1.monitoring" }],
    ["a program, by an address", { host: "10.0.0.9:8401" }],
    ["a browser, by an address", { host: "[::1]:8401", "accept-language": "en" }],
    ["a browser on this machine", { host: "localhost:8401", "accept-language": "en" }],
    ["a browser, by a member's name", { host: MEMBER, "accept-language": "en" }],
    ["a member's page", { host: MEMBER, origin: `http://${MEMBER}` }],
    ["a person who typed it", { host: "alias", "sec-fetch-site": "none", "accept-language": "en" }],
  ])("answers %s", async (_, headers) => {
    expect(await status(path, headers)).toBe(200);
  });

  test.each([
    // On plain HTTP nothing else tells it apart.
    ["the page of a stranger whose name leads here", { "accept-language": "en" }],
    ["the same where browsers say whose page asks", { "sec-fetch-site": "same-origin" }],
    ["a page of another site", { origin: "http://evil.example" }],
  ])("refuses %s", async (_, headers) => {
    expect(await status(path, { host: "evil.example:8401", ...headers })).toBe(421);
  });
});

test("the page is for whoever asks by a member's name, programs too", async () => {
  expect(await status("/", { host: MEMBER })).toBe(200);
  expect(await status("/", { host: "10.0.0.1:8400" })).toBe(200);
  expect(await status("/", { host: "evil.example" })).toBe(421);
  expect(await status("/", { host: "10.0.0.9:8400" })).toBe(421);
});
