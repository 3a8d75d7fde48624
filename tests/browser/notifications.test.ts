// What a browser tells of while nobody looks at the chat: once for all of its tabs, and nothing that one of them shows to somebody.
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM_ARGS, hasNoViolations, WHOLE_CHROMIUM } from "./chromium.ts";
import { sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** Chromium without windows shows no notifications. */
let browser: Browser;

/** As a tab behind others is, and one that somebody looks at. */
const setLookedAt = (page: Page, isLookedAt: boolean) =>
  page.evaluate((looked) => {
    Object.defineProperty(document, "visibilityState", {
      configurable: true,
      get: () => (looked ? "visible" : "hidden"),
    });
    document.hasFocus = () => looked;
  }, isLookedAt);

/** All that any tab has told, in its order. */
const told = async (pages: readonly Page[]) => {
  const all = pages.map((page) =>
    page.evaluate(() => (window as unknown as { told: string[] }).told),
  );
  return (await Promise.all(all)).flat();
};

describe.skipIf(WHOLE_CHROMIUM === undefined)("notifications", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: WHOLE_CHROMIUM ?? "", args: CHROMIUM_ARGS });
  });
  afterAll(() => browser.close());

  test("two tabs tell once of what nobody sees, a click leads there, and nothing comes while it should not disturb", async () => {
    const [zita, yan] = await Promise.all([
      sdkPerson(stage.cluster, "zita"),
      sdkPerson(stage.cluster, "yan"),
    ]);
    const roomId = await stage.enter(yan, "bells");
    const say = (body: string) => yan.send(roomId, body);
    const person = await stage.browserOf(zita, { room: "bells", browser });
    const { context } = person;
    await context.grantPermissions(["notifications"], { origin: stage.originOf(1) });
    await context.addInitScript(() => {
      const { prototype } = ServiceWorkerRegistration;
      const show = prototype.showNotification;
      const calls: string[] = [];
      Object.assign(window, { told: calls });
      prototype.showNotification = function (title, options) {
        calls.push(`${title}: ${options?.body}`);
        return show.call(this, title, options);
      };
    });
    await person.page.reload();
    const tabs = [person.page, await person.tab(`${stage.originOf(1)}/`)];
    const [first, second] = tabs as [Page, Page];
    await first.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    await first.getByRole("button", { name: "Account" }).click();
    await first.getByLabel("While this page is in the background").selectOption("every message");
    await first.keyboard.press("Escape");
    for (const tab of tabs) await setLookedAt(tab, false);

    await say("is anybody there?");
    await until(async () => (await told(tabs)).length > 0, "it is told");
    // The first tab is looked at: what it shows, the second one does not tell.
    await setLookedAt(first, true);
    await say("I see you");
    await first.locator(".message", { hasText: "I see you" }).waitFor();
    await setLookedAt(first, false);
    await say("gone again?");
    await until(async () => (await told(tabs)).length > 1, "the next one is told");
    const expected = ["yan in #bells: is anybody there?", "yan in #bells: gone again?"];
    expect((await told(tabs)).toSorted()).toEqual(expected.toSorted());

    // As the browser does when a notification is clicked.
    const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
    await worker.evaluate(`(async () => {
      const all = await registration.getNotifications();
      const notification = all.find(({ body }) => body === "gone again?");
      dispatchEvent(new NotificationEvent("notificationclick", { notification }));
    })()`);
    const isThere = (page: Page) => page.url().endsWith(`/r/${roomId}/3`);
    await until(async () => tabs.some(isThere), "a tab shows the message");

    await second.getByRole("button", { name: "Account" }).click();
    await second.getByLabel("Do not disturb").selectOption("until tomorrow morning");
    await hasNoViolations(second, "the settings");
    await second.keyboard.press("Escape");
    await first.getByText(/Do not disturb until .*8:00/).waitFor();
    await hasNoViolations(first, "do not disturb");
    await say("a secret");
    await first.locator(".message", { hasText: "a secret" }).waitFor();
    await first.getByRole("button", { name: "End it" }).click();
    await second.getByText("Do not disturb until").waitFor({ state: "detached" });
    await say("good morning");
    await until(async () => (await told(tabs)).length > 2, "it is told again");
    expect((await told(tabs)).toSorted()).toEqual(
      [...expected, "yan in #bells: good morning"].toSorted(),
    );
    expect(person.complaints).toEqual([]);
    await Promise.all([context.close(), zita.close(), yan.close()]);
  });
});
