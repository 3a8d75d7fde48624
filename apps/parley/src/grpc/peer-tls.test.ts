import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { Client, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import { channelSecurity } from "@parley/client/grpc";
import type { IncomingLink, LinkEnd, Logger, OutgoingLink } from "@parley/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { writePair } from "../certs/folder.ts";
import type { Issued } from "../certs/issue.ts";
import { systemClock } from "../platform/clock.ts";
import { eventually } from "../testing/running-server.ts";
import { EXPIRED, TestAuthority } from "../testing/test-authority.ts";
import { NodeTls } from "../tls/node-tls.ts";
import { GrpcServer } from "./grpc-server.ts";
import { GrpcPeerTransport } from "./peer-transport.ts";

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const action of cleanUp.splice(0).reverse()) action();
});

let lab: TestAuthority;
/** Another cluster that happens to have the same name. */
let twin: TestAuthority;

beforeAll(async () => {
  lab = await TestAuthority.make();
  twin = await TestAuthority.make();
});

/** A node's listening and dialling halves, with its certificates in a folder of its own. */
class Peer {
  readonly folder = mkdtempSync(join(tmpdir(), "parley-peer-tls-"));
  readonly lines: string[] = [];
  readonly links: IncomingLink[] = [];
  readonly frames: string[] = [];
  readonly id: number;
  tls: NodeTls | undefined;
  transport = new GrpcPeerTransport();
  address = "";

  constructor(id: number) {
    this.id = id;
  }

  static async start(id: number, authority: TestAuthority | undefined): Promise<Peer> {
    const peer = new Peer(id);
    cleanUp.push(() => rmSync(peer.folder, { recursive: true, force: true }));
    const write = (_: object, message: string) => peer.lines.push(message);
    const logger: Logger = { debug: () => {}, info: write, warn: write, error: write };
    if (authority !== undefined) {
      await authority.equip(peer.folder, [id]);
      const at = (name: string) => join(peer.folder, name);
      const files = { ca: at("ca.crt"), cert: at(`node-${id}.crt`), key: at(`node-${id}.key`) };
      const tls = new NodeTls(files, { nodeId: id, host: "127.0.0.1" }, logger);
      peer.tls = tls;
      peer.transport = new GrpcPeerTransport({ tls, logger });
    }
    const { transport, tls } = peer;
    transport.listen((link) => {
      peer.links.push(link);
      return { onFrame: (frame) => peer.frames.push(String(frame)), onEnd: () => {} };
    });
    const clock = systemClock;
    const services = () => undefined;
    const server = new GrpcServer({ services, transport, clock, logger, connectionsMax: 64, tls });
    cleanUp.push(() => server.close());
    peer.address = `127.0.0.1:${await server.listen("127.0.0.1", 0)}`;
    return peer;
  }

  dial(address: string, nodeId: number) {
    const state: { opened: boolean; end: LinkEnd | undefined } = { opened: false, end: undefined };
    const link: OutgoingLink = this.transport.dial(
      address,
      {
        onOpen: () => {
          state.opened = true;
        },
        onFrame: () => {},
        onEnd: (end) => {
          state.end = end;
        },
        onDrain: () => {},
      },
      nodeId,
    );
    cleanUp.push(() => link.close());
    return Object.assign(state, { link });
  }
}

describe("P10: between nodes with certificates", () => {
  it("a link opens, and the node that is dialled knows which one it is", async () => {
    const [one, two] = [await Peer.start(1, lab), await Peer.start(2, lab)];
    const dialled = one.dial(two.address, 2);
    await eventually("open", () => dialled.opened);
    expect(two.links[0]?.certifiedId).toBe(1);
    dialled.link.send(Buffer.from("over TLS"));
    await eventually("the frame", () => two.frames.includes("over TLS"));
  });

  it("another node than the one that is expected is not spoken to", async () => {
    const [one, two] = [await Peer.start(1, lab), await Peer.start(2, lab)];
    const dialled = one.dial(two.address, 3);
    await eventually("the end", () => dialled.end !== undefined);
    expect([dialled.end, dialled.opened]).toEqual(["rejected", false]);
    expect(one.lines.join("\n")).toMatch(/no link to node 3: its certificate is that of node 2/);
  });

  it("a node of another authority is not spoken to, though its cluster has the same name", async () => {
    const [one, two] = [await Peer.start(1, lab), await Peer.start(2, twin)];
    const dialled = one.dial(two.address, 2);
    await eventually("the end", () => dialled.end !== undefined);
    expect(dialled.end).toBe("rejected");
    expect(one.lines.join("\n")).toMatch(/not this cluster's authority/);
  });

  it("a node without TLS is told apart from one that is down", async () => {
    const [one, two] = [await Peer.start(1, lab), await Peer.start(2, undefined)];
    const dialled = one.dial(two.address, 2);
    await eventually("the end", () => dialled.end !== undefined);
    expect(dialled.end).toBe("rejected");
    expect(one.lines.join("\n")).toMatch(/does not answer in TLS/);
    const down = one.dial("127.0.0.1:1", 2);
    await eventually("the end", () => down.end !== undefined);
    expect(down.end).toBe("refused");
  });

  it("a node in plain text gets no further than the port of one with TLS", async () => {
    const [one, two] = [await Peer.start(1, undefined), await Peer.start(2, lab)];
    const dialled = one.dial(two.address, 2);
    await eventually("the end", () => dialled.end !== undefined);
    expect([dialled.end, two.links.length]).toEqual(["closed", 0]);
    expect(two.lines.join("\n")).toMatch(/refused a connection without TLS/);
  });
});

describe("P10: the peers' service", () => {
  let peer: Peer;
  const stays: (() => void)[] = [];

  beforeAll(async () => {
    peer = await Peer.start(2, lab);
    stays.push(...cleanUp.splice(0));
  });
  afterAll(() => {
    for (const action of stays.reverse()) action();
  });

  /** Calls Raft.Peer; the status that ends the call. */
  function call(own: Issued | undefined): Promise<StatusObject> {
    const tls = { ca: lab.ca, cert: own?.certificate, key: own?.key };
    const { credentials, options } = channelSecurity("127.0.0.1", tls);
    const client = new Client(peer.address, credentials, options);
    cleanUp.push(() => client.close());
    const asIs = (bytes: Buffer) => bytes;
    const stream = client.makeBidiStreamRequest("/parley.v1.Raft/Peer", asIs, asIs);
    stream.on("data", () => {});
    return new Promise((resolve) => stream.on("error", (error: ServiceError) => resolve(error)));
  }

  const cases: readonly [string, () => Promise<Issued | undefined>, RegExp][] = [
    ["no certificate", async () => undefined, /there was no certificate/],
    [
      "a node of another authority",
      () => twin.sign("node", "1"),
      /issued by "O=Parley cluster lab.*not this cluster's authority/,
    ],
    [
      "an expired node",
      () => lab.sign("node", "1", { validity: EXPIRED }),
      /the certificate expired on/,
    ],
    ["a client", () => lab.sign("client", "ann"), /names client ann, not a node/],
    ["an operator", () => lab.sign("operator", "ops"), /names operator ops, not a node/],
  ];
  for (const [who, certificate, why] of cases) {
    it(`refuses ${who}, and says why`, async () => {
      const { code, details, metadata } = await call(await certificate());
      expect([code, details]).toEqual([7, expect.stringMatching(why)]);
      expect(metadata.get("parley-reason")).toEqual(["CERTIFICATE_REFUSED"]);
      expect(peer.links).toHaveLength(0);
    });
  }
});

describe("P10: certificates that change", () => {
  function handshake(address: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const port = Number(address.split(":")[1]);
      const socket: TLSSocket = connect({ port, ca: lab.ca, ALPNProtocols: ["h2"] }, () => {
        resolve(socket.getPeerX509Certificate()?.toString() ?? "");
        socket.destroy();
      });
      socket.on("error", reject);
    });
  }

  it("are used in new handshakes without a restart, and links that stand go on", async () => {
    const [one, two] = [await Peer.start(1, lab), await Peer.start(2, lab)];
    const standing = one.dial(two.address, 2);
    await eventually("open", () => standing.opened);

    const issued = await lab.sign("node", "2");
    writePair(two.folder, "node-2", issued, true);
    two.tls?.watch();
    await eventually(
      "the new certificate",
      async () => (await handshake(two.address)) === issued.certificate,
    );
    two.tls?.close();

    standing.link.send(Buffer.from("still here"));
    await eventually("the frame", () => two.frames.includes("still here"));
    const fresh = one.dial(two.address, 2);
    await eventually("open", () => fresh.opened);
  });

  it("of another authority end the trust in the old one", async () => {
    const [one, two] = [await Peer.start(1, lab), await Peer.start(2, lab)];
    await twin.equip(two.folder, [2]);
    await two.tls?.look();
    const dialled = one.dial(two.address, 2);
    await eventually("the end", () => dialled.end !== undefined);
    expect(dialled.end).toBe("rejected");
    await twin.equip(one.folder, [1]);
    await one.tls?.look();
    const again = one.dial(two.address, 2);
    await eventually("open", () => again.opened);
  });
});
