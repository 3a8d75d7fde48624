// What a witness answers to whoever wants something of the chat.
import { ParleyError } from "@parley/protocol";

const RETRY_AFTER_MS = 1_000;

/** Another node has what is asked for here. */
export function witnessError(): ParleyError {
  return new ParleyError("WITNESS", "this node is a witness and keeps no chat: ask another one", {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
