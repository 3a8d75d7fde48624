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
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#waiting.values();
  }

  /** Not after `close`: nothing would ever end the wait. */
  add(item: T): void {
    if (this.#closed) throw new Error("a wait began after the node had stopped");
    this.#waiting.add(item);
    this.#timer ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  delete(item: T): boolean {
    return this.#waiting.delete(item);
  }

  /** Forgets everything that waits; it is the caller's business to tell it. */
  close(): void {
    this.#closed = true;
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
    if (this.#waiting.size > 0 && !this.#closed)
      this.#timer ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }
}
