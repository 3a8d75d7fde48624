// Who types and who is there, in two real browsers at two different nodes.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster } from "../harness/dev-cluster.ts";
import { CHROMIUM, committed, composer, launchChromium, Person } from "./chromium.ts";

let cluster: DevCluster;
let browser: Browser;

const originOf = (id: number) => `http://${cluster.node(id).http}`;
const line = (page: Page) => page.locator(".typing bdi");
const announced = (page: Page) => page.locator(".typing [role=status]");

/** The node that a page is connected to, as its pill says. */
async function servingNode(page: Page): Promise<number> {
  const text = await page.locator(".pill", { hasText: /node \d/ }).textContent();
  return Number(/node (\d+)/.exec(text ?? "")?.[1] ?? 0);
}

/** All that the line has said from now on, changes within a moment too. */
async function recordLine(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { saidByLine: said });
    const shown = document.querySelector(".typing bdi");
    if (shown === null) throw new Error("there is no line");
    new MutationObserver(() => said.push(shown.textContent ?? "")).observe(shown, {
      characterData: true,
      childList: true,
      subtree: true,
    });
  });
  return () => page.evaluate(() => (window as unknown as { saidByLine: string[] }).saidByLine);
}

/** A key now and then until it shows: one signal may be lost. */
async function typeUntilShown(from: Page, to: Page, text: string): Promise<void> {
  for (;;) {
    await composer(from).pressSequentially("…");
    const isShown = await line(to)
      .filter({ hasText: text })
      .waitFor({ timeout: 3_500 })
      .then(
        () => true,
        () => false,
      );
    if (isShown) return;
  }
}

describe.skipIf(CHROMIUM === undefined)("people at different nodes", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(3), launchChromium()]);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("a member at another node sees who types until the text is there, and nothing moves", async () => {
    const [ada, ben] = await Promise.all([
      Person.arrive(browser, "ada", originOf(1)),
      Person.arrive(browser, "ben", originOf(2)),
    ]);
    await Promise.all([ada.signUp(), ben.signUp()]);
    await ada.createRoom("workshop");
    await ben.joinRoom("workshop");
    // Whoever is signed in takes any of the nodes.
    while ((await servingNode(ben.page)) === (await servingNode(ada.page))) await ben.page.reload();
    const before = await composer(ben.page).boundingBox();
    const ofAda = await recordLine(ada.page);
    await typeUntilShown(ada.page, ben.page, "ada is typing…");
    await announced(ben.page).filter({ hasText: "ada is typing…" }).waitFor({ state: "attached" });
    expect(await composer(ben.page).boundingBox()).toEqual(before);
    await composer(ada.page).press("Enter");
    await line(ben.page).filter({ hasNotText: "typing" }).waitFor({ state: "attached" });
    await committed(ada.page, "…").waitFor();
    // Once more: shown, and not said again.
    await typeUntilShown(ada.page, ben.page, "ada is typing…");
    expect(await announced(ben.page).textContent()).toBe("");
    // Without a text or another key it ends by itself.
    await line(ben.page).filter({ hasNotText: "typing" }).waitFor({ state: "attached" });
    expect(await ofAda()).toEqual([]);
    expect([...ada.complaints, ...ben.complaints]).toEqual([]);

    // Ben keeps it to himself: his keys show nowhere, his text does.
    await ben.page.getByRole("button", { name: "Account" }).click();
    await ben.page.getByLabel("Others see when I am typing").uncheck();
    await ben.page.keyboard.press("Escape");
    await composer(ben.page).pressSequentially("unseen");
    await composer(ben.page).press("Enter");
    await ada.page.getByText("unseen", { exact: true }).waitFor();
    expect(await ofAda()).toEqual([]);
    await Promise.all([ada.context.close(), ben.context.close()]);
  });

  test("who comes and goes is seen beside their names, at whatever node they are", async () => {
    const [cleo, dan] = await Promise.all([
      Person.arrive(browser, "cleo", originOf(1)),
      Person.arrive(browser, "dan", originOf(3)),
    ]);
    await Promise.all([cleo.signUp(), dan.signUp()]);
    const nav = cleo.page.getByRole("navigation");
    await nav.getByRole("button", { name: "Find rooms" }).click();
    await cleo.page.getByPlaceholder("Part of a name").fill("dan");
    await cleo.page.getByRole("button", { name: "@dan, online" }).click();
    await composer(cleo.page).waitFor();
    await nav.getByRole("link", { name: "dan online" }).waitFor();
    await cleo.page.locator(".topic", { hasText: "online" }).waitFor();
    await dan.context.close();
    await nav.locator('.presence[data-online="false"]').waitFor();
    await cleo.page.locator(".topic", { hasText: /^last seen \d/ }).waitFor();
    const again = await Person.arrive(browser, "dan", originOf(2));
    await again.page.getByLabel("Username").fill("dan");
    await again.page.getByLabel("Password").fill("a long password");
    await again.page.getByRole("button", { name: "Sign in" }).click();
    await nav.getByRole("link", { name: "dan online" }).waitFor();
    expect(cleo.complaints).toEqual([]);
    await Promise.all([cleo.context.close(), again.context.close()]);
  });
});
