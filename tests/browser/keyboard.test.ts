// Everything by keyboard: somebody without a pointer makes an account and a room, writes, answers, reacts, finds, and opens whatever opens. Nothing
// holds the focus, nothing loses it, and axe finds nothing on the way.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM, committed, hasNoViolations } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** More steps than this from one thing to another on the page are not "by keyboard". */
const TABS_MAX = 40;

/** What has the focus, as a screen reader would call it. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (element === null || element === document.body) return "";
    const label = element.getAttribute("aria-label") ?? "";
    const named = element.id === "" ? null : document.querySelector(`label[for="${element.id}"]`);
    const around = element.closest("label");
    const spoken = element.cloneNode(true) as Element;
    for (const silent of spoken.querySelectorAll("[aria-hidden='true'], .icon")) silent.remove();
    const text = named?.textContent ?? around?.textContent ?? spoken.textContent ?? "";
    return (label === "" ? text : label).replace(/\s+/g, " ").trim();
  });
}

/** Presses Tab until what is called so has the focus. */
async function tabTo(page: Page, name: string | RegExp, key = "Tab"): Promise<void> {
  const seen: string[] = [];
  for (let presses = 0; presses < TABS_MAX; presses += 1) {
    const now = await focused(page);
    if (typeof name === "string" ? now.startsWith(name) : name.test(now)) return;
    seen.push(now);
    await page.keyboard.press(key);
  }
  throw new Error(`${TABS_MAX} times ${key} do not lead to ${name}: ${seen.join(" | ")}`);
}

/** All that has the focus on one way around, until it is where it was. */
async function wayAround(page: Page): Promise<readonly string[]> {
  const marked = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) return false;
      const isMarked = element.hasAttribute("data-passed");
      element.setAttribute("data-passed", "");
      return isMarked;
    });
  const names: string[] = [];
  for (let presses = 0; presses < 3 * TABS_MAX; presses += 1) {
    await page.keyboard.press("Tab");
    if (await marked()) return names;
    names.push(await focused(page));
  }
  throw new Error(`Tab leads nowhere: ${names.join(" | ")}`);
}

describe.skipIf(CHROMIUM === undefined)("by keyboard alone", { timeout: 300_000 }, () => {
  test("an account, a room, messages, an answer, a reaction, a thread, a search; every dialog opens, closes, and gives the focus back", async () => {
    const kim = await stage.arrive("kim");
    const { page } = kim;
    const { keyboard } = page;
    await page.getByRole("button", { name: "I am new here" }).waitFor();
    await tabTo(page, "I am new here");
    await keyboard.press("Enter");
    await tabTo(page, "Username");
    await keyboard.type("kim");
    await tabTo(page, "Password");
    await keyboard.type("a long password");
    await keyboard.press("Enter");
    await page.getByRole("navigation").waitFor();
    await tabTo(page, "+ New room");
    await keyboard.press("Enter");
    await page.getByRole("dialog", { name: "New room" }).waitFor();
    await tabTo(page, "Name");
    await keyboard.type("quay");
    await keyboard.press("Enter");
    await page.getByRole("heading", { name: "quay" }).waitFor();

    // The composer has the focus. So many messages that to pass each with Tab would be a trap of its own.
    await until(async () => (await focused(page)).startsWith("Message to"), "the composer");
    for (let at = 1; at <= 15; at += 1) {
      await keyboard.type(`word ${at}`);
      await keyboard.press("Enter");
      await page.locator(".message", { hasText: `word ${at}` }).waitFor();
    }
    await committed(page, "word 15").waitFor();
    await hasNoViolations(page);
    await tabTo(page, "Messages in quay", "Shift+Tab");
    await keyboard.press("ArrowUp");
    await keyboard.press("ArrowUp");
    expect(await focused(page)).toContain("word 14");
    await hasNoViolations(page);
    await tabTo(page, "React with 🎉");
    await keyboard.press("Enter");
    await page.getByRole("button", { name: "🎉, 1" }).waitFor();
    await tabTo(page, "Reply");
    await keyboard.press("Enter");
    await until(async () => (await focused(page)).startsWith("Message to"), "the composer again");
    await keyboard.type("an answer");
    await keyboard.press("Enter");
    await page.locator(".message", { hasText: "an answer" }).locator(".quote").waitFor();
    await committed(page, "an answer").waitFor();

    // A thread opens beside the room, takes the focus, and Escape leads back.
    await tabTo(page, "Messages in quay", "Shift+Tab");
    await keyboard.press("ArrowUp");
    await tabTo(page, "Thread");
    await keyboard.press("Enter");
    const panel = page.getByRole("complementary");
    await panel.waitFor();
    await until(async () => /^Message to|thread/i.test(await focused(page)), "the thread's field");
    await keyboard.type("in the thread");
    await keyboard.press("Enter");
    await panel.locator(".message", { hasText: "in the thread" }).waitFor();
    await hasNoViolations(page);
    await keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });

    // From the messages a single key searches the room; the dialog gives the focus back.
    await tabTo(page, "Messages in quay", "Shift+Tab");
    await keyboard.press("ArrowUp");
    const from = await focused(page);
    await keyboard.press("/");
    await page.getByRole("dialog", { name: "Search messages" }).waitFor();
    await keyboard.type("word");
    await page.getByRole("option").first().waitFor();
    await keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await focused(page)).toBe(from);

    for (const [opener, title] of [
      ["Jump to", "Jump to"],
      ["Search messages", "Search messages"],
      ["+ New room", "New room"],
      ["Find rooms and people", /./],
      [/^node \d|online/i, "The cluster"],
      ["Account", /./],
      ["Sign out", /./],
      ["Pins", /./],
      ["1 member", /./],
      ["Keyboard shortcuts", "Keyboard"],
    ] as const) {
      await tabTo(page, opener);
      const before = await focused(page);
      await keyboard.press("Enter");
      const dialog = page.getByRole("dialog", { name: title });
      await dialog.waitFor();
      await hasNoViolations(page);
      // Tab goes around in it, and does not reach the page behind.
      const isInside = () =>
        page.evaluate(() => {
          const element = document.activeElement;
          return element === document.body || element?.closest("dialog") !== null;
        });
      for (let presses = 0; presses < 6; presses += 1) {
        await keyboard.press("Tab");
        expect(await isInside(), `${before}: inside`).toBe(true);
      }
      await keyboard.press("Escape");
      await dialog.waitFor({ state: "detached" });
      expect(await focused(page), "the focus is where it was").toBe(before);
    }

    await keyboard.press("Control+/");
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    await keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    // One way around the whole page passes all of it, and ends.
    const names = await wayAround(page);
    for (const name of ["Jump to", "quay", "Account", "Messages in quay", "Message to quay"]) {
      expect(
        names.some((one) => one.startsWith(name) || one === name),
        `${name} in ${names}`,
      ).toBe(true);
    }
    expect(kim.modals).toEqual([]);
    expect(kim.complaints).toEqual([]);
    await kim.context.close();
  });
});
