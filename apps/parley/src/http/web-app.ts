// The page that every node serves: the files that `npm start` built, in memory, with a strict policy. The page may dial the cluster's members
// and nothing else, runs no inline script, and is never framed.
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

interface WebFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly gzip: Buffer | undefined;
  readonly etag: string;
  /** Its name changes with its contents. */
  readonly isHashed: boolean;
}

/** Where the build is. */
export const WEB_APP_FOLDER = fileURLToPath(new URL("../../../web/dist/", import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};
/** The page finds its way by itself below these. */
const PAGES = /^\/(?:r\/\d+(?:\/\d+)?\/?|join|password)?$/;

export class WebApp {
  readonly #files: ReadonlyMap<string, WebFile>;
  readonly #page: WebFile;

  private constructor(files: ReadonlyMap<string, WebFile>, page: WebFile) {
    this.#files = files;
    this.#page = page;
  }

  /** Undefined when it was not built. */
  static load(folder = WEB_APP_FOLDER): WebApp | undefined {
    if (!existsSync(join(folder, "index.html"))) return undefined;
    const files = new Map<string, WebFile>();
    for (const name of globSync("**/*", { cwd: folder })) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      const bytes = readFileSync(join(folder, name));
      const gzip = gzipSync(bytes, { level: 9 });
      const path = `/${name.replaceAll("\\", "/")}`;
      files.set(path, {
        type,
        bytes,
        gzip: gzip.length < bytes.length ? gzip : undefined,
        etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`,
        isHashed: path.startsWith("/assets/"),
      });
    }
    const page = files.get("/index.html");
    files.delete("/index.html");
    return page === undefined ? undefined : new WebApp(files, page);
  }

  /** Whether it is the page or one of its files. */
  has(path: string): boolean {
    return PAGES.test(path) || this.#files.has(path);
  }

  /** Answers a GET or HEAD for a path that it has. */
  answer(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    socketOrigins: readonly string[],
  ): void {
    const isPage = PAGES.test(path);
    const file = (isPage ? undefined : this.#files.get(path)) ?? this.#page;
    const cache = file.isHashed ? "public, max-age=31536000, immutable" : "no-cache";
    response.setHeader("cache-control", cache);
    response.setHeader("content-type", file.type);
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "no-referrer");
    response.setHeader("cross-origin-opener-policy", "same-origin");
    response.setHeader("cross-origin-resource-policy", "same-origin");
    response.setHeader("vary", "accept-encoding");
    response.setHeader("content-security-policy", policyFor(isPage ? socketOrigins : []));
    // A page is not "not modified" when the nodes that it may dial are others.
    if (!isPage && request.headers["if-none-match"] === file.etag) {
      response.writeHead(304).end();
      return;
    }
    if (!isPage) response.setHeader("etag", file.etag);
    const takesGzip = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
    const body = takesGzip && file.gzip !== undefined ? file.gzip : file.bytes;
    if (body === file.gzip) response.setHeader("content-encoding", "gzip");
    response.setHeader("content-length", body.length);
    response.writeHead(200);
    response.end(request.method === "HEAD" ? undefined : body);
  }
}

function policyFor(socketOrigins: readonly string[]): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "font-src 'self'",
    "manifest-src 'self'",
    "worker-src 'self'",
    `connect-src ${["'self'", ...socketOrigins].join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
