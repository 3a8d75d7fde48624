// The real clock: the machine's monotonic and wall time, and its timers.
import type { Clock } from "@parley/node";

/** Node’s clock and timers. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
