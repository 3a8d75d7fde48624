/**
 * Log entries and hard states as bytes: their checksum on disk, and their packing for the way
 * between threads. The simulator's virtual disk uses the same checksum.
 */
import { crc32 } from "node:zlib";
import type { LogWrite } from "@parley/node/ports";
import type { Entry, EntryType, HardState } from "@parley/raft";
import { ByteReader, ByteWriter, putU53 } from "./bytes.ts";

const ENTRY_TYPES: readonly EntryType[] = ["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];

/** The number that stands for an entry's type on disk; never renumbered. */
export function entryTypeCode(type: EntryType): number {
  const code = ENTRY_TYPES.indexOf(type);
  if (code < 0) throw new TypeError(`${type} is not a type of entry`);
  return code;
}

/** The inverse of {@link entryTypeCode}; undefined for a code that was never written. */
export function entryTypeOf(code: number): EntryType | undefined {
  return ENTRY_TYPES[code];
}

const scratch = new Uint8Array(17);
const scratchView = new DataView(scratch.buffer);

/**
 * CRC-32 over everything that makes the entry what it is, its place in the log included: a row that
 * turns up at another index or term fails as well as one with a changed byte.
 */
export function entryChecksum(
  index: number,
  term: number,
  typeCode: number,
  data: Uint8Array,
): number {
  putU53(scratchView, 0, index);
  putU53(scratchView, 8, term);
  scratch[16] = typeCode;
  return crc32(data, crc32(scratch));
}

/** Bytes that an entry adds to a packed buffer, besides its data. */
export const ENTRY_OVERHEAD_BYTES = 21;

export function packEntry(writer: ByteWriter, entry: Entry): void {
  writer.u53(entry.index).u53(entry.term).u8(entryTypeCode(entry.type)).bytes(entry.data);
}

export function unpackEntry(reader: ByteReader): Entry {
  const index = reader.u53();
  const term = reader.u53();
  const type = entryTypeOf(reader.u8());
  if (type === undefined) throw new TypeError("an unknown type of entry");
  return { type, term, index, data: reader.bytes() };
}

/** Several durable steps in one transferable buffer, in order. */
export function packWrites(writes: readonly LogWrite[]): Uint8Array<ArrayBuffer> {
  let bytes = 4;
  for (const write of writes) {
    bytes += 32;
    for (const entry of write.entries) bytes += ENTRY_OVERHEAD_BYTES + entry.data.byteLength;
  }
  const writer = new ByteWriter(bytes);
  writer.u32(writes.length);
  for (const { hardState, entries } of writes) {
    writer.u8(hardState === undefined ? 0 : 1);
    if (hardState !== undefined) {
      writer.u53(hardState.term).u53(hardState.vote).u53(hardState.commit);
    }
    writer.u32(entries.length);
    for (const entry of entries) packEntry(writer, entry);
  }
  return writer.finish();
}

/** The entries' data are views into `packed`. */
export function unpackWrites(packed: Uint8Array): LogWrite[] {
  const reader = new ByteReader(packed);
  const writes: LogWrite[] = [];
  for (let left = reader.u32(); left > 0; left--) {
    const hardState = reader.u8() === 0 ? undefined : readHardState(reader);
    const entries: Entry[] = [];
    for (let count = reader.u32(); count > 0; count--) entries.push(unpackEntry(reader));
    writes.push({ hardState, entries });
  }
  return writes;
}

/** Entries until the end of the buffer. */
export function unpackEntries(packed: Uint8Array): Entry[] {
  const reader = new ByteReader(packed);
  const entries: Entry[] = [];
  while (!reader.atEnd) entries.push(unpackEntry(reader));
  return entries;
}

export function encodeHardState(state: HardState): Uint8Array<ArrayBuffer> {
  return new ByteWriter(24).u53(state.term).u53(state.vote).u53(state.commit).finish();
}

export function decodeHardState(bytes: Uint8Array): HardState {
  return readHardState(new ByteReader(bytes));
}

function readHardState(reader: ByteReader): HardState {
  return { term: reader.u53(), vote: reader.u53(), commit: reader.u53() };
}
