// A device whose clock is a day wrong, either way: days, times, order and sign-ins are by the servers' clock.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { bodies, CHROMIUM, committed, composer, launchChromium, Person, say } from "./chromium.ts";

let cluster: DevCluster;
let browser: Browser;

const DAY_MS = 24 * 60 * 60 * 1_000;
const originOf = (id: number) => `http://${cluster.node(id).http}`;

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
  const context = await browser.newContext({ viewport: { width: 1200, height: 760 } });
  await context.addInitScript(wrongBy, ms);
  return Person.in(context, name, originOf(1));
}

const days = (page: Page) => page.locator(".messages .day").allTextContents();
const times = (page: Page) =>
  page
    .locator(".message time")
    .evaluateAll((all) => all.map((time) => Date.parse((time as HTMLTimeElement).dateTime)));

describe.skipIf(CHROMIUM === undefined)("a wrong clock", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(1), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("a day fast, a day slow and right: they talk, and see the same day, times and order; a reload signs nobody out", async () => {
    const [ann, bob, cyd] = await Promise.all([
      arrive("ann", DAY_MS),
      arrive("bob", -DAY_MS),
      arrive("cyd", 0),
    ]);
    const all = [ann, bob, cyd];
    await Promise.all(all.map((person) => person.signUp()));
    await ann.createRoom("observatory");
    await bob.joinRoom("observatory");
    await cyd.joinRoom("observatory");
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
        await page.locator(".message", { hasText: "cyd, round 2." }).waitFor();
        expect(await bodies(page)).toEqual(said);
        await until(async () => (await days(page)).join() === "Today", "the one day to be today");
      }
      const [first = [], ...others] = await Promise.all(all.map(({ page }) => times(page)));
      for (const other of others) expect(other).toEqual(first);
      for (const ms of first) expect(Math.abs(ms - beganMs)).toBeLessThan(DAY_MS / 4);
    };
    await isSame();
    // What is edited says when, by the same clock.
    await composer(bob.page).press("ArrowUp");
    await bob.page.getByText("Editing a message.").waitFor();
    await composer(bob.page).fill("bob, corrected.");
    await composer(bob.page).press("Enter");
    said[said.indexOf("bob, round 2.")] = "bob, corrected.";
    const titles = await Promise.all(
      all.map(async ({ page }) => {
        const edited = page.locator(".message", { hasText: "bob, corrected." }).locator(".edited");
        await edited.waitFor();
        return edited.getAttribute("title");
      }),
    );
    expect(new Set(titles).size).toBe(1);
    for (let at = 0; at < said.length; at += 1) {
      if (said[at] === "bob, corrected.") said[at] = "bob, corrected.(edited)";
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
