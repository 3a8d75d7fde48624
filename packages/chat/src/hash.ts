// The state hash: a multiset hash, the sum over all rows of a 64-bit hash of each row. Adding and
// subtracting rows keeps it current for the cost of the changed rows alone, and the order in which
// rows were written does not matter. It tells nodes apart that differ by accident; it is no defence
// against somebody who forges rows. Two lanes of 32 bits, because that is what JavaScript is fast at.

import { STATE_VERSION_FIRST } from "./state-version.ts";

/** What a column of a replicated table may hold. */
export type SqlValue = number | string | Uint8Array | null;

const TWO_32 = 2 ** 32;
const NONE: readonly SqlValue[] = [];

/** Hash of one row (or of any list of values), in two lanes. Reused: read the lanes before the next. */
export class RowHasher {
  a = 0;
  b = 0;

  /**
   * Of the values from the first to the last that is not the one in `defaults` which stands at the same place from the
   * end. `tag` sets apart tables whose rows could look the same.
   */
  hash(tag: number, values: readonly SqlValue[], defaults: readonly SqlValue[] = NONE): void {
    this.a = 0x243f6a88 ^ tag;
    this.b = 0x13198a2e + tag;
    let { length } = values;
    const first = length - defaults.length;
    while (length > first && values[length - 1] === defaults[length - 1 - first]) length--;
    for (let at = 0; at < length; at++) {
      const value = values[at] as SqlValue;
      if (typeof value === "number") this.#number(value);
      else if (typeof value === "string") this.#text(value);
      else if (value === null) this.#word(0x6e756c6c);
      else this.#bytes(value);
    }
    this.a = finish(this.a);
    this.b = finish(this.b ^ this.a);
  }

  #word(word: number): void {
    const a = Math.imul(this.a ^ word, 0x9e3779b1);
    this.a = (a << 13) | (a >>> 19);
    const b = Math.imul(this.b + word, 0x85ebca77);
    this.b = b ^ (b >>> 15);
  }

  /** A whole number up to 2^53. */
  #number(value: number): void {
    this.#word(value | 0);
    if (value >= TWO_32) this.#word(Math.floor(value / TWO_32));
    else this.#word(0);
  }

  #text(text: string): void {
    const { length } = text;
    let a = this.a ^ length;
    let b = this.b + length;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x9e3779b1);
      a = (a << 13) | (a >>> 19);
      b = Math.imul(b + unit, 0x85ebca77);
      b ^= b >>> 15;
    }
    this.a = a;
    this.b = b;
  }

  #bytes(bytes: Uint8Array): void {
    this.#word(bytes.length);
    for (const byte of bytes) this.#word(byte);
  }
}

function finish(lane: number): number {
  let mixed = lane;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) | 0;
}

/** 52 bits of the hash of `values`, as a safe integer: to recognise the same content again. */
export function contentHash(hasher: RowHasher, values: readonly SqlValue[]): number {
  hasher.hash(0, values);
  return (hasher.a >>> 0) * 2 ** 20 + (hasher.b >>> 12);
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, "0");
}

/** What the last scalars of the state are in one from before there were any: its version, and who may register. */
export const ADDED_SCALARS: readonly SqlValue[] = [STATE_VERSION_FIRST, 0];

/** The running sum. */
export class HashSum {
  a: number;
  b: number;

  constructor(a = 0, b = 0) {
    this.a = a;
    this.b = b;
  }

  add(a: number, b: number): void {
    this.a = (this.a + a) | 0;
    this.b = (this.b + b) | 0;
  }

  subtract(a: number, b: number): void {
    this.a = (this.a - a) | 0;
    this.b = (this.b - b) | 0;
  }

  /** 16 hexadecimal digits: the rows, and the `scalars` that are part of the state beside them, those that came later last. */
  digest(hasher: RowHasher, scalars: readonly SqlValue[]): string {
    hasher.hash(0xff, scalars, ADDED_SCALARS);
    return hex(this.a + hasher.a) + hex(this.b + hasher.b);
  }
}
