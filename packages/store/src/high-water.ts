/**
 * The high-water record: how far the log had been acknowledged (P1, P9). Pure: the server keeps its
 * two slots in a file (`high-water-file.ts`), the simulator on its virtual disk, and both let
 * {@link recoveryVerdict} decide.
 *
 * Invariants:
 * - never ahead of the log: it is raised after the log's transaction is durable, and lowered before
 *   a transaction that takes entries away;
 * - never behind an acknowledgement: it is raised, durably, before the acknowledgement leaves.
 * So a log that has less than the record has lost acknowledged data.
 */
import { crc32 } from "node:zlib";
import { getU53, putU53 } from "./bytes.ts";

/** How much of its identity the node has written; it never goes back. */
export type IdentityStage = 0 | 1 | 2;
export const IDENTITY_NONE: IdentityStage = 0;
export const IDENTITY_FRESH: IdentityStage = 1;
export const IDENTITY_BOOTSTRAPPED: IdentityStage = 2;

export interface HighWater {
  /** Rises with every write of the record. */
  readonly sequence: number;
  readonly term: number;
  readonly vote: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly identity: IdentityStage;
}

export const EMPTY_HIGH_WATER: HighWater = {
  sequence: 0,
  term: 0,
  vote: 0,
  lastIndex: 0,
  lastTerm: 0,
  identity: IDENTITY_NONE,
};

/** What the verdict needs to know of the log as it was found. */
export interface LogSummary {
  readonly term: number;
  readonly vote: number;
  readonly compactedIndex: number;
  readonly lastIndex: number;
  readonly identity: IdentityStage;
  /** The term at an index in compactedIndex … lastIndex; undefined = not there or unreadable. */
  termAt(index: number): number | undefined;
}

/** The record as it was found. */
export type FoundRecord =
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable" }
  | { readonly kind: "found"; readonly highWater: HighWater };

export type RecoveryVerdict =
  /** Everything that was acknowledged is there. */
  | { readonly kind: "intact" }
  /** `found` says what is missing, for people. */
  | { readonly kind: "wiped"; readonly found: string };

/**
 * Whether a log may be used again after a restart (P9). A log that is *longer* than the record is
 * whole: its last transaction was written but not acknowledged yet, and acknowledging it now is safe.
 */
export function recoveryVerdict(record: FoundRecord, log: LogSummary): RecoveryVerdict {
  if (record.kind !== "found") {
    const empty = log.identity === 0 && log.term === 0 && log.lastIndex === 0;
    // Before its first write a node has neither; a crash in between leaves the log's file alone.
    if (record.kind === "absent" && empty) return { kind: "intact" };
    return wiped(
      `the high-water record is ${record.kind}, but the log has ${describeLog(log)}, so nothing proves that it is whole`,
    );
  }
  const water = record.highWater;
  if (log.identity < water.identity) return wiped("the node's identity is missing");
  if (log.term < water.term) {
    return wiped(`the hard state is of term ${log.term}, but term ${water.term} was promised`);
  }
  if (log.term === water.term && water.vote !== 0 && log.vote !== water.vote) {
    return wiped(`the vote for ${water.vote} in term ${water.term} is missing`);
  }
  if (log.lastIndex < water.lastIndex) {
    return wiped(
      `the log ends at index ${log.lastIndex}, but index ${water.lastIndex} was acknowledged`,
    );
  }
  // Below the compaction point only applied, hence acknowledged and kept, entries ever were.
  if (water.lastIndex > 0 && water.lastIndex >= log.compactedIndex) {
    const term = log.termAt(water.lastIndex);
    if (term !== water.lastTerm) {
      const what = term === undefined ? "unreadable" : `of term ${term}`;
      return wiped(
        `the entry at index ${water.lastIndex} is ${what}, but one of term ${water.lastTerm} was acknowledged`,
      );
    }
  }
  return { kind: "intact" };
}

function wiped(found: string): RecoveryVerdict {
  return { kind: "wiped", found };
}

function describeLog(log: LogSummary): string {
  return `term ${log.term} and last index ${log.lastIndex}`;
}

/** The record that a durable log justifies, or undefined where `current` says the same already. */
export function raisedHighWater(
  current: HighWater,
  log: Omit<HighWater, "sequence">,
): HighWater | undefined {
  const same =
    current.term === log.term &&
    current.vote === log.vote &&
    current.lastIndex === log.lastIndex &&
    current.lastTerm === log.lastTerm &&
    current.identity === log.identity;
  return same ? undefined : { ...log, sequence: current.sequence + 1 };
}

/**
 * The record that must be durable *before* entries from `firstIndex` on are replaced; undefined
 * where the record does not speak of them. Without it a crash after the transaction and before
 * the next record would make a healthy, legitimately shorter log look wiped.
 */
export function loweredHighWater(
  current: HighWater,
  firstIndex: number,
  termBefore: number,
): HighWater | undefined {
  if (firstIndex > current.lastIndex) return undefined;
  return {
    ...current,
    sequence: current.sequence + 1,
    lastIndex: firstIndex - 1,
    lastTerm: termBefore,
  };
}

// ---- The two slots -----------------------------------------------------------------------------

/** Encoded size of one record. */
export const HIGH_WATER_BYTES = 64;
export const HIGH_WATER_SLOTS = 2;
const MAGIC = 0x5748_5031; // "1PHW"

/** Where a record goes: never over the newest one, so that a torn write leaves that one whole. */
export function slotOf(highWater: HighWater): number {
  return highWater.sequence % HIGH_WATER_SLOTS;
}

export function encodeHighWater(highWater: HighWater): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HIGH_WATER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, highWater.identity, true);
  putU53(view, 8, highWater.sequence);
  putU53(view, 16, highWater.term);
  putU53(view, 24, highWater.vote);
  putU53(view, 32, highWater.lastIndex);
  putU53(view, 40, highWater.lastTerm);
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
  return bytes;
}

/** Undefined for bytes that are not a whole record. */
export function decodeHighWater(bytes: Uint8Array): HighWater | undefined {
  if (bytes.byteLength !== HIGH_WATER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined;
  const identity = view.getUint32(4, true);
  if (identity !== 0 && identity !== 1 && identity !== 2) return undefined;
  return {
    sequence: getU53(view, 8),
    term: getU53(view, 16),
    vote: getU53(view, 24),
    lastIndex: getU53(view, 32),
    lastTerm: getU53(view, 40),
    identity,
  };
}

/** The newest whole record of the slots. */
export function newestHighWater(slots: readonly Uint8Array[]): FoundRecord {
  let newest: HighWater | undefined;
  for (const slot of slots) {
    const highWater = decodeHighWater(slot);
    if (highWater !== undefined && highWater.sequence >= (newest?.sequence ?? 0)) {
      newest = highWater;
    }
  }
  return newest === undefined ? { kind: "unreadable" } : { kind: "found", highWater: newest };
}
