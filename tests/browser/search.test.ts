// Searching in the page: by keyboard and by mouse, from anywhere to the message in its place.
import type { Browser } from "playwright-core";
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

describe.skipIf(CHROMIUM === undefined)("searching", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(3), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("words and filters lead to a message in its place, within two clicks and by keyboard alone", async () => {
    const [ned, ova] = await Promise.all([
      Person.arrive(browser, "ned", originOf(1)),
      Person.arrive(browser, "ova", originOf(2)),
    ]);
    await Promise.all([ned.signUp(), ova.signUp()]);
    await ned.createRoom("old papers");
    await ova.joinRoom("old papers");
    await say(ned.page, "The treaty of **Utrecht**");
    for (let at = 1; at <= 60; at += 1) await say(ned.page, `paper ${at}`);
    await committed(ned.page, "paper 60").waitFor();
    await say(ova.page, "which treaty?");
    await committed(ova.page, "which treaty?").waitFor();
    const root = ned.page.locator(".message", { hasText: "paper 60" });
    await root.hover();
    await root.getByRole("button", { name: "Thread", exact: true }).click();
    await ned.page.getByRole("complementary").locator("textarea").fill("a footnote to it");
    await ned.page.keyboard.press("Enter");
    await ned.page.getByRole("complementary").getByText("a footnote to it").first().waitFor();
    await ned.createRoom("elsewhere");
    const { page } = ned;
    const field = page.getByRole("combobox", { name: "Words and filters" });
    const hits = page.getByRole("dialog").getByRole("option");

    // The first click opens it, and it says what can be asked.
    await page.getByRole("button", { name: "Search messages" }).click();
    await page.getByText("the newest first").waitFor();
    await hasNoViolations(page);
    await field.fill("TREATY");
    await until(async () => (await hits.count()) === 2, "both");
    expect(await hits.first().locator("mark").textContent()).toBe("treaty");
    expect(await hits.first().textContent()).toMatch(/#old papers · Today.*ova which treaty\?/);
    await hasNoViolations(page);
    await field.fill("treaty from:@ned");
    await until(async () => (await hits.count()) === 1, "ned's");
    // The second click.
    await hits.first().click();
    await page.locator(".message.target", { hasText: "The treaty of Utrecht" }).waitFor();
    expect(new URL(page.url()).pathname).toMatch(/^\/r\/\d+\/1$/);

    // By keyboard, with a filter half typed in between.
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("from:");
    await page.getByText("After from: something must follow").waitFor();
    await page.keyboard.type("@ned paper*");
    await until(async () => (await hits.count()) === 20, "a page");
    await page.getByRole("button", { name: "Earlier ones" }).click();
    await until(async () => (await hits.count()) === 40, "two pages");
    await field.focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".message.target", { hasText: "paper 59" }).waitFor();

    // A reply leads into its thread.
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("footnote");
    await until(async () => (await hits.count()) === 1, "the reply");
    await page.keyboard.press("Enter");
    const thread = page.getByRole("complementary");
    await thread.locator(".message.target", { hasText: "a footnote to it" }).waitFor();
    await page.keyboard.press("Escape");
    await thread.waitFor({ state: "detached" });

    // From within a room, in that room. What was deleted is not found any more, nor by whom.
    await page.getByRole("button", { name: "Search", exact: true }).click();
    expect(await field.inputValue()).toBe('in:"old papers" ');
    await page.keyboard.type("which");
    await until(async () => (await hits.count()) === 1, "ova's");
    await ova.page.locator(".message", { hasText: "which treaty?" }).hover();
    await ova.page.getByRole("button", { name: "Delete" }).last().click();
    await ova.page.getByText("This message was deleted.").waitFor();
    await field.fill("treaty");
    await until(async () => (await hits.count()) === 1, "what is left");
    await field.fill("treaty in:nowhere");
    await page.getByText("You are in no room nowhere").waitFor();
    await page.keyboard.press("Escape");
    await composer(page).waitFor();
    expect([...ned.complaints, ...ova.complaints]).toEqual([]);
    await Promise.all([ned.context.close(), ova.context.close()]);
  });
});
