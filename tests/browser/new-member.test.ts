// A server joins while a page is open, whose policy names the servers of before: the page comes again by itself when it needs the new one.
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { DevCluster, until } from "../harness/dev-cluster.ts";
import { freePort, JoiningServer, parley } from "../harness/joining.ts";
import { seededRandom } from "../harness/seeded-random.ts";
import { TroubledLine, throughLines } from "../harness/troubled-line.ts";
import { CHROMIUM, committed, composer, launchChromium, Person, say } from "./chromium.ts";

const ends: (() => Promise<unknown> | undefined)[] = [];
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  for (const end of ends.reverse()) await end();
}, 120_000);

describe.skipIf(CHROMIUM === undefined)("a new member", { timeout: 300_000 }, () => {
  test("the page dials it once the worker has named it, and what is being written stays", async () => {
    const cluster = await DevCluster.start(1);
    ends.push(() => cluster.destroy());
    const first = cluster.node(1);
    const line = await TroubledLine.open(first.http, seededRandom(1));
    ends.push(() => line.close());
    const browser = await launchChromium(throughLines([line]));
    ends.push(() => browser.close());
    const person = await Person.arrive(browser, "quin", `http://${first.http}`);
    const { page } = person;
    await person.signUp();
    await person.createRoom("growing");
    await say(page, "alone");
    await committed(page, "alone").waitFor();
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);

    const signIn = await page.evaluate(() => localStorage.getItem("parley:sign-in"));
    vi.stubEnv("PARLEY_OPERATOR_TOKEN", (JSON.parse(signIn ?? "{}") as { token: string }).token);
    const second = new JoiningServer(2);
    ends.push(() => second.destroy());
    second.start([first.grpc]);
    const port = await freePort();
    const added = await parley("add-server", first.grpc, "2", `127.0.0.1:${port}`, "--learner");
    expect(added, added.output).toMatchObject({ code: 0 });
    const isTold = (origin: string) => localStorage.getItem("parley:servers")?.includes(origin);
    await page.waitForFunction(isTold, `127.0.0.1:${port + 1_000}`);

    await composer(page).fill("half a thought");
    await page.evaluate(() => Object.assign(window, { isTheFirst: true }));
    // The only server that the page may dial is out of reach, also for whoever loads it anew.
    line.trouble = "refused";
    // Nobody looks at it: so it waits for nobody.
    await page.evaluate(() => Object.defineProperty(document, "hidden", { get: () => true }));
    await page.waitForFunction(() => !("isTheFirst" in window));
    await page.locator(".pill", { hasText: /^node 2/ }).waitFor();
    await until(async () => (await composer(page).inputValue()) === "half a thought", "the draft");
    expect(person.complaints).toEqual([]);
    expect(person.modals).toEqual([]);
  });
});
