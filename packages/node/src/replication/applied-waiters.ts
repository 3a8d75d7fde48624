// Reads that wait until this node has applied a revision (P4).
import { ParleyError } from "@parley/protocol";
import { Deadlines, type Waiting } from "../deadlines.ts";
import type { Clock } from "../ports.ts";

interface Waiter extends Waiting {
  readonly revision: number;
  resolve(): void;
}

export class AppliedWaiters {
  readonly #deadlines: Deadlines<Waiter>;
  readonly #pendingMax: number;
  #applied: number;
  /** No revision below it is waited for, so most batches need not look at all who wait. */
  #lowest = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(clock: Clock, pendingMax: number, applied: number) {
    this.#deadlines = new Deadlines(clock);
    this.#pendingMax = pendingMax;
    this.#applied = applied;
  }

  /** Resolves when `revision` is applied here; rejects with BEHIND at the deadline, and when the node stops. */
  wait(revision: number, deadlineMs: number): Promise<void> {
    if (revision <= this.#applied) return Promise.resolve();
    if (this.#closed) return Promise.reject(this.#behind(revision));
    if (this.#deadlines.size >= this.#pendingMax) {
      return Promise.reject(
        new ParleyError("OVERLOADED", "too many reads wait on this node", { retryAfterMs: 50 }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#lowest = Math.min(this.#lowest, revision);
      this.#deadlines.add({
        revision,
        deadlineMs,
        resolve,
        expire: () => reject(this.#behind(revision)),
      });
    });
  }

  applied(revision: number): void {
    this.#applied = revision;
    if (revision < this.#lowest) return;
    this.#lowest = Number.POSITIVE_INFINITY;
    for (const waiter of this.#deadlines) {
      if (waiter.revision > revision) {
        this.#lowest = Math.min(this.#lowest, waiter.revision);
        continue;
      }
      this.#deadlines.delete(waiter);
      waiter.resolve();
    }
  }

  close(): void {
    this.#closed = true;
    const left = [...this.#deadlines];
    this.#deadlines.close();
    for (const waiter of left) waiter.expire();
  }

  #behind(revision: number): ParleyError {
    return new ParleyError(
      "BEHIND",
      `this node has revision ${this.#applied}, not yet ${revision}; another one may`,
      { retryAfterMs: 50, revision: this.#applied },
    );
  }
}
