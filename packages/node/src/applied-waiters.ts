// Reads that wait until this node has applied a revision (P4).
import { ParleyError } from "@parley/protocol";
import { Deadlines, type Waiting } from "./deadlines.ts";
import type { Clock } from "./ports.ts";

interface Waiter extends Waiting {
  readonly revision: number;
  resolve(): void;
}

export class AppliedWaiters {
  readonly #deadlines: Deadlines<Waiter>;
  readonly #pendingMax: number;
  #applied: number;

  constructor(clock: Clock, pendingMax: number, applied: number) {
    this.#deadlines = new Deadlines(clock);
    this.#pendingMax = pendingMax;
    this.#applied = applied;
  }

  wait(revision: number, deadlineMs: number): Promise<void> {
    if (revision <= this.#applied) return Promise.resolve();
    if (this.#deadlines.size >= this.#pendingMax) {
      return Promise.reject(
        new ParleyError("OVERLOADED", "too many reads wait on this node", { retryAfterMs: 50 }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#deadlines.add({
        revision,
        deadlineMs,
        resolve,
        expire: () =>
          reject(
            new ParleyError(
              "BEHIND",
              `this node has revision ${this.#applied}, not yet ${revision}; another one may`,
              { retryAfterMs: 50, revision: this.#applied },
            ),
          ),
      });
    });
  }

  applied(revision: number): void {
    this.#applied = revision;
    for (const waiter of this.#deadlines) {
      if (waiter.revision > revision) continue;
      this.#deadlines.delete(waiter);
      waiter.resolve();
    }
  }

  close(): void {
    const left = [...this.#deadlines];
    this.#deadlines.close();
    for (const waiter of left) waiter.expire();
  }
}
