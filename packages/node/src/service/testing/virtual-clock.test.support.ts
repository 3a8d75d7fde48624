// A clock that stands still until a test moves it. Between two timers everything that was resolved
// gets to run, as it would on a real loop.
import type { Clock, Timer } from "../../ports.ts";

interface Pending {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
}

/** Lets all promise reactions run that are due. */
export function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class VirtualClock implements Clock {
  #nowMs = 1_000;
  #order = 0;
  readonly #pending = new Set<Pending>();

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_790_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, action: () => void): Timer {
    this.#order += 1;
    const pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, action };
    this.#pending.add(pending);
    return { cancel: () => this.#pending.delete(pending) };
  }

  /** Moves time on by `ms`, doing what is due in order. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await drain();
    for (let next = this.#next(); next !== undefined && next.atMs <= untilMs; next = this.#next()) {
      this.#pending.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.action();
      await drain();
    }
    this.#nowMs = untilMs;
  }

  /** Moves time on, a step at a time, until the condition holds; fails after a virtual minute. */
  async until(condition: () => boolean): Promise<void> {
    const latestMs = this.#nowMs + 60_000;
    await drain();
    while (!condition()) {
      if (this.#nowMs > latestMs) throw new Error("the condition did not come true in a minute");
      await this.advance(1);
    }
  }

  /** Runs until the promise is settled and gives its result. */
  async finish<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    promise.then(
      () => {
        settled = true;
      },
      () => {
        settled = true;
      },
    );
    await this.until(() => settled);
    return promise;
  }

  #next(): Pending | undefined {
    let next: Pending | undefined;
    for (const pending of this.#pending) {
      if (
        next === undefined ||
        pending.atMs < next.atMs ||
        (pending.atMs === next.atMs && pending.order < next.order)
      ) {
        next = pending;
      }
    }
    return next;
  }
}
