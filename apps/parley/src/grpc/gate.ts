// The listening socket in front of the gRPC engine. A connection is counted, has a moment to say that
// it speaks HTTP/2, and only then costs a session: idle, half-open and garbage connections cost a
// socket each, for a bounded time and in bounded number (P11). With TLS the handshake comes between,
// within the same bounds; who the other end is by its certificate is kept beside the socket.
import { createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import type { CallerCertificate, Logger } from "@parley/node";
import { callerCertificate } from "../tls/caller.ts";
import type { NodeTls } from "../tls/node-tls.ts";
import { judgePreface } from "./preface.ts";

export interface GateOptions {
  /** Connections at once, of peers and clients together; more are closed at once. */
  readonly connectionsMax: number;
  /** How long a new connection may take to send the HTTP/2 preface. */
  readonly prefaceTimeoutMs: number;
  readonly logger: Logger;
  /** Left out: plain text. */
  readonly tls?: NodeTls | undefined;
  /** Takes over a connection that speaks HTTP/2; its first bytes are still to be read. */
  readonly accept: (socket: Socket) => void;
}

/** Record with a fatal alert "protocol_version": a caller in TLS learns that there is none here (RFC 8446, 6). */
const NO_TLS_ALERT = Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]);

function wrongPort(protocol: string): string {
  const text = `This is Parley's gRPC port; it speaks HTTP/2 (${protocol}).\r\n`;
  const head = `HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nUpgrade: ${protocol}\r\n`;
  return `${head}Content-Type: text/plain\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
}

/** As grpc-js names a caller. */
function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

/** A connection, and who is at the other end of it. */
interface Connection {
  /** The outermost one: it ends what is inside. */
  readonly socket: Socket;
  readonly certificate: CallerCertificate | undefined;
}

/** At most one line about refused connections in this time. */
const REPORT_INTERVAL_MS = 10_000;

export class Gate {
  readonly #options: GateOptions;
  readonly #server: Server;
  /** By `remote address:remote port`, as grpc-js names a caller. */
  readonly #connections = new Map<string, Connection>();
  readonly #tlsServer: TlsServer | undefined;
  /** What follows on the handshakes that are under way, by the caller's name. */
  readonly #handshakes = new Map<string, (socket: Socket) => void>();
  #refused = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
    this.#server.maxConnections = options.connectionsMax;
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    this.#server.on("drop", () => {
      const limit = { connectionsMax: options.connectionsMax };
      this.#report(limit, "too many connections: new ones are refused");
    });
    this.#tlsServer = options.tls === undefined ? undefined : this.#tlsServerFor(options.tls);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Of an open connection; undefined where there is no TLS. */
  certificateOf(peer: string): CallerCertificate | undefined {
    return this.#connections.get(peer)?.certificate;
  }

  /** Rejects when the address is taken or is not one of this machine's. Resolves with the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 4_096 }, () => {
        this.#server.removeListener("error", reject);
        this.#server.on("error", (error) => {
          this.#options.logger.warn({ error: error.message }, "cannot accept connections");
        });
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** Takes no more connections; those that are open stay. */
  stopListening(): void {
    if (this.#server.listening) this.#server.close();
  }

  destroyAll(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  /** Ends the connection of a caller that takes nothing off its streams any more. */
  destroyConnection(peer: string): void {
    this.#connections.get(peer)?.socket.destroy();
  }

  #report(fields: object, message: string): void {
    this.#refused += 1;
    const now = performance.now();
    if (now - this.#reportedAtMs < REPORT_INTERVAL_MS) return;
    this.#reportedAtMs = now;
    this.#options.logger.warn({ ...fields, refused: this.#refused }, message);
    this.#refused = 0;
  }

  #onConnection(socket: Socket): void {
    const peer = peerOf(socket);
    this.#connections.set(peer, { socket, certificate: undefined });
    const timer = setTimeout(() => socket.destroy(), this.#options.prefaceTimeoutMs);
    const forget = (of: Socket) => {
      if (this.#connections.get(peer)?.socket !== of) return;
      this.#connections.delete(peer);
      this.#handshakes.delete(peer);
    };
    socket.once("close", () => {
      clearTimeout(timer);
      forget(socket);
    });
    // A reset is an ordinary end; without a listener it would end the process.
    socket.on("error", () => {});
    const admit = (opened: Socket) => {
      clearTimeout(timer);
      this.#options.accept(opened);
    };
    if (this.#tlsServer === undefined) {
      this.#awaitPreface(socket, "h2c", admit);
      return;
    }
    this.#awaitHandshake(socket, (opened) => {
      opened.on("error", () => {});
      opened.once("close", () => forget(opened));
      this.#awaitPreface(opened, "h2", admit);
    });
  }

  // ---- TLS -------------------------------------------------------------------------------------

  /**
   * It listens to nothing itself; sockets are handed to it. Every caller is asked for a certificate and none needs one to
   * talk: a client has a token. What does need one looks at `certificateOf`.
   */
  #tlsServerFor(tls: NodeTls): TlsServer {
    const server = createTlsServer({
      ...tls.contextOptions,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2", "http/1.1"],
    });
    // A context of its own also means tickets of its own: no session from before is resumed.
    tls.onChange((options) => server.setSecureContext(options));
    server.on("tlsClientError", (error, socket) => {
      const fields = { remote: socket.remoteAddress, error: error.message };
      // A connection that just ends is no news: probes do that, and whoever does not trust this node.
      const isNews = "code" in error && String(error.code).startsWith("ERR_SSL_");
      if (isNews) this.#report(fields, "a TLS handshake failed");
      else this.#options.logger.debug(fields, "a TLS handshake was not finished");
      socket.destroy();
    });
    server.on("secureConnection", (socket) => this.#onSecure(socket, tls));
    return server;
  }

  #awaitHandshake(socket: Socket, opened: (socket: Socket) => void): void {
    const onReadable = () => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      socket.removeListener("readable", onReadable);
      const { kind } = judgePreface(bytes);
      if (kind === "tls") {
        socket.unshift(bytes);
        this.#handshakes.set(peerOf(socket), opened);
        this.#tlsServer?.emit("connection", socket);
        return;
      }
      this.#report({ remote: socket.remoteAddress }, "refused a connection without TLS");
      if (kind === "http1") socket.end(wrongPort("h2 over TLS"), () => socket.destroy());
      else socket.destroy();
    };
    socket.on("readable", onReadable);
  }

  #onSecure(socket: TLSSocket, tls: NodeTls): void {
    const peer = peerOf(socket);
    const opened = this.#handshakes.get(peer);
    this.#handshakes.delete(peer);
    // Gone already: its end has taken it off the books.
    if (opened === undefined || !this.#connections.has(peer)) {
      socket.destroy();
      return;
    }
    const certificate = callerCertificate(socket, tls.material.own.cluster);
    if (certificate.kind === "refused") {
      this.#report(
        { remote: socket.remoteAddress },
        `a certificate does not count: ${certificate.why}`,
      );
    }
    this.#connections.set(peer, { socket, certificate });
    opened(socket);
  }

  // ---- HTTP/2 ----------------------------------------------------------------------------------

  #awaitPreface(socket: Socket, protocol: "h2" | "h2c", admit: (socket: Socket) => void): void {
    // Held here, not put back: bytes that are put back count as new ones, again and again.
    let held: Buffer = Buffer.alloc(0);
    const onReadable = () => {
      const bytes: Buffer | null = socket.read();
      if (bytes === null) return;
      held = Buffer.concat([held, bytes]);
      const verdict = judgePreface(held);
      switch (verdict.kind) {
        case "incomplete":
          return;
        case "http2":
          socket.removeListener("readable", onReadable);
          socket.unshift(held);
          admit(socket);
          return;
        case "http1":
          socket.end(wrongPort(protocol), () => socket.destroy());
          return;
        case "tls":
          socket.end(NO_TLS_ALERT, () => socket.destroy());
          return;
        case "garbage":
          socket.destroy();
          return;
      }
    };
    socket.on("readable", onReadable);
  }
}
