/**
 * Compact binary records: what crosses threads as one transferred buffer instead of thousands of
 * cloned objects, and what is stored under a checksum. Little-endian; a `u53` is a safe integer.
 */

const TWO_32 = 0x1_0000_0000;
const INITIAL_BYTES = 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Appends fields to a buffer that grows by doubling. */
export class ByteWriter {
  private buffer: Uint8Array<ArrayBuffer>;
  private view: DataView<ArrayBuffer>;
  private length = 0;

  constructor(bytesExpected = INITIAL_BYTES) {
    this.buffer = new Uint8Array(bytesExpected);
    this.view = new DataView(this.buffer.buffer);
  }

  get byteLength(): number {
    return this.length;
  }

  u8(value: number): this {
    this.reserve(1);
    this.view.setUint8(this.length, value);
    this.length += 1;
    return this;
  }

  u32(value: number): this {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
    return this;
  }

  u53(value: number): this {
    this.reserve(8);
    putU53(this.view, this.length, value);
    this.length += 8;
    return this;
  }

  /** Length and bytes. */
  bytes(value: Uint8Array): this {
    return this.u32(value.byteLength).raw(value);
  }

  /** Bytes alone: the reader knows how many from elsewhere. */
  raw(value: Uint8Array): this {
    this.reserve(value.byteLength);
    this.buffer.set(value, this.length);
    this.length += value.byteLength;
    return this;
  }

  text(value: string): this {
    return this.bytes(encoder.encode(value));
  }

  /** What was written, in a buffer of its own that can be transferred. Ends the writer's use. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.buffer.subarray(0, this.length);
  }

  private reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.buffer.byteLength) return;
    let size = this.buffer.byteLength * 2;
    while (size < needed) size *= 2;
    const grown = new Uint8Array(size);
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** Reads the fields back in the order of writing. Throws a RangeError past the end. */
export class ByteReader {
  private readonly buffer: Uint8Array;
  private readonly view: DataView;
  private position = 0;

  constructor(buffer: Uint8Array) {
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  get atEnd(): boolean {
    return this.position === this.buffer.byteLength;
  }

  u8(): number {
    const value = this.view.getUint8(this.position);
    this.position += 1;
    return value;
  }

  u32(): number {
    const value = this.view.getUint32(this.position, true);
    this.position += 4;
    return value;
  }

  u53(): number {
    const value = getU53(this.view, this.position);
    this.position += 8;
    return value;
  }

  /** A view into the buffer, not a copy. */
  bytes(): Uint8Array {
    const length = this.u32();
    const end = this.position + length;
    if (end > this.buffer.byteLength) throw new RangeError("a field reaches past the end");
    const value = this.buffer.subarray(this.position, end);
    this.position = end;
    return value;
  }

  text(): string {
    return decoder.decode(this.bytes());
  }
}

export function putU53(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % TWO_32, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true);
}

export function getU53(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
}

/** Bytes that fill their buffer, so that posting them to a thread does not clone what lies around. */
export function wholeBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) {
    return new Uint8Array(buffer);
  }
  return new Uint8Array(bytes);
}
