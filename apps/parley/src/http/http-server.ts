// HTTP for operators: `/livez` (the process answers) and `/readyz` (it can serve requests).
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import type { NodeTls } from "../tls/node-tls.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Shown as JSON; why not, and what the node knows of its cluster. */
  readonly detail: object;
}

const CONNECTIONS_MAX = 1_024;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;

function answer(response: ServerResponse, code: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(code, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

function handle(request: IncomingMessage, response: ServerResponse, readiness: () => Readiness) {
  // Nothing here takes a body; what comes is thrown away, and a long one ends the connection.
  request.resume();
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    response.setHeader("connection", "close");
    answer(response, 405, { error: "only GET is served here" });
    return;
  }
  const path = (request.url ?? "/").split("?", 1)[0];
  if (path === "/livez") {
    answer(response, 200, { live: true });
    return;
  }
  if (path === "/readyz") {
    const { ready, detail } = readiness();
    answer(response, ready ? 200 : 503, { ready, ...detail });
    return;
  }
  answer(response, 404, { error: "nothing here; there are /livez and /readyz" });
}

const SERVER_OPTIONS = {
  maxHeaderSize: HEADER_BYTES_MAX,
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  connectionsCheckingInterval: 1_000,
} as const;

export class HttpServer {
  readonly #server: Server | HttpsServer;

  /** `tls` left out: plain HTTP. */
  constructor(readiness: () => Readiness, tls?: NodeTls) {
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      handle(request, response, readiness);
    if (tls === undefined) {
      this.#server = createServer(SERVER_OPTIONS, onRequest);
    } else {
      // A browser that is asked for a certificate asks its user: nobody needs one here.
      const options = { ...SERVER_OPTIONS, handshakeTimeout: HEADERS_TIMEOUT_MS };
      const server = createHttpsServer({ ...options, ...tls.contextOptions }, onRequest);
      tls.onChange((changed) => server.setSecureContext(changed));
      this.#server = server;
    }
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.maxRequestsPerSocket = 1_000;
  }

  /** Rejects when the address is taken. */
  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.removeListener("error", reject);
        this.#server.on("error", () => {});
        resolve();
      });
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
