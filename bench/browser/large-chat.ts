// Journeys in a chat of a thousand rooms: jumping to one, searching in all, coming back after much was said.
import type { ParleyClient } from "@parley/client";
import type { Browser, Page } from "playwright-core";
import { Person } from "../../tests/browser/chromium.ts";
import { createRooms, inTurns, sdkPerson } from "../../tests/browser/sdk-person.ts";
import { type DevCluster, until } from "../../tests/harness/dev-cluster.ts";
import type { Times } from "./times.ts";

const ROOMS = 1_000;
const RARE = "zephyr";

export interface LargeChat {
  readonly cluster: DevCluster;
  readonly browser: Browser;
  readonly times: Times;
  readonly samples: number;
  /** Messages in each room. */
  readonly each: number;
}

const nameOf = (at: number) => `project ${String(at).padStart(3, "0")}`;

export async function largeChat(options: LargeChat): Promise<void> {
  const { cluster, browser, samples, each } = options;
  const writer = await sdkPerson(cluster, "writer");
  try {
    const names = Array.from({ length: ROOMS }, (_, at) => nameOf(at));
    const roomIds = await createRooms(writer, names);
    const reader = await Person.arrive(browser, "reader", `http://${cluster.node(2).http}`);
    await reader.signUp();
    await inTurns(roomIds, (roomId) => writer.call("inviteMember", { roomId, username: "reader" }));
    const { page } = reader;
    const links = page.locator(".sidebar a.room");
    await until(async () => (await links.count()) >= ROOMS, "all rooms");
    for (let at = 0; at < samples; at += 1) await jump(page, (at * 97) % ROOMS, options.times);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    const home = page.url();
    await page.goto("about:blank");
    await say(writer, roomIds, each);
    for (let at = 0; at < Math.min(samples, 5); at += 1) {
      await comeBack(page, home, options.times, at === 0 ? each : 0);
      await page.goto("about:blank");
    }
    await page.goto(home);
    await links.first().waitFor();
    for (let at = 0; at < samples; at += 1) await search(page, at, options.times);
    await reader.context.close();
  } finally {
    await writer.close();
  }
}

async function say(writer: ParleyClient, roomIds: readonly number[], each: number) {
  for (let at = 0; at < each; at += 1) {
    // One in a hundred has the rare word.
    const text = (room: number) =>
      `news ${at} of ${room}${(at * 7 + room) % 100 === 0 ? ` ${RARE}` : ""}`;
    await inTurns(roomIds, (roomId) => writer.send(roomId, text(roomId)), 250);
  }
}

/** Milliseconds from a key to when `selector` is there and painted; the key is pressed as a person does. */
async function fromKey(page: Page, key: string, selector: string): Promise<number> {
  const done = page.evaluate(
    (wanted) =>
      new Promise<number>((resolve) => {
        let pressed = Number.NaN;
        const onKey = () => {
          pressed = performance.now();
          const look = () => {
            if (document.querySelector(wanted) === null) requestAnimationFrame(look);
            else resolve(performance.now() - pressed);
          };
          requestAnimationFrame(look);
        };
        document.addEventListener("keydown", onKey, { capture: true, once: true });
      }),
    selector,
  );
  // The listener stands once the page has run what was sent before.
  await page.evaluate(() => {});
  await page.keyboard.press(key);
  return await done;
}

async function jump(page: Page, at: number, times: Times): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").waitFor();
  const digits = [...String(at).padStart(3, "0")];
  for (const key of digits.slice(0, -1)) await page.keyboard.press(key);
  const chosen = `dialog [role="option"][aria-selected="true"]`;
  const letter = await fromKey(page, digits.at(-1) ?? "", chosen);
  times.note("Ctrl-K among 1,000 rooms: a key → the matches", 50, letter);
  const there = await fromKey(page, "Enter", `.room-page[aria-label="${nameOf(at)}"] .scroller`);
  times.note("Ctrl-K among 1,000 rooms: Enter → the room", 50, there);
}

/** `unread`: what each room must say of it by then; 0 = whatever it says. */
async function comeBack(page: Page, home: string, times: Times, unread: number): Promise<void> {
  const before = performance.now();
  await page.goto(home);
  await page
    .locator(".sidebar a.room")
    .nth(ROOMS - 1)
    .waitFor();
  times.note("back after a long time → the sidebar", 1_000, performance.now() - before);
  if (unread === 0) return;
  await until(async () => (await page.locator(".sidebar .badge").count()) >= ROOMS - 1, "counts");
  times.note(
    "back after a long time → what is unread in 1,000 rooms",
    2_000,
    performance.now() - before,
  );
}

async function search(page: Page, at: number, times: Times): Promise<void> {
  await page.keyboard.press("Control+Shift+F");
  await page.getByRole("dialog").waitFor();
  const words = at % 2 === 0 ? RARE : "news";
  await page.keyboard.type(words.slice(0, -1));
  const found = await fromKey(page, words.at(-1) ?? "", "dialog mark");
  const there = await fromKey(page, "Enter", ".message.target");
  times.note("search: the last key → hits", 300, found);
  times.note("search: the last key → hits, and Enter → the message", 300, found + there);
}
