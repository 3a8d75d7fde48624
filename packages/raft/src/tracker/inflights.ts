/**
 * The window of MsgApps that a follower has not acknowledged yet, bounded by their count and by
 * their payload bytes (thesis, 10.2.1: pipelining needs flow control). A ring that grows as needed, so
 * that a large bound costs nothing until it is used.
 */
import { assert } from "../invariant.ts";
import type { Index } from "../types.ts";

const INITIAL_SLOTS = 16;

export class Inflights {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  /** Last index of each message, oldest at `#start`. */
  #indices: Index[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  /** `maxBytes` may be overshot by one message: the one that reaches it. */
  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether nothing more may be sent before something is acknowledged. */
  full(): boolean {
    return this.#count >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /** A message whose last entry is `index` is on its way. */
  add(index: Index, bytes: number): void {
    assert(!this.full(), "cannot add into a full window of in-flight messages");
    if (this.#count === this.#indices.length) this.#grow();
    const slot = (this.#start + this.#count) % this.#indices.length;
    this.#indices[slot] = index;
    this.#sizes[slot] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Everything up to and including `index` has been acknowledged. */
  freeUpTo(index: Index): void {
    while (this.#count > 0 && (this.#indices[this.#start] as Index) <= index) {
      this.#bytes -= this.#sizes[this.#start] as number;
      this.#start = (this.#start + 1) % this.#indices.length;
      this.#count--;
    }
  }

  /** Nothing is on its way any more. */
  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const slots = Math.max(INITIAL_SLOTS, this.#indices.length * 2);
    const indices: Index[] = [];
    const sizes: number[] = [];
    for (let i = 0; i < this.#count; i++) {
      const slot = (this.#start + i) % this.#indices.length;
      indices.push(this.#indices[slot] as Index);
      sizes.push(this.#sizes[slot] as number);
    }
    while (indices.length < slots) {
      indices.push(0);
      sizes.push(0);
    }
    this.#indices = indices;
    this.#sizes = sizes;
    this.#start = 0;
  }
}
