// Whether this node keeps up with its leader. One that waits for a copy of the chat file applies nothing for as long
// as that takes, while the others go on.
import type { Clock } from "./ports.ts";

/** A node that has applied nothing for this long, though there is something to apply, is stuck. */
const STUCK_MS = 500;

export class ProgressWatch {
  readonly #clock: Clock;
  #applied = -1;
  #movedMs: number;
  #isStuck = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#movedMs = clock.monotonicMs();
  }

  get isStuck(): boolean {
    return this.#isStuck;
  }

  /** To be called now and then; true when it has just been found to be stuck. */
  look(applied: number, committed: number): boolean {
    const now = this.#clock.monotonicMs();
    if (applied !== this.#applied || committed <= applied) {
      this.#applied = applied;
      this.#movedMs = now;
    }
    const was = this.#isStuck;
    this.#isStuck = now - this.#movedMs >= STUCK_MS;
    return this.#isStuck && !was;
  }
}
