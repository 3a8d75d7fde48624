// Breaks output between words, so that a long message reads as one block under its beginning.
import { graphemes, graphemeWidth } from "./width.ts";

/** Colours; they take no room. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const SGR = /(\u001b\[[0-9;]*m)/;

/** Below this a terminal is too narrow for an indent. */
const COLUMNS_FOR_INDENT_MIN = 24;

class WrappedLine {
  readonly #columns: number;
  readonly #indent: number;
  #out = "";
  #column = 0;
  #word = "";
  #wordWidth = 0;

  constructor(columns: number, indent: number) {
    this.#columns = columns;
    this.#indent = indent;
  }

  add(grapheme: string, width: number): void {
    if (grapheme === " ") {
      this.#endWord();
      this.#space();
      return;
    }
    // A word that fits on no line is broken anywhere.
    if (this.#wordWidth + width > this.#columns - this.#indent) this.#endWord();
    this.#word += grapheme;
    this.#wordWidth += width;
    // East Asian text has no spaces and may be broken after each character.
    if (width > 1) this.#endWord();
  }

  addColour(sequence: string): void {
    this.#word += sequence;
  }

  finish(): string {
    this.#endWord();
    return this.#out;
  }

  #endWord(): void {
    if (this.#column + this.#wordWidth > this.#columns && this.#column > this.#indent) {
      this.#newLine();
    }
    this.#out += this.#word;
    this.#column += this.#wordWidth;
    this.#word = "";
    this.#wordWidth = 0;
  }

  /** A space at the end of a line is the break itself. */
  #space(): void {
    if (this.#column >= this.#columns) return;
    this.#out += " ";
    this.#column += 1;
  }

  #newLine(): void {
    this.#out = `${this.#out.replace(/ +$/, "")}\n${" ".repeat(this.#indent)}`;
    this.#column = this.#indent;
  }
}

/** `text` in lines of at most `columns`; what is broken goes on `indent` columns in. */
export function wrap(text: string, columns: number, indent: number): string {
  const room = Math.max(1, columns);
  const lines = text.split("\n").map((line) => {
    const wrapped = new WrappedLine(room, room < COLUMNS_FOR_INDENT_MIN ? 0 : indent);
    for (const [at, piece] of line.split(SGR).entries()) {
      if (at % 2 === 1) wrapped.addColour(piece);
      else for (const one of graphemes(piece)) wrapped.add(one, graphemeWidth(one));
    }
    return wrapped.finish();
  });
  return lines.join("\n");
}
