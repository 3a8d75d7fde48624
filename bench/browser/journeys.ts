// `npm run bench:journeys`: how long people wait in the page, in a real Chromium against five real nodes on this machine: medians of
// `--samples` tries, beside the bound that each is meant to keep. Failovers are real: `kill -9`.
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import {
  CHROMIUM,
  committed,
  composer,
  launchChromium,
  Person,
  say,
} from "../../tests/browser/chromium.ts";
import { DevCluster, until } from "../../tests/harness/dev-cluster.ts";
import { median, table } from "../stats.ts";

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "20" },
    failovers: { type: "string", default: "5" },
  },
});
const samples = Number(values.samples);
const failovers = Number(values.failovers);
if (CHROMIUM === undefined) throw new Error("no Chromium here (Debian: apt-get install chromium)");

/** Wall-clock milliseconds at which things were first on the screen. */
interface Seen {
  enter?: number;
  row?: number;
  tick?: number;
}

/** Watches for a message with this text from now on; the page keeps what it sees in `window.seen`. */
function watch(page: Page, text: string): Promise<void> {
  return page.evaluate((wanted) => {
    const seen: Seen = {};
    (window as unknown as { seen: Seen }).seen = seen;
    const nowMs = () => performance.timeOrigin + performance.now();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Enter") seen.enter ??= nowMs();
    };
    document.addEventListener("keydown", onKey, { capture: true });
    const look = () => {
      const rows = [...document.querySelectorAll(".message")];
      const row = rows.findLast((one) => one.querySelector(".body")?.textContent === wanted);
      if (row === undefined) return;
      seen.row ??= nowMs();
      if (row.querySelector('.tick[data-kind="committed"]') !== null) seen.tick ??= nowMs();
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
  }, text);
}

async function seenBy(page: Page, what: keyof Seen): Promise<number> {
  const read = () => page.evaluate(() => (window as unknown as { seen: Seen }).seen);
  await until(async () => (await read())[what] !== undefined, what);
  return (await read())[what] ?? Number.NaN;
}

const times = new Map<string, number[]>();
function note(journey: string, ms: number): void {
  times.set(journey, [...(times.get(journey) ?? []), ms]);
}

const BOUNDS_MS: Readonly<Record<string, number>> = {
  "Enter → its row": 50,
  "Enter → committed tick": 150,
  "Enter → on another node's screen": 200,
  "switch to a room that was open before": 100,
  "the serving node killed, Enter → committed tick": 1_000,
  "reload with its node dead → history": 1_000,
  "reload with its node dead → a send is committed": 2_000,
};

const cluster = await DevCluster.start(5);
const browser = await launchChromium();
try {
  const origin = (id: number) => `http://${cluster.node(id).http}`;
  const ann = await Person.arrive(browser, "ann", origin(1));
  const bob = await Person.arrive(browser, "bob", origin(2));
  await Promise.all([ann.signUp(), bob.signUp()]);
  await ann.createRoom("attic");
  await ann.createRoom("bench");
  await bob.joinRoom("bench");
  for (let at = 0; at < samples + 3; at += 1) {
    const text = `message ${at}`;
    await Promise.all([watch(ann.page, text), watch(bob.page, text)]);
    await composer(ann.page).fill(text);
    await composer(ann.page).press("Enter");
    const enter = await seenBy(ann.page, "enter");
    const [row, tick, there] = await Promise.all([
      seenBy(ann.page, "row"),
      seenBy(ann.page, "tick"),
      seenBy(bob.page, "row"),
    ]);
    // The first ones warm it up.
    if (at < 3) continue;
    note("Enter → its row", row - enter);
    note("Enter → committed tick", tick - enter);
    note("Enter → on another node's screen", there - enter);
  }
  for (let at = 0; at < samples; at += 1) {
    const to = at % 2 === 0 ? "attic" : "bench";
    const ms = await ann.page.evaluate(async (name) => {
      const links = [...document.querySelectorAll<HTMLAnchorElement>(".sidebar a.room")];
      const link = links.find((one) => one.textContent?.includes(name));
      const before = performance.now();
      link?.click();
      while (document.querySelector(`.room-page[aria-label="${name}"] .scroller`) === null) {
        await new Promise(requestAnimationFrame);
      }
      await new Promise(requestAnimationFrame);
      return performance.now() - before;
    }, to);
    note("switch to a room that was open before", ms);
  }
  await ann.page.getByRole("link", { name: "bench" }).click();
  await ann.page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
  for (let at = 0; at < failovers; at += 1) {
    const pill = (await ann.page.locator(".pill").textContent()) ?? "";
    const serving = Number(/node (\d+)/.exec(pill)?.[1]);
    const text = `failover ${at}`;
    await watch(ann.page, text);
    await composer(ann.page).fill(text);
    cluster.kill(serving);
    await composer(ann.page).press("Enter");
    const [enter, tick] = [await seenBy(ann.page, "enter"), await seenBy(ann.page, "tick")];
    note("the serving node killed, Enter → committed tick", tick - enter);
    // The page's own node, for the reload.
    if (serving !== 1 && cluster.node(1).pid !== null) cluster.kill(1);
    await until(() => cluster.node(1).pid === null, "the page's node to be gone");
    const before = performance.now();
    await ann.page.reload();
    await ann.page.getByText(text, { exact: true }).waitFor();
    note("reload with its node dead → history", performance.now() - before);
    await say(ann.page, `live ${at}`);
    await committed(ann.page, `live ${at}`).waitFor();
    note("reload with its node dead → a send is committed", performance.now() - before);
    for (const id of new Set([serving, 1])) await cluster.restart(id);
    await until(
      async () => (await fetch(`${origin(1)}/readyz`).catch(() => undefined))?.status === 200,
      "the page's node to be ready",
    );
  }
} finally {
  await browser.close();
  await cluster.destroy();
}
const rows = Object.entries(BOUNDS_MS).map(([journey, boundMs]) => {
  const all = times.get(journey) ?? [];
  const [middle, worst] = [median(all), Math.max(...all)];
  return [journey, middle.toFixed(0), worst.toFixed(0), String(boundMs), String(all.length)];
});
console.log(table(["journey", "median ms", "worst ms", "bound ms", "samples"], rows));
