// What a page tells of its cluster: who is there, whom it does not reach, and on how many disks a message is.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seededRandom } from "../harness/seeded-random.ts";
import { TroubledLine, throughLines } from "../harness/troubled-line.ts";
import { CHROMIUM, hasNoViolations, launchChromium, say, servingNode } from "./chromium.ts";
import { sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** Through the lines. */
let browser: Browser;
let lines: readonly TroubledLine[];
const lineOf = (node: number) => lines[node - 1] as TroubledLine;

/** A node's line in the view of the cluster, which is open. */
const row = (page: Page, node: number) =>
  page
    .getByRole("dialog")
    .locator("tbody tr")
    .nth(node - 1);

const isSoon = (page: Page, text: string, ms: number) =>
  page
    .locator(".pill", { hasText: text })
    .waitFor({ timeout: ms })
    .then(
      () => true,
      () => false,
    );

describe.skipIf(CHROMIUM === undefined)(
  "the cluster as a page sees it",
  { timeout: 300_000 },
  () => {
    beforeAll(async () => {
      const random = seededRandom(1);
      lines = await Promise.all(
        stage.cluster.nodes.map(({ http }) => TroubledLine.open(http, random)),
      );
      browser = await launchChromium(throughLines(lines));
    });
    afterAll(async () => {
      await browser.close();
      await Promise.all(lines.map((line) => line.close()));
    });

    test("a node that is well but not reached from here is named, one that died is not heard of, and both end", async () => {
      const client = await sdkPerson(stage.cluster, "noam");
      const { page, context, complaints } = await stage.browserOf(client, { browser });
      await client.close();
      await page.locator(".pill", { hasText: /^node \d$/ }).waitFor();
      const serving = await servingNode(page);
      const lost = (serving % 3) + 1;
      lineOf(lost).trouble = "refused";
      const named = `not reached from here: node ${lost}`;
      // Whoever loses its node tries one of the others: that one sooner or later.
      do lineOf(await servingNode(page)).cut();
      while (!(await isSoon(page, named, 10_000)));
      await page.locator(".pill").click();
      await row(page, lost)
        .getByText(/^(follower|leader), not reached from here$/)
        .waitFor();
      await hasNoViolations(page);

      stage.cluster.kill(lost);
      await row(page, lost).getByText("not heard of", { exact: true }).waitFor();
      await page.locator(".pill", { hasText: named }).waitFor({ state: "detached" });
      const others = [1, 2, 3].filter((node) => node !== lost);
      const roles = await Promise.all(others.map((node) => row(page, node).textContent()));
      expect(roles.join()).toMatch(/leader/);
      expect(roles.join()).toMatch(/follower/);
      lineOf(lost).trouble = "pass";
      await stage.cluster.waitDead(lost);
      await stage.cluster.restart(lost);
      await row(page, lost).getByText("follower", { exact: true }).waitFor();
      expect(complaints).toEqual([]);
      await context.close();
    });

    test("P1: on how many disks a message is, is told after a reload and on another device", async () => {
      const client = await sdkPerson(stage.cluster, "ottilie");
      const { page, context } = await stage.browserOf(client, { room: "disks" });
      await client.close();
      await stage.cluster.heal();
      await say(page, "on all");
      const tick = (on: Page, text: string) =>
        on.locator(".message", { hasText: text }).locator(".tick");
      const shows = (on: Page, text: string, mark: string) =>
        tick(on, text).filter({ hasText: mark }).waitFor();
      await shows(page, "on all", "✓✓");
      stage.cluster.kill(3);
      await stage.cluster.waitDead(3);
      await say(page, "on two");
      await shows(page, "on two", "✓ 2/3");
      await page.reload();
      await shows(page, "on two", "✓ 2/3");
      const again = await stage.returns("ottilie", 2, new URL(page.url()).pathname);
      await shows(again.page, "on two", "✓ 2/3");
      await stage.cluster.restart(3);
      for (const one of [page, again.page]) {
        await shows(one, "on two", "✓✓");
        await shows(one, "on all", "✓✓");
      }
      await Promise.all([context.close(), again.context.close()]);
    });
  },
);
