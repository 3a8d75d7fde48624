// A browser that lets the page keep nothing, or has no room for it: the chat goes on, and says what will not outlive the page.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import {
  bodies,
  CHROMIUM,
  committed,
  composer,
  hasNoViolations,
  Person,
  say,
  WHOLE_CHROMIUM,
} from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** Fills local storage to the last character, as another program on this origin could. */
const fill = () => {
  let size = 1 << 20;
  for (let at = 0; size > 0; at += 1) {
    try {
      localStorage.setItem(`other:${at}`, "x".repeat(size));
    } catch {
      size >>= 1;
    }
  }
};

describe.skipIf(CHROMIUM === undefined)("storage", { timeout: 300_000 }, () => {
  test.skipIf(WHOLE_CHROMIUM === undefined)(
    "forbidden by the browser's own settings: one signs in, writes and reads, and is told what a reload takes",
    async () => {
      const profile = mkdtempSync(join(tmpdir(), "parley-profile-"));
      mkdirSync(join(profile, "Default"));
      const forbidden = { profile: { default_content_setting_values: { cookies: 2 } } };
      writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(forbidden));
      const context = await chromium.launchPersistentContext(profile, {
        executablePath: WHOLE_CHROMIUM ?? "",
        args: ["--no-sandbox", "--disable-background-networking"],
        viewport: { width: 1200, height: 760 },
      });
      const fay = await Person.in(context, "fay", stage.originOf(1));
      const { page } = fay;
      const refusals = await page.evaluate(async () => {
        const tries = [
          () => localStorage.length,
          () => indexedDB.databases(),
          () => navigator.locks.request("x", () => {}),
        ];
        const results = tries.map(async (attempt) => attempt());
        return (await Promise.allSettled(results)).map(({ status }) => status);
      });
      expect(refusals).toEqual(["rejected", "rejected", "rejected"]);
      await page.getByText("This browser keeps nothing for this page").waitFor();
      await hasNoViolations(page);
      await fay.signUp();
      await page.getByRole("button", { name: "Open #general" }).click();
      await composer(page).waitFor();
      await fay.createRoom("lounge");
      await page.getByText(/lost when this tab is closed or reloaded/).waitFor();
      await hasNoViolations(page);
      for (const text of ["one", "two", "three"]) await say(page, text);
      await committed(page, "three").waitFor();
      expect(await bodies(page)).toEqual(["one", "two", "three"]);
      // A draft goes with one from room to room, and whoever leaves is asked.
      await composer(page).fill("half a thought");
      for (const room of ["general", "lounge"]) {
        await page.keyboard.press("Control+k");
        await page.keyboard.type(room);
        await page.keyboard.press("Enter");
        await page.getByRole("heading", { name: room }).waitFor();
      }
      await until(
        async () => (await composer(page).inputValue()) === "half a thought",
        "the draft",
      );
      expect(fay.modals).toEqual([]);
      await page.reload();
      expect(fay.modals.length).toBe(1);
      await page.getByLabel("Username").fill("fay");
      await page.getByLabel("Password").fill("a long password");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator(".message", { hasText: "three" }).waitFor();
      expect(fay.complaints).toEqual([]);
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  );

  test("full: messages are sent, drafts stay while the page does, and it is all kept again when there is room", async () => {
    const gale = await stage.member("gale", { room: "loft" });
    const { page } = gale;
    await say(page, "with room");
    await committed(page, "with room").waitFor();
    const devtools = await gale.context.newCDPSession(page);
    const quota = (quotaSize?: number) =>
      devtools.send("Storage.overrideQuotaForOrigin", {
        origin: stage.originOf(1),
        ...(quotaSize === undefined ? {} : { quotaSize }),
      });
    await quota(1);
    await page.evaluate(fill);
    const banner = page.getByText(/lost when this tab is closed or reloaded/);
    await composer(page).fill("a draft that finds no room");
    await banner.waitFor();
    await hasNoViolations(page);
    await say(page, `${"long ".repeat(2_000)}and sent`);
    await committed(page, "and sent").waitFor();
    await gale.context.setOffline(true);
    await say(page, "kept by the page alone");
    await gale.context.setOffline(false);
    await committed(page, "kept by the page alone").waitFor();
    await quota();
    await page.evaluate(() => {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith("other:")) localStorage.removeItem(key);
      }
    });
    await say(page, "room again");
    await composer(page).fill("kept again");
    await until(async () => (await banner.count()) === 0, "the banner to be gone");
    await page.reload();
    await page.locator(".message", { hasText: "room again" }).waitFor();
    expect(await composer(page).inputValue()).toBe("kept again");
    expect(gale.modals).toEqual([]);
    expect(gale.complaints).toEqual([]);
    await gale.context.close();
  });
});
