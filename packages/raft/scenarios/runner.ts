/** Runs scenario files and compares. */
import { runDirective } from "./commands.ts";
import type { Directive } from "./datadriven.ts";
import { formatScenario, parseScenario } from "./datadriven.ts";
import { Environment } from "./environment.ts";

export interface Mismatch {
  readonly line: number;
  readonly command: string;
  readonly expected: string;
  readonly actual: string;
}

export interface ScenarioResult {
  readonly mismatches: readonly Mismatch[];
  /** The file with the actual output. */
  readonly rewritten: string;
}

const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL|PANIC)\b/;

/** Runs a scenario in a cluster of its own. Unless `strict`, lines of log text are not compared. */
export function runScenario(text: string, strict: boolean): ScenarioResult {
  const directives = parseScenario(text);
  const env = new Environment();
  const outputs = directives.map((directive) => runDirective(env, directive));
  const mismatches: Mismatch[] = [];
  directives.forEach((directive, i) => {
    const actual = outputs[i] ?? "";
    if (!agrees(directive, actual, strict)) {
      const { line, command, expected } = directive;
      mismatches.push({ line, command, expected, actual });
    }
  });
  return { mismatches, rewritten: formatScenario(directives, outputs) };
}

function agrees({ expected }: Directive, actual: string, strict: boolean): boolean {
  return strict ? expected === actual : withoutLogs(expected) === withoutLogs(actual);
}

/** Without its log texts a command may have nothing else to say, which is as good as `ok`. */
function withoutLogs(text: string): string {
  const lines = text.split("\n").filter((line) => !LOG_LINE.test(line));
  const rest = lines.map((line) => line.trimEnd()).join("\n");
  return rest === "" ? "ok" : rest;
}

/** The lines of both, those that differ marked `-` (expected) and `+` (actual). */
export function formatMismatch({ line, command, expected, actual }: Mismatch): string {
  const lines = diff(expected.split("\n"), actual.split("\n"));
  return `line ${line}: ${command}\n${lines.map((text) => `    ${text}`).join("\n")}`;
}

/** Longest common subsequence; outputs are short enough for the quadratic table. */
function diff(a: readonly string[], b: readonly string[]): string[] {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  const cell = (i: number, j: number): number => table[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] =
        a[i] === b[j] ? cell(i + 1, j + 1) + 1 : Math.max(cell(i + 1, j), cell(i, j + 1));
    }
  }
  const lines: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push(`  ${a[i]}`);
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && cell(i + 1, j) >= cell(i, j + 1))) {
      lines.push(`- ${a[i++]}`);
    } else {
      lines.push(`+ ${b[j++]}`);
    }
  }
  return lines;
}
