// A planted bug: a small patch of a source file, applied when the file is loaded. The files on disk and
// the production code know nothing of it. Each is a bug that somebody has really had (in this project
// or in another Raft), and a test of the checkers: one of those that it names must find it.
import type { FaultKind, WorldOptions, WorldOverride } from "../options.ts";

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands exactly once in the file; anything else stops the run, as the patch would test nothing. */
  readonly search: string;
  readonly replacement: string;
}

export interface Mutant {
  /** Short, kebab-case, for the command line. */
  readonly name: string;
  /** What the bug is, as a sentence fragment. */
  readonly what: string;
  readonly edits: readonly Edit[];
  /** The properties that may find it first. */
  readonly caughtBy: readonly string[];
  /** It is found within this many seeds, counted from 1. */
  readonly seedsMax: number;
  /** What the worlds must have for the bug to matter, where few have it by themselves. */
  readonly worlds?: WorldOverride | undefined;
}

/**
 * Only these kinds of faults, so often, where a bug needs a meeting of two that is rare among all the others. People do more,
 * so that enough of it gets done between them.
 */
export function onlyFaults(
  weights: Partial<Record<FaultKind, number>>,
  faultGapUs: number,
): Pick<WorldOptions, "isSparse" | "faultWeights" | "faultGapUs" | "operationGapUs"> {
  return {
    isSparse: false,
    faultWeights: weights as Record<FaultKind, number>,
    faultGapUs,
    operationGapUs: 150_000,
  };
}

/** Found by an assertion, or by an error that stopped the node. */
export const NODE_STOPS = "no node fails by itself";
export const LIVENESS = "liveness";
