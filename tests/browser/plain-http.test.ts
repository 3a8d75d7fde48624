// A page that came over plain http from another machine, which browsers trust with less.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { freePort } from "../harness/joining.ts";
import { ServerProcess } from "../harness/server-process.ts";
import { CHROMIUM, committed, hasNoViolations, launchChromium, Person, say } from "./chromium.ts";

const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

describe.skipIf(CHROMIUM === undefined)("plain http", { timeout: 300_000 }, () => {
  test("the chat works, and says under Account what is off", async () => {
    const dir = mkdtempSync(join(tmpdir(), "parley-plain-"));
    ends.push(() => rmSync(dir, { recursive: true, force: true }));
    const port = await freePort();
    const http = port + 1_000;
    const config = join(dir, "cluster.yaml");
    const origin = `http://chat.example.org:${http}`;
    const node = `{id: 1, host: 127.0.0.1, port: ${port}, db_path: n1/parley.db, public_url: '${origin}'}`;
    writeFileSync(config, `nodes: [${node}]\n`);
    const server = new ServerProcess();
    server.run(["--id", "1", "--config", config]);
    ends.push(() => server.kill());
    const readyz = () => fetch(`http://127.0.0.1:${http}/readyz`).catch(() => undefined);
    await until(async () => (await readyz())?.status === 200, "the server to be ready");
    const rule = `MAP chat.example.org:${http} 127.0.0.1:${http}`;
    const browser = await launchChromium([`--host-resolver-rules=${rule}`]);
    ends.push(() => browser.close());

    const rita = await Person.arrive(browser, "rita", origin);
    const { page } = rita;
    await rita.signUp();
    await rita.createRoom("plain");
    await say(page, "plain words");
    await committed(page, "plain words").waitFor();
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByText("This page came over plain http").waitFor();
    expect(await page.getByLabel("While this page is in the background").count()).toBe(0);
    await hasNoViolations(page);
    expect(rita.complaints).toEqual([]);
  });
});
