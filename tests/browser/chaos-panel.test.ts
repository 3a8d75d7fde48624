// The chaos panel of `parley dev` in a real Chromium: nodes are killed and cut off by its buttons while the checker counts.
import { beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM, PATIENCE_MS } from "./chromium.ts";
import { ownStage } from "./stage.ts";

const stage = ownStage();

/** The panel's link. */
let panel: string;

describe.skipIf(CHROMIUM === undefined)("the chaos panel", { timeout: 300_000 }, () => {
  beforeAll(async () => {
    const found = () => /http:\/\/127\.0\.0\.1:\d+\/[\w-]{20,}\//.exec(stage.cluster.tail)?.[0];
    await until(() => found() !== undefined, "the panel's link");
    panel = found() ?? "";
  }, 180_000);

  const link = () => panel;

  test("P1, P2: kills and restarts by its buttons; nothing lost, nothing doubled, and the nodes are told apart", async () => {
    const page = await stage.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(link());
    const checker = page.locator("#checker");
    // The first account of an instance is to be a person's.
    await checker.click();
    await page.getByText("make an account of your own first").waitFor();
    const owner = await stage.arrive("owner");
    await owner.signUp();
    await checker.click();
    const count = async (name: string) => {
      const text = await page.locator(`[data-count="${name}"]`).textContent();
      return Number((text ?? "").replace(/\D/g, ""));
    };
    await until(async () => (await count("acknowledged")) > 5, "the checker to write");
    const leader = await page.locator("li", { hasText: "leads" }).locator("strong").textContent();
    await page.getByRole("button", { name: `Kill -9 ${leader}` }).click();
    await page.locator('li[data-state="dead"]', { hasText: leader ?? "" }).waitFor();
    await until(async () => {
      const now = page.locator("li", { hasText: "leads" }).locator("strong");
      return (await now.count()) === 1 && (await now.textContent()) !== leader;
    }, "another one to lead");
    const before = await count("acknowledged");
    await until(async () => (await count("acknowledged")) > before + 10, "it to go on");
    await page.getByRole("button", { name: `Restart ${leader}` }).click();
    await page.locator('li[data-state="running"]', { hasText: leader ?? "" }).waitFor();
    const paused = page.locator("li", { hasText: "follows" }).first();
    const name = (await paused.locator("strong").textContent()) ?? "";
    await page.getByRole("button", { name: `Pause ${name}` }).click();
    await page.locator('li[data-state="paused"]').waitFor();
    const during = await count("acknowledged");
    await until(async () => (await count("acknowledged")) > during + 10, "it to go on again");
    await page.getByRole("button", { name: `Resume ${name}` }).click();
    await until(async () => (await page.locator('li[data-state="paused"]').count()) === 0, "it");
    await checker.click();
    await page.getByRole("button", { name: "Start the checker" }).waitFor();
    expect(await count("lost")).toBe(0);
    expect(await count("doubled")).toBe(0);
    expect(await count("sent")).toBeGreaterThan(25);
    expect(complaints).toEqual([]);
    await owner.context.close();
    await page.close();
  });

  test("P1, P2, P6: nodes are cut off from the others, and from clients; the page's cluster view shows who lags, and nothing is lost", async () => {
    const page = await stage.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(link());
    const count = async (name: string) => {
      const text = await page.locator(`[data-count="${name}"]`).textContent();
      return Number((text ?? "").replace(/\D/g, ""));
    };
    const press = (name: string) => page.getByRole("button", { name, exact: true }).click();
    const goesOn = async () => {
      const before = await count("acknowledged");
      await until(async () => (await count("acknowledged")) > before + 10, "the checker to go on");
    };
    const card = (node: number) =>
      page.locator("li").filter({ has: page.getByText(`node ${node}`, { exact: true }) });
    /** Two for a moment: who is cut off has not noticed yet. */
    const leadersBut = async (one: number) => {
      const names = await page
        .locator("li", { hasText: "leads" })
        .locator("strong")
        .allTextContents();
      return names.map((name) => Number(name.replace(/\D/g, ""))).filter((id) => id !== one);
    };
    const leaderBut = async (one: number) => {
      let leader = 0;
      await until(async () => {
        [leader = 0] = await leadersBut(one);
        return leader > 0;
      }, "somebody to lead");
      return leader;
    };
    const first = await leaderBut(0);
    const served = first === 3 ? 2 : 3;
    const person = await stage.member("watcher", { node: served });
    await person.page.locator(".pill").click();
    const row = (node: number) =>
      person.page
        .getByRole("row")
        .filter({ has: person.page.getByText(`${node}`, { exact: true }) });
    await page.getByRole("button", { name: "Start the checker" }).click();
    await until(async () => (await count("acknowledged")) > 5, "the checker to write");

    await press(`Cut off node ${first}`);
    await card(first).and(page.locator('[data-state="cut-off"]')).waitFor();
    await until(async () => (await card(first).textContent())?.includes("cut off") === true, "it");
    await leaderBut(first);
    await goesOn();
    const lag = async () => Number(await row(first).getByRole("cell").last().textContent());
    await until(async () => (await lag()) > 10, "the page to show that it lags");
    await person.page
      .getByText(`node ${await leaderBut(first)} leads`)
      .last()
      .waitFor();
    await press(`Heal node ${first}`);
    await card(first).and(page.locator('[data-state="running"]')).waitFor();
    await until(async () => (await lag()) < 10, "it to catch up");
    await goesOn();

    // Clients too: whoever is there moves on to another node.
    const pill = async () => (await person.page.locator(".pill").textContent()) ?? "";
    const serving = Number(/node (\d+)/.exec(await pill())?.[1]);
    await press(`Isolate node ${serving}`);
    await until(
      async () => /node \d/.test(await pill()) && !(await pill()).includes(`node ${serving}`),
      "it to move",
    );
    await goesOn();
    await press(`Heal node ${serving}`);
    await page.locator('[data-state="cut-off"]').waitFor({ state: "detached" });
    await goesOn();
    await press("Stop the checker");
    await page.getByRole("button", { name: "Start the checker" }).waitFor();
    expect(await count("lost")).toBe(0);
    expect(await count("doubled")).toBe(0);
    expect(person.complaints).toEqual([]);
    await person.context.close();
    await page.close();
  });

  test("P10: only under its link, by its own name, from its own page", async () => {
    const { origin, host } = new URL(link());
    const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;
    expect(await status(link())).toBe(200);
    expect(await status(`${origin}/`)).toBe(404);
    expect(await status(`${origin}/guess/state`)).toBe(404);
    const act = (headers: Readonly<Record<string, string>>) =>
      status(`${link()}act`, { method: "POST", headers, body: '{"cmd":"kill","node":1}' });
    expect(await act({})).toBe(404);
    expect(await act({ origin: "http://evil.example" })).toBe(404);
    expect(await act({ origin: `http://localhost:${host.split(":")[1]}` })).toBe(404);
    expect(stage.cluster.node(1).pid).not.toBeNull();
    const answer = await fetch(`${link()}act`, {
      method: "POST",
      headers: { origin },
      body: JSON.stringify({ cmd: "kill", node: "x".repeat(5_000) }),
    });
    expect(await answer.json()).toMatchObject({ ok: false });
  });
});
