// Where a caller might do better: an error that another node would not give names the leader, if it is known.
import { ParleyError, StatusCode } from "@parley/protocol";
import type { Replica } from "../replica.ts";

/** Whatever was thrown, as a ParleyError; UNAVAILABLE ones with the leader that this node knows. */
export function withLeader(cause: unknown, replica: Pick<Replica, "view">): ParleyError {
  const error = ParleyError.from(cause);
  if (error.code !== StatusCode.UNAVAILABLE || error.leaderId !== 0) return error;
  const { reason, message, retryAfterMs, revision } = error;
  const { leaderId } = replica.view();
  return new ParleyError(reason, message, { retryAfterMs, revision, leaderId });
}
