// The page in the languages that are made from English: a text that did not come from the catalogue has no brackets around it, and one that
// finds no room is cut off.
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { english } from "../../apps/web/src/text/english.ts";
import { englishProblems } from "../../apps/web/src/text/english-problems.ts";
import { accented, CLOSE, OPEN } from "../../apps/web/src/text/pseudo.ts";
import type { PlainKey } from "../../apps/web/src/text/t.ts";
import { CHROMIUM, committed, PATIENCE_MS, Person, say } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** What people wrote, keys, and what is typed as a command. */
const NOT_TRANSLATED = "bdi, kbd, code, .body, .topic, input, textarea, .avatar";
/** Names of emoji and their categories: data that others translate. */
const DATA = ".emoji-picker .grid, .emoji-picker button";
/** Names are shortened where there is no room for them. */
const MAY_BE_CUT = "bdi, .names, .topic, pre, .table, .emoji-picker";

/** The texts of the page, also those for screen readers, that stand outside of the brackets. */
function strangers(page: Page): Promise<string[]> {
  return page.evaluate(
    ({ theirs, data }) => {
      const found: string[] = [];
      const isWord = (text: string) => /\p{L}/u.test(text);
      const outside = (text: string) => text.replace(/⟦[^⟦⟧]*⟧/g, "");
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ALL);
      let depth = 0;
      for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
        if (node instanceof Element) {
          for (const name of ["aria-label", "title", "placeholder", "alt"]) {
            let text = node.getAttribute(name) ?? "";
            while (outside(text) !== text) text = outside(text);
            const isName = name === "title" && node.closest(theirs) !== null;
            const isRoom = node.matches(".room-page");
            if (isWord(text) && !isName && !isRoom && node.closest(data) === null)
              found.push(`${name}: ${text}`);
          }
          continue;
        }
        const parent = node.parentElement;
        if (!(node instanceof Text) || parent === null || parent.closest("noscript, script, style"))
          continue;
        let rest = "";
        for (const letter of node.data) {
          if (letter === "⟦") depth += 1;
          else if (letter === "⟧") depth -= 1;
          else if (depth === 0) rest += letter;
        }
        if (isWord(rest) && parent.closest(theirs) === null) found.push(rest.trim());
      }
      return depth === 0 ? found : [...found, `${depth} brackets are not closed`];
    },
    { theirs: `${NOT_TRANSLATED}, ${DATA}`, data: DATA },
  );
}

/** The elements with words of the page that are wider than what shows them, or stand out of it. */
function cutOff(page: Page): Promise<string[]> {
  return page.evaluate((names) => {
    const found = new Set<string>();
    // One pixel of it stands there, for screen readers.
    const isForReaders = (element: Element) => element.getBoundingClientRect().width <= 1;
    for (const area of document.querySelectorAll(".sidebar, main, dialog[open]")) {
      const limits = area.getBoundingClientRect();
      const walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
        const element = node.parentElement;
        if (element === null || !/\p{L}/u.test(node.textContent ?? "")) continue;
        if (element.closest(names) !== null || isForReaders(element)) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        const box = range.getBoundingClientRect();
        if (box.width === 0) continue;
        const words = (node.textContent ?? "").slice(0, 60);
        if (box.left < limits.left - 1 || box.right > limits.right + 1)
          found.add(`out of its area: ${words}`);
        for (
          let at: Element | null = element;
          at !== null && area.contains(at);
          at = at.parentElement
        ) {
          const { overflowX } = getComputedStyle(at);
          const hides = overflowX === "hidden" || overflowX === "clip" || overflowX === "auto";
          if (hides && at.scrollWidth > at.clientWidth + 1) found.add(`cut off: ${words}`);
          // A button with words that run over its edge.
          if (at.tagName === "BUTTON" && at.scrollWidth > at.clientWidth + 1)
            found.add(`wider than its button: ${words}`);
        }
      }
      // What is chosen in a list of choices can't wrap; a button grows with its words.
      for (const field of area.querySelectorAll("select, input, button")) {
        const box = field.getBoundingClientRect();
        if (box.width > 0 && (box.left < limits.left - 1 || box.right > limits.right + 1))
          found.add(`a field stands out: ${field.outerHTML.slice(0, 80)}`);
      }
    }
    return [...found];
  }, MAY_BE_CUT);
}

async function isClean(page: Page, view: string): Promise<void> {
  // Views fill while they load.
  await expect
    .poll(() => strangers(page), {
      timeout: PATIENCE_MS,
      message: `${view}: texts that are not of the catalogue`,
    })
    .toEqual([]);
  await expect
    .poll(() => cutOff(page), { timeout: PATIENCE_MS, message: `${view}: texts that find no room` })
    .toEqual([]);
}

const nav = (page: Page) => page.getByRole("navigation");

/** A text of the catalogue as both of these languages write it. */
const said = (key: PlainKey) => bracketed(english[key]);
const bracketed = (text: string) => `${OPEN}${accented(text)}${CLOSE}`;

/** Every view that one account can open by itself, with its name. */
async function views(page: Page, look: (view: string) => Promise<void>): Promise<void> {
  const dialog = page.locator("dialog[open]");
  const closed = async () => {
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  };
  const inDialog = async (view: string, open: () => Promise<void>) => {
    await open();
    await dialog.waitFor();
    await look(view);
    await closed();
  };
  const atTheSide = (key: PlainKey) => nav(page).getByRole("button", { name: said(key) });
  const inHeader = (name: string) => page.locator(".room-page > header button", { hasText: name });
  const details = async () => {
    await dialog.locator("summary").first().waitFor();
    for (const summary of await dialog.locator("summary").all()) await summary.click();
  };
  await look("a room");
  await inDialog("jump", () => atTheSide("sidebar.jump").click());
  await inDialog("search", () => nav(page).locator(".switch").last().click());
  await inDialog("new room", () => atTheSide("sidebar.newRoom").click());
  await inDialog("directory", () => atTheSide("sidebar.find").click());
  await inDialog("cluster", () => nav(page).locator(".pill").click());
  await inDialog("account", async () => {
    await atTheSide("sidebar.account").click();
    await details();
  });
  await inDialog("sign out", () => atTheSide("sidebar.signOut").click());
  await inDialog("search here", () => inHeader(said("room.search")).click());
  await inDialog("pins", () => inHeader(said("room.pins")).click());
  await inDialog("members", async () => {
    await inHeader("👥").click();
    await details();
    await dialog.getByRole("button", { name: said("links.make") }).click();
    await dialog
      .getByRole("button", { name: said("links.revoke") })
      .first()
      .waitFor();
  });
  await inDialog("keys", () => page.getByRole("button", { name: said("room.shortcuts") }).click());
  await inDialog("emoji", async () => {
    await page
      .locator(".composer")
      .getByRole("button", { name: said("composer.emoji") })
      .click();
    await dialog.locator('.emoji-picker .grid button:not([aria-label=""])').first().waitFor();
  });
  const message = page.locator(".message").first();
  const act = async (key: PlainKey) => {
    await message.hover();
    await message.getByRole("button", { name: said(key), exact: true }).click();
  };
  await message.hover();
  await look("what can be done with a message");
  await act("message.reply");
  await look("a reply");
  await page.getByRole("button", { name: said("composer.noReply") }).click();
  await act("message.edit");
  await look("an edited message");
  await page.keyboard.press("Escape");
  await act("message.select");
  await look("chosen messages");
  await page.getByRole("button", { name: said("selection.done") }).click();
  await page.locator('input[type="file"]').setInputFiles([
    { name: "list.txt", mimeType: "text/plain", buffer: Buffer.from("bread") },
    { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) },
  ]);
  await page.locator(".uploads .problem").waitFor();
  await look("chosen files");
  for (const at of [1, 0])
    await page.locator(".uploads button").filter({ hasText: "✕" }).nth(at).click();
  await act("message.thread");
  await page.locator(".thread-panel").waitFor();
  await look("a thread");
  await page.getByRole("button", { name: said("thread.close") }).click();
}

describe.skipIf(CHROMIUM === undefined)("locales", { timeout: 300_000 }, () => {
  let lucy: Person;

  beforeAll(async () => {
    lucy = await stage.member("lucy", { room: "pantry" });
    await say(lucy.page, "soup is ready");
    await committed(lucy.page, "soup is ready").waitFor();
  }, 180_000);

  test.each(["en-XA", "ar-XB"])(
    "in %s every text of the page is from the catalogue and finds room, at a desk and on a phone",
    async (locale) => {
      const { page } = lucy;
      const room = new URL(page.url()).pathname;
      await page.setViewportSize({ width: 1200, height: 760 });
      await page.goto(new URL(`${room}?locale=${locale}`, page.url()).href);
      await page.locator(".message").waitFor();
      expect(await page.locator("html").getAttribute("lang")).toBe(locale);
      await views(page, (view) => isClean(page, view));
      await page.setViewportSize({ width: 390, height: 780 });
      await isClean(page, "a room on a phone");
      await nav(page).waitFor({ state: "hidden" });
      await page.getByRole("button", { name: said("room.back") }).click();
      await isClean(page, "the sidebar on a phone");
      await nav(page)
        .getByRole("button", { name: said("sidebar.account") })
        .click();
      await isClean(page, "the account on a phone");
      await page.keyboard.press("Escape");
      await page.locator("a.room").click();
      await page.locator(".message").waitFor();
      expect(lucy.complaints).toEqual([]);
    },
  );

  test("it is chosen in the account's dialog, holds over a reload, and one finds back; the mirrored one runs from right to left", async () => {
    const luke = await Person.arrive(stage.browser, "luke", `${stage.originOf(2)}/?locale=ar-XB`);
    const { page } = luke;
    await page.locator(".sign-in").waitFor();
    expect(await page.locator("html").getAttribute("dir")).toBe("rtl");
    await isClean(page, "signing in");
    await page.getByRole("button", { name: said("signIn.newHere") }).click();
    await page.getByLabel(said("signIn.username")).fill("luke");
    await page.getByLabel(said("signIn.password")).fill("a long password");
    await isClean(page, "a new account");
    await page.getByRole("button", { name: said("signIn.create") }).click();
    await nav(page).waitFor();
    await isClean(page, "where no room is open");
    const box = await nav(page).boundingBox();
    expect(box?.x ?? 0).toBeGreaterThan(600);
    const choose = async (locale: string, account: string) => {
      await nav(page).getByRole("button", { name: account }).click();
      await Promise.all([
        page.waitForEvent("load"),
        page.locator("dialog[open] select").first().selectOption(locale),
      ]);
      await nav(page).waitFor();
    };
    await choose("en-XA", said("sidebar.account"));
    await page.reload();
    await nav(page).waitFor();
    expect(await page.locator("html").getAttribute("dir")).toBe("ltr");
    await isClean(page, "after a reload");
    await choose("en", said("sidebar.account"));
    await nav(page).getByRole("button", { name: english["welcome.newRoom"] }).waitFor();
    expect(await strangers(page)).not.toEqual([]);
    expect(luke.complaints).toEqual([]);
  });

  test("links that count no longer, and what servers refuse, are told of in the page's language", async () => {
    const origin = stage.originOf(3);
    const lars = await Person.arrive(stage.browser, "lars", `${origin}/?locale=en-XA`);
    const { page } = lars;
    await page.locator(".sign-in").waitFor();
    const secret = "a".repeat(32);
    const open = async (path: string, key: PlainKey) => {
      await page.goto(`${origin}${path}`);
      await page.reload();
      await page.getByText(said(key)).waitFor();
      await isClean(page, path);
    };
    const isTold = async (text: string) => {
      await page.locator(".problem, .notice", { hasText: bracketed(text) }).waitFor();
      await isClean(page, text);
    };
    await open(`/join#${secret}`, "signIn.badInvite");
    await open(`/password#${secret}`, "passwordLink.lead");
    await page.getByLabel(said("passwordLink.new")).fill("a long password");
    await page.getByRole("button", { name: said("passwordLink.set") }).click();
    await isTold(englishProblems.badPasswordLink);
    await page.getByRole("button", { name: said("passwordLink.leave") }).click();
    await page.getByLabel(said("signIn.username")).fill("lucy");
    await page.getByLabel(said("signIn.password")).fill("another password");
    await page.getByRole("button", { name: said("signIn.enter") }).click();
    await isTold(englishProblems.wrongPassword);
    await page.getByLabel(said("signIn.password")).fill("a long password");
    await page.getByRole("button", { name: said("signIn.enter") }).click();
    await nav(page).locator(".switch").last().click();
    await page.locator("dialog[open] input").fill("before:monday");
    await isTold(englishProblems.searchDay);
    expect(lars.complaints).toEqual([]);
  });
});
