/**
 * Sizes of entries. Two are in use: the *encoded* size bounds what is sent or applied at a time, the
 * *payload* size bounds what waits for commit or is in flight. The payload of a leader's no-op is 0, so
 * that no limit can ever refuse it.
 */
import type { Entry, EntryType, Index, Term } from "./types.ts";
import { NO_BYTES } from "./types.ts";

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

/** Bytes of one entry as a tag-length-value record with varints, which is how it travels and is stored. */
export function entrySize(entry: Entry): number {
  const length = entry.data.length;
  const dataSize = length === 0 ? 0 : 1 + varintSize(length) + length;
  return 2 + 1 + varintSize(entry.term) + 1 + varintSize(entry.index) + dataSize;
}

export function entriesSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entrySize(entry);
  return size;
}

export function payloadsSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entry.data.length;
  return size;
}

export function makeEntry(
  type: EntryType,
  term: Term,
  index: Index,
  data: Uint8Array = NO_BYTES,
): Entry {
  return { type, term, index, data };
}
