/**
 * What a log is found to be after a restart: everything is read and verified that the node must be
 * able to trust before it takes part again (P9). Nothing is repaired or cut.
 */
import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import type { LogPosition, NodeIdentity } from "@parley/node/ports";
import type { HardState } from "@parley/raft";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { decodeHardState } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";
import { highWaterPath } from "./files.ts";
import {
  type FoundRecord,
  IDENTITY_BOOTSTRAPPED,
  IDENTITY_FRESH,
  IDENTITY_NONE,
  type IdentityStage,
  recoveryVerdict,
} from "./high-water.ts";
import { HighWaterFile } from "./high-water-file.ts";
import type { RaftFile } from "./raft-file.ts";

/** Entries that are verified at once. */
const SLICE_ENTRIES_MAX = 512;
const NO_HARD_STATE: HardState = { term: 0, vote: 0, commit: 0 };

/** What the raft file holds, besides the entries. */
export interface Contents {
  readonly identity: NodeIdentity | undefined;
  readonly hardState: HardState;
  /** The entry before the first one kept; 0 and 0 for a log that never was compacted. */
  readonly compacted: LogPosition;
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly dataFloor: number;
  readonly chatGeneration: number;
  readonly durableApplied: number;
  /** See `witness-codec.ts`; undefined on a data node. */
  readonly witness: Uint8Array | undefined;
}

export interface Recovered {
  readonly contents: Contents;
  readonly record: FoundRecord;
}

/** Reads both files and compares them. Throws a StorageError `wiped` when they don't fit (P9). */
export function recoverLog(file: RaftFile): Recovered {
  const contents = readContents(file);
  const record = HighWaterFile.find(highWaterPath(file.path));
  const verdict = recoveryVerdict(record, {
    term: contents.hardState.term,
    vote: contents.hardState.vote,
    compactedIndex: contents.compacted.index,
    lastIndex: contents.lastIndex,
    identity: identityStage(contents.identity),
    termAt: (index) =>
      index === contents.compacted.index ? contents.compacted.term : readableTerm(file, index),
  });
  if (verdict.kind === "wiped") throw wipedError(file.path, verdict.found);
  return { contents, record };
}

function readableTerm(file: RaftFile, index: number): number | undefined {
  try {
    return file.read(index, index + 1, 1, 0)[0]?.term;
  } catch {
    return undefined;
  }
}

/** Reads and verifies everything that the node must be able to trust before it takes part. */
function readContents(file: RaftFile): Contents {
  if (!file.hasSchema) {
    return {
      identity: undefined,
      hardState: NO_HARD_STATE,
      compacted: { index: 0, term: 0 },
      lastIndex: 0,
      lastTerm: 0,
      dataFloor: 0,
      chatGeneration: 1,
      durableApplied: 0,
      witness: undefined,
    };
  }
  try {
    const damage = file.structuralDamage();
    if (damage !== undefined) throw wipedError(file.path, `the file's structure: ${damage}`);
    const identity = file.state("identity");
    const hardState = file.state("hard-state");
    const generation = file.state("chat-generation");
    const durableApplied = readCounter(file.state("durable-applied"), 0);
    const compacted = decodePosition(file.state("compacted"));
    const bounds = file.bounds();
    if (bounds !== undefined && bounds.first !== compacted.index + 1) {
      const found = `the log begins at index ${bounds.first} instead of ${compacted.index + 1}`;
      throw wipedError(file.path, found);
    }
    const lastIndex = bounds?.last ?? compacted.index;
    const verifyAbove = Math.max(compacted.index, Math.min(durableApplied, lastIndex - 1));
    return {
      identity: identity === undefined ? undefined : decodeIdentity(identity),
      hardState: hardState === undefined ? NO_HARD_STATE : decodeHardState(hardState),
      compacted,
      lastIndex,
      lastTerm: verifyEntries(file, verifyAbove, lastIndex) ?? compacted.term,
      dataFloor: readCounter(file.state("data-floor"), 0),
      chatGeneration: readCounter(generation, 1),
      durableApplied: Math.min(durableApplied, lastIndex),
      witness: file.state("witness")?.slice(),
    };
  } catch (cause) {
    throw asWiped(cause, file.path);
  }
}

/** Checks every entry above `above`; returns the last one's term, undefined where there is none. */
function verifyEntries(file: RaftFile, above: number, lastIndex: number): number | undefined {
  let lastTerm: number | undefined;
  for (let next = above + 1; next <= lastIndex; ) {
    const slice = file.read(next, lastIndex + 1, SLICE_ENTRIES_MAX, Number.MAX_SAFE_INTEGER);
    next += slice.length;
    lastTerm = slice.at(-1)?.term ?? lastTerm;
  }
  return lastTerm;
}

function readCounter(bytes: Uint8Array | undefined, missing: number): number {
  return bytes === undefined ? missing : new ByteReader(bytes).u53();
}

export function encodePosition({ index, term }: LogPosition): Uint8Array {
  return new ByteWriter(16).u53(index).u53(term).finish();
}

function decodePosition(bytes: Uint8Array | undefined): LogPosition {
  if (bytes === undefined) return { index: 0, term: 0 };
  const reader = new ByteReader(bytes);
  return { index: reader.u53(), term: reader.u53() };
}

export function identityStage(identity: NodeIdentity | undefined): IdentityStage {
  if (identity === undefined) return IDENTITY_NONE;
  return identity.bootstrap === undefined ? IDENTITY_FRESH : IDENTITY_BOOTSTRAPPED;
}

export function encodeIdentity(identity: NodeIdentity): Uint8Array {
  const writer = new ByteWriter().text(identity.serverUuid);
  writer.u8(identity.bootstrap === undefined ? 0 : 1);
  if (identity.bootstrap !== undefined) writer.bytes(identity.bootstrap);
  return writer.finish();
}

function decodeIdentity(bytes: Uint8Array): NodeIdentity {
  const reader = new ByteReader(bytes);
  const serverUuid = reader.text();
  return { serverUuid, bootstrap: reader.u8() === 0 ? undefined : reader.bytes().slice() };
}

export function syncWal(path: string): void {
  const wal = `${path}-wal`;
  if (!existsSync(wal)) return;
  try {
    const fd = openSync(wal, "r+");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw StorageError.from(cause, wal, "syncing the write-ahead log");
  }
}

/** Damage that is found at the start: what a node can't read, it can't keep its promises by. */
export function asWiped(cause: unknown, path: string): StorageError {
  const error = StorageError.from(cause, path, "reading the raft log");
  return error.kind === "corrupt" ? wipedError(path, error.message) : error;
}

function wipedError(path: string, found: string): StorageError {
  return new StorageError(
    "wiped",
    path,
    `${path}: this node's disk lost or damaged acknowledged data: ${found}. It counts as a wiped ` +
      "disk: the node must not vote or acknowledge under its old identity, so it does not start. " +
      `If the old disk can be brought back, bring it back. Else move ${path}* away and start the node again: with an empty ` +
      "disk it asks its cluster to take it back as a new server under the same id, and catches up by itself.",
  );
}
