// A rendering error, in a real Chromium: it takes along the part of the page that it is in, nothing around it, and nothing that was written.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster } from "../harness/dev-cluster.ts";
import {
  bodies,
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

/** Runs in the page before its own scripts: whoever shows the text that `sessionStorage` names throws, also after a reload. */
function breakable(): void {
  for (const name of ["split", "match"] as const) {
    const original = String.prototype[name];
    Object.assign(String.prototype, {
      [name](this: string, ...rest: [string]) {
        if (String(this) === sessionStorage.getItem("broken")) throw new Error("planted");
        return Reflect.apply(original, this, rest);
      },
    });
  }
}

function setBroken(page: Page, text: string): Promise<void> {
  return page.evaluate((now) => sessionStorage.setItem("broken", now), text);
}

/** Everything is rendered anew, and what shows the text fails. */
async function reloadBroken(page: Page, text: string): Promise<void> {
  await setBroken(page, text);
  await page.reload();
  await wentWrong(page).waitFor();
}

async function tryAgain(page: Page): Promise<void> {
  await setBroken(page, "");
  await page.getByRole("button", { name: "Try again" }).click();
  await wentWrong(page).waitFor({ state: "detached" });
}

function wentWrong(page: Page) {
  return page.getByRole("alert").filter({ hasText: "This can't be shown just now." });
}

describe.skipIf(CHROMIUM === undefined)("rendering errors", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(1), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("each takes its own part of the page along, and that part can be had again", async () => {
    const origin = `http://${cluster.node(1).http}`;
    const ann = await Person.arrive(browser, "ann", origin);
    const { page, context } = ann;
    await context.addInitScript(breakable);
    const told: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" && message.text().includes("planted"))
        told.push(message.text());
    });
    await setBroken(page, "The chat that does not stop when servers do.");
    await page.reload();
    await page.getByRole("heading", { name: "Something went wrong" }).waitFor();
    await hasNoViolations(page);
    expect(told).toHaveLength(1);
    await setBroken(page, "");
    await page.getByRole("button", { name: "Reload the page" }).click();

    await ann.signUp();
    await ann.createRoom("attic");
    await say(page, "first");
    await say(page, "second");
    await committed(page, "second").waitFor();
    await composer(page).fill("a draft");

    await reloadBroken(page, "first");
    await page.getByText("second", { exact: true }).waitFor();
    expect(await composer(page).inputValue()).toBe("a draft");
    await tryAgain(page);
    await page.getByText("first", { exact: true }).waitFor();
    expect(await bodies(page)).toEqual(["first", "second"]);

    await reloadBroken(page, "Keyboard shortcuts");
    await page.getByRole("navigation").getByText("attic").waitFor();
    await hasNoViolations(page, "a room that can't be shown");
    await page.getByRole("button", { name: "All rooms" }).click();
    await page.getByRole("heading", { name: "Welcome" }).waitFor();
    await page.goBack();
    await wentWrong(page).waitFor();
    await tryAgain(page);
    expect(await composer(page).inputValue()).toBe("a draft");

    await reloadBroken(page, "Jump to …");
    expect(await composer(page).inputValue()).toBe("a draft");
    await tryAgain(page);
    await page.getByRole("navigation").getByText("attic").waitFor();

    await setBroken(page, "Search this room");
    told.length = 0;
    await page.getByRole("button", { name: "Keyboard shortcuts" }).click();
    await page.getByRole("dialog", { name: "Something went wrong" }).waitFor();
    await hasNoViolations(page, "a dialog that can't be shown");
    await tryAgain(page);
    await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
    await page.keyboard.press("Escape");
    await composer(page).press("Enter");
    await committed(page, "a draft").waitFor();
    expect(told).toHaveLength(1);
    await context.close();
  });
});
