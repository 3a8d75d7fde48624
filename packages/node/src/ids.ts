// Ids out of the node's random source (RFC 9562).
import type { Random } from "./ports.ts";

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

function formatUuid(bytes: Uint8Array, version: number): string {
  const set = bytes.slice();
  set[6] = ((set[6] ?? 0) & 0x0f) | (version << 4);
  set[8] = ((set[8] ?? 0) & 0x3f) | 0x80;
  const text = hex(set);
  return [
    text.slice(0, 8),
    text.slice(8, 12),
    text.slice(12, 16),
    text.slice(16, 20),
    text.slice(20),
  ].join("-");
}

/** A random UUID (version 4). */
export function uuidV4(random: Random): string {
  return formatUuid(random.bytes(16), 4);
}
