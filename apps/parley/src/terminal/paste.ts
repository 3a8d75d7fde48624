// What is pasted stands in the input as one line and is sent as one message, however many lines it
// has: terminals bracket a paste with two sequences once they are asked to.
import { Transform, type TransformCallback } from "node:stream";
import { StringDecoder } from "node:string_decoder";

export const ASK_FOR_BRACKETS = "\u001b[?2004h";
export const NO_MORE_BRACKETS = "\u001b[?2004l";

const BEGIN = "\u001b[200~";
const END = "\u001b[201~";
/** What stands for a line break of a paste in the input line. */
const BREAK_SHOWN = "\u21b5";

/** A line of input as it was meant, with the line breaks of what was pasted. */
export function withLineBreaks(line: string): string {
  return line.replaceAll(BREAK_SHOWN, "\n");
}

/** Pasted text as it goes into the input line: no key of it does anything. */
function pasted(text: string): string {
  return (
    text
      .replace(/\r\n?|\n/g, BREAK_SHOWN)
      .replaceAll("\t", "    ")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these would be taken for keys
      .replace(/[\u0000-\u001f\u007f]/g, "")
  );
}

/** The longest end of `text`, of `lengthMin` or more, that may be the beginning of `mark`. */
function begunLength(text: string, mark: string, lengthMin: number): number {
  for (let length = mark.length - 1; length >= lengthMin; length -= 1) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}

/** Escape and Escape-[ may be keys, and those must not wait for the next one. */
const BEGUN_MIN = 3;

/** Sits between a terminal's keys and the line editor. */
export class PasteFilter extends Transform {
  readonly isTTY = true;
  readonly #setRawMode: (on: boolean) => void;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  #isPasting = false;
  /** Breaks at the end of a paste are kept back: it is for the person to enter it. */
  #breaks = "";

  constructor(setRawMode: (on: boolean) => void) {
    super();
    this.#setRawMode = setRawMode;
  }

  setRawMode(on: boolean): this {
    this.#setRawMode(on);
    return this;
  }

  override _transform(
    chunk: Buffer | string,
    _encoding: BufferEncoding,
    done: TransformCallback,
  ): void {
    this.#rest += typeof chunk === "string" ? chunk : this.#decoder.write(chunk);
    for (;;) {
      const mark = this.#isPasting ? END : BEGIN;
      const at = this.#rest.indexOf(mark);
      const isWhole = at >= 0;
      const begunMin = this.#isPasting ? 1 : BEGUN_MIN;
      const end = isWhole ? at : this.#rest.length - begunLength(this.#rest, mark, begunMin);
      this.#pass(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(isWhole ? end + mark.length : end);
      if (!isWhole) break;
      this.#isPasting = !this.#isPasting;
      this.#breaks = "";
    }
    done();
  }

  #pass(text: string): void {
    if (!this.#isPasting) {
      if (text !== "") this.push(text);
      return;
    }
    const whole = this.#breaks + pasted(text);
    const kept = whole.replace(/\u21b5+$/, "");
    this.#breaks = whole.slice(kept.length);
    if (kept !== "") this.push(kept);
  }
}
