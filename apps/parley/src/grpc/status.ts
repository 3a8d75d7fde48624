// A failed request as a gRPC status: the code and sentence that every tool shows, and metadata for
// programs (the reason, the delay of a retry, the leader, the whole error).
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { ParleyError, Error as WireError } from "@parley/protocol";

/** Statuses travel in headers, so a sentence is cut before it fills them. */
const DETAILS_LENGTH_MAX = 1_024;

export function toStatus(cause: unknown): StatusObject {
  const error = ParleyError.from(cause);
  const metadata = new Metadata();
  metadata.set("parley-reason", error.reason);
  if (error.retryAfterMs > 0) metadata.set("parley-retry-after-ms", String(error.retryAfterMs));
  if (error.leaderId > 0) metadata.set("parley-leader", String(error.leaderId));
  const details = error.message.slice(0, DETAILS_LENGTH_MAX).toWellFormed();
  const wire = WireError.encode({ ...error.toWire(), message: details }).finish();
  metadata.set("parley-error-bin", Buffer.from(wire));
  return { code: error.code, details, metadata };
}

/** As `toStatus`, in the shape that a grpc-js stream ends with. */
export function toStatusError(cause: unknown): Error & StatusObject {
  const status = toStatus(cause);
  return Object.assign(new Error(status.details), status);
}
