// Small pieces of the protobuf wire format, for building frames out of parts that are encoded once
// and sent to many: a length-delimited field is tag, length, bytes, and fields may simply be joined.
import { allocate } from "./slab.ts";

const NO_BYTES = new Uint8Array(0);

/** Bytes that a varint takes. `value` is a safe integer ≥ 0. */
function varintLength(value: number): number {
  let length = 1;
  let rest = value;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    length += 1;
  }
  return length;
}

function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest >= 0x80) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[at++] = rest;
  return at;
}

/** One length-delimited field (a message, string or bytes), whose content is the parts joined. */
export function lengthDelimitedField(
  fieldNumber: number,
  ...parts: readonly Uint8Array[]
): Uint8Array {
  const tag = fieldNumber * 8 + 2;
  let length = 0;
  for (const part of parts) length += part.length;
  const field = allocate(varintLength(tag) + varintLength(length) + length);
  let at = writeVarint(field, writeVarint(field, 0, tag), length);
  for (const part of parts) {
    field.set(part, at);
    at += part.length;
  }
  return field;
}

/** One varint field (uint32, uint64, bool, enum); empty for the default value 0. */
export function varintField(fieldNumber: number, value: number): Uint8Array {
  if (value === 0) return NO_BYTES;
  const tag = fieldNumber * 8;
  const field = allocate(varintLength(tag) + varintLength(value));
  writeVarint(field, writeVarint(field, 0, tag), value);
  return field;
}

/** The parts in one array. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1 && parts[0] !== undefined) return parts[0];
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = allocate(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
