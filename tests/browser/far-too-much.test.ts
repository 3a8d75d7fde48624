// Far more than a person types: a megabyte pasted, ten thousand emoji, a thousand rooms. Said plainly, nothing is lost, and the page stays quick.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM, committed, composer, hasNoViolations, say } from "./chromium.ts";
import { createRooms, sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

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
  test("a megabyte of lines is pasted: it is said to be too long, kept over a reload, and the page stays quick", async () => {
    const pam = await stage.member("pam", { room: "vault" });
    const { page } = pam;
    const longest = await watchTasks(page);
    const lines = Array.from({ length: 1 << 16 }, (_, at) => `line ${at}`.padEnd(15, "."));
    const paste = `${lines.join("\n")}!`;
    expect(paste.length).toBe(1 << 20);
    await pam.context.grantPermissions(["clipboard-read", "clipboard-write"]);
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
    expect(pam.complaints).toEqual([]);
    await pam.context.close();
  });

  test("ten thousand emoji are too many for a message and stay; as many as fit are sent, and seen whole", async () => {
    const [quin, rex] = await Promise.all([
      stage.member("quin", { room: "party" }),
      stage.member("rex", { room: "party" }),
    ]);
    const { page } = quin;
    await composer(page).fill("🎉".repeat(10_000));
    await composer(page).press("Enter");
    await page.getByText(/40,000 of at most 16,384 bytes/).waitFor();
    expect(await composer(page).inputValue()).toBe("🎉".repeat(10_000));
    const longest = await watchTasks(page);
    const most = "🎉".repeat(4_096);
    await say(page, most);
    await committed(page, most).waitFor();
    const seen = rex.page.locator(".message .body");
    await seen.waitFor();
    expect(await seen.textContent()).toBe(most);
    const width = await rex.page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(width).toBe(0);
    expect(await longest()).toBeLessThan(TASK_MS_MAX);
    for (const person of [quin, rex]) {
      expect(person.complaints).toEqual([]);
      await person.context.close();
    }
  });

  test("a thousand rooms: sidebar, switcher and directory stay quick", async () => {
    const client = await sdkPerson(stage.cluster, "stan");
    await createRooms(
      client,
      Array.from({ length: ROOMS }, (_, at) => `room ${String(at).padStart(4, "0")}`),
    );
    const stan = await stage.browserOf(client);
    const { page } = stan;
    const links = page.locator(".sidebar a.room");
    await page.getByRole("link", { name: "room 0000" }).waitFor();
    // Each once; whoever is new is in #general, too.
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
    const told = Promise.all(elsewhere.map((id) => client.send(id, "@stan, news").catch(String)));
    await say(page, "meanwhile");
    await committed(page, "meanwhile").waitFor();
    await told;
    await page.getByRole("navigation").getByRole("button", { name: "Find rooms" }).click();
    await page.getByPlaceholder("Part of a name").fill("room 09");
    await page.getByText("None by that name.").waitFor();
    expect(await longest()).toBeLessThan(TASK_MS_MAX);
    expect(stan.complaints).toEqual([]);
    await client.close();
    await stan.context.close();
  });
});
