// npm run sim:mutants -- [--only NAME,…] [--jobs J]     plants each bug, and says who finds it when
// npm run sim:mutants -- --list                         the bugs and what they are
import { parseArgs } from "node:util";
import { MUTANTS, mutantNamed } from "./catalogue.ts";
import { type Hunt, hunt } from "./hunt.ts";
import type { Mutant } from "./mutant.ts";
import { checkFits } from "./plant.ts";

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      jobs: { type: "string", default: "2" },
      list: { type: "boolean" },
      details: { type: "boolean" },
    },
  });
  const mutants = values.only?.split(",").map(mutantNamed) ?? MUTANTS;
  if (values.list === true) {
    for (const { name, what } of mutants) console.log(`${name.padEnd(NAME_WIDTH)} ${what}`);
    return 0;
  }
  for (const mutant of mutants) checkFits(mutant);
  const jobs = Math.max(1, Number(values.jobs) || 1);
  console.log(`${"planted bug".padEnd(NAME_WIDTH)} ${"caught by".padEnd(CHECKER_WIDTH)} seeds  of`);
  let missed = 0;
  for (const mutant of mutants) {
    const found = await hunt(mutant, jobs);
    console.log(row(mutant, found));
    const violation = found.result?.violation;
    if (found.verdict === "elsewhere" || (values.details === true && violation !== undefined)) {
      console.log(`    ${violation?.detail.split("\n").slice(0, 4).join("\n    ")}`);
    }
    if (found.verdict !== "caught") missed += 1;
  }
  console.log(`${mutants.length - missed} caught, ${missed} not`);
  return missed === 0 ? 0 : 1;
}

const NAME_WIDTH = 34;
const CHECKER_WIDTH = 28;

function row(mutant: Mutant, { verdict, seeds, result }: Hunt): string {
  const checker = result?.violation?.property ?? "NOBODY";
  const expected =
    verdict === "elsewhere" ? `  NOT BY ${mutant.caughtBy.join(", ").toUpperCase()}` : "";
  const counts = `${String(seeds).padStart(5)} ${String(mutant.seedsMax).padStart(3)}`;
  return `${mutant.name.padEnd(NAME_WIDTH)} ${checker.padEnd(CHECKER_WIDTH)} ${counts}${expected}`;
}

process.exitCode = await main();
