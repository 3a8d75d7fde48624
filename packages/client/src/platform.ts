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
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
