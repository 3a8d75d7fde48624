// The disk reserve (DESIGN section 7): below it this node takes no writes and does not lead, while
// there is still room to go on as a follower.
import type { Clock, Logger, LogStore } from "./ports.ts";

const CHECK_MS = 5_000;

export class DiskWatch {
  readonly #store: LogStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #reserveBytes: number;
  readonly #onFailed: (error: unknown) => void;
  #isLow = false;
  #checkedMs = Number.NEGATIVE_INFINITY;

  constructor(
    ports: { readonly logStore: LogStore; readonly clock: Clock; readonly logger: Logger },
    reserveBytes: number,
    onFailed: (error: unknown) => void,
  ) {
    this.#store = ports.logStore;
    this.#clock = ports.clock;
    this.#logger = ports.logger;
    this.#reserveBytes = reserveBytes;
    this.#onFailed = onFailed;
  }

  /** As of the last look, a few seconds ago at the most. */
  get isLow(): boolean {
    return this.#isLow;
  }

  /** Looks when it is time to. */
  check(): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#checkedMs < CHECK_MS) return;
    this.#checkedMs = now;
    this.#store.freeBytes().then((free) => this.#take(free), this.#onFailed);
  }

  #take(freeBytes: number): void {
    const isLow = freeBytes < this.#reserveBytes;
    if (isLow === this.#isLow) return;
    this.#isLow = isLow;
    this.#logger.warn(
      { freeBytes },
      isLow
        ? "the disk is nearly full: this node takes no writes as a leader"
        : "the disk has room again",
    );
  }
}
