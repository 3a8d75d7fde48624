// Blocking somebody, in a real Chromium: what they write is folded, and they can write to one no more.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster } from "../harness/dev-cluster.ts";
import { CHROMIUM, launchChromium, Person, say } from "./chromium.ts";

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
});
