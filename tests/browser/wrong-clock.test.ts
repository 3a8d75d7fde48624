// A device whose clock is a day wrong, either way: days, times, order and sign-ins are by the servers' clock.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { bodies, CHROMIUM, committed, composer, Person, say, VIEWPORT } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const DAY_MS = 24 * 60 * 60 * 1_000;

/** Runs in the page before all else: its clock differs by so much. */
const wrongBy = (ms: number) => {
  const Right = Date;
  class Wrong extends Right {
    constructor(...given: []) {
      if (given.length === 0) super(Right.now() + ms);
      else super(...given);
    }
    static override now() {
      return Right.now() + ms;
    }
  }
  globalThis.Date = Wrong as DateConstructor;
};

async function arrive(name: string, ms: number): Promise<Person> {
  const context = await stage.browser.newContext({ viewport: VIEWPORT });
  await context.addInitScript(wrongBy, ms);
  return Person.in(context, name, stage.originOf(1));
}

const days = (page: Page) => page.locator(".messages .day").allTextContents();
const times = (page: Page) =>
  page
    .locator(".message time")
    .evaluateAll((all) => all.map((time) => Date.parse((time as HTMLTimeElement).dateTime)));

describe.skipIf(CHROMIUM === undefined)("a wrong clock", { timeout: 300_000 }, () => {
  test("a day fast, a day slow and right: they talk, and see the same day, times and order; a reload signs nobody out", async () => {
    const [xena, yuri, zelda] = await Promise.all([
      arrive("xena", DAY_MS),
      arrive("yuri", -DAY_MS),
      arrive("zelda", 0),
    ]);
    const all = [xena, yuri, zelda];
    await Promise.all(all.map((person) => person.signUp()));
    await xena.createRoom("observatory");
    await yuri.joinRoom("observatory");
    await zelda.joinRoom("observatory");
    const beganMs = Date.now();
    const said: string[] = [];
    for (let round = 1; round <= 2; round += 1) {
      for (const { name, page } of all) {
        said.push(`${name}, round ${round}.`);
        await say(page, said.at(-1) ?? "");
        await committed(page, said.at(-1) ?? "").waitFor();
      }
    }
    const isSame = async () => {
      for (const { page } of all) {
        await page.locator(".message", { hasText: "zelda, round 2." }).waitFor();
        expect(await bodies(page)).toEqual(said);
        await until(async () => (await days(page)).join() === "Today", "the one day to be today");
      }
      const [first = [], ...others] = await Promise.all(all.map(({ page }) => times(page)));
      for (const other of others) expect(other).toEqual(first);
      for (const ms of first) expect(Math.abs(ms - beganMs)).toBeLessThan(DAY_MS / 4);
    };
    await isSame();
    // What is edited says when, by the same clock.
    await composer(yuri.page).press("ArrowUp");
    await yuri.page.getByText("Editing a message.").waitFor();
    await composer(yuri.page).fill("yuri, corrected.");
    await composer(yuri.page).press("Enter");
    said[said.indexOf("yuri, round 2.")] = "yuri, corrected.";
    const titles = await Promise.all(
      all.map(async ({ page }) => {
        const edited = page.locator(".message", { hasText: "yuri, corrected." }).locator(".edited");
        await edited.waitFor();
        return edited.getAttribute("title");
      }),
    );
    expect(new Set(titles).size).toBe(1);
    for (let at = 0; at < said.length; at += 1) {
      if (said[at] === "yuri, corrected.") said[at] = "yuri, corrected.(edited)";
    }
    await Promise.all(all.map(({ page }) => page.reload()));
    await isSame();
    // A day without a server's word is by the device's clock, and put right when one answers.
    for (const person of all) {
      expect(person.complaints).toEqual([]);
      await person.context.close();
    }
  });
});
