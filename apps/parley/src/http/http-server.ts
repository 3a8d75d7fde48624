// HTTP: for operators `/livez` (the process answers), `/readyz` (it can serve requests) and `/metrics`
// (for Prometheus); for browsers the session, a WebSocket at `/session`.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer, type Server as HttpsServer } from "node:https";
import { isIP } from "node:net";
import type { NodeTls } from "../tls/node-tls.ts";
import type { SessionSockets } from "./session-socket.ts";
import type { WebApp } from "./web-app.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Shown as JSON; why not, and what the node knows of its cluster. */
  readonly detail: object;
}

export interface HttpParts {
  readonly readiness: () => Readiness;
  /** The exposition, and its content type. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  /** Of browsers. */
  readonly sessions: SessionSockets;
  /** Left out: it was not built, or this node serves no clients. */
  readonly webApp?: WebApp | undefined;
  /** Left out: plain HTTP. */
  readonly tls?: NodeTls | undefined;
}

const UNKNOWN_NAME = "no member of this cluster has that name";
const CONNECTIONS_MAX = 1_024;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;

function answer(response: ServerResponse, code: number, body: object): void {
  answerText(response, code, "application/json; charset=utf-8", `${JSON.stringify(body)}\n`);
}

function answerText(response: ServerResponse, code: number, type: string, text: string): void {
  response.writeHead(code, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

/** The page is for those who ask for this node by its name: not for what a stranger points here. */
function answerWithWebApp(
  request: IncomingMessage,
  response: ServerResponse,
  { sessions, webApp }: HttpParts,
  path: string,
): boolean {
  if (webApp === undefined) {
    if (path !== "/") return false;
    const error = "the web app is not built on this machine: `npm start` builds it";
    answer(response, 404, { error });
    return true;
  }
  if (!webApp.has(path)) return false;
  if (!sessions.isKnownHost(request.headers.host)) {
    answer(response, 421, { error: UNKNOWN_NAME });
    return true;
  }
  webApp.answer(request, response, path, sessions.socketOrigins());
  return true;
}

/**
 * A browser asks by a name that no member has, as a stranger's page does whose name leads here now (DNS rebinding): it could read the answer. On plain HTTP such a
 * request looks like any other; but each browser says which languages its user reads, and programs that look after a node do not, so that they may use
 * any name. An address is nobody's to rebind; what somebody typed (`none`) no page reads.
 */
function isRebound({ headers }: IncomingMessage, sessions: SessionSockets): boolean {
  const { host, origin } = headers;
  if (host === undefined || sessions.isKnownHost(host) || isAddress(host)) return false;
  const site = headers["sec-fetch-site"];
  if (site === "none") return false;
  return origin !== undefined || site !== undefined || headers["accept-language"] !== undefined;
}

/** Of an IP address, or of this machine. */
function isAddress(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || isIP(name.replace(/^\[|\]$/g, "")) !== 0;
}

function handle(request: IncomingMessage, response: ServerResponse, parts: HttpParts): void {
  // Nothing here takes a body; what comes is thrown away, and a long one ends the connection.
  request.resume();
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    response.setHeader("connection", "close");
    answer(response, 405, { error: "only GET is served here" });
    return;
  }
  if (isRebound(request, parts.sessions)) {
    answer(response, 421, { error: UNKNOWN_NAME });
    return;
  }
  const [path = "/"] = (request.url ?? "/").split("?", 1);
  if (path === "/livez") {
    answer(response, 200, { live: true });
    return;
  }
  if (path === "/readyz") {
    const { ready, detail } = parts.readiness();
    answer(response, ready ? 200 : 503, { ready, ...detail });
    return;
  }
  if (path === "/metrics") {
    const { metrics } = parts;
    metrics.text().then(
      (text) => answerText(response, 200, metrics.contentType, text),
      (cause: unknown) => answer(response, 500, { error: String(cause) }),
    );
    return;
  }
  if (answerWithWebApp(request, response, parts, path)) return;
  answer(response, 404, {
    error: "nothing here; there are /livez, /readyz, /metrics and the WebSocket /session",
  });
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
  readonly #sessions: SessionSockets;

  constructor(parts: HttpParts) {
    const { tls } = parts;
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      handle(request, response, parts);
    if (tls === undefined) {
      this.#server = createServer(SERVER_OPTIONS, onRequest);
    } else {
      // A browser that is asked for a certificate asks its user: nobody needs one here.
      const options = { ...SERVER_OPTIONS, handshakeTimeout: HEADERS_TIMEOUT_MS };
      const server = createHttpsServer({ ...options, ...tls.contextOptions }, onRequest);
      tls.onChange((changed) => server.setSecureContext(changed));
      this.#server = server;
    }
    this.#sessions = parts.sessions;
    this.#server.on("upgrade", (request, socket, head) =>
      parts.sessions.upgrade(request, socket, head),
    );
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
    this.#sessions.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
