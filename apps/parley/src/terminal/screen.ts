// Where a terminal chat shows and reads lines: a real terminal, with a status line above the input
// that stays whole while messages come in, or plain streams.
import {
  clearScreenDown,
  createInterface,
  cursorTo,
  type Interface,
  moveCursor,
} from "node:readline";
import pc from "picocolors";
import { BODY_INDENT } from "../cli/format.ts";
import { commonBeginning } from "./completion.ts";
import { ASK_FOR_BRACKETS, NO_MORE_BRACKETS, PasteFilter, withLineBreaks } from "./paste.ts";
import { rowsOf, truncate } from "./width.ts";
import { wrap } from "./wrap.ts";

export interface ChatScreen {
  /** A line above the input. */
  print(text: string): void;
  /** What the status line says, without colours. */
  setStatus(text: string): void;
  /** What stands before the input. */
  setPrompt(text: string): void;
  close(): void;
}

export interface ScreenEvents {
  onLine(line: string): void;
  /** A key was pressed, and the input is this now. */
  onTyping(line: string): void;
  /** End of input, or Ctrl-C on an empty line. */
  onEnd(): void;
  /** For the Tab key: the whole lines that `text` could become. */
  complete(text: string): readonly string[];
}

/** Lines longer than this are cut: a paste, not a message (P11). */
const LINE_LENGTH_MAX = 100_000;

export class TerminalScreen implements ChatScreen {
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #keys: PasteFilter;
  readonly #terminal: Interface;
  #status = "";
  #prompt = "> ";
  #closed = false;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream, events: ScreenEvents) {
    this.#input = input;
    this.#output = output;
    this.#keys = new PasteFilter((on) => input.setRawMode(on));
    input.pipe(this.#keys);
    output.write(ASK_FOR_BRACKETS);
    this.#terminal = createInterface({
      input: this.#keys,
      output,
      terminal: true,
      historySize: 200,
      completer: (line: string) => this.#complete(line, events.complete(line)),
    });
    this.#terminal.on("line", (line) => {
      this.#eraseEntered(line);
      events.onLine(withLineBreaks(line.slice(0, LINE_LENGTH_MAX)));
      this.#refresh();
    });
    this.#terminal.on("SIGINT", () => {
      if (this.#terminal.line === "") events.onEnd();
      else this.#terminal.write("", { ctrl: true, name: "u" });
    });
    this.#terminal.on("close", () => {
      if (!this.#closed) events.onEnd();
    });
    // After the line editor's own listener, so that the line has the key in it.
    this.#keys.on("keypress", () => events.onTyping(this.#terminal.line));
    output.on("resize", () => this.#refresh());
    this.#apply();
    this.#terminal.prompt(true);
  }

  print(text: string): void {
    if (this.#closed) {
      this.#output.write(`${text}\n`);
      return;
    }
    const { rows } = this.#terminal.getCursorPos();
    moveCursor(this.#output, 0, -rows);
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    // The input's redrawing starts by going up as many rows as the cursor was below its first one.
    this.#output.write(`${wrap(text, this.#columns(), BODY_INDENT)}\n${"\n".repeat(rows)}`);
    this.#terminal.prompt(true);
  }

  setStatus(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.#refresh();
  }

  setPrompt(text: string): void {
    if (text === this.#prompt) return;
    this.#prompt = text;
    this.#refresh();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { rows } = this.#terminal.getCursorPos();
    moveCursor(this.#output, 0, -rows);
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    this.#terminal.close();
    this.#output.write(NO_MORE_BRACKETS);
    this.#input.unpipe(this.#keys);
    this.#input.pause();
  }

  #columns(): number {
    return Math.max(10, this.#output.columns ?? 80);
  }

  /** In the form that the line editor wants. Several candidates are shown as any other line is. */
  #complete(line: string, candidates: readonly string[]): [string[], string] {
    const common = commonBeginning(candidates);
    if (candidates.length === 1) return [[`${common} `], line];
    if (common.length > line.length) return [[common], line];
    if (candidates.length > 1) this.print(pc.dim(candidates.join("  ")));
    return [[], line];
  }

  #apply(): void {
    const columns = this.#columns();
    const status = truncate(this.#status, columns - 1).padEnd(columns - 1);
    this.#terminal.setPrompt(`${pc.inverse(status)}\n${this.#prompt}`);
  }

  #refresh(): void {
    if (this.#closed) return;
    this.#apply();
    this.#terminal.prompt(true);
  }

  /** What was entered is shown again as a message: the line that it was typed on goes. */
  #eraseEntered(line: string): void {
    const columns = this.#columns();
    const rows = rowsOf(`${this.#terminal.getPrompt()}${line}`, columns);
    moveCursor(this.#output, 0, -rows);
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
  }
}

/** Lines in, lines out; what the status line would show becomes a line when it changes. */
export class PlainScreen implements ChatScreen {
  readonly #output: NodeJS.WritableStream;
  readonly #lines: Interface;
  #status = "";
  #closed = false;

  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream, events: ScreenEvents) {
    this.#output = output;
    this.#lines = createInterface({ input, terminal: false });
    this.#lines.on("line", (line) => events.onLine(line.slice(0, LINE_LENGTH_MAX)));
    this.#lines.on("close", () => {
      if (!this.#closed) events.onEnd();
    });
  }

  print(text: string): void {
    this.#output.write(`${text}\n`);
  }

  setStatus(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.print(`-- ${text}`);
  }

  setPrompt(_text: string): void {}

  close(): void {
    this.#closed = true;
    this.#lines.close();
  }
}
