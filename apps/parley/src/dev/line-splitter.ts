// Lines out of chunks. A line without an end is cut at a bound (P11).

const LINE_LENGTH_MAX = 64 * 1024;

export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_LENGTH_MAX) {
      lines.push(this.#rest);
      this.#rest = "";
    }
    for (const line of lines) if (line !== "") this.#onLine(line);
  }

  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}
