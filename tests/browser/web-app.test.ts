// The page in a real Chromium, against real server processes that are really killed: the journeys that people take.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import {
  bodies,
  CHROMIUM,
  committed,
  composer,
  hasNoViolations,
  PATIENCE_MS,
  Person,
  say,
  servingNode,
} from "./chromium.ts";
import { inTurns, OWNER, sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

describe.skipIf(CHROMIUM === undefined)("the web app", { timeout: 300_000 }, () => {
  test("from the link to the first message: two fields, three clicks; axe finds nothing", async () => {
    const ada = await Person.arrive(stage.browser, "ada", "about:blank");
    const counted = await ada.countClicks();
    await ada.page.goto(stage.originOf(1));
    await hasNoViolations(ada.page);
    await ada.signUp();
    await ada.page.getByRole("button", { name: "Open #general" }).click();
    await say(ada.page, "Hello, **world**");
    await committed(ada.page, "Hello, world").waitFor();
    // The same form signs in and makes an account: two fields, and the last click may as well be Enter.
    expect(counted.clicks).toBe(3);
    expect(await ada.page.locator(".message strong").textContent()).toBe("world");
    await hasNoViolations(ada.page);
    await ada.page.locator(".pill").click();
    await ada.page.getByRole("dialog").waitFor();
    await hasNoViolations(ada.page);
    expect(ada.complaints).toEqual([]);
    await ada.context.close();
  });

  afterAll(() => stage.openToEverybody());

  test("the owner closes the door: the page says so instead of showing a form that fails", async () => {
    const owner = await stage.returns(OWNER);
    const settings = async (choice: string) => {
      await owner.page.getByRole("button", { name: "Account", exact: true }).click();
      await owner.page.getByLabel("Accounts here can be made by").selectOption(choice);
      await owner.page.getByText("Who can make an account is changed.").waitFor();
      await owner.page.keyboard.press("Escape");
    };
    await settings("nobody");
    const late = await stage.arrive("late", 2);
    await late.page.getByText("New accounts are closed here at present.").waitFor();
    expect(await late.page.getByRole("button", { name: "I am new here" }).count()).toBe(0);
    await settings("everybody");
    await late.page.reload();
    await late.signUp();
    expect([...owner.complaints, ...late.complaints]).toEqual([]);
    await Promise.all([owner.context.close(), late.context.close()]);
  });

  test("P7: the node that serves the page dies while somebody types: not a letter lost, nothing in the way", async () => {
    const [bea, carl] = await Promise.all([
      stage.member("bea", { node: 2, room: "harbour" }),
      stage.member("carl", { node: 3, room: "harbour" }),
    ]);
    await say(bea.page, "before");
    await carl.page.getByText("before", { exact: true }).waitFor();
    const serving = await servingNode(bea.page);
    expect(serving).toBeGreaterThan(0);
    const text = "typed while the server dies, letter by letter, and then sent";
    const half = Math.floor(text.length / 2);
    await composer(bea.page).pressSequentially(text.slice(0, half));
    stage.cluster.kill(serving);
    await composer(bea.page).pressSequentially(text.slice(half));
    expect(await composer(bea.page).inputValue()).toBe(text);
    await composer(bea.page).press("Enter");
    await committed(bea.page, text).waitFor();
    await carl.page.getByText(text, { exact: true }).waitFor();
    expect(bea.modals).toEqual([]);
    expect(await bea.page.locator(".message.unsent").count()).toBe(0);
    // The node that served the page is dead: a reload still shows it, and goes on with another.
    await bea.page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    await bea.page.reload();
    await bea.page.getByText(text, { exact: true }).waitFor();
    await say(bea.page, "after the reload");
    await committed(bea.page, "after the reload").waitFor();
    await carl.page.getByText("after the reload", { exact: true }).waitFor();
    expect((await bodies(carl.page)).map((body) => body.trim())).toEqual([
      "before",
      text,
      "after the reload",
    ]);
    expect([...bea.complaints, ...carl.complaints]).toEqual([]);
    await stage.cluster.restart(serving);
    await Promise.all([bea.context.close(), carl.context.close()]);
  });

  test("P7: the node that serves the page is stopped instead: its silence is noticed, and what was typed meanwhile is sent elsewhere", async () => {
    // It may have been killed just now.
    const isReady = async () =>
      (await fetch(`${stage.originOf(2)}/readyz`).catch(() => undefined))?.status === 200;
    await until(isReady, "node 2 to be ready");
    const [amy, ben] = await Promise.all([
      stage.member("amy", { node: 2, room: "silence" }),
      stage.member("ben", { node: 3, room: "silence" }),
    ]);
    await say(amy.page, "before");
    await committed(amy.page, "before").waitFor();
    const serving = await servingNode(amy.page);
    const text = "typed while the server hangs, letter by letter";
    await composer(amy.page).pressSequentially(text.slice(0, 20));
    stage.cluster.signal(serving, "SIGSTOP");
    try {
      await composer(amy.page).pressSequentially(text.slice(20));
      expect(await composer(amy.page).inputValue()).toBe(text);
      await composer(amy.page).press("Enter");
      await committed(amy.page, text).waitFor();
      await ben.page.getByText(text, { exact: true }).waitFor();
      expect(await servingNode(amy.page)).not.toBe(serving);
    } finally {
      stage.cluster.signal(serving, "SIGCONT");
    }
    expect(amy.modals).toEqual([]);
    expect((await bodies(ben.page)).map((body) => body.trim())).toEqual(["before", text]);
    expect([...amy.complaints, ...ben.complaints]).toEqual([]);
    await Promise.all([amy.context.close(), ben.context.close()]);
  });

  test("P2, P3, P6: without a majority two tabs go on writing; when it is back, everything is there, in order, once", async () => {
    const dora = await stage.member("dora", { room: "waiting room" });
    const one = dora.page;
    const two = await dora.tab(one.url());
    await composer(two).waitFor();
    await say(one, "zero");
    await committed(one, "zero").waitFor();
    stage.cluster.kill(2);
    stage.cluster.kill(3);
    await one.locator('.pill:not([data-kind="online"])').waitFor();
    for (let at = 1; at <= 10; at += 1) {
      await say(one, `one ${at}`);
      await say(two, `two ${at}`);
    }
    // Both tabs show all that waits; the page stays as it is over a reload.
    await until(async () => (await one.locator(".message.unsent").count()) === 20, "20 in one");
    await until(async () => (await two.locator(".message.unsent").count()) === 20, "20 in two");
    await two.reload();
    await until(async () => (await two.locator(".message.unsent").count()) === 20, "20 again");
    for (const page of [one, two]) {
      await page.getByText(/^Read-only, as of \d.*; 20 messages waiting$/).waitFor();
    }
    await Promise.all([stage.cluster.restart(2), stage.cluster.restart(3)]);
    await until(async () => (await one.locator(".message.unsent").count()) === 0, "all sent");
    const expected = ["zero"];
    for (let at = 1; at <= 10; at += 1) expected.push(`one ${at}`, `two ${at}`);
    const shown = async (page: Page) => (await bodies(page)).map((body) => body.trim());
    await until(async () => (await shown(two)).length === expected.length, "all in two");
    expect(await shown(one)).toEqual(expected);
    expect(await shown(two)).toEqual(expected);
    expect(dora.modals).toEqual([]);
    expect(dora.complaints).toEqual([]);
    await dora.context.close();
  });

  test("P2, P6: every server dies; what is written stays, and is there once when they are back, but for what was taken back", async () => {
    const edgar = await stage.member("edgar", { node: 3, room: "cellar" });
    const { page } = edgar;
    await say(page, "lights on");
    await committed(page, "lights on").waitFor();
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    for (const { id } of stage.cluster.nodes) stage.cluster.kill(id);
    await page.getByText("Reconnecting, your messages are kept").waitFor();
    await say(page, "never mind");
    await say(page, "lights off");
    // Even the reload finds the page, the history and what waits, without a single server.
    await page.reload();
    await page.getByText("lights on", { exact: true }).waitFor();
    await page.locator(".message.unsent", { hasText: "lights off" }).waitFor();
    const mistake = page.locator(".message.unsent", { hasText: "never mind" });
    await mistake.hover();
    await mistake.getByRole("button", { name: "Cancel" }).click();
    await mistake.getByText("will be deleted").waitFor();
    for (const { id } of stage.cluster.nodes) await stage.cluster.restart(id);
    await committed(page, "lights off").waitFor();
    await page.getByText("This message was deleted.").waitFor();
    const shown = (await bodies(page)).map((body) => body.trim());
    expect(shown).toEqual(["lights on", "This message was deleted.", "lights off"]);
    expect(edgar.modals).toEqual([]);
    expect(edgar.complaints).toEqual([]);
    await edgar.context.close();
  });

  test("a long history opens at its end, mounts few rows, and older pages come without a jump", async () => {
    const client = await sdkPerson(stage.cluster, "ella");
    const roomId = await stage.enter(client, "archive");
    const earlier = Array.from({ length: 150 }, (_, at) => `message ${at + 1}`);
    await inTurns(earlier, (text) => client.send(roomId, text));
    const ella = await stage.browserOf(client, { room: "archive" });
    await client.close();
    await ella.page.getByText("message 150", { exact: true }).waitFor();
    // The last of them by the outbox of the page itself.
    for (let at = 151; at <= 160; at += 1) await say(ella.page, `message ${at}`);
    await committed(ella.page, "message 160").waitFor();
    await ella.page.reload();
    await ella.page.getByText("message 160", { exact: true }).waitFor();
    const mounted = () => ella.page.locator(".message").count();
    expect(await mounted()).toBeLessThanOrEqual(100);
    const scroller = ella.page.getByRole("log");
    let seen = false;
    for (let page = 0; page < 40 && !seen; page += 1) {
      // The first row that is seen stays where it is while others come in above.
      await scroller.evaluate((element) => {
        element.scrollTop = Math.max(0, element.scrollTop - element.clientHeight / 2);
      });
      await ella.page.evaluate(() => new Promise(requestAnimationFrame));
      seen = await ella.page.getByText("message 1", { exact: true }).isVisible();
      expect(await mounted()).toBeLessThanOrEqual(100);
    }
    await ella.page.getByText("message 1", { exact: true }).waitFor();
    // Whoever writes while looking further up is taken to what they wrote.
    await say(ella.page, "message 161");
    await committed(ella.page, "message 161").waitFor();
    await scroller.evaluate((element) => {
      element.scrollTop = 0;
    });
    await ella.page.getByRole("button", { name: "To the newest" }).click();
    await ella.page.getByText("message 160", { exact: true }).waitFor();
    // A link to one message works on any node, also where one has to sign in first; and back leads back.
    const room = new URL(ella.page.url()).pathname;
    const target = ella.page.locator(".message.target", { hasText: "message 20" });
    await ella.page.goto(`${stage.originOf(1)}${room}/20`);
    await target.waitFor();
    await ella.page.goto(`${stage.originOf(2)}${room}/20`);
    await ella.page.getByLabel("Username").fill("ella");
    await ella.page.getByLabel("Password").fill("a long password");
    await ella.page.getByRole("button", { name: "Sign in" }).click();
    await target.waitFor();
    await ella.page.goBack();
    await target.waitFor();
    expect(ella.page.url()).toBe(`${stage.originOf(1)}${room}/20`);
    await ella.page.goBack();
    await ella.page.getByText("message 161", { exact: true }).waitFor();
    await ella.context.close();
  });

  test("edit, delete, an input method's Enter, and drafts that survive", async () => {
    const finn = await stage.member("finn", { node: 2, room: "workbench" });
    const { page } = finn;
    await say(page, "frist");
    await committed(page, "frist").waitFor();
    await composer(page).press("ArrowUp");
    expect(await composer(page).inputValue()).toBe("frist");
    await composer(page).fill("first");
    await composer(page).press("Enter");
    await page.getByText("(edited)").waitFor();
    expect((await bodies(page))[0]).toContain("first");
    await page.locator(".message").hover();
    await page.getByRole("button", { name: "React with 🎉" }).click();
    await page.getByRole("button", { name: "🎉, 1" }).waitFor();
    await page.locator(".message").hover();
    await page.getByRole("button", { name: "Pin", exact: true }).click();
    await page.locator(".pinned").waitFor();
    await page.getByRole("button", { name: "Pins" }).click();
    await page.getByRole("dialog").getByText("first").click();
    await page.locator(".message.target", { hasText: "first" }).waitFor();
    await page.locator(".message").hover();
    await page.getByRole("button", { name: "Reply" }).click();
    await say(page, "an answer");
    await committed(page, "an answer").waitFor();
    expect(await page.locator(".message .quote").textContent()).toContain("first");
    await hasNoViolations(page);
    await page.getByRole("button", { name: "🎉, 1" }).click();
    await until(
      async () => (await page.locator(".reactions").count()) === 0,
      "it to be taken back",
    );
    // Enter that ends a composition is not Enter.
    await composer(page).fill("にほん");
    await composer(page).evaluate((field) => {
      const init = { key: "Enter", bubbles: true, cancelable: true, isComposing: true };
      field.dispatchEvent(new KeyboardEvent("keydown", init));
    });
    await composer(page).press("Shift+Enter");
    expect(await composer(page).inputValue()).toBe("にほん\n");
    await page.reload();
    await composer(page).waitFor();
    expect(await composer(page).inputValue()).toBe("にほん\n");
    await composer(page).fill("");
    await page.locator(".message").first().hover();
    await page.getByRole("button", { name: "Delete" }).first().click();
    await page.getByText("This message was deleted.").waitFor();
    expect(finn.complaints).toEqual([]);
    await finn.context.close();
  });

  test("Ctrl-K and a few letters open any room; someone who is removed is told, in every tab", async () => {
    const [gus, hal] = await Promise.all([stage.member("gus"), stage.member("hal", { node: 2 })]);
    for (const name of ["alpha", "beta", "gamma"]) await gus.createRoom(name);
    await gus.page.keyboard.press("Control+k");
    await gus.page.keyboard.type("be");
    await gus.page.keyboard.press("Enter");
    await gus.page.getByRole("heading", { name: "beta" }).waitFor();
    await gus.page.keyboard.press("Alt+ArrowDown");
    await gus.page.getByRole("heading", { name: "gamma" }).waitFor();
    await gus.page.keyboard.press("Alt+ArrowUp");
    await gus.page.getByRole("heading", { name: "beta" }).waitFor();
    await hal.joinRoom("beta");
    const tab = await hal.tab(hal.page.url());
    await composer(tab).waitFor();
    // A mention, completed from two letters; whom it means sees it counted, until it is read.
    await gus.page.getByRole("link", { name: "beta" }).click();
    await hal.page.getByRole("navigation").getByRole("button", { name: "New room" }).click();
    await hal.page.getByLabel("Name", { exact: true }).fill("cabin");
    await hal.page.getByRole("button", { name: "Create room" }).click();
    await hal.page.getByRole("heading", { name: "cabin" }).waitFor();
    await tab.close();
    await composer(gus.page).pressSequentially("come, @ha");
    await gus.page.getByRole("option", { name: "hal" }).waitFor();
    await composer(gus.page).press("Tab");
    expect(await composer(gus.page).inputValue()).toBe("come, @hal ");
    await composer(gus.page).press("Enter");
    await hal.page.getByText("mentions of you").waitFor();
    await hal.page.getByRole("link", { name: "beta" }).click();
    await hal.page.locator(".message.for-me").waitFor();
    await until(async () => (await hal.page.locator(".badge.mention").count()) === 0, "it read");
    const again = await hal.tab(hal.page.url());
    await composer(again).waitFor();
    await gus.page.getByRole("button", { name: "2 members" }).click();
    await gus.page.getByRole("dialog").getByText("@hal").waitFor();
    await hasNoViolations(gus.page);
    await gus.page.getByRole("button", { name: "Remove" }).click();
    for (const page of [hal.page, again]) await page.getByText("You were removed").waitFor();
    await gus.page.getByText("hal was removed.").waitFor();
    await gus.page.keyboard.press("Escape");
    await gus.page.getByRole("button", { name: "Account" }).click();
    await gus.page.getByText("this one").waitFor();
    await hasNoViolations(gus.page);
    expect(hal.complaints).toEqual([]);
    await Promise.all([gus.context.close(), hal.context.close()]);
  });

  test("hostile texts and names stay texts and names", async () => {
    const ida = await stage.member("ida", { room: "<img src=x onerror=alert(1)>" });
    const { page } = ida;
    const hostile = [
      "<script>alert(1)</script>",
      "[click](javascript:alert(1))",
      "![x](javascript:alert(1))",
      "![pixel](https://tracker.example/pixel.png)",
      "<svg onload=alert(1)>",
      "[data](data:text/html,<script>alert(1)</script>)",
      `${">".repeat(500)} deep`,
      `${"*".repeat(3_000)}many marks${"_".repeat(3_000)}`,
      "\u202Egnp.exe\u202C",
    ];
    for (const text of hostile) await say(page, text);
    await committed(page, "gnp.exe").waitFor();
    expect(await page.locator(".messages :is(script, img, svg, iframe, object)").count()).toBe(0);
    const links = await page
      .locator(".messages .body a")
      .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).protocol));
    expect(links.every((protocol) => protocol === "https:")).toBe(true);
    expect(ida.modals).toEqual([]);
    // Too large: said at once, and the text stays.
    const paste = "x".repeat(1024 * 1024);
    await composer(page).fill(paste);
    await composer(page).press("Enter");
    await page.getByText(/at most 16,384 bytes/).waitFor();
    expect((await composer(page).inputValue()).length).toBe(paste.length);
    await composer(page).fill("");
    await ida.context.close();
  });

  test("P10: the page has a strict policy, and only those who ask for a member by its name get it", async () => {
    const response = await fetch(stage.originOf(1));
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(response.status).toBe(200);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain("unsafe");
    expect(policy).toContain("frame-ancestors 'none'");
    for (const node of stage.cluster.nodes) expect(policy).toContain(`ws://${node.http}`);
    const page = await response.text();
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)/);
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? "";
    const asset = await fetch(`${stage.originOf(1)}${script}`);
    expect(asset.headers.get("cache-control")).toContain("immutable");
    expect(asset.headers.get("content-type")).toContain("text/javascript");
    for (const path of ["/../package.json", "/assets/../../package.json", "/r/1/2/3", "/r/x"]) {
      expect((await fetch(`${stage.originOf(1)}${path}`)).status, path).toBe(404);
    }
  });

  test("P10: a page of another origin can't read the page, open a session, or show it in a frame; and finds no token", async () => {
    const ivo = await stage.member("ivo");
    const origin = stage.originOf(1);
    const evil = createServer((_, response) => {
      response.setHeader("content-type", "text/html");
      response.end(`<!doctype html><title>evil</title><iframe src="${origin}"></iframe>`);
    });
    await new Promise<void>((resolve) => evil.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = evil.address() as AddressInfo;
      const page = await ivo.tab(`http://127.0.0.1:${port}/`);
      const found = await page.evaluate(async (target) => {
        const refused = (promise: Promise<unknown>) =>
          promise.then(
            () => "read",
            () => "refused",
          );
        const session = new Promise((resolve) => {
          const socket = new WebSocket(`${target.replace("http", "ws")}/session`);
          socket.onopen = () => resolve("open");
          socket.onerror = () => resolve("refused");
        });
        return {
          page: await refused(fetch(target)),
          withCookies: await refused(fetch(target, { credentials: "include" })),
          session: await session,
          cookies: document.cookie,
          keys: Object.keys(localStorage),
          databases: await indexedDB.databases(),
        };
      }, origin);
      const nothing = { cookies: "", keys: [], databases: [] };
      expect(found).toEqual({
        page: "refused",
        withCookies: "refused",
        session: "refused",
        ...nothing,
      });
      // What the frame shows is Chromium's own page, which says that it was refused.
      await until(() => page.frames().length === 2, "the frame");
      const framed = page.frames()[1];
      await until(async () => framed?.url().startsWith("chrome-error:") === true, "its refusal");
      // The token is in no cookie, no address and no request but the session's first frame.
      expect(await ivo.context.cookies()).toEqual([]);
    } finally {
      evil.close();
    }
    await ivo.context.close();
  });

  test("on a phone: the rooms, or one of them", async () => {
    const context = await stage.browser.newContext({ viewport: { width: 380, height: 700 } });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    await page.goto(stage.originOf(1));
    await page.getByRole("button", { name: "I am new here" }).click();
    await page.getByLabel("Username").fill("jo");
    await page.getByLabel("Password").fill("a long password");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByRole("button", { name: "Open #general" }).click();
    await composer(page).waitFor();
    expect(await page.getByRole("navigation").isVisible()).toBe(false);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(380);
    await page.getByRole("button", { name: "All rooms" }).click();
    await page.getByRole("navigation").waitFor();
    await context.close();
  });
});
