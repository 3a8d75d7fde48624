// The end of the turn: what many events gathered for a connection is written once, a turn of the
// loop later, in slices that leave the loop to others (P11).
import type { Clock } from "../ports.ts";

const SLICE_MS = 4;

export interface Flushable {
  flush(): void;
}

export class Turn {
  readonly #clock: Clock;
  #dirty = new Set<Flushable>();
  #scheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Flushes `item` at the end of the turn, once however often it is called. */
  add(item: Flushable): void {
    this.#dirty.add(item);
    this.#schedule();
  }

  remove(item: Flushable): void {
    this.#dirty.delete(item);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.after(0, () => this.#run());
  }

  #run(): void {
    this.#scheduled = false;
    const startedMs = this.#clock.monotonicMs();
    for (const item of this.#dirty) {
      this.#dirty.delete(item);
      item.flush();
      if (this.#clock.monotonicMs() - startedMs >= SLICE_MS) break;
    }
    if (this.#dirty.size > 0) this.#schedule();
  }
}
