// 64-bit numbers of the wire as JavaScript's, which hold 53 bits. The library goes through BigInt, and the generated code from there
// through a string, for each of the dozen in a raft message. What is generated is made to call these instead (scripts/generate.mjs).
import type { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";

const HIGH = 2 ** 32;

/** What the library's reader keeps of the last 64-bit varint. It is not public there; the version is pinned, and uint64.test.ts looks. */
interface ReaderState {
  varint64(): void;
  readonly varint64Lo: number;
  readonly varint64Hi: number;
}

interface WriterState {
  writeVarint64(low: number, high: number): void;
}

/** Throws where the number is no safe integer. */
export function readUint64(reader: BinaryReader): number {
  const state = reader as unknown as ReaderState;
  state.varint64();
  const value = (state.varint64Hi >>> 0) * HIGH + (state.varint64Lo >>> 0);
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new Error("Value is larger than Number.MAX_SAFE_INTEGER");
  }
  return value;
}

/** Throws what the library throws at a number that is no integer ≥ 0. */
export function writeUint64(writer: BinaryWriter, value: number): BinaryWriter {
  if (!Number.isSafeInteger(value) || value < 0) return writer.uint64(value);
  (writer as unknown as WriterState).writeVarint64(value >>> 0, Math.floor(value / HIGH));
  return writer;
}
