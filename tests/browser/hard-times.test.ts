// The line between a page and its nodes at its worst: dead, cut again and again, or full of what no node has said. Nothing is lost, nothing is
// there twice, and the page says what is happening.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { DirectNode } from "../harness/direct-node.ts";
import { seededRandom } from "../harness/seeded-random.ts";
import { type Trouble, TroubledLine, throughLines } from "../harness/troubled-line.ts";
import { bodies, CHROMIUM, committed, composer, launchChromium, Person, say } from "./chromium.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

/** Through the lines; in the one that all share nobody would be in trouble. */
let browser: Browser;
let lines: readonly TroubledLine[];

const SEED = Number(process.env.PARLEY_SEED ?? Math.floor(Math.random() * 1e9));
const troubleAll = (trouble: Trouble) => {
  for (const line of lines) line.trouble = trouble;
};
const texts = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${prefix} ${at + 1}.`);

/** In a room of their own, on the first node. */
async function arrive(name: string): Promise<Person> {
  const person = await Person.arrive(browser, name, stage.originOf(1));
  await person.signUp();
  await person.createRoom(`room of ${name}`);
  return person;
}

/** Everything is there once and in order, on the page and in the cluster, and nothing complained. */
async function isWhole(person: Person, written: readonly string[]): Promise<void> {
  const { page } = person;
  await committed(page, written.at(-1) ?? "").waitFor();
  await until(async () => (await page.locator(".message.unsent").count()) === 0, "none unsent");
  const signIn = await page.evaluate(() => localStorage.getItem("parley:sign-in"));
  const { token } = JSON.parse(signIn ?? "{}") as { readonly token: string };
  const roomId = Number(/\/r\/(\d+)/.exec(page.url())?.[1]);
  const node = new DirectNode(stage.cluster.node(2).grpc, token);
  const stored = (await node.wholeHistory(roomId)).map(({ body }) => body);
  node.close();
  expect(stored).toEqual(written);
  const shown = await bodies(page);
  expect(shown).toEqual(written.slice(-shown.length));
  expect(person.complaints).toEqual([]);
  expect(person.modals).toEqual([]);
}

describe.skipIf(CHROMIUM === undefined)(
  `hard times, PARLEY_SEED=${SEED}`,
  {
    timeout: 300_000,
  },
  () => {
    beforeAll(async () => {
      const random = seededRandom(SEED);
      lines = await Promise.all(
        stage.cluster.nodes.map(({ http }) => TroubledLine.open(http, random)),
      );
      browser = await launchChromium(throughLines(lines));
    }, 180_000);

    afterEach(() => {
      for (const line of lines) line.cutEvery(undefined);
      troubleAll("pass");
    });

    afterAll(async () => {
      await browser?.close();
      for (const line of lines ?? []) await line.close();
    }, 60_000);

    test("P1, P2, P3: the network goes away in the middle of sending, and comes back", async () => {
      const hana = await arrive("hana");
      const { page } = hana;
      const written = texts("word", 10);
      for (const text of written.slice(0, 4)) await say(page, text);
      troubleAll("dead");
      await hana.context.setOffline(true);
      for (const text of written.slice(4)) await say(page, text);
      await page.getByText("Reconnecting, your messages are kept").waitFor();
      await page.getByText(/messages waiting/).waitFor();
      expect(await page.locator(".message.unsent").count()).toBeGreaterThanOrEqual(6);
      // A draft is no message; it stays where it is.
      await composer(page).fill("not yet");
      troubleAll("pass");
      await hana.context.setOffline(false);
      await isWhole(hana, written);
      await page.getByText(/^node \d$/).waitFor();
      expect(await composer(page).inputValue()).toBe("not yet");
      await hana.context.close();
    });

    test("P2, P3: the line is cut every second while 50 messages are written", async () => {
      const hugo = await arrive("hugo");
      const before = lines.reduce((sum, { cuts }) => sum + cuts, 0);
      for (const line of lines) line.cutEvery(1_000);
      const written = texts("line", 50);
      for (const text of written) await say(hugo.page, text);
      const cuts = () => lines.reduce((sum, line) => sum + line.cuts, 0) - before;
      await until(() => cuts() >= 3, "three cuts");
      // With the line as bad as before.
      await committed(hugo.page, "line 50.").waitFor();
      for (const line of lines) line.cutEvery(undefined);
      await isWhole(hugo, written);
      await hugo.context.close();
    });

    const TOLD = {
      random: /sent what this page can't read|can't be reached/,
      truncated: /sent what this page can't read|can't be reached/,
      broken: /sent what this page can't read|ended the connection|can't be reached|did not answer/,
      html: /can't be reached/,
    } as const;

    test("P2, P7: what comes is no word of Parley's, from one node, then from all: said, and nothing is lost", async () => {
      const heidi = await arrive("heidi");
      const { page } = heidi;
      const written: string[] = [];
      const write = async (text: string) => {
        written.push(text);
        await say(page, text);
      };
      for (const trouble of ["random", "truncated", "broken", "html"] as const) {
        await page.getByText(/^node \d$/).waitFor();
        const pill = await page.locator(".pill").textContent();
        const line = lines[Number(/node (\d)/.exec(pill ?? "")?.[1]) - 1];
        if (line === undefined) throw new Error(`the pill says "${pill}"`);
        line.trouble = trouble;
        await write(`past one that is ${trouble}.`);
        await committed(page, `past one that is ${trouble}.`).waitFor();
        const spoilt = lines.map((one) => one.spoilt);
        troubleAll(trouble);
        await write(`kept from all that are ${trouble}.`);
        await page.getByText("Reconnecting, your messages are kept; 1 message waiting").waitFor();
        await until(() => lines.every((one, at) => one.spoilt > (spoilt[at] ?? 0)), "all to lie");
        await page.locator(".pill").click();
        await page.getByRole("dialog").getByText(TOLD[trouble]).first().waitFor();
        await page.keyboard.press("Escape");
        troubleAll("pass");
        await committed(page, `kept from all that are ${trouble}.`).waitFor();
      }
      await isWhole(heidi, written);
      await heidi.context.close();
    });

    test("a network that answers everything with its own page: a reload shows the chat, and a newcomer is told", async () => {
      const hope = await arrive("hope");
      const { page } = hope;
      await say(page, "from before");
      await committed(page, "from before").waitFor();
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
      troubleAll("html");
      await page.reload();
      await page.locator(".message", { hasText: "from before" }).waitFor();
      await page.getByText("Connecting …").waitFor();
      await say(page, "written in the hotel");
      await page.getByText("1 message waiting").waitFor();
      await page.reload();
      await page.locator(".message.unsent", { hasText: "written in the hotel" }).waitFor();
      troubleAll("pass");
      await isWhole(hope, ["from before", "written in the hotel"]);
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Username").waitFor();
      troubleAll("html");
      await page.getByText("No server can be reached at the moment; trying again").waitFor();
      troubleAll("pass");
      await until(
        async () => (await page.getByText("No server can be reached").count()) === 0,
        "a server to be reached",
      );
      await hope.context.close();
    });
  },
);
