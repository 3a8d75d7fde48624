// Waiting until this node is fresh enough to answer (P4), always for a bounded time.
import { LIMITS, ParleyError } from "@parley/protocol";
import type { Clock } from "../ports.ts";
import type { Replica } from "../replica.ts";

export interface Patience {
  /** On the node's monotonic clock. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The deadline of whoever waits, shortened to what waiting for a node that is behind may take. */
function bounded(patience: Patience, clock: Clock): Patience {
  const latestMs = clock.monotonicMs() + LIMITS.behindWaitMsMax;
  return { deadlineMs: Math.min(patience.deadlineMs, latestMs), signal: patience.signal };
}

/** Resolves when the node has applied `revision`; rejects with BEHIND, saying what it has, after 1 s. */
export async function reachRevision(
  replica: Replica,
  clock: Clock,
  revision: number,
  patience: Patience,
): Promise<void> {
  try {
    await replica.waitApplied(revision, bounded(patience, clock));
  } catch (cause) {
    const error = ParleyError.from(cause);
    if (error.reason !== "BEHIND") throw error;
    throw new ParleyError("BEHIND", error.message, {
      revision: replica.appliedRevision,
      retryAfterMs: error.retryAfterMs,
    });
  }
}

/**
 * Resolves when the node has applied all that was acknowledged anywhere before the call (ReadIndex,
 * thesis 6.4). Rejects with NO_QUORUM or BEHIND, after 1 s at the most unless `whole` gives it the
 * whole deadline.
 */
export async function becomeCurrent(
  replica: Replica,
  clock: Clock,
  patience: Patience,
  whole: "whole" | "bounded" = "bounded",
): Promise<void> {
  const limit = whole === "whole" ? patience : bounded(patience, clock);
  const revision = await replica.readIndex(limit);
  if (replica.appliedRevision < revision) await replica.waitApplied(revision, limit);
}
