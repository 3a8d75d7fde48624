// Who types and who is there, in two real browsers at two different nodes.
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { CHROMIUM, committed, composer, servingNode } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const line = (page: Page) => page.locator(".typing bdi");
const announced = (page: Page) => page.locator(".typing [role=status]");

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
  test("a member at another node sees who types until the text is there, and nothing moves", async () => {
    const [uma, vic] = await Promise.all([
      stage.member("uma", { room: "workshop" }),
      stage.member("vic", { node: 2, room: "workshop" }),
    ]);
    // Whoever is signed in takes any of the nodes.
    while ((await servingNode(vic.page)) === (await servingNode(uma.page))) await vic.page.reload();
    const before = await composer(vic.page).boundingBox();
    const ofUma = await recordLine(uma.page);
    await typeUntilShown(uma.page, vic.page, "uma is typing…");
    await announced(vic.page).filter({ hasText: "uma is typing…" }).waitFor({ state: "attached" });
    expect(await composer(vic.page).boundingBox()).toEqual(before);
    await composer(uma.page).press("Enter");
    await line(vic.page).filter({ hasNotText: "typing" }).waitFor({ state: "attached" });
    await committed(uma.page, "…").waitFor();
    // Once more: shown, and not said again.
    await typeUntilShown(uma.page, vic.page, "uma is typing…");
    expect(await announced(vic.page).textContent()).toBe("");
    // Without a text or another key it ends by itself.
    await line(vic.page).filter({ hasNotText: "typing" }).waitFor({ state: "attached" });
    expect(await ofUma()).toEqual([]);
    expect([...uma.complaints, ...vic.complaints]).toEqual([]);

    // Vic keeps it to himself: his keys show nowhere, his text does.
    await vic.page.getByRole("button", { name: "Account" }).click();
    await vic.page.getByLabel("Others see when I am typing").uncheck();
    await vic.page.keyboard.press("Escape");
    await composer(vic.page).pressSequentially("unseen");
    await composer(vic.page).press("Enter");
    await uma.page.getByText("unseen", { exact: true }).waitFor();
    expect(await ofUma()).toEqual([]);
    await Promise.all([uma.context.close(), vic.context.close()]);
  });

  test("who comes and goes is seen beside their names, at whatever node they are", async () => {
    const [cleo, dan] = await Promise.all([stage.member("cleo"), stage.member("dan", { node: 3 })]);
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
    const again = await stage.returns("dan", 2);
    await nav.getByRole("link", { name: "dan online" }).waitFor();
    expect(cleo.complaints).toEqual([]);
    await Promise.all([cleo.context.close(), again.context.close()]);
  });
});
