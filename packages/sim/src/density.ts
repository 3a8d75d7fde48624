// How long a seed's world lives, and how densely things happen in it. It imports nothing of the code under test: planted bugs are put
// into that before it is loaded.
import { Prng } from "./world/prng.ts";

export const ACTIVE_US_MIN = 60_000_000;

/** A dense world lives up to so much longer. */
export const ACTIVE_US_MORE = 8_000_000;

/** Of a dense world. */
export const OPERATOR_GAP_US = 2_500_000;
export const INTRUDER_GAP_US = 350_000;
/** Deeds of all people together in a sparse world: a deed is about 1.4 operations. */
const SPARSE_DEEDS = 820;
/** A sparse world has this many mean gaps between faults at least. */
const SPARSE_FAULT_GAPS_MIN = 24;

/** How long a world is active, and how much happens in it. */
export interface Density {
  /** Length of the part with faults and load. */
  readonly activeUs: number;
  /** Mean time between two faults' beginnings. */
  readonly faultGapUs: number;
  /** Mean time between two operations of one client. */
  readonly operationGapUs: number;
  /** Mean time between two changes of the membership that an operator asks for. */
  readonly operatorGapUs: number;
  /** Mean time between two deeds of the intruder. */
  readonly intruderGapUs: number;
}

/**
 * Every third seed is sparse: about as much happens in several times as long. Races need what is dense; leases that run out, cursors
 * that stand still, sessions that only ping, expiry and whatever else comes with quiet need time.
 */
export function isSparse(seed: number): boolean {
  return seed % 3 === 0;
}

/** `drawn`: what a dense world of this seed has. */
export function sparser(seed: number, clients: number, dense: Density): Density {
  const length = 4.5 + 3 * new Prng(seed).branch("density").unit();
  const activeUs = Math.round(dense.activeUs * length);
  const operationGapUs = (activeUs * clients) / SPARSE_DEEDS;
  // All of it is stretched alike, so that there are no fewer faults for each operation.
  const stretch = operationGapUs / dense.operationGapUs;
  return {
    activeUs,
    operationGapUs,
    faultGapUs: Math.min(dense.faultGapUs * stretch, activeUs / SPARSE_FAULT_GAPS_MIN),
    operatorGapUs: dense.operatorGapUs * stretch,
    intruderGapUs: dense.intruderGapUs * stretch,
  };
}
