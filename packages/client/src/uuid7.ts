// UUIDv7 (RFC 9562, section 5.7 with the counter of section 6.2, method 1): sorts by time, and
// within one source always upwards, even when the wall clock stands still or goes back.
import type { Clock, Random } from "./ports.ts";

const COUNTER_MAX = 0xfff;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += HEX[bytes[at] ?? 0];
  return text;
}

/** A source of ids, each greater than the one before it. */
export class Uuid7Source {
  readonly #clock: Pick<Clock, "wallMs">;
  readonly #random: Random;
  #lastMs = 0;
  #counter = 0;

  constructor(clock: Pick<Clock, "wallMs">, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  next(): string {
    const bytes = this.#random.bytes(16);
    const nowMs = Math.floor(this.#clock.wallMs());
    if (nowMs > this.#lastMs) {
      this.#lastMs = nowMs;
      // The top bit starts at zero, so that at least 2,048 ids fit before the time is moved on.
      this.#counter = (((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0)) & 0x7ff;
    } else if (this.#counter === COUNTER_MAX) {
      this.#lastMs += 1;
      this.#counter = 0;
    } else {
      this.#counter += 1;
    }
    let ms = this.#lastMs;
    for (let at = 5; at >= 0; at--) {
      bytes[at] = ms % 256;
      ms = Math.floor(ms / 256);
    }
    bytes[6] = 0x70 | (this.#counter >> 8);
    bytes[7] = this.#counter & 0xff;
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    return `${hex(bytes, 0, 4)}-${hex(bytes, 4, 6)}-${hex(bytes, 6, 8)}-${hex(bytes, 8, 10)}-${hex(bytes, 10, 16)}`;
  }
}
