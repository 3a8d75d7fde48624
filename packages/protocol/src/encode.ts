// Encoding on the hot path: one writer for all, which keeps its buffer, where `Message.encode(m).finish()`
// allocates one, grows it, and copies the result out.
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { allocate } from "./slab.ts";

/** What a generated message offers. */
export interface Encoder<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
}

/** A writer that grew beyond this is replaced, so that one large message does not pin its size for ever. */
const KEPT_BYTES_MAX = 64 * 1024;

/**
 * The part of the library's writer that `finish` would copy and reset. It is private there; the version is
 * pinned, and encode.test.ts notices when it is not as expected any more.
 */
interface WriterState {
  readonly buffer: Uint8Array;
  pos: number;
}

let writer = new BinaryWriter();

/** The encoded message, in a piece of a shared buffer: see {@link allocate} for what must not be done with it. */
export function encode<T>(encoder: Encoder<T>, message: T): Uint8Array {
  const state = writer as unknown as WriterState;
  try {
    encoder.encode(message, writer);
  } catch (cause) {
    // It is half written.
    writer = new BinaryWriter();
    throw cause;
  }
  const length = state.pos;
  const bytes = allocate(length);
  bytes.set(state.buffer.subarray(0, length));
  state.pos = 0;
  if (state.buffer.length > KEPT_BYTES_MAX) writer = new BinaryWriter();
  return bytes;
}
