// What the page offers to those who write: emoji by picture and by name.
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

/** What the page's policy forbade, from now on. */
async function watchPolicy(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(globalThis, { forbidden: seen });
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      seen.push(`${violatedDirective} ${blockedURI}`);
    });
  });
  return () => page.evaluate(() => (globalThis as unknown as { forbidden: string[] }).forbidden);
}

describe.skipIf(CHROMIUM === undefined)("writing", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(3), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("emoji are completed after a colon, and chosen by keyboard or pointer, for texts and reactions", async () => {
    const eli = await Person.arrive(browser, "eli", originOf(1));
    await eli.signUp();
    await eli.createRoom("garden");
    const { page } = eli;
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const forbidden = await watchPolicy(page);
    await composer(page).pressSequentially("well done :tad");
    await page.getByRole("option", { name: ":tada:" }).waitFor();
    await composer(page).press("Enter");
    expect(await composer(page).inputValue()).toBe("well done 🎉 ");
    await composer(page).press("Enter");
    await committed(page, "well done 🎉").waitFor();
    // Into the middle of what is written, and the focus comes back.
    await composer(page).fill("a  b");
    await composer(page).evaluate((field) => {
      (field as HTMLTextAreaElement).setSelectionRange(2, 2);
    });
    await page.getByRole("button", { name: "Emoji", exact: true }).click();
    await page.getByRole("gridcell").first().waitFor();
    await hasNoViolations(page);
    await page.getByLabel("Search emoji").pressSequentially("hedgehog");
    await until(async () => (await page.getByRole("gridcell").count()) === 1, "only that one");
    await page.keyboard.press("Enter");
    expect(await composer(page).inputValue()).toBe("a 🦔 b");
    await until(
      () => composer(page).evaluate((field) => field === document.activeElement),
      "the focus to be back",
    );
    await composer(page).fill("");
    // The same thumb as the one beside the message: one reaction, not two.
    await page.locator(".message").hover();
    await page.getByRole("button", { name: "React with another emoji" }).click();
    await page.getByLabel("Search emoji").pressSequentially("thumbs up");
    await page.getByRole("gridcell", { name: "thumbs up" }).click();
    await page.getByRole("button", { name: "👍, 1" }).click();
    await until(async () => (await page.locator(".reactions").count()) === 0, "it taken back");
    await page.locator(".message").hover();
    await page.getByRole("button", { name: "React with another emoji" }).click();
    await page.getByLabel("Search emoji").pressSequentially("no such emoji");
    await page.getByText("No emoji is called so.").waitFor();
    // Escape empties a search first, as browsers have it, then leaves.
    await page.keyboard.press("Escape");
    expect(await page.getByLabel("Search emoji").inputValue()).toBe("");
    await page.keyboard.press("Escape");
    await until(async () => (await page.getByRole("dialog").count()) === 0, "the dialog closed");
    await say(page, "still here");
    // Everything came from the node.
    expect(asked.filter((url) => !url.startsWith(originOf(1)))).toEqual([]);
    expect(await forbidden()).toEqual([]);
    expect(eli.complaints).toEqual([]);
    await eli.context.close();
  });
});
