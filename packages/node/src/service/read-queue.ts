// The reads of one session: a few at a time, and none while its reader does not take what it has,
// so that a session can't make the node hold many large answers (P11).
import { LIMITS } from "@parley/protocol";
import type { Clock, Timer } from "../ports.ts";

const RUNNING_MAX = 4;
const BACKLOG_POLL_MS = 20;

export class ReadQueue {
  readonly #clock: Clock;
  readonly #backlogBytes: () => number;
  #waiting: (() => Promise<void>)[] = [];
  #running = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, backlogBytes: () => number) {
    this.#clock = clock;
    this.#backlogBytes = backlogBytes;
  }

  /** `read` never rejects. Its bound is the session's bound on unanswered requests. */
  add(read: () => Promise<void>): void {
    this.#waiting.push(read);
    this.#pump();
  }

  close(): void {
    this.#waiting = [];
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #pump(): void {
    while (this.#running < RUNNING_MAX && this.#waiting.length > 0) {
      if (this.#backlogBytes() > LIMITS.sessionBacklogBytesMax / 2) {
        this.#timer ??= this.#clock.after(BACKLOG_POLL_MS, () => {
          this.#timer = undefined;
          this.#pump();
        });
        return;
      }
      const read = this.#waiting.shift();
      if (read === undefined) return;
      this.#running += 1;
      void read().then(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
  }
}
