// Request ids: UUIDv7 (RFC 9562 section 5.7), made here when a client sent none.
import { isUuidV7 } from "@parley/chat";
import { ParleyError } from "@parley/protocol";
import type { Clock, Random } from "../ports.ts";
import { toHex } from "./encoding.ts";

/** A fresh UUIDv7 stamped with the node's wall clock. */
export function makeRequestId(clock: Clock, random: Random): string {
  const bytes = random.bytes(16);
  let rest = clock.wallMs();
  for (let at = 5; at >= 0; at -= 1) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

/**
 * The id that the command carries: the client's in lower case, or a fresh one when it sent none.
 * Anything that is not a UUIDv7 is INVALID_ARGUMENT, because its age could not be judged (P2).
 */
export function requestIdOf(given: string, clock: Clock, random: Random): string {
  if (given === "") return makeRequestId(clock, random);
  const id = given.toLowerCase();
  if (!isUuidV7(id)) {
    throw new ParleyError("INVALID_ARGUMENT", "request_id must be a UUIDv7");
  }
  return id;
}
