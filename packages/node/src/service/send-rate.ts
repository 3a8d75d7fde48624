// The rate limit on sends: one token bucket for each account (P11).
import { ParleyError } from "@parley/protocol";
import type { NodeTuning } from "../config.ts";
import type { Clock } from "../ports.ts";
import { BoundedTable } from "./bounded-table.ts";

const ACCOUNTS_MAX = 50_000;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

export class SendRate {
  readonly #buckets = new BoundedTable<number, Bucket>(ACCOUNTS_MAX);
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #burst: number;

  constructor(clock: Clock, tuning: NodeTuning) {
    this.#clock = clock;
    this.#perMs = tuning.sendsPerSecond / 1000;
    this.#burst = tuning.sendsBurst;
  }

  /** Takes one send of the account's allowance, or throws RATE_LIMITED with the delay until the next. */
  take(accountId: number): void {
    const nowMs = this.#clock.monotonicMs();
    let bucket = this.#buckets.get(accountId);
    if (bucket === undefined) {
      bucket = { tokens: this.#burst, filledAtMs: nowMs };
      this.#buckets.set(accountId, bucket);
    }
    const grown = bucket.tokens + (nowMs - bucket.filledAtMs) * this.#perMs;
    bucket.tokens = Math.min(this.#burst, grown);
    bucket.filledAtMs = nowMs;
    if (bucket.tokens < 1) {
      throw new ParleyError("RATE_LIMITED", "this account sends too fast", {
        retryAfterMs: Math.max(1, Math.ceil((1 - bucket.tokens) / this.#perMs)),
      });
    }
    bucket.tokens -= 1;
  }
}
