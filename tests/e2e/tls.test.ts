// P10 with real processes: a cluster whose nodes and clients speak TLS, found in `certs/` beside a file
// with nothing but `nodes`; failover, foreign and old certificates, none, and new ones under way.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { Client } from "@grpc/grpc-js";
import { ParleyClient } from "@parley/client";
import { channelSecurity, grpcCarrier, type TlsOptions } from "@parley/client/grpc";
import { PeerFrame, PROTOCOL_VERSION, RoomVisibility } from "@parley/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writePair } from "../../apps/parley/src/certs/folder.ts";
import { EXPIRED, TestAuthority } from "../../apps/parley/src/testing/test-authority.ts";
import { parley } from "../harness/command.ts";
import { DevCluster, until } from "../harness/dev-cluster.ts";

let lab: TestAuthority;
let other: TestAuthority;
let cluster: DevCluster;
let certs = "";

beforeAll(async () => {
  [lab, other] = [await TestAuthority.make(), await TestAuthority.make("elsewhere")];
  const dir = mkdtempSync(join(tmpdir(), "parley-e2e-tls-"));
  certs = join(dir, "certs");
  await lab.equip(certs, [1, 2, 3]);
  cluster = await DevCluster.start(3, dir);
}, 180_000);

afterAll(async () => {
  await cluster?.destroy();
}, 60_000);

function logOf(id: number): string {
  return readFileSync(join(cluster.dir, "logs", `n${id}.log`), "utf8");
}

async function clientWith(tls: TlsOptions | undefined, username?: string): Promise<ParleyClient> {
  const client = new ParleyClient({ servers: cluster.addresses, carrier: grpcCarrier({ tls }) });
  await client.start();
  if (username !== undefined) {
    await client.register({ username, password: "a long password" });
  }
  return client;
}

function get(url: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca: lab.ca }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() });
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** The certificate that a new handshake shows. */
function shownAt(address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const [host = "", port = ""] = address.split(":");
    const ALPNProtocols = ["h2", "http/1.1"];
    const socket = connect({ host, port: Number(port), ca: lab.ca, ALPNProtocols }, () => {
      resolve(socket.getPeerX509Certificate()?.toString() ?? "");
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

describe("a cluster with certificates", () => {
  it("P7: the leader is killed, and a conversation over TLS goes on without an error", async () => {
    const ann = await clientWith({ ca: lab.ca }, "ann");
    const bob = await clientWith({ ca: lab.ca }, "bob");
    try {
      const created = await ann.call("createRoom", {
        name: "lobby",
        visibility: RoomVisibility.ROOM_VISIBILITY_PUBLIC,
      });
      const roomId = created.room?.id ?? 0;
      await bob.call("joinRoom", { roomId });
      for (let at = 0; at < 10; at += 1) await ann.send(roomId, `before ${at}`);
      const { leaderId } = ann.state;
      expect(leaderId).toBeGreaterThan(0);
      cluster.kill(leaderId);
      await Promise.all(Array.from({ length: 20 }, (_, at) => bob.send(roomId, `after ${at}`)));
      await cluster.restart(leaderId);
      const history = await bob.call("history", { roomId, limit: 100 });
      expect(history.messages.map((one) => one.seq)).toEqual(
        Array.from({ length: 30 }, (_, at) => at + 1),
      );
      // The restarted node has been let in again by its peers.
      const address = cluster.node(leaderId).grpc;
      await until(async () => {
        const asked = ["status", "--server", address, "--json", "--ca", join(certs, "ca.crt")];
        const { code, stdout } = await parley(asked);
        if (code !== 0) return false;
        const { members } = JSON.parse(stdout) as { members: { healthy: boolean }[] };
        return members.length === 3 && members.every((member) => member.healthy);
      }, "three healthy members");
    } finally {
      await Promise.all([ann.close(), bob.close()]);
    }
  });

  it("HTTP is HTTPS", async () => {
    const { status, body } = await get(`https://${cluster.node(1).http}/readyz`);
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ ready: true })]);
    await expect(fetch(`http://${cluster.node(1).http}/livez`)).rejects.toThrow();
  });

  it("a client that trusts another authority, or none, is told why by the SDK and the command", async () => {
    const client = await clientWith({ ca: other.ca });
    await until(
      () => client.state.problem.includes("the node's certificate is not trusted"),
      "the client to say that it does not trust the node",
    );
    expect(client.state.address).toBe("");
    await client.close();

    const server = cluster.node(1).grpc;
    const foreign = join(cluster.dir, "foreign.crt");
    writeFileSync(foreign, other.ca);
    const elsewhere = { cwd: tmpdir() };
    const wrong = await parley(["status", "--server", server, "--ca", foreign], elsewhere);
    expect([wrong.code, wrong.stderr]).toEqual([
      5,
      expect.stringMatching(/is not trusted: the certificate was issued by "O=Parley cluster lab/),
    ]);
    const plain = await parley(["status", "--server", server], elsewhere);
    expect([plain.code, plain.stderr]).toEqual([
      5,
      expect.stringMatching(/speaks TLS: name the cluster's authority with --ca/),
    ]);
    const login = [
      "login",
      "--server",
      server,
      "--username",
      "ann",
      "--password",
      "a long password",
    ];
    const guest = await parley(login, elsewhere);
    expect([guest.code, guest.stderr]).toEqual([5, expect.stringMatching(/speaks TLS/)]);
  });

  it("a node that claims to be another than its certificate says is refused", async () => {
    const own = await lab.sign("node", "2");
    const tls = { ca: lab.ca, cert: own.certificate, key: own.key };
    const { credentials, options } = channelSecurity("127.0.0.1", tls);
    const client = new Client(cluster.node(1).grpc, credentials, options);
    const asIs = (bytes: Uint8Array) => Buffer.from(bytes);
    const stream = client.makeBidiStreamRequest("/parley.v1.Raft/Peer", asIs, PeerFrame.decode);
    stream.on("error", () => {});
    const answered = new Promise<PeerFrame>((resolve) => stream.on("data", resolve));
    const hello = { nodeId: 3, toNodeId: 1, protocolVersion: PROTOCOL_VERSION };
    stream.write(PeerFrame.encode(PeerFrame.fromPartial({ hello })).finish());
    const { error } = await answered;
    client.close();
    expect(error).toMatchObject({
      reason: "CERTIFICATE_REFUSED",
      message: "the certificate is node 2's, but node 3 says that it speaks",
    });
  });

  it("new certificates are taken up by the running process, and sessions that stand go on", async () => {
    const { grpc, pid, http } = cluster.node(1);
    const client = new ParleyClient({
      servers: [grpc],
      carrier: grpcCarrier({ tls: { ca: lab.ca } }),
    });
    await client.start();
    await client.login({ username: "ann", password: "a long password" });
    const issued = await lab.sign("node", "1");
    writePair(certs, "node-1", issued, true);
    for (const address of [grpc, http]) {
      await until(
        async () => (await shownAt(address)) === issued.certificate,
        `the new certificate at ${address}`,
      );
    }
    expect((await client.call("listRooms", {})).rooms.length).toBeGreaterThan(0);
    expect(client.state.address).toBe(grpc);
    await client.close();

    // One that cannot be used changes nothing but the log.
    writePair(certs, "node-1", await lab.sign("node", "1", { validity: EXPIRED }), true);
    await until(() => logOf(1).includes("those from before stay"), "the node to complain");
    expect(logOf(1)).toMatch(/those from before stay: .*node-1\.crt: the certificate expired on/);
    expect(await shownAt(grpc)).toBe(issued.certificate);
    expect(cluster.node(1).pid).toBe(pid);
    writePair(certs, "node-1", issued, true);
  });
});

describe("a node does not start", () => {
  const yaml = (host: string) => `nodes: [{id: 1, host: ${host}, port: 1, db_path: p.db}]\n`;

  async function start(
    host: string,
    authority: TestAuthority | undefined,
    spoil?: (at: string) => Promise<void>,
  ) {
    const folder = mkdtempSync(join(tmpdir(), "parley-e2e-start-"));
    try {
      writeFileSync(join(folder, "config.yaml"), yaml(host));
      if (authority !== undefined) await authority.equip(join(folder, "certs"), [1]);
      await spoil?.(join(folder, "certs"));
      return await parley(["server", "--id", "1", "--config", join(folder, "config.yaml")]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it("beyond loopback without certificates, and says what to do", async () => {
    const { code, stderr } = await start("10.255.255.1", undefined);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/parley certs.*insecure: true/)]);
  });

  it("with an expired certificate, or one of another authority", async () => {
    const expired = await start("127.0.0.1", lab, async (folder) => {
      writePair(folder, "node-1", await lab.sign("node", "1", { validity: EXPIRED }), true);
    });
    expect([expired.code, expired.stdout]).toEqual([2, expect.stringMatching(/expired on/)]);
    const foreign = await start("127.0.0.1", lab, async (folder) => {
      writeFileSync(join(folder, "ca.crt"), other.ca);
    });
    expect([foreign.code, foreign.stdout]).toEqual([
      2,
      expect.stringMatching(/is not the authority in/),
    ]);
  });
});
