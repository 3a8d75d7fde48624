// What a browser's storage refuses, in words that can be shown.
import { ParleyError } from "@parley/protocol";

/** STORAGE_FULL when there is no room, otherwise STORAGE_UNAVAILABLE; a ParleyError as it is. */
export function storageError(cause: unknown): ParleyError {
  if (cause instanceof ParleyError) return cause;
  const name = cause instanceof Error ? cause.name : "";
  const detail = cause instanceof Error ? cause.message : String(cause);
  if (name === "QuotaExceededError") {
    return new ParleyError("STORAGE_FULL", `this browser's storage is full: ${detail}`);
  }
  const message = `this browser does not let the page keep data: ${detail}`;
  return new ParleyError("STORAGE_UNAVAILABLE", message);
}
