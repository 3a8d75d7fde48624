// As much of a terminal as is needed to see what a person would see: text, line feeds, cursor moves,
// and clearing. Anything else that is written to it is an error.
import { PassThrough, Writable } from "node:stream";

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const SEQUENCE = /^\u001b\[(\d*)(?:;\d+)?([A-Za-z])/;
/** Asks for pastes in brackets, or no longer. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const MODE = /^\u001b\[\?2004[hl]/;

export class TinyTerminal extends Writable {
  readonly isTTY = true;
  readonly columns: number;
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;

  constructor(columns: number) {
    super({ decodeStrings: false });
    this.columns = columns;
  }

  /** Non-empty lines, from the top; trailing spaces are gone. */
  get lines(): readonly string[] {
    const lines = this.#rows.map((cells) =>
      Array.from(cells, (cell) => cell ?? " ")
        .join("")
        .trimEnd(),
    );
    return lines.filter((line) => line !== "");
  }

  /** The text before the cursor in its row. */
  get beforeCursor(): string {
    return (this.#rows[this.#row] ?? []).slice(0, this.#column).join("");
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    let rest = String(chunk);
    while (rest !== "") {
      const mode = MODE.exec(rest);
      const sequence = SEQUENCE.exec(rest);
      if (mode !== null) rest = rest.slice(mode[0].length);
      else if (sequence === null) {
        const [character = ""] = rest;
        this.#put(character);
        rest = rest.slice(character.length);
      } else {
        this.#obey(sequence[2] ?? "", Number(sequence[1] || "1"), sequence[1] ?? "");
        rest = rest.slice(sequence[0].length);
      }
    }
    done();
  }

  #put(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") {
      this.#row += 1;
      this.#column = 0;
    } else {
      if (this.#column >= this.columns) {
        this.#row += 1;
        this.#column = 0;
      }
      this.#cells(this.#row)[this.#column] = character;
      this.#column += 1;
    }
    this.#cells(this.#row);
  }

  #cells(row: number): string[] {
    while (this.#rows.length <= row) this.#rows.push([]);
    return this.#rows[row] ?? [];
  }

  #obey(command: string, count: number, raw: string): void {
    switch (command) {
      case "A":
        this.#row = Math.max(0, this.#row - count);
        return;
      case "B":
        this.#row += count;
        return;
      case "C":
        this.#column = Math.min(this.columns, this.#column + count);
        return;
      case "D":
        this.#column = Math.max(0, this.#column - count);
        return;
      case "G":
        this.#column = count - 1;
        return;
      case "J":
        if (raw !== "0" && raw !== "") throw new Error(`cannot clear ${raw}`);
        this.#cells(this.#row).length = this.#column;
        this.#rows.length = this.#row + 1;
        return;
      case "m":
        return;
      default:
        throw new Error(`does not know ${command}`);
    }
  }
}

/** A keyboard for it. */
export function keyboard(): PassThrough & { isTTY: true; setRawMode(on: boolean): void } {
  const input = new PassThrough();
  return Object.assign(input, { isTTY: true as const, setRawMode: () => {} });
}
