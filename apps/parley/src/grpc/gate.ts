// The listening socket in front of the gRPC engine. A connection is counted, has a moment to say that
// it speaks HTTP/2, and only then costs a session: idle, half-open and garbage connections cost a
// socket each, for a bounded time and in bounded number (P11).
import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "@parley/node";
import { judgePreface } from "./preface.ts";

export interface GateOptions {
  /** Connections at once, of peers and clients together; more are closed at once. */
  readonly connectionsMax: number;
  /** How long a new connection may take to send the HTTP/2 preface. */
  readonly prefaceTimeoutMs: number;
  readonly logger: Logger;
  /** Takes over a connection that speaks HTTP/2; its first bytes are still to be read. */
  readonly accept: (socket: Socket) => void;
}

const WRONG_PORT =
  "HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nUpgrade: h2c\r\n" +
  "Content-Type: text/plain\r\nContent-Length: 53\r\n\r\n" +
  "This is Parley's gRPC port; it speaks HTTP/2 (h2c).\r\n";
/** At most one line about refused connections in this time. */
const REPORT_INTERVAL_MS = 10_000;

export class Gate {
  readonly #options: GateOptions;
  readonly #server: Server;
  /** By `remote address:remote port`, as grpc-js names a caller. */
  readonly #sockets = new Map<string, Socket>();
  #refused = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
    this.#server.maxConnections = options.connectionsMax;
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    this.#server.on("drop", () => this.#report());
  }

  get connectionCount(): number {
    return this.#sockets.size;
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
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  /** Ends the connection of a caller that takes nothing off its streams any more. */
  destroyConnection(peer: string): void {
    this.#sockets.get(peer)?.destroy();
  }

  #report(): void {
    this.#refused += 1;
    const now = performance.now();
    if (now - this.#reportedAtMs < REPORT_INTERVAL_MS) return;
    this.#reportedAtMs = now;
    const fields = { refused: this.#refused, connectionsMax: this.#options.connectionsMax };
    this.#options.logger.warn(fields, "too many connections: new ones are refused");
    this.#refused = 0;
  }

  #onConnection(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#sockets.set(peer, socket);
    const timer = setTimeout(() => socket.destroy(), this.#options.prefaceTimeoutMs);
    socket.once("close", () => {
      clearTimeout(timer);
      if (this.#sockets.get(peer) === socket) this.#sockets.delete(peer);
    });
    // A reset is an ordinary end; without a listener it would end the process.
    socket.on("error", () => {});
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
          clearTimeout(timer);
          socket.removeListener("readable", onReadable);
          socket.unshift(held);
          this.#options.accept(socket);
          return;
        case "http1":
          socket.end(WRONG_PORT, () => socket.destroy());
          return;
        case "garbage":
          socket.destroy();
          return;
      }
    };
    socket.on("readable", onReadable);
  }
}
