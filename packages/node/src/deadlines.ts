// Many deadlines, one timer: what waits is swept a few times a second, which is as exact as a
// network deadline needs to be.
import type { Clock, Timer } from "./ports.ts";

const SWEEP_MS = 25;

export interface Waiting {
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  /** Called once when the deadline has passed; the entry is forgotten. */
  expire(): void;
}

export class Deadlines<T extends Waiting> {
  readonly #clock: Clock;
  readonly #waiting = new Set<T>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#waiting.values();
  }

  add(item: T): void {
    this.#waiting.add(item);
    this.#timer ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  delete(item: T): boolean {
    return this.#waiting.delete(item);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonicMs();
    for (const item of this.#waiting) {
      if (item.deadlineMs > now) continue;
      this.#waiting.delete(item);
      item.expire();
    }
    if (this.#waiting.size > 0) this.#timer ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }
}
