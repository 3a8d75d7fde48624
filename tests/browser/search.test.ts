// Searching in the page: by keyboard and by mouse, from anywhere to the message in its place.
import { describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM, committed, composer, hasNoViolations, say } from "./chromium.ts";
import { inTurns, sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

describe.skipIf(CHROMIUM === undefined)("searching", { timeout: 300_000 }, () => {
  test("words and filters lead to a message in its place, within two clicks and by keyboard alone", async () => {
    const client = await sdkPerson(stage.cluster, "noah");
    const roomId = await stage.enter(client, "old papers");
    const papers = Array.from({ length: 60 }, (_, at) => `paper ${at + 1}`);
    await inTurns(["The treaty of **Utrecht**", ...papers], (text) => client.send(roomId, text));
    const [noah, ova] = await Promise.all([
      stage.browserOf(client, { room: "old papers" }),
      stage.member("ova", { node: 2, room: "old papers" }),
    ]);
    await client.close();
    await noah.page.getByText("paper 60", { exact: true }).waitFor();
    await say(ova.page, "which treaty?");
    await committed(ova.page, "which treaty?").waitFor();
    const root = noah.page.locator(".message", { hasText: "paper 60" });
    await root.hover();
    await root.getByRole("button", { name: "Thread", exact: true }).click();
    await noah.page.getByRole("complementary").locator("textarea").fill("a footnote to it");
    await noah.page.keyboard.press("Enter");
    await noah.page.getByRole("complementary").getByText("a footnote to it").first().waitFor();
    await noah.createRoom("aside");
    const { page } = noah;
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
    await field.fill("treaty from:@noah");
    await until(async () => (await hits.count()) === 1, "noah's");
    // The second click.
    await hits.first().click();
    await page.locator(".message.target", { hasText: "The treaty of Utrecht" }).waitFor();
    expect(new URL(page.url()).pathname).toMatch(/^\/r\/\d+\/1$/);

    // By keyboard, with a filter half typed in between.
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("from:");
    await page.getByText("After from: something must follow").waitFor();
    await page.keyboard.type("@noah paper*");
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
    expect([...noah.complaints, ...ova.complaints]).toEqual([]);
    await Promise.all([noah.context.close(), ova.context.close()]);
  });
});
