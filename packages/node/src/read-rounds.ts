// Linearizable reads (thesis 6.4): many readers share one ReadIndex round, and a reader never joins
// a round that began before it asked.
import { ParleyError } from "@parley/protocol";
import { Deadlines, type Waiting } from "./deadlines.ts";
import type { Clock } from "./ports.ts";

/** How long a round may take before it is asked for again: its messages may be lost. */
const ROUND_MS_MAX = 150;

interface Reader extends Waiting {
  resolve(index: number): void;
  reject(error: ParleyError): void;
}

export class ReadRounds {
  readonly #ask: (round: number) => boolean;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines<Reader>;
  readonly #pendingMax: number;
  #waiting: Reader[] = [];
  #inRound: Reader[] = [];
  #round = 0;
  #askedMs = 0;
  #closed = false;

  /** `ask` starts a round in the core and says whether it could. */
  constructor(ask: (round: number) => boolean, clock: Clock, pendingMax: number) {
    this.#ask = ask;
    this.#clock = clock;
    this.#pendingMax = pendingMax;
    this.#deadlines = new Deadlines(clock);
  }

  get rounds(): number {
    return this.#round;
  }

  read(deadlineMs: number): Promise<number> {
    if (this.#closed)
      return Promise.reject(
        new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 }),
      );
    if (this.#deadlines.size >= this.#pendingMax) {
      return Promise.reject(
        new ParleyError("OVERLOADED", "too many linearizable reads wait on this node", {
          retryAfterMs: 50,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const reader: Reader = {
        deadlineMs,
        resolve,
        reject,
        expire: () => {
          this.#forget(reader);
          reject(
            new ParleyError("NO_QUORUM", "no majority confirmed the read in time", {
              retryAfterMs: 200,
            }),
          );
        },
      };
      this.#deadlines.add(reader);
      this.#waiting.push(reader);
      if (this.#inRound.length === 0) this.#begin();
    });
  }

  /** The core confirmed a round. */
  confirmed(round: number, index: number): void {
    if (round !== this.#round) return;
    const readers = this.#inRound;
    this.#inRound = [];
    for (const reader of readers) if (this.#deadlines.delete(reader)) reader.resolve(index);
    if (this.#waiting.length > 0) this.#begin();
  }

  /** To be called now and then, and when a leader appears: asks again where an answer is overdue. */
  poke(leaderChanged: boolean): void {
    const overdue = this.#clock.monotonicMs() - this.#askedMs >= ROUND_MS_MAX;
    if (!leaderChanged && !overdue) return;
    if (this.#inRound.length === 0 && this.#waiting.length === 0) return;
    this.#waiting = [...this.#inRound, ...this.#waiting];
    this.#inRound = [];
    this.#begin();
  }

  close(): void {
    this.#closed = true;
    const readers = [...this.#deadlines];
    this.#deadlines.close();
    this.#waiting = [];
    this.#inRound = [];
    for (const reader of readers) {
      reader.reject(
        new ParleyError("SHUTTING_DOWN", "this node is stopping", { retryAfterMs: 20 }),
      );
    }
  }

  #begin(): void {
    this.#round += 1;
    this.#askedMs = this.#clock.monotonicMs();
    if (!this.#ask(this.#round)) return;
    this.#inRound = this.#waiting;
    this.#waiting = [];
  }

  #forget(reader: Reader): void {
    this.#waiting = this.#waiting.filter((one) => one !== reader);
    this.#inRound = this.#inRound.filter((one) => one !== reader);
  }
}
