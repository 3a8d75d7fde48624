// Which accounts have a connection to this node. Going offline is told late, so that a reconnect
// (a failover, a lost network) does not make people blink.
import type { Clock, Timer } from "../ports.ts";
import type { Replica } from "../replica.ts";

const OFFLINE_DELAY_MS = 2_000;

export class Presence {
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #counts = new Map<number, number>();
  readonly #leaving = new Map<number, Timer>();

  constructor(replica: Replica, clock: Clock) {
    this.#replica = replica;
    this.#clock = clock;
  }

  enter(accountId: number): void {
    const count = this.#counts.get(accountId) ?? 0;
    this.#counts.set(accountId, count + 1);
    if (count > 0) return;
    const leaving = this.#leaving.get(accountId);
    if (leaving === undefined) {
      this.#replica.setLocalPresence(accountId, true);
    } else {
      leaving.cancel();
      this.#leaving.delete(accountId);
    }
  }

  leave(accountId: number): void {
    const count = this.#counts.get(accountId) ?? 0;
    if (count > 1) {
      this.#counts.set(accountId, count - 1);
      return;
    }
    this.#counts.delete(accountId);
    const timer = this.#clock.after(OFFLINE_DELAY_MS, () => {
      this.#leaving.delete(accountId);
      this.#replica.setLocalPresence(accountId, false);
    });
    this.#leaving.set(accountId, timer);
  }

  /** Forgets the delayed farewells: the node is stopping. */
  close(): void {
    for (const timer of this.#leaving.values()) timer.cancel();
    this.#leaving.clear();
  }
}
