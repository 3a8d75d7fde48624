// The session for browsers: the same frames as on the gRPC stream, one in each binary message of a WebSocket at `/session`. A page may
// open one only when it came from a member of the cluster: WebSockets know no other protection against pages of strangers.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { FrameSink, NodeServices } from "@parley/node";
import { LIMITS } from "@parley/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { isLoopback, parseAddress } from "../config/addresses.ts";

export interface SessionSocketParts {
  /** Undefined until the node belongs to a cluster. */
  readonly services: () => NodeServices | undefined;
  /** Where browsers reach the members: host:port each, or an origin. */
  readonly httpAddresses: () => readonly string[];
  /** This node's own host:port, under which it is reached without its public URL too. */
  readonly ownAddress: () => string;
  readonly isSecure: boolean;
}

export const SESSION_PATH = "/session";
/** A browser that answers no ping for so long is gone. */
const PING_MS = 15_000;
/** How long a socket that the node closed may take to deliver what was queued. */
const END_GRACE_MS = 5_000;
/** Close codes of RFC 6455, 7.4.1, and of its registry. */
const UNACCEPTABLE_TYPE = 1003;
const TRY_AGAIN_LATER = 1013;

export class SessionSockets {
  readonly #parts: SessionSocketParts;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.clientFrameBytesMax,
    perMessageDeflate: false,
  });

  constructor(parts: SessionSocketParts) {
    this.#parts = parts;
  }

  /** For the HTTP server's `upgrade`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    const path = (request.url ?? "/").split("?", 1)[0];
    if (path !== SESSION_PATH || !this.#isAllowed(request)) {
      refuse(socket, path === SESSION_PATH ? "403 Forbidden" : "404 Not Found");
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      this.#serve(opened, request.socket.remoteAddress ?? "");
    });
  }

  close(): void {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
  }

  /** Whether a member is called so, host:port. */
  isKnownHost(host: string | undefined): boolean {
    return host !== undefined && this.#hosts().has(host);
  }

  /** What a page of this cluster may dial. */
  socketOrigins(): readonly string[] {
    const origins = this.#parts.httpAddresses().map((address) => this.#originOf(address));
    return [...new Set(origins)].map((origin) => origin.replace(/^http/, "ws"));
  }

  #originOf(address: string): string {
    if (address.includes("://")) return address;
    return `${this.#parts.isSecure ? "https" : "http"}://${address}`;
  }

  /** Every origin that a page of this cluster may have. */
  #origins(): readonly string[] {
    const { httpAddresses, ownAddress } = this.#parts;
    const addresses = [...httpAddresses(), ownAddress()].filter((address) => address !== "");
    return addresses.flatMap(namesOf).map((address) => this.#originOf(address));
  }

  #hosts(): ReadonlySet<string> {
    return new Set(this.#origins().map((origin) => origin.slice(origin.indexOf("://") + 3)));
  }

  /** The page came from a member, and asked for one by its own name: not by one that a stranger points here. */
  #isAllowed({ headers }: IncomingMessage): boolean {
    if (!this.#hosts().has(headers.host ?? "")) return false;
    // What is no browser says none, and could say any.
    return headers.origin === undefined || this.#origins().includes(headers.origin);
  }

  #serve(socket: WebSocket, remote: string): void {
    const services = this.#parts.services();
    if (services === undefined) {
      socket.close(TRY_AGAIN_LATER, "this node has not joined its cluster yet");
      return;
    }
    const session = services.chat.openSession(new SocketSink(socket), remote);
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) session.onFrame(data);
      else socket.close(UNACCEPTABLE_TYPE, "frames are binary");
    });
    let hasAnswered = true;
    socket.on("pong", () => {
      hasAnswered = true;
    });
    const pings = setInterval(() => {
      if (hasAnswered) socket.ping();
      else socket.terminate();
      hasAnswered = false;
    }, PING_MS);
    // Too large a message, or one against the protocol: the library closes the socket and says why.
    socket.on("error", () => {});
    socket.once("close", () => {
      clearInterval(pings);
      session.onEnd();
    });
  }
}

/** On loopback a browser may call the same node `localhost`. */
function namesOf(address: string): readonly string[] {
  const place = parseAddress(address);
  const isLocal = place !== undefined && isLoopback(place.host);
  return isLocal ? [address, `localhost:${place.port}`] : [address];
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

class SocketSink implements FrameSink {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(bytes);
  }

  backlogBytes(): number {
    return this.#socket.bufferedAmount;
  }

  end(): void {
    const timer = setTimeout(() => this.#socket.terminate(), END_GRACE_MS);
    this.#socket.once("close", () => clearTimeout(timer));
    this.#socket.close();
  }
}
