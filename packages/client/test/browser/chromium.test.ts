// The SDK in a real Chromium: what no imitation of IndexedDB, locks or quotas shows.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { BROWSER_ENTRY, bundle } from "./bundle.ts";
import { Committed, chatty, type ServedNode, serveNode } from "./scripted-node.ts";

const executablePath = [
  process.env.PARLEY_CHROMIUM ?? "",
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path !== "" && existsSync(path));
if (executablePath === undefined) {
  console.warn(
    "No Chromium here (Debian's package chromium-headless-shell, or PARLEY_CHROMIUM): not tested in it.",
  );
}

/** Runs in the page: a client as the README builds one. */
const PAGE = `<!doctype html><title>test</title><script src="/parley.js"></script><script>
  window.problems = [];
  window.changes = [];
  window.ready = (async () => {
    const name = parley.outboxName("c", 7);
    const outbox = new parley.FallbackOutbox(new parley.IndexedDbOutbox(name), (problem) =>
      window.problems.push(problem === undefined ? "durable" : problem.reason));
    const client = new parley.ParleyClient({
      servers: location.origin,
      carrier: parley.webSocketCarrier(),
      outbox,
      outboxPeers: parley.tabPeers(name),
      token: "token",
      clusterId: "c",
    });
    parley.probeOnWake(client);
    client.onOutbox(({ kind, item }) => window.changes.push(kind + " " + item.body.slice(0, 20)));
    window.client = client;
    await client.start();
  })();
</script>`;

interface InPage {
  client: { enqueue(room: number, body: string): { stored: Promise<void> } };
  problems: string[];
  changes: string[];
  ready: Promise<void>;
}

describe.skipIf(executablePath === undefined)("in Chromium", () => {
  let script = "";
  let profile = "";
  let node: ServedNode;
  let log = new Committed();
  let context: BrowserContext | undefined;
  const onRequest: RequestListener = (request, response) => {
    const isScript = request.url === "/parley.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : PAGE);
  };
  const serve = async (port = 0) => {
    node = await serveNode(
      chatty(1, () => [node.address], log),
      { onRequest, port },
    );
  };
  const launch = async (): Promise<BrowserContext> => {
    context = await chromium.launchPersistentContext(profile, {
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ["--no-sandbox", "--disable-background-networking"],
    });
    return context;
  };
  const open = async (browser: BrowserContext): Promise<Page> => {
    const page = await browser.newPage();
    await page.goto(`http://${node.address}/`);
    await page.evaluate(() => (window as unknown as InPage).ready);
    return page;
  };
  /** Resolves when the messages are durable in the outbox. */
  const enqueue = (page: Page, bodies: readonly string[]) =>
    page.evaluate(async (texts) => {
      const { client } = window as unknown as InPage;
      await Promise.all(texts.map((text) => client.enqueue(1, text).stored));
    }, bodies);
  const seen = (page: Page, what: "problems" | "changes") =>
    page.evaluate((key) => (window as unknown as InPage)[key], what);

  beforeAll(async () => {
    script = (await bundle(BROWSER_ENTRY)).code;
  });
  beforeEach(async () => {
    log = new Committed();
    profile = await mkdtemp(join(tmpdir(), "parley-chromium-"));
    await serve();
  });
  afterEach(async () => {
    await context?.close();
    node.kill();
    await rm(profile, { recursive: true, force: true, maxRetries: 10 });
  });

  test("P1, P2: what was stored survives a browser that is killed, and is sent once by the next one", async () => {
    const browser = await launch();
    const page = await open(browser);
    const port = Number(node.address.split(":")[1]);
    node.kill();
    await enqueue(page, ["one", "two", "three"]);
    const pid = await browserPid(browser, page);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 30_000 }).toBe(false);
    await browser.close().catch(() => {});
    await serve(port);
    const next = await open(await launch());
    await expect.poll(() => log.bodies, { timeout: 30_000 }).toEqual(["one", "two", "three"]);
    await expect
      .poll(() => seen(next, "changes"), { timeout: 30_000 })
      .toEqual(["committed one", "committed two", "committed three"]);
  });

  test("P2: of two tabs one sends; when it is closed the other does, and nothing is there twice", async () => {
    const browser = await launch();
    const [first, second] = [await open(browser), await open(browser)];
    await enqueue(second, ["from the second"]);
    await enqueue(first, ["from the first"]);
    for (const page of [first, second]) {
      await expect
        .poll(async () => (await seen(page, "changes")).length, { timeout: 30_000 })
        .toBe(4);
    }
    await first.close();
    await enqueue(second, ["alone"]);
    await expect.poll(() => log.bodies.at(-1), { timeout: 30_000 }).toBe("alone");
    expect([...log.bodies].sort()).toEqual(["alone", "from the first", "from the second"]);
  });

  test("a full disk: the page is told, and what was written is sent all the same", async () => {
    const page = await open(await launch());
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Storage.overrideQuotaForOrigin", {
      origin: `http://${node.address}`,
      quotaSize: 1,
    });
    const texts = Array.from({ length: 5 }, (_, at) => `${at} ${"x".repeat(16_000)}`);
    await enqueue(page, texts);
    // A message that is stored and, sent meanwhile, removed in one transaction takes no room: the storage may take that, once or more.
    const [first, ...later] = await seen(page, "problems");
    expect(first).toBe("STORAGE_FULL");
    expect(later.filter((problem) => !["STORAGE_FULL", "durable"].includes(problem))).toEqual([]);
    await expect.poll(() => log.bodies, { timeout: 30_000 }).toEqual(texts);
  });
});

/** The browser's main process, by the browser's own word. */
async function browserPid(browser: BrowserContext, page: Page): Promise<number> {
  const devtools = await (browser.browser()?.newBrowserCDPSession() ?? browser.newCDPSession(page));
  const { processInfo } = await devtools.send("SystemInfo.getProcessInfo");
  const main = processInfo.find(({ type }) => type === "browser");
  if (main === undefined) throw new Error("the browser does not tell its process");
  return main.id;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
