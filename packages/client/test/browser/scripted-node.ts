// Nodes that a test scripts, behind real WebSockets.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { ClientFrame, ServerFrame } from "@parley/protocol";
import { type WebSocket as ServerSocket, WebSocketServer } from "ws";
import { ALICE, messageAt } from "../virtual-world.ts";

export interface ServedNode {
  /** `host:port`. */
  readonly address: string;
  kill(): void;
}

/** Sessions at `/session`, other requests to `onRequest`; on a port of its own unless one is given. */
export async function serveNode(
  onSession: (socket: ServerSocket) => void,
  options: { onRequest?: RequestListener; port?: number } = {},
): Promise<ServedNode> {
  const http = createServer(options.onRequest);
  const server = new WebSocketServer({ server: http, path: "/session" });
  server.on("connection", onSession);
  await new Promise<void>((resolve) => http.listen(options.port ?? 0, "127.0.0.1", resolve));
  const kill = () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    http.close();
    http.closeAllConnections();
  };
  return { address: `127.0.0.1:${(http.address() as AddressInfo).port}`, kill };
}

export function frame(fields: Partial<ServerFrame>): Uint8Array {
  return ServerFrame.encode(ServerFrame.create({ ...fields })).finish();
}

/** What all nodes of one scripted cluster have committed: a repeated id gets its first message. */
export class Committed {
  readonly messages = new Map<string, ReturnType<typeof messageAt>>();

  commit(value: { roomId: number; body: string; clientMessageId: string }) {
    const known = this.messages.get(value.clientMessageId);
    if (known !== undefined) return known;
    const message = messageAt(this.messages.size + 1, value);
    this.messages.set(value.clientMessageId, message);
    return message;
  }

  get bodies(): readonly string[] {
    return [...this.messages.values()].map(({ body }) => body);
  }
}

/** Answers a hello and commits every send. */
export function chatty(
  nodeId: number,
  httpAddresses: () => readonly string[],
  log = new Committed(),
) {
  return (socket: ServerSocket) => {
    socket.on("error", () => {});
    socket.on("message", (bytes: Buffer) => {
      const { hello, requests, ping } = ClientFrame.decode(bytes);
      if (hello !== undefined) {
        const nodes = httpAddresses().map((httpAddress, at) => ({
          id: at + 1,
          address: `grpc${at}:1`,
          httpAddress,
        }));
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
        socket.send(frame({ welcome: { ...welcome, account: ALICE, cluster: view } }));
      }
      for (const { id, op } of requests) {
        if (op?.$case !== "send") continue;
        const value = { message: log.commit(op.value), replicas: 2 };
        socket.send(frame({ replies: [{ id, result: { $case: "send", value } }] }));
      }
      if (ping !== undefined) socket.send(frame({ pong: { nonce: ping.nonce, serverTimeMs: 0 } }));
    });
  };
}
