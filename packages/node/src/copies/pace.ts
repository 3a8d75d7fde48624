// A token bucket: lets bytes go at a steady rate, with a burst of one helping.
import type { Clock } from "../ports.ts";

export class Pace {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  readonly #burstMs: number;
  /** When everything that was let go until now is paid for. */
  #paidMs: number;

  constructor(clock: Clock, bytesPerSecond: number, burstBytes: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#burstMs = burstBytes / this.#bytesPerMs;
    this.#paidMs = clock.monotonicMs();
  }

  /** Resolves when `bytes` may go, in the order of the calls. */
  take(bytes: number): Promise<void> {
    const now = this.#clock.monotonicMs();
    this.#paidMs = Math.max(now, this.#paidMs) + bytes / this.#bytesPerMs;
    const waitMs = this.#paidMs - this.#burstMs - now;
    if (waitMs <= 0) return Promise.resolve();
    return new Promise((resolve) => this.#clock.after(waitMs, resolve));
  }
}
