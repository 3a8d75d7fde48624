// A busy person's chat: a thousand rooms. Any of them is a few keys away, and coming back after much was said is quick and costs little.
import type { ParleyClient } from "@parley/client";
import { ServerFrame } from "@parley/protocol";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM, composer } from "./chromium.ts";
import { createRooms, inTurns, sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const ROOMS = 1_000;
/** So that more was said than is caught up with event by event. */
const MESSAGES_EACH = 6;
const EVENTS_MAX = 2_000;

let planner: ParleyClient;
let roomIds: readonly number[];

const nameOf = (at: number) => `project ${String(at).padStart(3, "0")}`;

/** Counts the events that the servers send to a page from now on, in `told`. */
function countEvents(page: Page): { told: number } {
  const count = { told: 0 };
  page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => {
      if (typeof payload === "string") return;
      count.told += ServerFrame.decode(payload).events.length;
    }),
  );
  return count;
}

describe.skipIf(CHROMIUM === undefined)("a thousand rooms", { timeout: 600_000 }, () => {
  beforeAll(async () => {
    planner = await sdkPerson(stage.cluster, "planner");
    roomIds = await createRooms(
      planner,
      Array.from({ length: ROOMS }, (_, at) => nameOf(at)),
    );
  }, 300_000);

  afterAll(async () => {
    await planner?.close();
  }, 60_000);

  test("any is four keys away; who comes back after 6,000 messages is told at most 2,000 events, and what is unread where", async () => {
    const builder = await stage.member("builder", { node: 2 });
    const { page } = builder;
    await inTurns(roomIds, (roomId) =>
      planner.call("inviteMember", { roomId, username: "builder" }),
    );
    const links = page.locator(".sidebar a.room");
    await until(async () => (await links.count()) >= ROOMS, "all rooms in the sidebar");
    for (const at of [0, 42, 500, 999]) {
      await page.keyboard.press("Control+k");
      for (const key of [...String(at).padStart(3, "0"), "Enter"]) await page.keyboard.press(key);
      await page.getByRole("heading", { name: nameOf(at) }).waitFor();
    }
    await composer(page).waitFor();

    // Away: the page is closed, its browser stays.
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}));
    await page.goto("about:blank");
    const sends = roomIds.flatMap((roomId) =>
      Array.from({ length: MESSAGES_EACH }, (_, at) => ({ roomId, text: `news ${at}` })),
    );
    await inTurns(sends, ({ roomId, text }) => planner.send(roomId, text), 200);
    const count = countEvents(page);
    await page.goto(`http://${stage.cluster.node(2).http}/r/${roomIds[7]}`);
    const unread = (at: number) =>
      links.filter({ has: page.getByText(nameOf(at), { exact: true }) }).locator(".badge");
    // In the one that is open they are read; everywhere else they are counted.
    await until(async () => (await unread(8).textContent())?.startsWith("6") === true, "counts");
    expect(await unread(999).textContent()).toContain("6 unread");
    await page.getByText("news 5", { exact: true }).waitFor();
    await until(async () => (await unread(7).count()) === 0, "the open one to be read");
    const toldInPassing = count.told;
    expect(toldInPassing).toBeLessThanOrEqual(EVENTS_MAX);
    // What follows comes live.
    await planner.send(roomIds[7] ?? 0, "live again");
    await page.getByText("live again", { exact: true }).waitFor();
    expect(count.told).toBeGreaterThan(toldInPassing);
    expect(builder.complaints).toEqual([]);
    await builder.context.close();
  });
});
