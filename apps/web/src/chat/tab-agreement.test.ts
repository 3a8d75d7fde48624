// Tabs that share a channel: one of them tells, or none while somebody looks at one.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ANSWER_MS, TabAgreement, type TabChannel, type TabWord } from "./tab-agreement.ts";

/** Words reach all others, in order, a moment later. */
class World {
  readonly #channels: TabChannel[] = [];

  tab(id: string, isLookedAt = () => false): TabAgreement {
    const channel: TabChannel = {
      onmessage: null,
      postMessage: (data: TabWord) => {
        for (const other of this.#channels) {
          if (other !== channel) setTimeout(() => other.onmessage?.({ data } as MessageEvent), 1);
        }
      },
      close: () => {
        this.#channels.splice(this.#channels.indexOf(channel), 1);
      },
    };
    this.#channels.push(channel);
    return new TabAgreement({ channel, isLookedAt, id });
  }
}

let world = new World();
beforeEach(() => {
  world = new World();
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function answers(claims: readonly Promise<boolean>[]): Promise<readonly boolean[]> {
  await vi.advanceTimersByTimeAsync(2 * ANSWER_MS);
  return Promise.all(claims);
}

/** All orders of three. */
const ORDERS = ["123", "132", "213", "231", "312", "321"];

test.each(ORDERS)("of tabs that hear of it in the order %s one tells", async (order) => {
  const tabs = [...order].map((id) => world.tab(id));
  const claims: Promise<boolean>[] = [];
  for (const tab of tabs) {
    claims.push(tab.claim("1:7"));
    await vi.advanceTimersByTimeAsync(order === "321" ? 0 : 20);
  }
  expect((await answers(claims)).filter(Boolean)).toHaveLength(1);
});

test("a tab that hears of it when another has told, tells no more; of another message it does", async () => {
  const [one, two] = [world.tab("2"), world.tab("1")];
  expect(await answers([one.claim("1:7")])).toEqual([true]);
  expect(await answers([two.claim("1:7"), two.claim("1:8")])).toEqual([false, true]);
  // Nor does one that was opened since.
  expect(await answers([world.tab("0").claim("1:7")])).toEqual([false]);
});

test("while somebody looks at one tab, none tells", async () => {
  let isLookedAt = true;
  const [seen, hidden] = [world.tab("1", () => isLookedAt), world.tab("2")];
  expect(await answers([hidden.claim("1:7"), seen.claim("1:7")])).toEqual([false, false]);
  isLookedAt = false;
  expect(await answers([hidden.claim("1:8")])).toEqual([true]);
});

test("alone, and where the browser has no channel, a tab tells; once it is closed it does not", async () => {
  expect(await answers([world.tab("1").claim("1:7")])).toEqual([true]);
  const lone = new TabAgreement({ channel: undefined, isLookedAt: () => false, id: "1" });
  expect(await answers([lone.claim("1:7"), lone.claim("1:7")])).toEqual([true, false]);
  const closed = world.tab("3");
  const claim = closed.claim("1:9");
  closed.close();
  expect(await answers([claim])).toEqual([false]);
});
