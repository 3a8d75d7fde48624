// argon2id on OpenSSL's implementation, off the main loop, few at a time.
import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { availableParallelism } from "node:os";
import type { PasswordHasher } from "@parley/node";
import { ParleyError } from "@parley/protocol";
import { type Argon2Cost, formatPhc, parsePhc } from "./phc.ts";

/** OWASP's minimum for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane. */
export const DEFAULT_COST: Argon2Cost = { memoryKib: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Hashes that wait for a turn at the most; more are refused, so that logins cannot fill memory (P11). */
const WAITING_MAX = 256;
const RETRY_AFTER_MS = 1_000;

function derive(password: string, salt: Uint8Array, cost: Argon2Cost, tagLength: number) {
  return new Promise<Buffer>((resolve, reject) => {
    const parameters = {
      message: password,
      nonce: salt,
      parallelism: cost.parallelism,
      tagLength,
      memory: cost.memoryKib,
      passes: cost.passes,
    };
    argon2("argon2id", parameters, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Runs at most `concurrency` tasks at once and lets at most `WAITING_MAX` wait. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #concurrency: number;
  #running = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#concurrency) {
      if (this.#waiting.length >= WAITING_MAX) {
        throw new ParleyError("OVERLOADED", "Too many logins at once; try again in a moment.", {
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}

/**
 * Hashes and checks passwords, one core at least left for the chat. `verify` is false, not an error,
 * for a string that is no argon2id hash; both reject with OVERLOADED when too many wait.
 */
export function createPasswordHasher(cost: Argon2Cost = DEFAULT_COST): PasswordHasher {
  const turns = new Turns(Math.max(1, Math.min(4, availableParallelism() - 1)));
  return {
    hash: (password) =>
      turns.run(async () => {
        const salt = randomBytes(SALT_BYTES);
        return formatPhc({ ...cost, salt, hash: await derive(password, salt, cost, HASH_BYTES) });
      }),
    verify: (password, phc) =>
      turns.run(async () => {
        const stored = parsePhc(phc);
        if (stored === undefined) return false;
        const actual = await derive(password, stored.salt, stored, stored.hash.length);
        return timingSafeEqual(actual, stored.hash);
      }),
  };
}
