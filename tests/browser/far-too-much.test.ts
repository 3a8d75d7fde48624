// Far more than a person types: a megabyte pasted, ten thousand emoji, a thousand rooms. Said plainly, nothing is lost, and the page stays quick.
import { ParleyClient } from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { RoomVisibility } from "@parley/protocol";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import {
  CHROMIUM,
  committed,
  composer,
  hasNoViolations,
  launchChromium,
  Person,
  say,
} from "./chromium.ts";

let cluster: DevCluster;
let browser: Browser;

const originOf = (id: number) => `http://${cluster.node(id).http}`;
const ROOMS = 1_000;
/** What nobody would call frozen; several times what a quiet machine takes. */
const TASK_MS_MAX = 1_000;

/** How long the page answered nobody, since the last look: the longest task, milliseconds. */
async function watchTasks(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const tasks: number[] = [];
    Object.assign(globalThis, { tasks });
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(duration);
    }).observe({ type: "longtask", buffered: false });
  });
  return () =>
    page.evaluate(async () => {
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
      const { tasks } = globalThis as unknown as { tasks: number[] };
      return Math.max(0, ...tasks.splice(0));
    });
}

describe.skipIf(CHROMIUM === undefined)("far too much", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(1), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("a megabyte of lines is pasted: it is said to be too long, kept over a reload, and the page stays quick", async () => {
    const ann = await Person.arrive(browser, "ann", originOf(1));
    await ann.signUp();
    await ann.createRoom("archive");
    const { page } = ann;
    const longest = await watchTasks(page);
    const lines = Array.from({ length: 1 << 16 }, (_, at) => `line ${at}`.padEnd(15, "."));
    const paste = `${lines.join("\n")}!`;
    expect(paste.length).toBe(1 << 20);
    await ann.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    const fillClipboard = (text: string) =>
      page.evaluate((wanted) => navigator.clipboard.writeText(wanted), text);
    await fillClipboard(paste);
    await composer(page).fill("look: ");
    await composer(page).press("Control+v");
    const said = page.getByText("1,048,576 of at most 16,384 bytes");
    await said.waitFor();
    await hasNoViolations(page);
    await composer(page).pressSequentially("too much");
    expect(await composer(page).inputValue()).toBe("look: too much");
    expect(await longest()).toBeLessThan(TASK_MS_MAX);
    await page.reload();
    await said.waitFor();
    expect(await composer(page).inputValue()).toBe("look: too much");
    await composer(page).press("Enter");
    await committed(page, "look: too much").waitFor();
    await fillClipboard("");
    await page.getByRole("button", { name: "Copy it" }).click();
    await until(async () => (await clipboard()) === paste, "all of it to be copied");
    await page.getByRole("button", { name: "Throw it away" }).click();
    await said.waitFor({ state: "detached" });
    // What is only a few times too long can be made shorter where it is.
    await fillClipboard("many words ".repeat(2_000));
    await composer(page).press("Control+v");
    await page.getByText("22,000 of at most 16,384 bytes").waitFor();
    expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    await composer(page).press("Enter");
    expect(await composer(page).inputValue()).toBe("many words ".repeat(2_000));
    await page.reload();
    await page.getByText("22,000 of at most 16,384 bytes").waitFor();
    expect(await composer(page).inputValue()).toBe("many words ".repeat(2_000));
    expect(await page.locator(".message").count()).toBe(1);
    expect(ann.complaints).toEqual([]);
    await ann.context.close();
  });

  test("ten thousand emoji are too many for a message and stay; as many as fit are sent, and seen whole", async () => {
    const [bob, cyd] = await Promise.all([
      Person.arrive(browser, "bob", originOf(1)),
      Person.arrive(browser, "cyd", originOf(1)),
    ]);
    await Promise.all([bob.signUp(), cyd.signUp()]);
    await bob.createRoom("party");
    await cyd.joinRoom("party");
    const { page } = bob;
    await composer(page).fill("🎉".repeat(10_000));
    await composer(page).press("Enter");
    await page.getByText(/40,000 of at most 16,384 bytes/).waitFor();
    expect(await composer(page).inputValue()).toBe("🎉".repeat(10_000));
    const longest = await watchTasks(page);
    const most = "🎉".repeat(4_096);
    await say(page, most);
    await committed(page, most).waitFor();
    const seen = cyd.page.locator(".message .body");
    await seen.waitFor();
    expect(await seen.textContent()).toBe(most);
    const width = await cyd.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(width).toBe(0);
    expect(await longest()).toBeLessThan(TASK_MS_MAX);
    for (const person of [bob, cyd]) {
      expect(person.complaints).toEqual([]);
      await person.context.close();
    }
  });

  test("a thousand rooms: sidebar, switcher and directory stay quick", async () => {
    const owner = new ParleyClient({ servers: cluster.addresses, carrier: grpcCarrier({}) });
    await owner.start();
    await owner.register({ username: "dan", password: "a long password" });
    const visibility = RoomVisibility.ROOM_VISIBILITY_PUBLIC;
    await Promise.all(
      Array.from({ length: ROOMS }, (_, at) =>
        owner.call("createRoom", { name: `room ${String(at).padStart(4, "0")}`, visibility }),
      ),
    );
    const dan = await Person.returns(browser, "dan", originOf(1));
    const { page } = dan;
    const links = page.locator(".sidebar a.room");
    await page.getByRole("link", { name: "room 0000" }).waitFor();
    // Each once; whoever was first is in #general, too.
    await until(async () => (await links.count()) >= ROOMS, "all of them");
    const names = await links.allTextContents();
    expect(names.filter((name) => name.includes("room "))).toHaveLength(ROOMS);
    await page.reload();
    const longest = await watchTasks(page);
    await page.getByRole("link", { name: "room 0000" }).waitFor();
    await page.keyboard.press("Control+k");
    await page.getByRole("dialog").waitFor();
    for (const key of "0777") await page.keyboard.press(key);
    await until(async () => (await page.getByRole("option").count()) === 1, "one that fits");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "room 0777" }).waitFor();
    expect(await longest()).toBeLessThan(TASK_MS_MAX);
    // News from many of them at once, while one writes.
    const roomId = Number(/\/r\/(\d+)/.exec(page.url())?.[1]);
    const elsewhere = Array.from({ length: 100 }, (_, at) => roomId - 1 - at);
    const told = Promise.all(elsewhere.map((id) => owner.send(id, "@dan, news").catch(String)));
    await say(page, "meanwhile");
    await committed(page, "meanwhile").waitFor();
    await told;
    await page.getByRole("navigation").getByRole("button", { name: "Find rooms" }).click();
    await page.getByPlaceholder("Part of a name").fill("room 09");
    await page.getByText("None by that name.").waitFor();
    expect(await longest()).toBeLessThan(TASK_MS_MAX);
    expect(dan.complaints).toEqual([]);
    await owner.close();
    await dan.context.close();
  });
});
