// A room of ten thousand messages, read from its end to its beginning: what it costs is counted, as the page's own React and engine see it.
import type { ParleyClient } from "@parley/client";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../harness/dev-cluster.ts";
import { CHROMIUM } from "./chromium.ts";
import { createRooms, inTurns, sdkPerson } from "./sdk-person.ts";
import { sharedStage } from "./stage.ts";

const stage = sharedStage();

const MESSAGES = 10_000;
const MOUNTED_MAX = 100;
const RENDERS_EACH_MAX = 3;
const ANCHOR_PX_MAX = 1;
const HEAP_BYTES_MAX = 60 * 1024 * 1024;

let scribe: ParleyClient;
let roomId: number;

/** Bytes that are in use once all garbage is gone. */
async function heapBytes(page: Page): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize } = await devtools.send("Runtime.getHeapUsage");
  await devtools.detach();
  return usedSize;
}

/** From the next load on, `window.rowRenders` counts how often React renders a message's row: the way its developer tools tell. */
async function countRenders(page: Page): Promise<void> {
  await page.addInitScript(() => {
    interface Fiber {
      readonly alternate: Fiber | null;
      readonly child: Fiber | null;
      readonly sibling: Fiber | null;
      readonly flags: number;
      readonly memoizedProps: { readonly message?: unknown; readonly acts?: unknown } | null;
    }
    const PERFORMED_WORK = 1;
    const counted = window as unknown as { rowRenders: number };
    counted.rowRenders = 0;
    const visit = (fiber: Fiber, before: Fiber | null): void => {
      if (fiber === before) return;
      const { memoizedProps: props } = fiber;
      const isRow = props?.message !== undefined && props.acts !== undefined;
      if (isRow && (fiber.flags & PERFORMED_WORK) !== 0) counted.rowRenders += 1;
      // Children that are the same were not looked at.
      if (fiber.child === before?.child) return;
      for (let child = fiber.child; child !== null; child = child.sibling) {
        visit(child, child.alternate);
      }
    };
    Object.assign(window, {
      __REACT_DEVTOOLS_GLOBAL_HOOK__: {
        supportsFiber: true,
        inject: () => 1,
        checkDCE: () => {},
        onCommitFiberRoot: (_: number, root: { readonly current: Fiber }) =>
          visit(root.current, root.current.alternate),
        onCommitFiberUnmount: () => {},
        onPostCommitFiberRoot: () => {},
      },
    });
  });
}

/** Scrolls up by some pixels, and says how far what was seen has moved by the time that all is quiet, beyond those pixels. */
function scrollUp(page: Page, px: number): Promise<number> {
  return page.getByRole("log").evaluate(async (scroller, by) => {
    const middle = scroller.getBoundingClientRect().top + scroller.clientHeight / 3;
    const row = [...scroller.querySelectorAll<HTMLElement>(".message")].find(
      (one) => one.getBoundingClientRect().bottom > middle,
    );
    if (row === undefined) throw new Error("nothing is seen");
    const selector = `.message[data-seq="${row.dataset.seq}"]`;
    scroller.scrollTop -= by;
    const before = row.getBoundingClientRect().top;
    const height = () => scroller.scrollHeight;
    for (let [quiet, last] = [0, height()]; quiet < 5; ) {
      await new Promise(requestAnimationFrame);
      quiet = height() === last ? quiet + 1 : 0;
      last = height();
    }
    const now = scroller.querySelector(selector);
    if (now === null) throw new Error(`${selector} is not mounted any more`);
    return Math.abs(now.getBoundingClientRect().top - before);
  }, px);
}

describe.skipIf(CHROMIUM === undefined)("a room of 10,000 messages", { timeout: 600_000 }, () => {
  beforeAll(async () => {
    scribe = await sdkPerson(stage.cluster, "scribe");
    [roomId = 0] = await createRooms(scribe, ["chronicle"]);
    // Of several heights, so that what is guessed of those that were never mounted is wrong.
    const texts = Array.from({ length: MESSAGES }, (_, at) =>
      at % 7 === 0 ? `line ${at + 1}\n\nwith a second paragraph` : `line ${at + 1}`,
    );
    await inTurns(texts, (text) => scribe.send(roomId, text), 200);
  }, 300_000);

  afterAll(async () => {
    await scribe?.close();
  }, 60_000);

  test("few rows are mounted and rendered, nothing jumps when older ones come in, and the memory is bounded", async () => {
    const scholar = await stage.member("scholar");
    const { page } = scholar;
    await scholar.joinRoom("chronicle");
    await countRenders(page);
    await page.reload();
    await page.getByText(`line ${MESSAGES}`, { exact: true }).waitFor();
    const mounted = () => page.locator(".message").count();
    expect(await mounted()).toBeLessThanOrEqual(MOUNTED_MAX);

    // What arrives renders its own row and hardly another one.
    const arriving = 20;
    const renders = () =>
      page.evaluate(() => (window as unknown as { rowRenders: number }).rowRenders);
    const before = await renders();
    expect(before).toBeGreaterThan(0);
    for (let at = 1; at <= arriving; at += 1) {
      await scribe.send(roomId, `arrival ${at}`);
      await page.getByText(`arrival ${at}`, { exact: true }).waitFor();
    }
    const perMessage = ((await renders()) - before) / arriving;
    expect(perMessage).toBeGreaterThanOrEqual(1);
    expect(perMessage).toBeLessThanOrEqual(RENDERS_EACH_MAX);

    const baseline = await heapBytes(page);
    // A few pages slowly, as a person scrolls: what one looks at stays where it is.
    const moved: number[] = [];
    for (let step = 0; step < 40; step += 1) {
      moved.push(await scrollUp(page, 120));
      expect(await mounted()).toBeLessThanOrEqual(MOUNTED_MAX);
    }
    expect(Math.max(...moved)).toBeLessThanOrEqual(ANCHOR_PX_MAX);
    // The rest quickly.
    const first = page.getByText("line 1", { exact: true });
    await until(
      async () => {
        await page.getByRole("log").evaluate((scroller) => {
          scroller.scrollTop = 0;
        });
        await page.evaluate(() => new Promise(requestAnimationFrame));
        return await first.isVisible();
      },
      "the first message",
      300_000,
    );
    expect(await mounted()).toBeLessThanOrEqual(MOUNTED_MAX);
    expect((await heapBytes(page)) - baseline).toBeLessThanOrEqual(HEAP_BYTES_MAX);
    expect(scholar.complaints).toEqual([]);
    await scholar.context.close();
  });
});
