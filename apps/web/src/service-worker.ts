// Keeps the page at hand, so that it can be reloaded when the node that served it is dead. It answers navigations and the build's own
// files, nothing else; the chat goes over WebSockets, which no worker sees. Of notifications it takes the clicks.
export {};

declare const self: ServiceWorkerGlobalScope;

interface Build {
  readonly version: string;
  /** Paths of the hashed files. */
  readonly files: readonly string[];
}

const build = JSON.parse("__PARLEY_BUILD__") as Build;
const CACHE = `parley-page-${build.version}`;
/** Where nodes can be reached; kept over versions. */
const NODES_CACHE = "parley-nodes";
const NODES_KEY = "/nodes";
const SHELL = "/";
const SMALL_FILES = ["/icon.svg", "/icon-unread.svg", "/manifest.webmanifest"];
const NODES_MAX = 64;

self.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      const all = [SHELL, ...SMALL_FILES, ...build.files];
      await cache.addAll(all.map((path) => new Request(path, { cache: "no-cache" })));
      await self.skipWaiting();
    })(),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const old = (await caches.keys()).filter((name) => name !== CACHE && name !== NODES_CACHE);
      await Promise.all(old.map((name) => caches.delete(name)));
      await self.clients.claim();
    })(),
  );
});

/** The page tells which nodes there are; the next page may dial these. */
self.addEventListener("message", (event) => {
  const data: unknown = event.data;
  if (!isNodes(data)) return;
  event.waitUntil(
    caches.open(NODES_CACHE).then((cache) => cache.put(NODES_KEY, Response.json(data.nodes))),
  );
});

/** Opens the message in a tab that is there, the one that was looked at last before others, or in a new one. */
self.addEventListener("notificationclick", (event) => {
  const { notification } = event;
  notification.close();
  const { path } = notification.data as { readonly path: string };
  event.waitUntil(
    (async () => {
      const [tab] = await self.clients.matchAll({ type: "window" });
      if (tab === undefined) {
        await self.clients.openWindow(path);
        return;
      }
      tab.postMessage({ open: path });
      await tab.focus();
    })(),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (build.files.includes(url.pathname) || SMALL_FILES.includes(url.pathname)) {
    event.respondWith(file(request));
  }
});

async function file(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}

/** The page as it was served, but for the nodes that it may dial: those are today's. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const shell = await cache.match(SHELL);
  if (shell === undefined) return fetch(request);
  const headers = new Headers(shell.headers);
  const policy = headers.get("content-security-policy") ?? "";
  const nodes = await knownNodes();
  if (nodes.length > 0) {
    const dials = ["'self'", ...nodes.map(socketOrigin)].join(" ");
    headers.set(
      "content-security-policy",
      policy.replace(/connect-src [^;]*/, `connect-src ${dials}`),
    );
  }
  return new Response(shell.body, { status: 200, headers });
}

async function knownNodes(): Promise<readonly string[]> {
  const cache = await caches.open(NODES_CACHE);
  const stored: unknown = await (await cache.match(NODES_KEY))?.json();
  return isNodes({ nodes: stored }) ? (stored as string[]) : [];
}

function socketOrigin(origin: string): string {
  return origin.replace(/^http/, "ws");
}

/** Origins alone: what goes into a policy must not be able to end a directive. */
function isNodes(data: unknown): data is { readonly nodes: readonly string[] } {
  if (typeof data !== "object" || data === null || !("nodes" in data)) return false;
  const { nodes } = data;
  if (!Array.isArray(nodes) || nodes.length > NODES_MAX) return false;
  return nodes.every(
    (node) => typeof node === "string" && /^https?:\/\/[\w.[\]:-]{1,255}$/.test(node),
  );
}
