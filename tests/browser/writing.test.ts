// What the page offers to those who write: emoji by picture and by name, code in colours, and taking back several messages at once.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import {
  bodies,
  CHROMIUM,
  COLOUR_RULES,
  committed,
  composer,
  hasNoViolations,
  say,
} from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

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
  test("emoji are completed after a colon, and chosen by keyboard or pointer, for texts and reactions", async () => {
    const eli = await stage.member("eli", { room: "garden" });
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
    expect(asked.filter((url) => !url.startsWith(stage.originOf(1)))).toEqual([]);
    expect(await forbidden()).toEqual([]);
    expect(eli.complaints).toEqual([]);
    await eli.context.close();
  });

  test("who writes faster than the browser stores loses no Enter: each is a message, in order, and what has none stays", async () => {
    const irma = await stage.member("irma", { node: 2, room: "telegraph" });
    const { page } = irma;
    // Faster than any hand: nothing is stored before the last of it is typed.
    await composer(page).evaluate((element) => {
      const field = element as HTMLTextAreaElement;
      const setValue = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set;
      const type = (text: string) => {
        setValue?.call(field, field.value + text);
        field.dispatchEvent(new Event("input", { bubbles: true }));
      };
      const init = { key: "Enter", code: "Enter", bubbles: true, cancelable: true };
      for (const word of ["one", "two", "three", "four"]) {
        type(word);
        field.dispatchEvent(new KeyboardEvent("keydown", init));
        if (word === "two") field.dispatchEvent(new KeyboardEvent("keydown", init));
      }
      type("five");
    });
    await committed(page, "four").waitFor();
    expect(await bodies(page)).toEqual(["one", "two", "three", "four"]);
    expect(await composer(page).inputValue()).toBe("five");
    await irma.context.close();
  });

  test("code is in colours that all can read, in both schemes; what is too long for that is plain", async () => {
    const cyra = await stage.member("cyra", { node: 2, room: "forge" });
    const { page } = cyra;
    const forbidden = await watchPolicy(page);
    const code = [
      'import { x } from "y"; // why',
      "class A<T> extends B { #n = 0x1f; @deco f(a: string): boolean { return `a` === null; } }",
      "const re = /a+/g;",
    ].join("\n");
    await say(page, `\`\`\`ts\n${code}\n\`\`\``);
    await say(page, "```yaml\nkey: [1, true, ~] # note\n```");
    await say(page, "```diff\n- old\n+ new\n@@ -1 +1 @@\n```");
    await say(page, '```sh\nfor f in *.txt; do echo "$f"; done\n```');
    await page.locator(".hljs-keyword", { hasText: "import" }).waitFor();
    await page.locator(".hljs-addition").waitFor();
    expect(await page.locator(".message pre").first().textContent()).toBe(code);
    await page.emulateMedia({ colorScheme: "light" });
    await hasNoViolations(page);
    await page.emulateMedia({ colorScheme: "dark" });
    await hasNoViolations(page, "dark", COLOUR_RULES);
    await say(page, `\`\`\`js\nlet ${"x".repeat(5_000)};\n\`\`\``);
    const long = page.locator(".message pre", { hasText: "xxxxx" });
    await long.waitFor();
    expect(await long.locator("span").count()).toBe(0);
    expect(await forbidden()).toEqual([]);
    expect(cyra.complaints).toEqual([]);
    await cyra.context.close();
  });

  test("several messages are chosen by keyboard and by pointer, and deleted after one question", async () => {
    const dirk = await stage.member("dirk", { node: 3, room: "crate" });
    const { page } = dirk;
    for (let at = 1; at <= 6; at += 1) await say(page, `box ${at}`);
    await committed(page, "box 6").waitFor();
    const box = (at: number) => page.locator(".message", { hasText: `box ${at}` });
    const check = (at: number) => box(at).getByRole("checkbox");
    await box(1).hover();
    await box(1).getByRole("button", { name: "Choose" }).click();
    expect(await check(1).isChecked()).toBe(true);
    await hasNoViolations(page);
    // By pointer a range; by keyboard one more, and one less.
    await check(3).click({ modifiers: ["Shift"] });
    await page.getByText("3 chosen").waitFor();
    await check(5).focus();
    await page.keyboard.press("Space");
    await page.getByText("4 chosen").waitFor();
    await check(2).focus();
    await page.keyboard.press("Space");
    await page.getByText("3 chosen").waitFor();
    // Escape leaves, and nothing is chosen the next time.
    await page.keyboard.press("Escape");
    await until(async () => (await page.getByRole("checkbox").count()) === 0, "no choosing");
    await box(6).hover();
    await box(6).getByRole("button", { name: "Choose" }).click();
    await check(4).click({ modifiers: ["Shift"] });
    await page.getByText("3 chosen").waitFor();
    expect(dirk.modals).toEqual([]);
    await page.getByRole("toolbar").getByRole("button", { name: "Delete" }).click();
    await until(
      async () => (await page.getByText("This message was deleted.").count()) === 3,
      "three deleted",
    );
    expect(dirk.modals).toEqual(["Delete these 3 messages for everybody?"]);
    await until(async () => (await page.getByRole("toolbar").count()) === 0, "the end of it");
    expect((await bodies(page)).filter((body) => body.startsWith("box"))).toEqual([
      "box 1",
      "box 2",
      "box 3",
    ]);
    expect(dirk.complaints).toEqual([]);
    await dirk.context.close();
  });
});
