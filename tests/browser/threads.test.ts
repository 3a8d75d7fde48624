// Threads in two real browsers: a talk beside the room, unread for who follows it, with an address of its own.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { CHROMIUM, committed, hasNoViolations, say } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const panel = (page: Page) => page.getByRole("complementary", { name: /^Thread in/ });
const room = (page: Page) => page.locator(".room-page");
const inRoom = (page: Page, text: string) => room(page).locator(".message", { hasText: text });
const inThread = (page: Page, text: string) => panel(page).locator(".message", { hasText: text });

/** Resolves when it is durable in the outbox, as `say` does. */
async function reply(page: Page, text: string): Promise<void> {
  const field = panel(page).locator(".composer textarea");
  await field.fill(text);
  await field.press("Enter");
  await page.waitForFunction(
    () => document.querySelector<HTMLTextAreaElement>(".thread-panel textarea")?.value === "",
  );
}

async function openThreadOf(page: Page, text: string): Promise<void> {
  await inRoom(page, text).hover();
  await inRoom(page, text).getByRole("button", { name: "Thread", exact: true }).click();
  await panel(page).waitFor();
}

describe.skipIf(CHROMIUM === undefined)("threads", { timeout: 300_000 }, () => {
  test("replies stand in the panel and not in the room; who follows is told, others are not", async () => {
    const [thea, theo, tia] = await Promise.all([
      stage.member("thea", { room: "shed" }),
      stage.member("theo", { node: 2, room: "kitchen" }),
      stage.member("tia", { node: 3, room: "shed" }),
    ]);
    await Promise.all([thea.joinRoom("kitchen"), tia.joinRoom("kitchen")]);
    await say(thea.page, "lunch?");
    await committed(thea.page, "lunch?").waitFor();
    // Thea and Tia look elsewhere.
    for (const { page } of [thea, tia]) await page.getByRole("link", { name: "shed" }).click();

    await inRoom(theo.page, "lunch?").waitFor();
    await openThreadOf(theo.page, "lunch?");
    await inThread(theo.page, "lunch?").waitFor();
    await hasNoViolations(theo.page);
    await reply(theo.page, "at one");
    await inThread(theo.page, "at one").locator('.tick[data-kind="committed"]').waitFor();
    await panel(theo.page).getByRole("button", { name: "Following" }).waitFor();
    await room(theo.page).getByRole("link", { name: "1 reply" }).waitFor();
    expect(await inRoom(theo.page, "at one").count()).toBe(0);

    // Thea wrote the message and follows; for Tia there is nothing but the message itself.
    const badge = (page: Page) =>
      page.getByRole("link", { name: "kitchen" }).locator(".badge:not(.mention)");
    await badge(thea.page)
      .filter({ hasText: /^1 unread$/ })
      .waitFor();
    await thea.page.getByRole("link", { name: "kitchen" }).click();
    await tia.page.getByRole("link", { name: "kitchen" }).click();
    await room(tia.page)
      .getByRole("link", { name: /^1 reply · last \d/ })
      .waitFor();
    await badge(thea.page)
      .filter({ hasText: /^1 unread$/ })
      .waitFor();
    await room(thea.page)
      .getByRole("link", { name: /1 reply.*1 new/ })
      .click();
    await inThread(thea.page, "at one").waitFor();
    await badge(thea.page).waitFor({ state: "detached" });

    // Back, forward, and the address of a reply, also one that does not name the thread.
    const { page } = thea;
    const address = page.url();
    expect(new URL(address).search).toMatch(/^\?thread=\d+$/);
    await page.goBack();
    await panel(page).waitFor({ state: "detached" });
    await page.goForward();
    await inThread(page, "at one").waitFor();
    await inThread(page, "at one").locator("a.time").click();
    await panel(page).locator(".message.target", { hasText: "at one" }).waitFor();
    const link = new URL(page.url());
    const tab = await thea.tab(link.href);
    await panel(tab).locator(".message.target", { hasText: "at one" }).waitFor();
    await tab.goto(link.origin + link.pathname);
    await panel(tab).locator(".message.target", { hasText: "at one" }).waitFor();
    expect(new URL(tab.url()).search).toBe(link.search);
    await tab.close();

    // By keyboard: Escape closes, the focus goes to where one writes, and the link opens it again.
    await panel(page).locator(".composer textarea").press("Escape");
    await panel(page).waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("TEXTAREA");
    await room(page).getByRole("link", { name: "1 reply" }).press("Enter");
    await panel(page).waitFor();

    // Who follows no more is told of nothing, until somebody calls them.
    await panel(page).getByRole("button", { name: "Following" }).click();
    await panel(page).getByRole("button", { name: "Follow", exact: true }).waitFor();
    await page.getByRole("link", { name: "shed" }).click();
    await reply(theo.page, "or at two");
    await inThread(theo.page, "or at two").locator('.tick[data-kind="committed"]').waitFor();
    await reply(theo.page, "@thea?");
    await page.getByRole("link", { name: "kitchen" }).locator(".badge.mention").waitFor();
    expect(await badge(page).textContent()).toBe("1 unread");
    expect([...thea.complaints, ...theo.complaints, ...tia.complaints]).toEqual([]);
    await Promise.all([thea.context.close(), tia.context.close()]);

    // On a phone the thread takes the room's place; a deleted message leaves it to be read.
    await theo.page.setViewportSize({ width: 390, height: 700 });
    await room(theo.page).waitFor({ state: "hidden" });
    expect((await panel(theo.page).boundingBox())?.width).toBe(390);
    await hasNoViolations(theo.page);
    await theo.page.setViewportSize({ width: 1200, height: 760 });
    await panel(theo.page).getByRole("button", { name: "Close the thread" }).click();
    await say(theo.page, "something of mine");
    await openThreadOf(theo.page, "something of mine");
    await reply(theo.page, "and more of it");
    await inRoom(theo.page, "something of mine").hover();
    await inRoom(theo.page, "something of mine").getByRole("button", { name: "Delete" }).click();
    await panel(theo.page).getByText("the thread can be read").waitFor();
    await inThread(theo.page, "and more of it").waitFor();
    expect(theo.complaints).toEqual([]);
    await theo.context.close();
  });
});
