// By a link from nothing to a friend's message, in a real Chromium.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevCluster } from "../harness/dev-cluster.ts";
import { CHROMIUM, composer, launchChromium, Person, say } from "./chromium.ts";

let cluster: DevCluster;
let browser: Browser;

const originOf = (id: number) => `http://${cluster.node(id).http}`;

/** Clicks are counted: the journey has a bound. */
function counting(person: Person): { clicks: number } {
  const counted = { clicks: 0 };
  person.page.on("console", (message) => {
    if (message.text() === "a click") counted.clicks += 1;
  });
  return counted;
}

async function arriveBy(link: string, name: string): Promise<Person> {
  const person = await Person.arrive(browser, name, "about:blank");
  await person.page.addInitScript(() =>
    addEventListener("click", (event) => event.isTrusted && console.log("a click"), true),
  );
  await person.page.goto(link);
  return person;
}

describe.skipIf(CHROMIUM === undefined)("invite links", { timeout: 300_000 }, () => {
  let ada: Person;
  let link = "";

  beforeAll(async () => {
    [cluster, browser] = await Promise.all([DevCluster.start(3), launchChromium()]);
    ada = await Person.arrive(browser, "ada", originOf(1));
    await ada.signUp();
    const { page } = ada;
    await page.getByRole("navigation").getByRole("button", { name: "New room" }).click();
    await page.getByLabel("Name", { exact: true }).fill("attic");
    await page.getByLabel(/private/i).check();
    await page.getByRole("button", { name: "Create room" }).click();
    await say(page, "Come up, the kettle is on");
    await page.getByRole("button", { name: "Account", exact: true }).click();
    await page.getByLabel("Accounts here can be made by").selectOption("whoever has an invite");
    await page.getByText("Who can make an account is changed.").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /member/ }).click();
    await page.getByText("Invite links").click();
    await page.getByRole("button", { name: "Make a link" }).click();
    link = await page.getByLabel("Invite link", { exact: true }).inputValue();
    await page.keyboard.press("Escape");
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await cluster?.destroy();
  }, 60_000);

  test("invite link → friend's message visible: at most 4 clicks; the secret reaches no server", async () => {
    expect(link).toMatch(new RegExp(`^${originOf(1)}/join#[A-Za-z0-9_-]{32}$`));
    const secret = link.split("#")[1] ?? "";
    // At another node than the one where it was made.
    const bea = await arriveBy(link.replace(originOf(1), originOf(2)), "bea");
    const counted = counting(bea);
    const urls: string[] = [];
    bea.page.on("request", (request) => urls.push(request.url()));
    const { page } = bea;
    await page.getByText("ada invites you to #attic.").waitFor();
    await page.getByLabel("Username").click();
    await page.getByLabel("Username").fill("bea");
    await page.getByLabel("Password").click();
    await page.getByLabel("Password").fill("a long password");
    await page.getByRole("button", { name: "Create account" }).click();
    await composer(page).waitFor();
    expect(new URL(page.url()).pathname).toMatch(/^\/r\/\d+$/);
    await say(page, "Here I am");
    await ada.page.getByText("Here I am", { exact: true }).waitFor();
    await say(ada.page, "Tea?");
    await page.getByText("Tea?", { exact: true }).waitFor();
    expect(counted.clicks).toBeLessThanOrEqual(4);
    expect(urls.filter((url) => url.includes(secret))).toEqual([]);
    expect(page.url()).not.toContain(secret);
    expect(bea.complaints).toEqual([]);
    await bea.context.close();
  });

  test("whoever has an account signs in and joins; without an invite there is no form for a new one", async () => {
    const carl = await arriveBy(link, "carl");
    await carl.page.getByLabel("Username").fill("carl");
    await carl.page.getByLabel("Password").fill("a long password");
    await carl.page.getByRole("button", { name: "Create account" }).click();
    await composer(carl.page).waitFor();
    await carl.page.getByRole("button", { name: /member/ }).click();
    await carl.page.getByRole("button", { name: "Leave the room" }).click();
    const again = await carl.tab(link);
    await again.getByText("ada invites you to #attic.").waitFor();
    await again.getByRole("button", { name: "Join" }).click();
    await composer(again).waitFor();
    const dora = await Person.arrive(browser, "dora", originOf(3));
    await dora.page.getByText("Ask somebody who is in for an invite link.").waitFor();
    expect(await dora.page.getByRole("button", { name: "I am new here" }).count()).toBe(0);
    expect([...carl.complaints, ...dora.complaints]).toEqual([]);
    await Promise.all([carl.context.close(), dora.context.close()]);
  });

  test("a revoked link admits nobody any more, and says so", async () => {
    await ada.page.getByRole("button", { name: /member/ }).click();
    await ada.page.getByText("Invite links").click();
    await ada.page.getByRole("button", { name: "Revoke" }).click();
    await ada.page.getByText("The link admits nobody any more.").waitFor();
    const edgar = await arriveBy(link, "edgar");
    await edgar.page.getByText("This invite does not count, or no longer.").waitFor();
    expect(await edgar.page.getByRole("button", { name: "Create account" }).count()).toBe(0);
    expect([...ada.complaints, ...edgar.complaints]).toEqual([]);
    await edgar.context.close();
  });

  test("a forgotten password: the owner's link sets another one, once, and signs in", async () => {
    await ada.page.keyboard.press("Escape");
    await ada.page.getByRole("button", { name: "Account", exact: true }).click();
    await ada.page.getByLabel("Somebody forgot their password: username").fill("bea");
    await ada.page.getByRole("button", { name: "Make a link" }).click();
    const password = ada.page.getByLabel("Password link", { exact: true });
    const passwordLink = await password.inputValue();
    expect(passwordLink).toMatch(/\/password#[A-Za-z0-9_-]{32}$/);
    const bea = await arriveBy(passwordLink, "bea");
    await bea.page.getByLabel("New password").fill("another long password");
    await bea.page.getByRole("button", { name: "Set the password" }).click();
    await bea.page.getByRole("navigation").waitFor();
    expect(bea.page.url()).not.toContain("#");
    const late = await arriveBy(passwordLink, "late");
    await late.page.getByLabel("New password").fill("a thief's password");
    await late.page.getByRole("button", { name: "Set the password" }).click();
    await late.page.getByText("This link does not count, or no longer.").waitFor();
    expect([...bea.complaints, ...late.complaints]).toEqual([]);
    await Promise.all([bea.context.close(), late.context.close()]);
  });
});
