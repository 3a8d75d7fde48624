// A rendering error, in a real Chromium: it takes along the part of the page that it is in, nothing around it, and nothing that was written.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { bodies, CHROMIUM, committed, composer, hasNoViolations, say } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** Runs in the page before its own scripts: whoever shows the text that `sessionStorage` names throws, also after a reload; "" = nobody does. */
function breakable(): void {
  for (const name of ["split", "match"] as const) {
    const original = String.prototype[name];
    Object.assign(String.prototype, {
      [name](this: string, ...rest: [string]) {
        const broken = sessionStorage.getItem("broken") ?? "";
        if (broken !== "" && String(this) === broken) throw new Error("planted");
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
  test("each takes its own part of the page along, and that part can be had again", async () => {
    const abel = await stage.arrive("abel");
    const { page, context } = abel;
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

    await abel.signUp();
    await abel.createRoom("belfry");
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
    await page.getByRole("navigation").getByText("belfry").waitFor();
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
    await page.getByRole("navigation").getByText("belfry").waitFor();

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
