/**
 * `npm run scenarios -- DIR [--print] [--strict] [--rewrite]`
 *
 * Runs every scenario file (*.txt) of a directory. `--print` prints the files with their actual output
 * instead of the differences, `--rewrite` stores them so, `--strict` compares log texts too.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatMismatch, runScenario } from "./runner.ts";

const FLAGS = ["--print", "--strict", "--rewrite"];

function main(args: readonly string[]): number {
  const directories = args.filter((arg) => !arg.startsWith("--"));
  const unknown = args.filter((arg) => arg.startsWith("--") && !FLAGS.includes(arg));
  if (unknown.length > 0 || directories.length === 0) {
    console.error("usage: scenarios DIR... [--print] [--strict] [--rewrite]");
    return 2;
  }
  let passed = 0;
  let failed = 0;
  for (const directory of directories) {
    const names = readdirSync(directory).filter((name) => name.endsWith(".txt"));
    for (const name of names.sort()) {
      if (runFile(join(directory, name), args)) passed++;
      else failed++;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

function runFile(path: string, args: readonly string[]): boolean {
  try {
    const result = runScenario(readFileSync(path, "utf8"), args.includes("--strict"));
    if (args.includes("--rewrite")) writeFileSync(path, result.rewritten);
    if (args.includes("--print")) {
      console.log(`=== ${path}\n${result.rewritten}`);
    } else if (result.mismatches.length > 0) {
      console.log(`=== ${path}\n${result.mismatches.map(formatMismatch).join("\n")}\n`);
    }
    return result.mismatches.length === 0 || args.includes("--rewrite");
  } catch (error) {
    console.log(`=== ${path}\n${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}

process.exitCode = main(process.argv.slice(2));
