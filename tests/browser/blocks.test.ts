// Blocking somebody, in a real Chromium: what they write is folded, and they can write to one no more. And muting them: in a room they
// can't write.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster } from "../harness/dev-cluster.ts";
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

describe.skipIf(CHROMIUM === undefined)("blocking", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(3), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("a blocked person's messages are folded on all tabs, and shown on demand", async () => {
    const origin = `http://${cluster.node(1).http}`;
    const [ada, bob] = await Promise.all([
      Person.arrive(browser, "ada", origin),
      Person.arrive(browser, "bob", origin),
    ]);
    await Promise.all([ada.signUp(), bob.signUp()]);
    await ada.createRoom("square");
    await bob.joinRoom("square");
    await say(bob.page, "what a nuisance I am");
    await ada.page.getByText("what a nuisance I am", { exact: true }).waitFor();
    const other = await ada.tab(ada.page.url());
    await other.getByText("what a nuisance I am", { exact: true }).waitFor();
    await ada.page.getByRole("button", { name: /member/ }).click();
    await ada.page.getByRole("button", { name: "Block", exact: true }).click();
    await ada.page.getByText("bob is blocked.").waitFor();
    await ada.page.keyboard.press("Escape");
    for (const page of [ada.page, other]) {
      await page.getByText("what a nuisance I am", { exact: true }).waitFor({ state: "detached" });
    }
    await other.getByRole("button", { name: "Show", exact: true }).click();
    await other.getByText("what a nuisance I am", { exact: true }).waitFor();
    await ada.page.getByRole("button", { name: "Account", exact: true }).click();
    await ada.page.getByRole("button", { name: "Unblock" }).click();
    await ada.page.getByText("bob is no longer blocked.").waitFor();
    await ada.page.keyboard.press("Escape");
    await ada.page.getByText("what a nuisance I am", { exact: true }).waitFor();
    expect([...ada.complaints, ...bob.complaints]).toEqual([]);
    await Promise.all([ada.context.close(), bob.context.close()]);
  });

  test("a muted member can't write until it is lifted, keeps what they type, and is told why", async () => {
    const origin = `http://${cluster.node(1).http}`;
    const [eva, tom] = await Promise.all([
      Person.arrive(browser, "eva", origin),
      Person.arrive(browser, "tom", origin),
    ]);
    await Promise.all([eva.signUp(), tom.signUp()]);
    await eva.createRoom("library");
    await tom.joinRoom("library");
    await say(tom.page, "loud words");
    await committed(tom.page, "loud words").waitFor();
    await eva.page.getByRole("button", { name: /member/ }).click();
    await eva.page.getByLabel("Whom you mute").selectOption("a day");
    await eva.page.getByRole("button", { name: "Mute", exact: true }).click();
    await eva.page.getByText("tom can't write here.").waitFor();
    await eva.page.getByText(/^muted until /).waitFor();
    await hasNoViolations(eva.page);
    const note = tom.page.getByText(/An admin of this room has muted you until /);
    await note.waitFor();
    await composer(tom.page).fill("softer words");
    await composer(tom.page).press("Enter");
    const send = tom.page.getByRole("button", { name: "Send", exact: true });
    expect(await send.isDisabled()).toBe(true);
    expect(await composer(tom.page).inputValue()).toBe("softer words");
    await hasNoViolations(tom.page);
    // Another device knows it from the list of rooms.
    await tom.page.reload();
    await note.waitFor();
    await eva.page.getByRole("button", { name: "Unmute" }).click();
    await eva.page.getByText("tom can write here.").waitFor();
    await note.waitFor({ state: "detached" });
    await composer(tom.page).press("Enter");
    await committed(tom.page, "softer words").waitFor();
    expect([...eva.complaints, ...tom.complaints]).toEqual([]);
    await Promise.all([eva.context.close(), tom.context.close()]);
  });
});
