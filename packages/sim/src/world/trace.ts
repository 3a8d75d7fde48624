// What happened in a world, as text: a hash over all of it (two runs of a seed must agree), the
// newest lines for a failure's report, and, when asked for, every line.
import { createHash } from "node:crypto";

const TAIL_LINES = 400;

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #tail: string[] = [];
  readonly #now: () => number;
  readonly #sink: ((line: string) => void) | undefined;
  #lines = 0;
  #pending = "";
  #mixed = 0x811c9dc5;

  constructor(now: () => number, sink?: (line: string) => void) {
    this.#now = now;
    this.#sink = sink;
  }

  /** `who` did or suffered `what`. Part of the hash. */
  add(who: string, what: string): void {
    const now = this.#now();
    this.#lines += 1;
    const line = `${(now / 1e6).toFixed(6).padStart(11)} ${who.padEnd(9)} ${what}`;
    this.#pending += `${line}\n`;
    if (this.#pending.length > 16_384) this.#flush();
    this.#tail.push(line);
    if (this.#tail.length > 2 * TAIL_LINES) this.#tail.splice(0, TAIL_LINES);
    this.#sink?.(line);
  }

  /** Whether somebody reads every line, so that details are worth their cost. */
  get isRead(): boolean {
    return this.#sink !== undefined;
  }

  /** For the reader alone: not part of the hash. */
  detail(who: string, what: () => string): void {
    if (this.#sink === undefined) return;
    this.#sink(`${(this.#now() / 1e6).toFixed(6).padStart(11)} ${who.padEnd(9)} · ${what()}`);
  }

  /** A small event that is part of the hash without a line of its own, such as a frame's size. */
  mix(value: number): void {
    this.#mixed = Math.imul(this.#mixed ^ value, 0x01000193);
    this.#mixed = Math.imul(this.#mixed ^ this.#now(), 0x01000193);
  }

  get lines(): number {
    return this.#lines;
  }

  tail(count = TAIL_LINES): readonly string[] {
    return this.#tail.slice(-count);
  }

  /** Of everything so far; hexadecimal, shortened. */
  digest(): string {
    this.#flush();
    const all = this.#hash.copy().update(`${this.#mixed >>> 0}`);
    return all.digest("hex").slice(0, 32);
  }

  #flush(): void {
    this.#hash.update(this.#pending);
    this.#pending = "";
  }
}
