// Names that want to pass for others: refused where they are chosen, with a reason, and where they are shown nobody is taken for somebody else.
import type { Locator } from "playwright-core";
import { describe, expect, test } from "vitest";
import { CHROMIUM, committed, composer, say } from "./chromium.ts";
import { sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** Where a piece of an element's text begins on the screen, pixels from the left. */
function leftOf(within: Locator, piece: string): Promise<number> {
  return within.evaluate((element, wanted) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const at = node.textContent?.indexOf(wanted) ?? -1;
      if (at < 0) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      return range.getBoundingClientRect().left;
    }
    throw new Error(`${wanted} does not stand in ${element.textContent}`);
  }, piece);
}

describe.skipIf(CHROMIUM === undefined)("names", { timeout: 300_000 }, () => {
  test("a name that looks like another is refused with a reason, and what was typed stays", async () => {
    const ann = await stage.arrive("ann");
    await ann.signUp();
    await ann.createRoom("board");
    const mal = await stage.arrive("mal");
    const { page } = mal;
    await page.getByRole("button", { name: "I am new here" }).click();
    await page.getByLabel("Password").fill("a long password");
    for (const [name, why] of [
      ["\u0430nn", "alphabets that look alike"],
      ["ann\u200b", "letters, digits, dots"],
      ["\u202Enna", "letters, digits, dots"],
      ["ＡＮＮ", "taken"],
    ] as const) {
      await page.getByLabel("Username").fill(name);
      await page.getByRole("button", { name: "Create account" }).click();
      await page.getByRole("alert").filter({ hasText: why }).waitFor();
      expect(await page.getByLabel("Username").inputValue()).toBe(name);
    }
    await page.getByLabel("Username").fill("mal");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("navigation").waitFor();
    await page.getByRole("navigation").getByRole("button", { name: "New room" }).click();
    for (const [name, why] of [
      ["bo\u0430rd", "alphabets that look alike"],
      ["board\u200d", "invisible character"],
      ["\u2067board", "invisible character"],
      ["BOARD", "already"],
    ] as const) {
      await page.getByLabel("Name", { exact: true }).fill(name);
      await page.getByRole("button", { name: "Create room" }).click();
      await page.getByRole("alert").filter({ hasText: why }).waitFor();
      expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe(name);
    }
    expect(mal.complaints).toEqual([]);
    await Promise.all([ann.context.close(), mal.context.close()]);
  });

  test("who calls themselves as another is still told apart: in direct messages, in rooms, in lists", async () => {
    const eve = await sdkPerson(stage.cluster, "eve");
    for (const displayName of ["\u0430nn", "\u202Enna", "a\u200bnn"])
      await expect(eve.call("updateProfile", { displayName })).rejects.toThrow(/alike|invisible/);
    await eve.call("updateProfile", { displayName: "ann" });
    const zoe = await stage.member("zoe");
    const { page } = zoe;
    const { room: direct } = await eve.call("openDirect", { username: "zoe" });
    await eve.send(direct?.id ?? 0, "It is me, ann. What was the password?");
    await page.getByRole("link", { name: "eve (ann)" }).click();
    await page.getByRole("heading", { name: "eve (ann)" }).waitFor();
    const author = page.locator(".message .author").first();
    await author.waitFor();
    expect(await author.textContent()).toBe("eve");
    await page.getByRole("navigation").getByRole("button", { name: "Find rooms" }).click();
    await page.getByPlaceholder("Part of a name").fill("eve");
    await page.getByRole("dialog").getByText("@eve").waitFor();
    await page.keyboard.press("Escape");
    await eve.close();
    expect(zoe.complaints).toEqual([]);
    await zoe.context.close();
  });

  test("right-to-left names and texts turn nothing beside them: in a room, in titles, in quotes", async () => {
    const yael = await stage.arrive("יעל");
    await yael.signUp();
    await yael.createRoom("ירושלים 2026!");
    const { page } = yael;
    await say(page, "שלום 123 abc");
    await committed(page, "שלום").waitFor();
    await say(page, "\u202Egnp.exe");
    const turned = page.locator(".message", { hasText: "gnp.exe" });
    await committed(page, "gnp.exe").waitFor();
    await turned.hover();
    await turned.getByRole("button", { name: "Reply" }).click();
    await composer(page).fill("after");
    await composer(page).press("Enter");
    await committed(page, "after").waitFor();

    // The name ends with a mark, which stands at its left end and not behind the sentence.
    const inOrder = async (within: Locator, ...letters: readonly string[]) => {
      await within.waitFor();
      const places = await Promise.all(letters.map((letter) => leftOf(within, letter)));
      expect(places, letters.join(" < ")).toEqual(places.toSorted((one, other) => one - other));
    };
    await inOrder(page.getByRole("heading", { level: 1 }), "#", "!", "2026", "ם", "י");
    await inOrder(page.locator(".room[aria-current]"), "#", "!", "ם", "י");
    await inOrder(page.locator(".message").first().locator("header"), "ל", "י", ":");
    const answer = page.locator(".message", { has: page.locator(".quote") });
    // Turned is what they wrote, as far as it goes: the author stands before it, and what follows is read as ever.
    await inOrder(answer.locator(".quote"), "ל", "י", "exe", "g");
    await inOrder(answer.locator(".body"), "a", "f", "t", "e", "r");
    await page.getByRole("button", { name: "1 member" }).click();
    const dialog = page.getByRole("dialog");
    await inOrder(dialog.getByRole("heading").first(), "Members of", "!", "2026", "ם", "י");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(yael.complaints).toEqual([]);
    await yael.context.close();
  });
});
