// What the journeys took, beside what each may take.
import type { Page } from "playwright-core";
import { until } from "../../tests/harness/dev-cluster.ts";
import { median, table } from "../stats.ts";

export class Times {
  /** In the order in which they are shown. */
  readonly #boundsMs = new Map<string, number>();
  readonly #samples = new Map<string, number[]>();

  note(journey: string, boundMs: number, ms: number): void {
    this.#boundsMs.set(journey, boundMs);
    this.#samples.set(journey, [...(this.#samples.get(journey) ?? []), ms]);
  }

  table(): string {
    const rows = [...this.#boundsMs].map(([journey, boundMs]) => {
      const all = this.#samples.get(journey) ?? [];
      const middle = median(all);
      return [
        journey,
        middle.toFixed(0),
        Math.max(...all).toFixed(0),
        String(boundMs),
        (middle / boundMs).toFixed(2),
        String(all.length),
      ];
    });
    const header = ["journey", "median ms", "worst ms", "bound ms", "median ÷ bound", "samples"];
    return table(header, rows);
  }
}

/** Wall-clock milliseconds at which things were first on the screen. */
export interface Seen {
  enter?: number;
  row?: number;
  tick?: number;
}

/** Watches for a message with this text from now on; the page keeps what it sees in `window.seen`. */
export function watch(page: Page, text: string): Promise<void> {
  return page.evaluate((wanted) => {
    const seen: Seen = {};
    (window as unknown as { seen: Seen }).seen = seen;
    const nowMs = () => performance.timeOrigin + performance.now();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Enter") seen.enter ??= nowMs();
    };
    document.addEventListener("keydown", onKey, { capture: true });
    const look = () => {
      const rows = [...document.querySelectorAll(".message")];
      const row = rows.findLast((one) => one.querySelector(".body")?.textContent === wanted);
      if (row === undefined) return;
      seen.row ??= nowMs();
      if (row.querySelector('.tick[data-kind="committed"]') !== null) seen.tick ??= nowMs();
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
  }, text);
}

export async function seenBy(page: Page, what: keyof Seen): Promise<number> {
  const read = () => page.evaluate(() => (window as unknown as { seen: Seen }).seen);
  await until(async () => (await read())[what] !== undefined, what);
  return (await read())[what] ?? Number.NaN;
}
