// What waits to be read: shown where one looks, kept apart by room, and put back to be read again.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM, committed, composer, hasNoViolations, say } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const icon = (page: Page) => page.locator('link[rel="icon"]').getAttribute("href");
const hasTitle = (page: Page, title: string) =>
  until(async () => (await page.title()) === title, `the title ${title}`);

describe.skipIf(CHROMIUM === undefined)("reading", { timeout: 300_000 }, () => {
  test("unread stands in title and icon; a message is marked unread and waits over a reload; all is read at once", async () => {
    const [lea, max] = await Promise.all([
      stage.member("lea", { room: "library" }),
      stage.member("max", { node: 2, room: "library" }),
    ]);
    await lea.createRoom("lobby");
    const { page } = lea;
    expect(await page.title()).toBe("Parley");
    expect(await icon(page)).toBe("/icon.svg");
    for (let at = 1; at <= 3; at += 1) await say(max.page, `chapter ${at}`);
    await committed(max.page, "chapter 3").waitFor();
    await hasTitle(page, "(3) Parley");
    expect(await icon(page)).toBe("/icon-unread.svg");
    expect((await fetch(`${stage.originOf(1)}/icon-unread.svg`)).status).toBe(200);
    const library = page.getByRole("navigation").getByRole("link", { name: "library" });
    await library.click();
    await page.getByText("chapter 3").waitFor();
    await hasTitle(page, "Parley");
    // Put back: counted as one thing to come back to, also after a reload.
    const second = page.locator(".message", { hasText: "chapter 2" });
    await second.hover();
    await second.getByRole("button", { name: "Mark unread" }).click();
    await hasTitle(page, "(1) Parley");
    await page.getByRole("navigation").getByRole("link", { name: "lobby" }).click();
    await composer(page).waitFor();
    await page.reload();
    await composer(page).waitFor();
    await hasTitle(page, "(1) Parley");
    expect(await library.textContent()).toContain("marked unread in this browser");
    await library.click();
    await page.locator(".unread-line").waitFor();
    const below = await page
      .locator(".message")
      .filter({ hasText: "chapter 2" })
      .evaluate((row) => {
        const line = document.querySelector(".unread-line");
        return line !== null && line.compareDocumentPosition(row) === 4;
      });
    expect(below).toBe(true);
    await hasTitle(page, "Parley");
    // All at once: what is unread, and what was marked.
    await second.hover();
    await second.getByRole("button", { name: "Mark unread" }).click();
    await page.getByRole("navigation").getByRole("link", { name: "lobby" }).click();
    await say(max.page, "chapter 4");
    // The title says 1 before it has come as well, for what is marked.
    await library.getByText("1 unread").waitFor();
    await hasTitle(page, "(1) Parley");
    await page.getByRole("button", { name: "Mark all read" }).click();
    await hasTitle(page, "Parley");
    expect(await icon(page)).toBe("/icon.svg");
    await page.reload();
    await composer(page).waitFor();
    await hasTitle(page, "Parley");
    expect([...lea.complaints, ...max.complaints]).toEqual([]);
    await Promise.all([lea.context.close(), max.context.close()]);
  });

  test("stars and mutes follow the account: starred rooms stand first, muted ones show mentions only", async () => {
    const [ned, zack] = await Promise.all([
      stage.member("ned", { room: "zebra" }),
      stage.member("zack", { node: 2, room: "zebra" }),
    ]);
    await ned.createRoom("abacus");
    await ned.page.getByRole("navigation").getByRole("link", { name: "zebra" }).click();
    // Another device: another browser, at another node.
    const other = await stage.returns("ned", 3);
    const rooms = (page: Page) => page.locator(".sidebar section").first().locator(".name");
    const first = (page: Page, name: string) =>
      until(async () => (await rooms(page).first().textContent()) === name, `${name} first`);
    await first(other.page, "abacus");
    const star = (page: Page) => page.getByRole("button", { name: "Star zebra" });
    await star(ned.page).click();
    await first(ned.page, "zebra");
    await first(other.page, "zebra");
    await ned.page.getByRole("button", { name: "Mute this room" }).click();
    const zebra = other.page.getByRole("navigation").getByRole("link", { name: "zebra" });
    await zebra.getByTitle("Muted").waitFor();
    await hasNoViolations(ned.page);
    await other.page.getByRole("navigation").getByRole("link", { name: "abacus" }).click();
    await ned.page.getByRole("navigation").getByRole("link", { name: "abacus" }).click();
    await say(zack.page, "stripes");
    await say(zack.page, "@ned look");
    // The mention came second, so whoever shows it has heard of the first as well.
    await zebra.getByText("1 mentions of you").waitFor();
    expect(await zebra.getByText("unread").count()).toBe(0);
    await until(async () => (await other.page.title()) === "(1) Parley", "one in the title");
    // On all devices again, and after a reload too.
    await other.page.reload();
    await first(other.page, "zebra");
    await zebra.click();
    await other.page.getByRole("button", { name: "Mute this room", pressed: true }).click();
    await other.page.getByRole("button", { name: "Star zebra", pressed: true }).click();
    await first(ned.page, "abacus");
    await until(async () => (await ned.page.getByTitle("Muted").count()) === 0, "no mute");
    expect([...ned.complaints, ...zack.complaints, ...other.complaints]).toEqual([]);
    await Promise.all([ned.context.close(), zack.context.close(), other.context.close()]);
  });

  test("read receipts: one sees up to where others have read, and neither gives nor takes when they are off", async () => {
    const [gil, ivy] = await Promise.all([
      stage.member("gil", { room: "pier" }),
      stage.member("ivy", { node: 2, room: "pier" }),
    ]);
    await say(gil.page, "ahoy");
    const seen = (page: Page, text: string) =>
      page
        .locator("[data-index]")
        .filter({ hasText: text })
        .getByText(/^Seen by /);
    await seen(gil.page, "ahoy").and(gil.page.getByText("Seen by ivy")).waitFor();
    await say(gil.page, "land in sight");
    await seen(gil.page, "land in sight").waitFor();
    await seen(gil.page, "ahoy").waitFor({ state: "detached" });
    await hasNoViolations(gil.page);
    const choice = ivy.page.getByLabel(/see how far I have read/);
    await ivy.page.getByRole("button", { name: "Account", exact: true }).click();
    // Until a node has said what holds, it is neither on nor to be changed, and `uncheck` would find nothing to do.
    await until(() => choice.isChecked(), "the choice as it is");
    await choice.uncheck();
    await ivy.page.getByText("Nobody sees it.").waitFor();
    await ivy.page.keyboard.press("Escape");
    await seen(gil.page, "land in sight").waitFor({ state: "detached" });
    await say(ivy.page, "I see no land");
    await gil.page.getByText("I see no land", { exact: true }).waitFor();
    // It is stored that gil has read it, and ivy is not shown it.
    await until(async () => (await gil.page.title()) === "Parley", "read");
    await ivy.page.reload();
    await ivy.page.getByText("I see no land", { exact: true }).waitFor();
    expect(await ivy.page.getByText(/^Seen/).count()).toBe(0);
    await ivy.page.getByRole("button", { name: "Account", exact: true }).click();
    await choice.check();
    await ivy.page.getByText("Others see it, and you see it of them.").waitFor();
    await ivy.page.keyboard.press("Escape");
    await seen(ivy.page, "I see no land").waitFor();
    expect([...gil.complaints, ...ivy.complaints]).toEqual([]);
    await Promise.all([gil.context.close(), ivy.context.close()]);
  });
});
