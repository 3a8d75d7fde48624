// `npm run bench:journeys`: how long people wait in the page, in a real Chromium against five real nodes on this machine: medians of
// `--samples` tries, beside the bound that each is meant to keep. Failovers are real: `kill -9`, SIGSTOP.
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
import { largeChat } from "./large-chat.ts";
import { seenBy, Times, watch } from "./times.ts";

const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "20" },
    failovers: { type: "string", default: "5" },
    /** Messages in each of the 1,000 rooms; 0 leaves out what needs them. */
    each: { type: "string", default: "100" },
  },
});
const samples = Number(values.samples);
const failovers = Number(values.failovers);
const each = Number(values.each);
if (CHROMIUM === undefined)
  throw new Error("no Chromium here (Debian: apt-get install chromium-headless-shell)");

const times = new Times();

/** The node that a page is connected to, as its pill says. */
async function servingNode(page: Page): Promise<number> {
  const text = () => page.locator(".pill").textContent();
  await until(async () => /node \d/.test((await text()) ?? ""), "a node to serve the page");
  return Number(/node (\d+)/.exec((await text()) ?? "")?.[1]);
}

async function committedOrSeen(page: Page, text: string): Promise<void> {
  await page.locator(".message:not(.unsent)", { hasText: text }).last().waitFor();
}

/** All nodes take part again. */
async function ready(): Promise<void> {
  for (const { http } of cluster.nodes) {
    const answer = () => fetch(`http://${http}/readyz`).catch(() => undefined);
    await until(async () => {
      const detail = (await (await answer())?.json()) as { has_quorum?: boolean } | undefined;
      return detail?.has_quorum === true;
    }, `${http} to be ready`);
  }
}

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
  if ((await servingNode(ann.page)) === (await servingNode(bob.page))) {
    throw new Error("both are at one node: nothing would be measured between two");
  }
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
    times.note("Enter → its row", 50, row - enter);
    times.note("Enter → committed tick", 150, tick - enter);
    times.note("Enter → on another node's screen", 200, there - enter);
  }
  await ann.page.getByRole("link", { name: "attic" }).click();
  await say(ann.page, "in the attic");
  await ann.page.getByRole("link", { name: "bench" }).click();
  for (let at = 0; at < samples; at += 1) {
    const to = at % 2 === 0 ? "attic" : "bench";
    const ms = await ann.page.evaluate(async (name) => {
      const links = [...document.querySelectorAll<HTMLAnchorElement>(".sidebar a.room")];
      const link = links.find((one) => one.textContent?.includes(name));
      const before = performance.now();
      link?.click();
      while (document.querySelector(`.room-page[aria-label="${name}"] .message`) === null) {
        await new Promise(requestAnimationFrame);
      }
      await new Promise(requestAnimationFrame);
      return performance.now() - before;
    }, to);
    times.note("switch to a room that was open before", 100, ms);
  }
  await ann.page.getByRole("link", { name: "bench" }).click();
  await ann.page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
  for (let at = 0; at < failovers; at += 1) {
    const serving = await servingNode(ann.page);
    const text = `failover ${at}`;
    await watch(ann.page, text);
    await composer(ann.page).fill(text);
    cluster.kill(serving);
    await composer(ann.page).press("Enter");
    const [enter, tick] = [await seenBy(ann.page, "enter"), await seenBy(ann.page, "tick")];
    times.note("the serving node killed, Enter → committed tick", 1_000, tick - enter);
    // The page's own node, for the reload.
    if (serving !== 1 && cluster.node(1).pid !== null) cluster.kill(1);
    await until(() => cluster.node(1).pid === null, "the page's node to be gone");
    const before = performance.now();
    await ann.page.reload();
    await ann.page.getByText(text, { exact: true }).waitFor();
    times.note("reload with its node dead → history", 1_000, performance.now() - before);
    await say(ann.page, `live ${at}`);
    await committed(ann.page, `live ${at}`).waitFor();
    times.note(
      "reload with its node dead → a send is committed",
      2_000,
      performance.now() - before,
    );
    for (const id of new Set([serving, 1])) await cluster.restart(id);
    await until(
      async () => (await fetch(`${origin(1)}/readyz`).catch(() => undefined))?.status === 200,
      "the page's node to be ready",
    );
  }
  // Stopped instead of killed: only its silence tells.
  for (let at = 0; at < failovers; at += 1) {
    const serving = await servingNode(ann.page);
    const text = `silence ${at}`;
    await watch(ann.page, text);
    await composer(ann.page).fill(text);
    cluster.signal(serving, "SIGSTOP");
    await composer(ann.page).press("Enter");
    const [enter, tick] = [await seenBy(ann.page, "enter"), await seenBy(ann.page, "tick")];
    times.note("the serving node stopped, Enter → committed tick", 4_000, tick - enter);
    cluster.signal(serving, "SIGCONT");
    await ready();
  }
  // Three of five stopped: twenty messages wait in two tabs.
  const second = await ann.tab(ann.page.url());
  await composer(second).waitFor();
  for (let at = 0; at < failovers; at += 1) {
    const serving = await servingNode(ann.page);
    const others = [1, 2, 3, 4, 5].filter((id) => id !== serving).slice(0, 3);
    for (const id of others) cluster.signal(id, "SIGSTOP");
    await ann.page.getByText("Read-only").waitFor();
    for (let one = 0; one < 10; one += 1) {
      await say(ann.page, `one ${at} ${one}`);
      await say(second, `two ${at} ${one}`);
    }
    const before = performance.now();
    for (const id of others) cluster.signal(id, "SIGCONT");
    for (const page of [ann.page, second]) await committedOrSeen(page, `two ${at} 9`);
    await until(async () => (await ann.page.locator(".message.unsent").count()) === 0, "all");
    times.note("a majority is back → 20 waiting are committed", 3_000, performance.now() - before);
    await ready();
  }
  await second.close();
  // Removed while the room is open in two tabs.
  for (let at = 0; at < failovers; at += 1) {
    if (at > 0) await bob.joinRoom("bench");
    const tab = await bob.tab(bob.page.url());
    await composer(tab).waitFor();
    await ann.page.getByRole("button", { name: "2 members" }).click();
    const remove = ann.page.getByRole("button", { name: "Remove" });
    await remove.waitFor();
    const before = performance.now();
    await remove.click();
    await Promise.all([bob.page, tab].map((page) => page.getByText("You were removed").waitFor()));
    times.note("a click removes somebody → gone from two tabs", 1_000, performance.now() - before);
    await ann.page.keyboard.press("Escape");
    await tab.close();
  }
  await Promise.all([ann.context.close(), bob.context.close()]);
  if (each > 0) await largeChat({ cluster, browser, times, samples, each });
} finally {
  // Also of a run that broke off.
  console.log(times.table());
  await browser.close();
  await cluster.destroy();
}
