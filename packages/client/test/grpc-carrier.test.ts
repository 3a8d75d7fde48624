import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { LIMITS, ServerFrame } from "@parley/protocol";
import { ChatService } from "@parley/protocol/services";
import { afterEach, expect, test } from "vitest";
import { grpcCarrier } from "../src/grpc-carrier.ts";
import { ParleyClient } from "../src/index.ts";
import type { LinkEnd } from "../src/ports.ts";
import { ALICE, messageAt } from "./virtual-world.ts";

type SessionCall = grpc.ServerDuplexStream<Uint8Array, Uint8Array>;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A real gRPC server whose Session handler is given; answers with raw bytes. */
async function serve(
  onSession: (call: SessionCall) => void,
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<[string, grpc.Server]> {
  const server = new grpc.Server();
  const session = {
    ...ChatService.session,
    responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
    requestDeserialize: (bytes: Buffer): Uint8Array => bytes,
    requestSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
    responseDeserialize: (bytes: Buffer): Uint8Array => bytes,
  };
  server.addService({ session }, { session: onSession });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  cleanups.push(() => server.forceShutdown());
  return [`127.0.0.1:${port}`, server];
}

function frame(fields: Partial<ServerFrame>): Uint8Array {
  return ServerFrame.encode(ServerFrame.create({ ...fields })).finish();
}

/** Answers a hello and commits every send. */
function chatty(nodeId: number, addresses: () => readonly string[]) {
  return (call: SessionCall) => {
    call.on("error", () => {});
    call.on("data", (bytes: Uint8Array) => {
      const { hello, requests } = ChatService.session.requestDeserialize(Buffer.from(bytes));
      if (hello !== undefined) {
        const nodes = addresses().map((address, at) => ({ id: at + 1, address, httpAddress: "" }));
        const view = {
          clusterId: "c",
          nodes,
          leaderId: 1,
          term: 1,
          hasQuorum: true,
          staleMs: 0,
          members: [],
        };
        const welcome = { protocolVersion: 1, nodeId, revision: 1, serverTimeMs: 0 };
        call.write(frame({ welcome: { ...welcome, account: ALICE, cluster: view } }));
      }
      for (const { id, op } of requests) {
        if (op?.$case !== "send") continue;
        const message = messageAt(id, op.value);
        call.write(frame({ replies: [{ id, result: send(message) }] }));
      }
    });
    call.on("end", () => call.end());
  };
}

function send(message: ReturnType<typeof messageAt>) {
  return { $case: "send", value: { message, replicas: nodeReplicas } } as const;
}
const nodeReplicas = 2;

function dial(address: string): Promise<{ end: LinkEnd; detail: string }> {
  return new Promise((resolve) => {
    const link = grpcCarrier().dial(address, {
      onOpen: () => link.send(new Uint8Array(0)),
      onFrame: () => {},
      onEnd: (end, detail) => resolve({ end, detail }),
    });
    cleanups.push(() => link.close());
  });
}

test("P7: over real sockets, a send goes on at another server when the first one dies", async () => {
  const addresses: string[] = [];
  const [one, firstServer] = await serve(chatty(1, () => addresses));
  const [two] = await serve(chatty(2, () => addresses));
  addresses.push(one, two);
  const client = new ParleyClient({ servers: one, carrier: grpcCarrier(), token: "token" });
  cleanups.push(() => client.close());
  await client.start();
  expect((await client.send(1, "first")).message.body).toBe("first");
  expect(client.state).toMatchObject({ nodeId: 1, nodes: [one, two] });
  firstServer.forceShutdown();
  expect((await client.send(1, "second")).message.body).toBe("second");
  expect(client.state.nodeId).toBe(2);
});

test("a refused connection is reported at once, and as such", async () => {
  const server: Server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : 0);
    });
  });
  await new Promise((resolve) => server.close(resolve));
  const startMs = performance.now();
  expect(await dial(`127.0.0.1:${port}`)).toMatchObject({ end: "refused" });
  expect(performance.now() - startMs).toBeLessThan(1_000);
});

test("a stream that ends with UNAUTHENTICATED says so", async () => {
  const [address] = await serve((call) => {
    call.on("error", () => {});
    call.emit("error", { code: grpc.status.UNAUTHENTICATED, details: "bad token" });
  });
  expect(await dial(address)).toEqual({ end: "unauthenticated", detail: "bad token" });
});

test("P11: a frame over the bound ends the link, not the process", async () => {
  const [address] = await serve((call) => {
    call.on("error", () => {});
    call.write(new Uint8Array(LIMITS.serverFrameBytesMax + 1));
  });
  expect(await dial(address)).toMatchObject({ end: "malformed" });
});

test("P11: a frame that can't be decoded makes the client go to another server", async () => {
  const addresses: string[] = [];
  const [garbage] = await serve((call) => {
    call.on("error", () => {});
    call.write(Uint8Array.of(0xff, 0xff, 0xff));
  });
  const [good] = await serve(chatty(2, () => addresses));
  addresses.push(garbage, good);
  const client = new ParleyClient({
    servers: [garbage, good],
    carrier: grpcCarrier(),
    token: "token",
    random: { int: () => 1, bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
  });
  cleanups.push(() => client.close());
  await client.start();
  expect((await client.send(1, "hello")).message.body).toBe("hello");
  expect(client.state.nodeId).toBe(2);
  expect(client.state.problem).toContain("malformed");
});

test("P10: over TLS, a server that another authority vouches for, or for another host, is refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "parley-tls-"));
  cleanups.push(() => rm(folder, { recursive: true }));
  const certify = (name: string, host = "IP:127.0.0.1") => {
    const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
    const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const names = ["-subj", "/CN=parley", "-addext", `subjectAltName=${host}`];
    execFileSync("openssl", [...request, "-nodes", "-keyout", key, "-out", cert, ...names], {
      stdio: "ignore",
    });
    return { key, cert };
  };
  const ours = certify("ours");
  const theirs = certify("theirs");
  const addresses: string[] = [];
  const serveAs = async ({ key, cert }: { key: string; cert: string }): Promise<string> => {
    const pair = { private_key: await readFile(key), cert_chain: await readFile(cert) };
    const credentials = grpc.ServerCredentials.createSsl(null, [pair]);
    return (
      await serve(
        chatty(1, () => addresses),
        credentials,
      )
    )[0];
  };
  const connect = async (address: string, ca: string): Promise<ParleyClient> => {
    const carrier = grpcCarrier({ tls: { ca: await readFile(ca) } });
    const client = new ParleyClient({ servers: address, carrier, token: "token" });
    cleanups.push(() => client.close());
    await client.start();
    return client;
  };
  const address = await serveAs(ours);
  const trusting = await connect(address, ours.cert);
  expect((await trusting.send(1, "hello")).replicas).toBe(2);
  const elsewhere = certify("elsewhere", "IP:10.9.8.7");
  const doubts = [
    await connect(address, theirs.cert),
    // Vouched for, but for another host.
    await connect(await serveAs(elsewhere), elsewhere.cert),
  ];
  for (const doubting of doubts) {
    await expect
      .poll(() => doubting.state.problem, { timeout: 20_000 })
      .toMatch(/certificate|altnames/);
    expect(doubting.state.phase).toBe("connecting");
  }
});
