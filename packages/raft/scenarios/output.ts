/** What a command prints: its own text and the members' logs, in the order in which they come about. */
import type { Logger } from "../src/index.ts";

export const LEVELS = ["DEBUG", "INFO", "WARN", "ERROR", "FATAL", "NONE"] as const;
const QUIET = LEVELS.length - 1;

export class Output {
  #text = "";
  /** Position in {@link LEVELS}; log texts below it are left out, at NONE everything is. */
  level = 0;

  /** Writes its texts here, with their level. */
  readonly logger: Logger = {
    debug: (text) => this.#log(0, text),
    info: (text) => this.#log(1, text),
    warn: (text) => this.#log(2, text),
    error: (text) => this.#log(3, text),
  };

  #log(level: number, text: string): void {
    if (level >= this.level) this.write(`${LEVELS[level]} ${text}\n`);
  }

  get quiet(): boolean {
    return this.level === QUIET;
  }

  write(text: string): void {
    if (!this.quiet) this.#text += text;
  }

  /** Also at level NONE. */
  writeError(text: string): void {
    if (this.quiet) this.#text = text;
    else this.#text += text;
  }

  /** What `body` writes is moved in by two columns. */
  indented(body: () => void): void {
    const before = this.#text;
    this.#text = "";
    try {
      body();
    } finally {
      const lines = this.#text.replace(/\n$/, "").split("\n");
      const inner = this.#text === "" ? "" : lines.map((line) => `  ${line}\n`).join("");
      this.#text = before + inner;
    }
  }

  /** Everything written since the last call. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}
