/**
 * The file format of scenarios: a command line, optional input lines, `----`, and the expected output up
 * to a blank line. Output with blank lines in it stands between doubled separators. `#` begins a comment.
 *
 *     propose-conf-change 1 transition=explicit
 *     v2 l3
 *     ----
 *     ok
 */

/** `key`, `key=value` or `key=(a,b,c)`. */
export interface Arg {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Directive {
  /** Line number of the command, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Arg[];
  readonly input: string;
  readonly expected: string;
  /** Everything before the `----`, comments included, as it stands in the file. */
  readonly source: readonly string[];
}

const SEPARATOR = "----";
const ARG = /^\s*([^\s=()]+)(?:=(?:\(([^)]*)\)|([^\s]*)))?(?=\s|$)/;

/** Splits a file into its directives. Lines after the last one are dropped. */
export function parseScenario(text: string): Directive[] {
  const lines = text.split(/\r?\n/);
  const directives: Directive[] = [];
  let at = 0;
  let source: string[] = [];
  const next = (): string => lines[at++] ?? "";
  while (at < lines.length) {
    const line = at + 1;
    let head = next();
    source.push(head);
    if (head.trim() === "" || head.trimStart().startsWith("#")) continue;
    while (head.trimEnd().endsWith("\\") && at < lines.length) {
      const more = next();
      source.push(more);
      head = `${head.trimEnd().slice(0, -1)} ${more}`;
    }
    const { command, args } = parseCommand(head, line);
    const input: string[] = [];
    while (at < lines.length && lines[at] !== SEPARATOR) {
      input.push(next());
      source.push(input[input.length - 1] ?? "");
    }
    if (at >= lines.length) throw new Error(`line ${line}: no ${SEPARATOR} after ${command}`);
    at++;
    const expected = lines[at] === SEPARATOR ? readDoubled(lines, at + 1) : readPlain(lines, at);
    at = expected.end;
    directives.push({
      line,
      command,
      args,
      input: input.join("\n"),
      expected: expected.text,
      source,
    });
    source = [];
  }
  return directives;
}

interface Output {
  readonly text: string;
  /** The line after it. */
  readonly end: number;
}

function readPlain(lines: readonly string[], from: number): Output {
  let end = from;
  while (end < lines.length && lines[end]?.trim() !== "") end++;
  return { text: lines.slice(from, end).join("\n"), end };
}

function readDoubled(lines: readonly string[], from: number): Output {
  for (let end = from; end < lines.length; end++) {
    if (lines[end] === SEPARATOR && lines[end + 1] === SEPARATOR) {
      return { text: lines.slice(from, end).join("\n"), end: end + 2 };
    }
  }
  throw new Error(`line ${from}: output between doubled ${SEPARATOR} does not end`);
}

function parseCommand(head: string, line: number): { command: string; args: Arg[] } {
  const tokens: Arg[] = [];
  let rest = head.trim();
  while (rest !== "") {
    const match = ARG.exec(rest);
    if (match === null) throw new Error(`line ${line}: can't read ${JSON.stringify(rest)}`);
    const [whole, key = "", list, value] = match;
    if (list !== undefined) {
      tokens.push({ key, values: list.split(",").map((part) => part.trim()) });
    } else {
      tokens.push({ key, values: value === undefined ? [] : [value] });
    }
    rest = rest.slice(whole.length).trimStart();
  }
  const [command, ...args] = tokens;
  if (command === undefined) throw new Error(`line ${line}: no command`);
  return { command: command.key, args };
}

/** The file again, with other output. */
export function formatScenario(
  directives: readonly Directive[],
  outputs: readonly string[],
): string {
  const blocks = directives.map(({ source }, i) => {
    const output = outputs[i] ?? "";
    const doubled = output === "" || output.split("\n").includes("");
    const body = doubled
      ? [SEPARATOR, SEPARATOR, output, SEPARATOR, SEPARATOR]
      : [SEPARATOR, output];
    return [...source, ...body].join("\n");
  });
  return `${blocks.join("\n")}\n`;
}
