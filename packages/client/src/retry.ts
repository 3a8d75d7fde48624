// How long to wait before another attempt.
import type { ParleyError } from "@parley/protocol";
import { TIMING } from "./timing.ts";

/**
 * Milliseconds: what the node asks for, or a doubling delay when it names none; up to a quarter of
 * chance on top, so that those refused together do not come back together.
 */
export function retryDelayMs(
  error: ParleyError,
  attempts: number,
  random: { int(bound: number): number },
): number {
  const doublingMs = Math.min(TIMING.retryMsMax, TIMING.retryMsMin * 2 ** Math.min(attempts, 10));
  const baseMs = error.retryAfterMs > 0 ? error.retryAfterMs : doublingMs;
  return baseMs + random.int(Math.ceil(baseMs / 4) + 1);
}
