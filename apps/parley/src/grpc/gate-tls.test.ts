// P11 at a port with TLS: what a handshake may cost, and that its place is free again afterwards.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { CallerCertificate, Logger } from "@parley/node";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { eventually } from "../testing/running-server.ts";
import { TestAuthority } from "../testing/test-authority.ts";
import { NodeTls } from "../tls/node-tls.ts";
import { Gate } from "./gate.ts";
import { HTTP2_PREFACE } from "./preface.ts";

const CONNECTIONS_MAX = 3;
const quiet = () => {};
const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: quiet };

let folder = "";
let lab: TestAuthority;
let tls: NodeTls;
const gates: Gate[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-gate-"));
  lab = await TestAuthority.make();
  await lab.equip(folder, [1]);
  const at = (name: string) => join(folder, name);
  const files = { ca: at("ca.crt"), cert: at("node-1.crt"), key: at("node-1.key") };
  tls = new NodeTls(files, { nodeId: 1, host: "127.0.0.1" }, logger);
});
afterEach(() => {
  for (const gate of gates.splice(0)) {
    gate.stopListening();
    gate.destroyAll();
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Opened {
  readonly gate: Gate;
  readonly port: number;
  readonly accepted: Socket[];
}

async function open(prefaceTimeoutMs: number): Promise<Opened> {
  const accepted: Socket[] = [];
  const gate = new Gate({
    connectionsMax: CONNECTIONS_MAX,
    prefaceTimeoutMs,
    logger,
    tls,
    accept: (socket) => {
      socket.resume();
      accepted.push(socket);
    },
  });
  gates.push(gate);
  return { gate, port: await gate.listen("127.0.0.1", 0), accepted };
}

function speak(port: number, own: { cert?: string; key?: string } = {}): TLSSocket {
  const socket = connectTls({ port, ca: lab.ca, ALPNProtocols: ["h2"], ...own });
  socket.on("error", () => {});
  socket.once("secureConnect", () => socket.write(HTTP2_PREFACE));
  return socket;
}

it("a connection that stops in the middle of its handshake is closed in time", async () => {
  const { gate, port, accepted } = await open(200);
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  let closed = false;
  socket.once("close", () => {
    closed = true;
  });
  socket.resume();
  // The head of a handshake record whose rest never comes.
  socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
  await eventually("it is closed", () => closed);
  await eventually("its place is free", () => gate.connectionCount === 0);
  expect(accepted).toHaveLength(0);
});

it("one that finishes it and says nothing more is closed in time as well", async () => {
  const { gate, port } = await open(300);
  const socket = connectTls({ port, ca: lab.ca, ALPNProtocols: ["h2"] });
  socket.on("error", () => {});
  let closed = false;
  socket.once("close", () => {
    closed = true;
  });
  socket.resume();
  await eventually("it is closed", () => closed);
  await eventually("its place is free", () => gate.connectionCount === 0);
});

it("places are free again when connections have ended, whichever side ended them", async () => {
  const { gate, port, accepted } = await open(10_000);
  for (let round = 1; round <= 3 * CONNECTIONS_MAX; round += 1) {
    const socket = speak(port);
    await eventually("it is taken", () => accepted.length === round);
    expect(gate.connectionCount).toBe(1);
    if (round % 2 === 0) socket.destroy();
    else accepted.at(-1)?.destroy();
    await eventually("its place is free", () => gate.connectionCount === 0);
  }
});

it("who the other end is stays known while the connection stands", async () => {
  const { gate, port, accepted } = await open(10_000);
  const own = await lab.sign("operator", "ops");
  const shown: CallerCertificate[] = [];
  for (const pair of [{}, { cert: own.certificate, key: own.key }]) {
    const socket = speak(port, pair);
    const before = accepted.length;
    await eventually("it is taken", () => accepted.length > before);
    const peer = `127.0.0.1:${socket.localPort}`;
    shown.push(gate.certificateOf(peer) ?? { kind: "none" });
    gate.destroyConnection(peer);
    await eventually("it is gone", () => gate.certificateOf(peer) === undefined);
  }
  expect(shown).toEqual([{ kind: "none" }, { kind: "trusted", role: "operator", name: "ops" }]);
});
