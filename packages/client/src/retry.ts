// How long to wait before another attempt.
import type { ParleyError } from "@parley/protocol";
import { TIMING } from "./timing.ts";

/**
 * Milliseconds: a doubling delay, but never less than what the node asks for. The node names a delay for one request; it
 * does not know that a thousand come back after it. Up to a quarter of chance on top, so that those refused together do not come
 * back together.
 */
export function retryDelayMs(
  error: ParleyError,
  attempts: number,
  random: { int(bound: number): number },
): number {
  const doublingMs = Math.min(TIMING.retryMsMax, TIMING.retryMsMin * 2 ** Math.min(attempts, 10));
  const baseMs = Math.max(error.retryAfterMs, doublingMs);
  return baseMs + random.int(Math.ceil(baseMs / 4) + 1);
}
