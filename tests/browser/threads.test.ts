// Threads in two real browsers: a talk beside the room, unread for who follows it, with an address of its own.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster } from "../harness/dev-cluster.ts";
import { CHROMIUM, committed, hasNoViolations, launchChromium, Person, say } from "./chromium.ts";

let cluster: DevCluster;
let browser: Browser;

const originOf = (id: number) => `http://${cluster.node(id).http}`;
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
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(3), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("replies stand in the panel and not in the room; who follows is told, others are not", async () => {
    const [ada, bea, cy] = await Promise.all([
      Person.arrive(browser, "ada", originOf(1)),
      Person.arrive(browser, "bea", originOf(2)),
      Person.arrive(browser, "cy", originOf(3)),
    ]);
    await Promise.all([ada.signUp(), bea.signUp(), cy.signUp()]);
    await ada.createRoom("attic");
    await cy.joinRoom("attic");
    await ada.createRoom("kitchen");
    await Promise.all([bea.joinRoom("kitchen"), cy.joinRoom("kitchen")]);
    await say(ada.page, "lunch?");
    await committed(ada.page, "lunch?").waitFor();
    // Ada and Cy look elsewhere.
    for (const { page } of [ada, cy]) await page.getByRole("link", { name: "attic" }).click();

    await inRoom(bea.page, "lunch?").waitFor();
    await openThreadOf(bea.page, "lunch?");
    await inThread(bea.page, "lunch?").waitFor();
    await hasNoViolations(bea.page);
    await reply(bea.page, "at one");
    await inThread(bea.page, "at one").locator('.tick[data-kind="committed"]').waitFor();
    await panel(bea.page).getByRole("button", { name: "Following" }).waitFor();
    await room(bea.page).getByRole("link", { name: "1 reply" }).waitFor();
    expect(await inRoom(bea.page, "at one").count()).toBe(0);

    // Ada wrote the message and follows; for Cy there is nothing but the message itself.
    const badge = (page: Page) =>
      page.getByRole("link", { name: "kitchen" }).locator(".badge:not(.mention)");
    await badge(ada.page)
      .filter({ hasText: /^1 unread$/ })
      .waitFor();
    await ada.page.getByRole("link", { name: "kitchen" }).click();
    await cy.page.getByRole("link", { name: "kitchen" }).click();
    await room(cy.page)
      .getByRole("link", { name: /^1 reply · last \d/ })
      .waitFor();
    await badge(ada.page)
      .filter({ hasText: /^1 unread$/ })
      .waitFor();
    await room(ada.page)
      .getByRole("link", { name: /1 reply.*1 new/ })
      .click();
    await inThread(ada.page, "at one").waitFor();
    await badge(ada.page).waitFor({ state: "detached" });

    // Back, forward, and the address of a reply, also one that does not name the thread.
    const { page } = ada;
    const address = page.url();
    expect(new URL(address).search).toMatch(/^\?thread=\d+$/);
    await page.goBack();
    await panel(page).waitFor({ state: "detached" });
    await page.goForward();
    await inThread(page, "at one").waitFor();
    await inThread(page, "at one").locator("a.time").click();
    await panel(page).locator(".message.target", { hasText: "at one" }).waitFor();
    const link = new URL(page.url());
    const tab = await ada.tab(link.href);
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
    await page.getByRole("link", { name: "attic" }).click();
    await reply(bea.page, "or at two");
    await inThread(bea.page, "or at two").locator('.tick[data-kind="committed"]').waitFor();
    await reply(bea.page, "@ada?");
    await page.getByRole("link", { name: "kitchen" }).locator(".badge.mention").waitFor();
    expect(await badge(page).textContent()).toBe("1 unread");
    expect([...ada.complaints, ...bea.complaints, ...cy.complaints]).toEqual([]);
    await Promise.all([ada.context.close(), cy.context.close()]);

    // On a phone the thread takes the room's place; a deleted message leaves it to be read.
    await bea.page.setViewportSize({ width: 390, height: 700 });
    await room(bea.page).waitFor({ state: "hidden" });
    expect((await panel(bea.page).boundingBox())?.width).toBe(390);
    await hasNoViolations(bea.page);
    await bea.page.setViewportSize({ width: 1200, height: 760 });
    await panel(bea.page).getByRole("button", { name: "Close the thread" }).click();
    await say(bea.page, "something of mine");
    await openThreadOf(bea.page, "something of mine");
    await reply(bea.page, "and more of it");
    await inRoom(bea.page, "something of mine").hover();
    await inRoom(bea.page, "something of mine").getByRole("button", { name: "Delete" }).click();
    await panel(bea.page).getByText("the thread can be read").waitFor();
    await inThread(bea.page, "and more of it").waitFor();
    expect(bea.complaints).toEqual([]);
    await bea.context.close();
  });
});
