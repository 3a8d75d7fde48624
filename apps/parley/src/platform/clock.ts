// The real clock: the machine's monotonic and wall time, and its timers.
import type { Clock } from "@parley/node";

/** Node’s clock and timers. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, action) {
    // "As soon as this turn's input has been read" is a turn of the loop, not a timer's millisecond.
    if (delayMs <= 0) {
      const immediate = setImmediate(action);
      return { cancel: () => clearImmediate(immediate) };
    }
    const timer = setTimeout(action, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
