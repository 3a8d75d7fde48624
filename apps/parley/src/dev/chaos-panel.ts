// The chaos panel of `parley dev`: a page on which nodes are killed, paused, cut off and restarted while a checker counts. The supervisor serves it, so that
// it outlives the nodes; only on loopback, only under a link with a random token, and only to its own page. Nodes have no such thing.
import { randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import { type ControlReply, type ControlRequest, NODE_COMMANDS } from "./control.ts";
import type { LiveChecker } from "./live-checker.ts";

export interface ChaosPanelParts {
  readonly handle: (request: ControlRequest) => Promise<ControlReply>;
  readonly checker: LiveChecker;
}

const HOST = "127.0.0.1";
const BODY_BYTES_MAX = 1_024;
const FILES: Readonly<Record<string, string>> = {
  "": "index.html",
  "panel.js": "panel.js",
  "panel.css": "panel.css",
};
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const actSchema = z.union([
  z.strictObject({ cmd: z.enum(NODE_COMMANDS), node: z.int() }),
  z.strictObject({ checker: z.enum(["start", "stop"]) }),
]);

export class ChaosPanel {
  readonly #parts: ChaosPanelParts;
  readonly #token = randomBytes(16).toString("base64url");
  readonly #server: Server;
  #port = 0;

  constructor(parts: ChaosPanelParts) {
    this.#parts = parts;
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (req, res) => {
      this.#serve(req, res).catch((cause: unknown) => {
        const error = cause instanceof Error ? cause.message : String(cause);
        if (res.headersSent) res.destroy();
        else json(res, 500, { ok: false, error });
      });
    });
    this.#server.maxConnections = 64;
  }

  /** Resolves with the link. */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: HOST, port: 0 }, () => {
        this.#port = (this.#server.address() as AddressInfo).port;
        resolve(`http://${HOST}:${this.#port}/${this.#token}/`);
      });
    });
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#parts.checker.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "no-referrer");
    response.setHeader("content-security-policy", POLICY);
    response.setHeader("cache-control", "no-store");
    const [, token = "", rest = "", ...more] =
      (request.url ?? "").split("?", 1)[0]?.split("/") ?? [];
    if (!this.#isForUs(request) || !isSame(token, this.#token) || more.length > 0) {
      json(response, 404, { ok: false, error: "nothing here" });
      return;
    }
    if (request.method === "POST" && rest === "act") {
      json(response, 200, await this.#act(await bodyOf(request)));
    } else if (request.method === "GET" && rest === "state") {
      const cluster = await this.#parts.handle({ cmd: "status" });
      json(response, 200, { ...cluster, checker: this.#parts.checker.counts });
    } else if (request.method === "GET" && FILES[rest] !== undefined) {
      const name = FILES[rest];
      const type = TYPES[name.split(".").at(-1) ?? ""] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type });
      response.end(readFileSync(new URL(`./panel/${name}`, import.meta.url)));
    } else json(response, 404, { ok: false, error: "nothing here" });
  }

  /** By its own name, and from no other page: neither a stranger's name for this address nor a stranger's page gets anywhere. */
  #isForUs({ headers, method }: IncomingMessage): boolean {
    const own = `${HOST}:${this.#port}`;
    if (headers.host !== own) return false;
    if (headers.origin !== undefined) return headers.origin === `http://${own}`;
    return method === "GET";
  }

  async #act(body: unknown): Promise<ControlReply> {
    const parsed = actSchema.safeParse(body);
    if (!parsed.success) {
      return { ok: false, error: "expected {cmd, node} or {checker: start | stop}" };
    }
    const act = parsed.data;
    if (!("checker" in act)) return await this.#parts.handle(act);
    if (act.checker === "start") await this.#parts.checker.start();
    else await this.#parts.checker.stop();
    return { ok: true };
  }
}

function isSame(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function json(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { "content-type": "application/json; charset=utf-8" });
  response.end(`${JSON.stringify(body)}\n`);
}

/** Undefined when it is no JSON or too long. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}
