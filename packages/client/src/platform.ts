// The default ports: the clock and randomness that Node and browsers share. The only file of the
// main entry that touches the platform.
import type { Clock, Random } from "./ports.ts";

export const platformClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Beyond this a 32-bit sample would favour small numbers noticeably. */
const SAMPLE_RANGE = 2 ** 32;

export const platformRandom: Random = {
  int(bound) {
    const sample = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
    return Math.floor((sample / SAMPLE_RANGE) * bound);
  },
  bytes: randomBytes,
};

/** One call of the generator costs as much as a whole send; its bytes are fetched for many ids at once. */
const POOL_BYTES = 4_096;
let pool = new Uint8Array(0);
let taken = 0;

/** `length` random bytes that nobody else has or gets: the caller may write to them. */
function randomBytes(length: number): Uint8Array {
  if (length > POOL_BYTES) return crypto.getRandomValues(new Uint8Array(length));
  if (taken + length > pool.length) {
    pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES));
    taken = 0;
  }
  taken += length;
  return pool.subarray(taken - length, taken);
}
