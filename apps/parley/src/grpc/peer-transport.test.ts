import { createServer, type Server as TcpServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { IncomingLink, LinkEnd, OutgoingLink } from "@parley/node";
import { RaftService } from "@parley/protocol/services";
import { afterEach, describe, expect, it } from "vitest";
import { eventually, freePort } from "../testing/running-server.ts";
import { LINK_BACKLOG_BYTES_MAX } from "./peer-dial.ts";
import { GrpcPeerTransport, type PeerCall } from "./peer-transport.ts";
import { rawService } from "./raw-service.ts";

/** A peer that takes links, keeps what it gets, and can be killed with all its connections. */
class Peer {
  readonly transport = new GrpcPeerTransport();
  readonly frames: Buffer[] = [];
  readonly links: IncomingLink[] = [];
  readonly server = new Server({ "grpc.max_receive_message_length": 16 * 1024 * 1024 });
  ended = 0;
  port = 0;

  async start(port = 0): Promise<string> {
    this.transport.listen((link) => {
      this.links.push(link);
      return {
        onFrame: (frame) => this.frames.push(Buffer.from(frame)),
        onEnd: () => (this.ended += 1),
      };
    });
    this.server.addService(rawService(RaftService), {
      peer: (call: PeerCall) => this.transport.onCall(call, "peer"),
    });
    this.port = await new Promise<number>((resolve, reject) => {
      const credentials = ServerCredentials.createInsecure();
      this.server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    return `127.0.0.1:${this.port}`;
  }

  kill(): void {
    this.server.forceShutdown();
  }
}

interface Dialled {
  readonly link: OutgoingLink;
  opened: boolean;
  drained: number;
  readonly frames: Buffer[];
  end: LinkEnd | undefined;
}

const transport = new GrpcPeerTransport();
const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const action of cleanUp.splice(0)) action();
});

function dial(address: string): Dialled {
  const state: Omit<Dialled, "link"> = { opened: false, drained: 0, frames: [], end: undefined };
  const link = transport.dial(address, {
    onOpen: () => {
      dialled.opened = true;
    },
    onFrame: (frame) => dialled.frames.push(Buffer.from(frame)),
    onEnd: (end) => {
      expect(dialled.end).toBeUndefined();
      dialled.end = end;
    },
    onDrain: () => {
      dialled.drained += 1;
    },
  });
  const dialled: Dialled = Object.assign(state, { link });
  cleanUp.push(() => link.close());
  return dialled;
}

async function startPeer(port = 0): Promise<{ peer: Peer; address: string }> {
  const peer = new Peer();
  cleanUp.push(() => peer.kill());
  return { peer, address: await peer.start(port) };
}

describe("a link between peers", () => {
  it("opens, and carries frames in order, both ways", async () => {
    const { peer, address } = await startPeer();
    const dialled = dial(address);
    await eventually("open", () => dialled.opened);
    for (let at = 0; at < 100; at += 1) expect(dialled.link.send(Uint8Array.of(at))).toBe(true);
    await eventually("100 frames", () => peer.frames.length === 100);
    expect(peer.frames.map((frame) => frame[0])).toEqual(
      Array.from({ length: 100 }, (_, at) => at),
    );
    peer.links[0]?.send(Buffer.from("back"));
    await eventually("an answer", () => dialled.frames.length === 1);
    dialled.link.close();
    await eventually("its end at the peer", () => peer.ended === 1);
    expect(dialled.end).toBeUndefined();
  });

  it("P7: a killed peer is `closed` at once, and dialled again it is `refused`", async () => {
    const { peer, address } = await startPeer();
    const first = dial(address);
    await eventually("open", () => first.opened);
    peer.kill();
    await eventually("its end", () => first.end !== undefined);
    expect(first.end).toBe("closed");
    const startedMs = performance.now();
    const second = dial(address);
    await eventually("the refusal", () => second.end !== undefined);
    expect(second.end).toBe("refused");
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it("something that listens but speaks no gRPC is not `refused`", async () => {
    const port = await freePort();
    const server: TcpServer = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    cleanUp.push(() => server.close());
    const dialled = dial(`127.0.0.1:${port}`);
    await eventually("its end", () => dialled.end !== undefined);
    expect(dialled.end).toBe("closed");
  });

  it("a peer that is back is reached at once: no backoff outlives a link", async () => {
    const port = await freePort();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const early = dial(`127.0.0.1:${port}`);
      await eventually("a refusal", () => early.end === "refused");
    }
    const { address } = await startPeer(port);
    const startedMs = performance.now();
    const dialled = dial(address);
    await eventually("open", () => dialled.opened);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it("P11: takes 8 MiB that wait, refuses more, and tells when there is room again", async () => {
    const { peer, address } = await startPeer();
    const dialled = dial(address);
    const frame = Buffer.alloc(1024 * 1024);
    let taken = 0;
    while (dialled.link.send(frame)) taken += 1;
    expect(taken).toBe(LINK_BACKLOG_BYTES_MAX / frame.length);
    expect(dialled.drained).toBe(0);
    await eventually("room again", () => dialled.drained === 1);
    await eventually("every taken frame", () => peer.frames.length === taken);
    expect(dialled.link.send(frame)).toBe(true);
  });

  it("P11: a single frame above the bound still leaves when nothing waits", async () => {
    const { peer, address } = await startPeer();
    const dialled = dial(address);
    await eventually("open", () => dialled.opened);
    expect(dialled.link.send(Buffer.alloc(LINK_BACKLOG_BYTES_MAX))).toBe(true);
    await eventually("the frame", () => peer.frames.length === 1);
  });
});
