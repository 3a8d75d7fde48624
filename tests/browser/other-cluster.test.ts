// The servers at the same addresses hold another cluster now (`--fresh`, a restored backup): nothing of the old one is shown as if it were of the new
// one, nothing unsent is lost, and nothing unsent goes where it was not meant to.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CHROMIUM, committed, say } from "./chromium.ts";
import { ownStage } from "./stage.ts";

const stage = ownStage();

describe.skipIf(CHROMIUM === undefined)("another cluster", { timeout: 300_000 }, () => {
  test("on the same origin: sign in again; unsent texts can be copied and are not sent", async () => {
    const ann = await stage.member("ann", { room: "old room" });
    await say(ann.page, "of the old cluster");
    await committed(ann.page, "of the old cluster").waitFor();
    await ann.page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    await stage.cluster.stop();
    await say(ann.page, "never sent");
    for (const id of [1, 2, 3]) rmSync(join(stage.cluster.dir, `n${id}`), { recursive: true });
    await stage.cluster.startAgain(3);
    await ann.page
      .getByText("Unsent messages are kept")
      .or(ann.page.getByText("unsent messages are kept"))
      .waitFor();
    expect(await ann.page.getByText("of the old cluster").count()).toBe(0);
    await ann.signUp();
    await ann.page.getByText("1 unsent message of an earlier").waitFor();
    expect(await ann.page.getByRole("link", { name: "old room" }).count()).toBe(0);
    await ann.page.getByRole("button", { name: "Show", exact: true }).click();
    expect(await ann.page.getByLabel("Unsent messages").inputValue()).toBe("never sent");
    await ann.page.getByRole("button", { name: "Forget them" }).click();
    await ann.page.reload();
    await ann.page.getByRole("button", { name: "Open #general" }).click();
    await say(ann.page, "of the new one");
    await committed(ann.page, "of the new one").waitFor();
    expect(await ann.page.locator(".message").count()).toBe(1);
    expect(ann.complaints).toEqual([]);
    await ann.context.close();
  });
});
