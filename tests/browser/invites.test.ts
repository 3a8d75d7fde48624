// By a link from nothing to a friend's message, in a real Chromium.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHROMIUM, composer, Person, say } from "./chromium.ts";
import { OWNER } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

async function arriveBy(link: string, name: string): Promise<Person> {
  return await Person.arrive(stage.browser, name, link);
}

describe.skipIf(CHROMIUM === undefined)("invite links", { timeout: 300_000 }, () => {
  let owner: Person;
  let link = "";

  beforeAll(async () => {
    owner = await stage.returns(OWNER);
    const { page } = owner;
    await page.getByRole("navigation").getByRole("button", { name: "New room" }).click();
    await page.getByLabel("Name", { exact: true }).fill("garret");
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

  afterAll(() => stage.openToEverybody());

  test("invite link → friend's message visible: at most 4 clicks; the secret reaches no server", async () => {
    expect(link).toMatch(new RegExp(`^${stage.originOf(1)}/join#[A-Za-z0-9_-]{32}$`));
    const secret = link.split("#")[1] ?? "";
    // At another node than the one where it was made.
    const jill = await arriveBy("about:blank", "jill");
    const counted = await jill.countClicks();
    const urls: string[] = [];
    jill.page.on("request", (request) => urls.push(request.url()));
    const { page } = jill;
    await page.goto(link.replace(stage.originOf(1), stage.originOf(2)));
    await page.getByText("owner invites you to #garret.").waitFor();
    await page.getByLabel("Username").click();
    await page.getByLabel("Username").fill("jill");
    await page.getByLabel("Password").click();
    await page.getByLabel("Password").fill("a long password");
    await page.getByRole("button", { name: "Create account" }).click();
    await composer(page).waitFor();
    expect(new URL(page.url()).pathname).toMatch(/^\/r\/\d+$/);
    await say(page, "Here I am");
    await owner.page.getByText("Here I am", { exact: true }).waitFor();
    await say(owner.page, "Tea?");
    await page.getByText("Tea?", { exact: true }).waitFor();
    expect(counted.clicks).toBeGreaterThan(0);
    expect(counted.clicks).toBeLessThanOrEqual(4);
    expect(urls.filter((url) => url.includes(secret))).toEqual([]);
    expect(page.url()).not.toContain(secret);
    expect(jill.complaints).toEqual([]);
    await jill.context.close();
  });

  test("whoever has an account signs in and joins; without an invite there is no form for a new one", async () => {
    const karl = await arriveBy(link, "karl");
    await karl.page.getByLabel("Username").fill("karl");
    await karl.page.getByLabel("Password").fill("a long password");
    await karl.page.getByRole("button", { name: "Create account" }).click();
    await composer(karl.page).waitFor();
    await karl.page.getByRole("button", { name: /member/ }).click();
    await karl.page.getByRole("button", { name: "Leave the room" }).click();
    const again = await karl.tab(link);
    await again.getByText("owner invites you to #garret.").waitFor();
    await again.getByRole("button", { name: "Join" }).click();
    await composer(again).waitFor();
    const lola = await stage.arrive("lola", 3);
    await lola.page.getByText("Ask somebody who is in for an invite link.").waitFor();
    expect(await lola.page.getByRole("button", { name: "I am new here" }).count()).toBe(0);
    expect([...karl.complaints, ...lola.complaints]).toEqual([]);
    await Promise.all([karl.context.close(), lola.context.close()]);
  });

  test("a revoked link admits nobody any more, and says so", async () => {
    await owner.page.getByRole("button", { name: /member/ }).click();
    await owner.page.getByText("Invite links").click();
    await owner.page.getByRole("button", { name: "Revoke" }).click();
    await owner.page.getByText("The link admits nobody any more.").waitFor();
    const milo = await arriveBy(link, "milo");
    await milo.page.getByText("This invite does not count, or no longer.").waitFor();
    expect(await milo.page.getByRole("button", { name: "Create account" }).count()).toBe(0);
    expect([...owner.complaints, ...milo.complaints]).toEqual([]);
    await milo.context.close();
  });

  test("a forgotten password: the owner's link sets another one, once, and signs in", async () => {
    await owner.page.keyboard.press("Escape");
    await owner.page.getByRole("button", { name: "Account", exact: true }).click();
    await owner.page.getByLabel("Somebody forgot their password: username").fill("jill");
    await owner.page.getByRole("button", { name: "Make a link" }).click();
    const password = owner.page.getByLabel("Password link", { exact: true });
    const passwordLink = await password.inputValue();
    expect(passwordLink).toMatch(/\/password#[A-Za-z0-9_-]{32}$/);
    const jill = await arriveBy(passwordLink, "jill");
    await jill.page.getByLabel("New password").fill("another long password");
    await jill.page.getByRole("button", { name: "Set the password" }).click();
    await jill.page.getByRole("navigation").waitFor();
    expect(jill.page.url()).not.toContain("#");
    const late = await arriveBy(passwordLink, "late");
    await late.page.getByLabel("New password").fill("a thief's password");
    await late.page.getByRole("button", { name: "Set the password" }).click();
    await late.page.getByText("This link does not count, or no longer.").waitFor();
    expect([...jill.complaints, ...late.complaints]).toEqual([]);
    await Promise.all([jill.context.close(), late.context.close()]);
  });
});
