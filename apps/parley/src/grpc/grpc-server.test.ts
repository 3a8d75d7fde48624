import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { connect as connectHttp2, constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  Client,
  connectivityState,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { channelSecurity, type TlsOptions } from "@parley/client/grpc";
import {
  ClientFrame,
  CreateRoomRequest,
  CreateRoomResponse,
  ListRoomsRequest,
  ParleyError,
  RegisterRequest,
  RegisterResponse,
  SendRequest,
  ServerFrame,
  StatusResponse,
  SubscribeRequest,
  Error as WireError,
} from "@parley/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Issued } from "../certs/issue.ts";
import { eventually, type RunningServer, startServer } from "../testing/running-server.ts";
import { EXPIRED, TestAuthority } from "../testing/test-authority.ts";

let server: RunningServer;
let client: Client;
let token = "";

const asIs = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

function metadataWith(bearer: string): Metadata {
  const metadata = new Metadata();
  if (bearer !== "") metadata.set("authorization", `Bearer ${bearer}`);
  return metadata;
}

/** A unary call of raw bytes; rejects with the ServiceError. */
function call(
  path: string,
  request: Uint8Array,
  options: { bearer?: string; deadlineMs?: number } = {},
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      asIs,
      (bytes) => bytes,
      request,
      metadataWith(options.bearer ?? token),
      { deadline: Date.now() + (options.deadlineMs ?? 20_000) },
      (error, response) => {
        if (error === null && response !== undefined) resolve(response);
        else reject(error);
      },
    );
  });
}

async function failure(path: string, request: Uint8Array, options = {}): Promise<ServiceError> {
  return await call(path, request, options).then(
    () => {
      throw new Error("it succeeded");
    },
    (error: ServiceError) => error,
  );
}

async function expectServing(): Promise<void> {
  const reply = StatusResponse.decode(await call("/parley.v1.Cluster/Status", new Uint8Array()));
  expect(reply.leaderId).toBe(1);
  expect(server.fatal()).toBeUndefined();
}

/** The connection that all calls share outlives the time that an unread farewell is given. */
async function expectConnectionStays(): Promise<void> {
  const untilMs = performance.now() + 6_000;
  const states = new Set<connectivityState>();
  await eventually("the time has passed", () => {
    states.add(client.getChannel().getConnectivityState(false));
    return performance.now() > untilMs;
  });
  expect([...states]).toEqual([connectivityState.READY]);
}

beforeAll(async () => {
  server = await startServer();
  client = new Client(server.address, credentials.createInsecure());
  await eventually("a leader", async () => {
    const reply = StatusResponse.decode(await call("/parley.v1.Cluster/Status", new Uint8Array()));
    return reply.hasQuorum && reply.leaderId === 1;
  });
  const request = RegisterRequest.fromPartial({ username: "ann", password: "correct horse" });
  const path = "/parley.v1.Chat/Register";
  token = RegisterResponse.decode(await call(path, RegisterRequest.encode(request).finish())).token;
});

afterAll(async () => {
  client?.close();
  await server?.stop();
});

describe("unary calls", () => {
  it("carry the bearer token and answer as the .proto says", async () => {
    const request = CreateRoomRequest.fromPartial({ name: "lobby", visibility: 1 });
    const bytes = await call(
      "/parley.v1.Chat/CreateRoom",
      CreateRoomRequest.encode(request).finish(),
    );
    expect(CreateRoomResponse.decode(bytes).room).toMatchObject({ name: "lobby", memberCount: 1 });
  });

  it("fail with a status, a reason, and the whole error in the metadata", async () => {
    const request = SendRequest.fromPartial({ roomId: 9_999, body: "x", clientMessageId: "a" });
    const error = await failure("/parley.v1.Chat/Send", SendRequest.encode(request).finish());
    expect(error.metadata.get("parley-reason")).toEqual(["ROOM_NOT_FOUND"]);
    expect(error.code).toBe(status.NOT_FOUND);
    const [encoded] = error.metadata.get("parley-error-bin");
    const decoded = ParleyError.fromWire(WireError.decode(encoded as Buffer));
    expect(decoded.message).toBe(error.details);
  });

  it("without a token, or with a wrong one, are UNAUTHENTICATED", async () => {
    const request = ListRoomsRequest.encode(ListRoomsRequest.create()).finish();
    for (const bearer of [" ", "nonsense", "x".repeat(5_000)]) {
      const error = await failure("/parley.v1.Chat/ListRooms", request, { bearer });
      expect(error.code).toBe(status.UNAUTHENTICATED);
      expect(error.metadata.get("parley-reason")).toEqual(["UNAUTHENTICATED"]);
    }
  });

  it("P11: malformed, wrong-typed, non-UTF-8 and oversized requests get a clear error", async () => {
    const path = "/parley.v1.Chat/Send";
    const malformed: readonly (readonly [string, Uint8Array])[] = [
      ["garbage", randomBytes(64)],
      ["a length beyond the end", Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f)],
      ["a string where a number belongs", Uint8Array.of(0x0a, 0x01, 0x41, 0x12)],
      ["invalid UTF-8", Uint8Array.of(0x12, 0x02, 0xc3, 0x28)],
      ["an endless varint", new Uint8Array(32).fill(0xff)],
    ];
    for (const [name, bytes] of malformed) {
      const error = await failure(path, bytes);
      expect(error.code, name).toBe(status.INVALID_ARGUMENT);
    }
    const large = await failure(path, new Uint8Array(1024 * 1024 + 1));
    expect(large.metadata.get("parley-reason")).toEqual(["TOO_LARGE"]);
    const huge = await failure(path, new Uint8Array(9 * 1024 * 1024));
    expect(huge.code).toBe(status.RESOURCE_EXHAUSTED);
    await expectServing();
  });

  it("of methods that are not there are UNIMPLEMENTED", async () => {
    const error = await failure("/parley.v1.Chat/Explode", new Uint8Array());
    expect(error.code).toBe(status.UNIMPLEMENTED);
  });

  it("that are given up reach the service as an abort, and the node goes on", async () => {
    const request = SubscribeRequest.encode(SubscribeRequest.create()).finish();
    const streams = Array.from({ length: 50 }, () =>
      client.makeServerStreamRequest(
        "/parley.v1.Chat/Subscribe",
        asIs,
        (bytes) => bytes,
        request,
        metadataWith(token),
      ),
    );
    const ended = streams.map(
      (stream) =>
        new Promise<number>((resolve) => {
          stream.on("data", () => {});
          stream.on("error", (error: Error & { code?: number }) => resolve(error.code ?? -1));
        }),
    );
    for (const stream of streams) stream.cancel();
    expect(new Set(await Promise.all(ended))).toEqual(new Set([status.CANCELLED]));
    await expectServing();
    await expectConnectionStays();
  });

  it("that are given up before their handler runs cost the connection nothing", async () => {
    const session = connectHttp2(`http://${server.address}`);
    session.on("error", () => {});
    let closed = false;
    session.once("close", () => {
      closed = true;
    });
    for (let at = 0; at < 200; at += 1) {
      const stream = session.request({
        ":method": "POST",
        ":path": "/parley.v1.Chat/Subscribe",
        "content-type": "application/grpc",
        te: "trailers",
        authorization: `Bearer ${at % 2 === 0 ? token : "wrong"}`,
      });
      stream.on("error", () => {});
      stream.write(Buffer.alloc(5));
      stream.end();
      // Some at once, some when the request may be on its way.
      if (at % 3 === 0) stream.close(constants.NGHTTP2_CANCEL);
      else if (at % 3 === 1) setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
      else setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 1);
      if (at % 20 === 0) await expectServing();
    }
    await expectConnectionStays();
    expect(closed).toBe(false);
    session.close();
  });
});

describe("the session stream", () => {
  function open() {
    const stream = client.makeBidiStreamRequest("/parley.v1.Chat/Session", asIs, (bytes: Buffer) =>
      ServerFrame.decode(bytes),
    );
    const frames: ServerFrame[] = [];
    let code: number | undefined;
    stream.on("data", (frame: ServerFrame) => frames.push(frame));
    stream.on("error", () => {});
    stream.on("status", (end) => {
      code = end.code;
    });
    return { stream, frames, code: () => code };
  }

  it("welcomes who says hello, and ends when the client does", async () => {
    const { stream, frames, code } = open();
    const hello = { protocolVersion: 1, token };
    stream.write(ClientFrame.encode(ClientFrame.fromPartial({ hello })).finish());
    await eventually("a welcome", () => frames.some((frame) => frame.welcome !== undefined));
    expect(frames[0]?.welcome?.account?.username).toBe("ann");
    stream.end();
    await eventually("the end", () => code() === status.OK);
  });

  it("P11: an old version, garbage, and a frame that is too large end it with a reason", async () => {
    const version = ClientFrame.fromPartial({ hello: { protocolVersion: 999 } });
    for (const [bytes, reason] of [
      [ClientFrame.encode(version).finish(), "PROTOCOL_VERSION"],
      [randomBytes(100).fill(0xff), "MALFORMED"],
      [new Uint8Array(1024 * 1024 + 1), "TOO_LARGE"],
    ] as const) {
      const { stream, frames, code } = open();
      stream.write(bytes);
      await eventually(reason, () => code() !== undefined);
      expect(frames.map((frame) => frame.goAway?.reason)).toContain(reason);
    }
    await expectServing();
    await expectConnectionStays();
  });
});

describe("a client that reads nothing", () => {
  it("P11: is cut off instead of growing the node's memory", { timeout: 120_000 }, async () => {
    const made = CreateRoomRequest.fromPartial({ name: "flood", visibility: 1 });
    const path = "/parley.v1.Chat/CreateRoom";
    const reply = CreateRoomResponse.decode(
      await call(path, CreateRoomRequest.encode(made).finish()),
    );
    const roomId = reply.room?.id ?? 0;

    // A window of nothing: the server may send headers and not a byte of data.
    const session = connectHttp2(`http://${server.address}`, {
      settings: { initialWindowSize: 0 },
    });
    session.on("error", () => {});
    let closed = false;
    session.once("close", () => {
      closed = true;
    });
    const stream = session.request({
      ":method": "POST",
      ":path": "/parley.v1.Chat/Subscribe",
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${token}`,
    });
    stream.on("error", () => {});
    stream.end(Buffer.alloc(5));
    await new Promise((resolve) => stream.once("response", resolve));

    const body = "x".repeat(16_000);
    for (let batch = 0; batch < 10 && !closed; batch += 1) {
      const sends = Array.from({ length: 60 }, (_, at) => {
        const clientMessageId = `flood-${batch}-${at}`;
        const request = SendRequest.fromPartial({ roomId, body, clientMessageId });
        return call("/parley.v1.Chat/Send", SendRequest.encode(request).finish());
      });
      // Which of them are answered in time on a slow machine is not what this is about.
      await Promise.allSettled(sends);
    }
    await eventually("the connection is cut", () => closed, 60_000);
    await expectServing();
  });
});

describe("what is no gRPC", () => {
  /** Sends bytes; resolves with what comes back before the server hangs up. */
  function send(bytes: Buffer | string): Promise<string> {
    return new Promise((resolve) => {
      let answer = "";
      const socket = connect({ host: "127.0.0.1", port: server.port });
      socket.on("error", () => {});
      socket.on("data", (data) => {
        answer += data.toString("latin1");
      });
      socket.once("close", () => resolve(answer));
      socket.write(bytes);
    });
  }

  it("P11: garbage bytes are hung up on", async () => {
    for (const bytes of [
      randomBytes(1).fill(0),
      randomBytes(4_096).fill(7),
      "\0".repeat(100_000),
    ]) {
      expect(await send(bytes)).toBe("");
    }
    await expectServing();
  });

  it("HTTP/1 is told that this is another port", async () => {
    expect(await send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(/^HTTP\/1\.1 426 .*gRPC port/s);
  });

  it("a good preface with garbage after it ends that connection alone", async () => {
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
    await send(Buffer.concat([preface, randomBytes(2_000).fill(0xee)]));
    await expectServing();
  });

  it("HTTP/2 requests that are no gRPC are refused", async () => {
    const session = connectHttp2(`http://${server.address}`);
    session.on("error", () => {});
    const answer = await new Promise<number | undefined>((resolve) => {
      const request = session.request({
        ":method": "POST",
        ":path": "/x",
        "content-type": "text/x",
      });
      request.on("response", (headers) => resolve(headers[":status"]));
      request.on("error", () => resolve(undefined));
      request.end("hello");
    });
    session.close();
    expect(answer).toBe(415);
    await expectServing();
  });

  it("a preface that arrives byte by byte is taken", async () => {
    const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    const socket = connect({ host: "127.0.0.1", port: server.port, noDelay: true });
    const answered = new Promise<Buffer>((resolve) => socket.once("data", resolve));
    for (const byte of Buffer.concat([preface, settings])) {
      await new Promise<void>((resolve) => socket.write(Uint8Array.of(byte), () => resolve()));
    }
    // The server's own SETTINGS frame comes first.
    expect((await answered)[3]).toBe(4);
    socket.destroy();
  });
});

describe("many connections", () => {
  /** More with PARLEY_TEST_CONNECTIONS=10000; the test's own process needs that many descriptors too. */
  const COUNT = Number(process.env.PARLEY_TEST_CONNECTIONS ?? 2_000);

  async function connectAll(count: number, bytes: Buffer | undefined): Promise<Socket[]> {
    const sockets: Socket[] = [];
    for (let at = 0; at < count; at += 100) {
      const batch = Array.from(
        { length: Math.min(100, count - at) },
        () =>
          new Promise<Socket>((resolve, reject) => {
            const socket = connect({ host: "127.0.0.1", port: server.port });
            socket.once("error", reject);
            socket.once("connect", () => {
              socket.removeListener("error", reject);
              socket.on("error", () => {});
              if (bytes !== undefined) socket.write(bytes);
              resolve(socket);
            });
          }),
      );
      sockets.push(...(await Promise.all(batch)));
    }
    return sockets;
  }

  it(`P11: ${COUNT} idle ones do not take the node down, and half-open ones are dropped in time`, {
    timeout: 120_000,
  }, async () => {
    const silent = await connectAll(COUNT, undefined);
    const startedMs = performance.now();
    await expectServing();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    const ready = await fetch(`${server.http}/readyz`).then((reply) => reply.json());
    expect(ready).toMatchObject({ ready: true });
    const half = await connectAll(50, Buffer.from("PRI * HTT", "latin1"));
    const all = [...silent, ...half];
    await eventually("all of them dropped", () => all.every((socket) => socket.destroyed), 60_000);
    await expectServing();
  });

  it("P11: above connections_max new ones are closed at once, and the others go on", async () => {
    const small = await startServer("limits: {connections_max: 20}");
    try {
      const sockets = await Promise.all(
        Array.from(
          { length: 60 },
          () =>
            new Promise<Socket>((resolve) => {
              const socket = connect({ host: "127.0.0.1", port: small.port }, () =>
                resolve(socket),
              );
              socket.on("error", () => resolve(socket));
            }),
        ),
      );
      for (const socket of sockets) socket.resume();
      await eventually(
        "40 refused",
        () => sockets.filter(({ destroyed }) => destroyed).length >= 40,
      );
      expect(sockets.filter(({ destroyed }) => !destroyed).length).toBe(20);
      expect(small.log.join("")).toContain("too many connections");
      for (const socket of sockets) socket.destroy();
    } finally {
      await small.stop();
    }
  });
});

describe("tools that know nothing of Parley", () => {
  const BUF = fileURLToPath(new URL("../../../../node_modules/.bin/buf", import.meta.url));

  function curl(method: string, body: object, headers: readonly string[] = []) {
    return new Promise<{ code: number | null; output: string }>((resolve) => {
      const headerFlags = headers.flatMap((header) => ["-H", header]);
      const flags = ["--protocol", "grpc", "--http2-prior-knowledge", ...headerFlags];
      const url = `http://${server.address}/${method}`;
      const child = spawn(BUF, ["curl", ...flags, "-d", JSON.stringify(body), url]);
      let output = "";
      child.stdout.on("data", (data) => {
        output += String(data);
      });
      child.stderr.on("data", (data) => {
        output += String(data);
      });
      child.once("close", (code) => resolve({ code, output }));
    });
  }

  it("buf curl reads the services from reflection and calls them", async () => {
    const cluster = await curl("parley.v1.Cluster/Status", {});
    expect(cluster.output).toContain("hasQuorum");
    expect(JSON.parse(cluster.output)).toMatchObject({ leaderId: "1", hasQuorum: true });

    const account = { username: "curly", password: "correct horse", display_name: "Curly" };
    const registered = await curl("parley.v1.Chat/Register", account);
    const reply = JSON.parse(registered.output) as { token: string; account: { id: string } };
    expect(reply.account).toMatchObject({ username: "curly", displayName: "Curly" });

    const bearer = [`authorization: Bearer ${reply.token}`];
    const room = await curl("parley.v1.Chat/CreateRoom", { name: "b", visibility: 1 }, bearer);
    const { room: made } = JSON.parse(room.output) as { room: { id: string } };
    const send = { room_id: made.id, body: "from buf", client_message_id: "one" };
    const sent = await curl("parley.v1.Chat/Send", send, bearer);
    expect(JSON.parse(sent.output)).toMatchObject({ message: { seq: "1", body: "from buf" } });
    const history = await curl("parley.v1.Chat/History", { room_id: made.id }, bearer);
    expect(JSON.parse(history.output).messages).toHaveLength(1);

    const refused = await curl("parley.v1.Chat/History", { room_id: made.id });
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain("unauthenticated");
  });

  it("buf curl sees the standard health service", async () => {
    const answer = await curl("grpc.health.v1.Health/Check", { service: "parley.v1.Chat" });
    expect(JSON.parse(answer.output)).toEqual({ status: "SERVING" });
    const unknown = await curl("grpc.health.v1.Health/Check", { service: "no.such.Service" });
    expect(unknown.output).toContain("not_found");
  });
});

describe("beyond loopback (P10)", () => {
  /** A unary call with a connection and a certificate of its own; the error that it ends with. */
  async function attempt(
    address: string,
    path: string,
    request: Uint8Array,
    caller: { readonly tls?: TlsOptions; readonly bearer?: string } = {},
  ): Promise<{ readonly reason: string; readonly message: string; readonly reply: Buffer }> {
    const security = channelSecurity("127.0.0.1", caller.tls);
    const stranger = new Client(address, security.credentials, security.options);
    const sent = metadataWith(caller.bearer ?? "");
    return await new Promise((resolve) => {
      stranger.makeUnaryRequest(
        path,
        asIs,
        (bytes) => bytes,
        request,
        sent,
        (error, reply) => {
          stranger.close();
          const reason = String(error?.metadata?.get("parley-reason")[0] ?? error?.code ?? "");
          resolve({ reason, message: error?.details ?? "", reply: reply ?? Buffer.alloc(0) });
        },
      );
    });
  }

  const register = (username: string, setupToken: string) =>
    RegisterRequest.encode(
      RegisterRequest.fromPartial({ username, password: "correct horse", setupToken }),
    ).finish();
  const REGISTER = "/parley.v1.Chat/Register";
  const STATUS = "/parley.v1.Cluster/Status";

  it("the first account needs the token that the node printed; then it is forgotten", async () => {
    const open = await startServer("insecure: true", "0.0.0.0");
    try {
      const file = join(open.folder, "parley.db-setup.token");
      const secret = readFileSync(file, "utf8").trim();
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(open.log.join("")).toContain(`the set-up token ${secret} `);
      await eventually("the account is refused for the lack of a token", async () => {
        const { reason } = await attempt(open.address, REGISTER, register("mallory", "guess"));
        return reason === "SETUP_TOKEN_REQUIRED";
      });
      const first = await attempt(open.address, REGISTER, register("ann", secret));
      expect(RegisterResponse.decode(first.reply).account?.owner).toBe(true);
      // The next one needs an invite, as soon as the state has that: beyond loopback nothing else is the preset.
      let strangers = 0;
      await eventually("a stranger needs an invite", async () => {
        strangers += 1;
        const stranger = register(`stranger-${strangers}`, "");
        const { reason } = await attempt(open.address, REGISTER, stranger);
        return reason === "INVITE_REQUIRED";
      });
      await eventually("the token is forgotten", () => !existsSync(file));
    } finally {
      await open.stop();
    }
  });

  it("the cluster's state is for the owner, operators, and this machine's operator token", async () => {
    const lab = await TestAuthority.make();
    const open = await startServer("", "0.0.0.0", (folder) =>
      lab.equip(join(folder, "certs"), [1]),
    );
    const status = async (caller: { readonly own?: Issued; readonly bearer?: string }) => {
      const { own, bearer = "" } = caller;
      const tls = { ca: lab.ca, cert: own?.certificate, key: own?.key };
      const { reason, message } = await attempt(open.address, STATUS, new Uint8Array(), {
        tls,
        bearer,
      });
      return reason === "" ? "ok" : `${reason}: ${message}`;
    };
    try {
      expect(await status({})).toMatch(/^UNAUTHENTICATED: .*operator's certificate/);
      expect(await status({ own: await lab.sign("operator", "ops") })).toBe("ok");
      expect(await status({ own: await lab.sign("client", "ann") })).toMatch(
        /^PERMISSION_DENIED: .*names client ann/,
      );
      const old = await lab.sign("operator", "ops", { validity: EXPIRED });
      expect(await status({ own: old })).toMatch(/^CERTIFICATE_REFUSED: .*expired on/);
      const other = await TestAuthority.make();
      expect(await status({ own: await other.sign("operator", "ops") })).toMatch(
        /^CERTIFICATE_REFUSED: .*not this cluster's authority/,
      );
      const file = join(open.folder, "operator.token");
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(await status({ bearer: readFileSync(file, "utf8").trim() })).toBe("ok");
      expect(await status({ bearer: "made-up" })).toMatch(/^UNAUTHENTICATED/);
    } finally {
      await open.stop();
    }
  });
});

describe("HTTP", () => {
  it("/livez and /readyz answer as JSON; all else is refused", async () => {
    expect(await fetch(`${server.http}/livez`).then((reply) => reply.json())).toEqual({
      live: true,
    });
    const ready = await fetch(`${server.http}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ ready: true, node_id: 1, leader_id: 1 });
    expect((await fetch(`${server.http}/etc/passwd`)).status).toBe(404);
    expect((await fetch(`${server.http}/livez`, { method: "POST", body: "x" })).status).toBe(405);
  });
});
