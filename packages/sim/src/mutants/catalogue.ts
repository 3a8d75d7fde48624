// All planted bugs, by layer. A new one is an entry in one of these lists; a new subject (membership,
// snapshots) is a list of its own.
import { CONSENSUS_MUTANTS } from "./consensus.ts";
import { COPIES_MUTANTS } from "./copies.ts";
import { MEMBERSHIP_MUTANTS } from "./membership.ts";
import type { Mutant } from "./mutant.ts";
import { SERVICE_MUTANTS } from "./service.ts";
import { STORAGE_MUTANTS } from "./storage.ts";
import { WITNESS_MUTANTS } from "./witness.ts";

export const MUTANTS: readonly Mutant[] = [
  ...CONSENSUS_MUTANTS,
  ...STORAGE_MUTANTS,
  ...COPIES_MUTANTS,
  ...SERVICE_MUTANTS,
  ...MEMBERSHIP_MUTANTS,
  ...WITNESS_MUTANTS,
];

export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (mutant === undefined) throw new Error(`there is no planted bug called ${name}`);
  return mutant;
}
