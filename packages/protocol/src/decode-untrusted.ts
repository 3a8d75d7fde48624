// Decoding what came from outside (P11). The size of a message bounds what it may carry, but not what it costs: a
// megabyte can be a hundred thousand sentences or half a million empty messages, each an object.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { ParleyError } from "./errors.ts";

/** Anything that ts-proto generates. */
export interface Decodable<T> {
  decode(input: BinaryReader): T;
}

export interface DecodeBounds {
  readonly bytesMax: number;
  /** Tags, lengths and numbers, at every depth. */
  readonly partsMax: number;
}

/** Gives up after so many varints, which is what fields begin with and packed numbers consist of. */
class BoundedReader extends BinaryReader {
  #partsLeft: number;

  constructor(bytes: Uint8Array, partsMax: number) {
    super(bytes);
    this.#partsLeft = partsMax;
    // Not methods but fields of each reader, which the library's other methods and readUint64 go through.
    const state = this as unknown as { uint32(): number; varint64(): void };
    const { uint32, varint64 } = state;
    state.uint32 = () => {
      this.#count();
      return uint32.call(this);
    };
    state.varint64 = () => {
      this.#count();
      varint64.call(this);
    };
  }

  #count(): void {
    this.#partsLeft -= 1;
    if (this.#partsLeft < 0) {
      throw new ParleyError("TOO_LARGE", "the message has too many parts");
    }
  }
}

/** Decodes within bounds. Throws a ParleyError and nothing else: TOO_LARGE or MALFORMED. */
export function decodeUntrusted<T>(
  codec: Decodable<T>,
  bytes: Uint8Array,
  { bytesMax, partsMax }: DecodeBounds,
): T {
  if (bytes.length > bytesMax) {
    throw new ParleyError("TOO_LARGE", `${bytes.length} bytes; at most ${bytesMax} are taken`);
  }
  // Every part takes a byte at least: what is as short as most messages need not be counted.
  const reader =
    bytes.length <= partsMax ? new BinaryReader(bytes) : new BoundedReader(bytes, partsMax);
  let message: T;
  try {
    message = codec.decode(reader);
  } catch (cause) {
    throw cause instanceof ParleyError ? cause : malformed();
  }
  // Generated code takes a zero, which is no tag, for the end.
  if (reader.pos !== bytes.length) throw malformed();
  return message;
}

function malformed(): ParleyError {
  return new ParleyError("MALFORMED", "that is not a well-formed protobuf message");
}
