// Pictures of a log's files while it is open: what a power cut at that moment would leave, and what
// can be torn and damaged without touching the original.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StorageError } from "../../src/errors.ts";
import { highWaterPath } from "../../src/files.ts";
import { LogEngine } from "../../src/log-engine.ts";
import { type ModelLog, modelEntry } from "./log-model.ts";

export type ImageFile = "main" | "wal" | "record";

export interface Image {
  readonly main: Uint8Array;
  readonly wal: Uint8Array;
  readonly record: Uint8Array;
}

export function takeImage(dbPath: string): Image {
  const read = (path: string): Uint8Array =>
    existsSync(path) ? new Uint8Array(readFileSync(path)) : new Uint8Array(0);
  return {
    main: read(dbPath),
    wal: read(`${dbPath}-wal`),
    record: read(highWaterPath(dbPath)),
  };
}

let restored = 0;

/** Writes the image into a new directory; returns its db_path. */
export function restoreImage(image: Image, into: string): string {
  restored += 1;
  const directory = join(into, `image-${restored}`);
  mkdirSync(directory);
  const dbPath = join(directory, "n1.db");
  writeFileSync(dbPath, image.main);
  if (image.wal.byteLength > 0) writeFileSync(`${dbPath}-wal`, image.wal);
  if (image.record.byteLength > 0) writeFileSync(highWaterPath(dbPath), image.record);
  return dbPath;
}

export function withFlippedByte(image: Image, file: ImageFile, at: number, mask: number): Image {
  const bytes = image[file].slice();
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  return { ...image, [file]: bytes };
}

export function withLength(image: Image, file: ImageFile, length: number): Image {
  return { ...image, [file]: image[file].slice(0, length) };
}

/** How an image opened: refused, or with what could be read of it. */
export type Opening =
  | { readonly kind: "refused"; readonly error: StorageError }
  | {
      readonly kind: "opened";
      readonly log: ModelLog;
      /** Reads that were refused, by index. */
      readonly refusedReads: readonly number[];
    };

/** Opens the image and reads every entry by itself; any byte that is not the original's throws. */
export function openImage(image: Image, into: string): Opening {
  const dbPath = restoreImage(image, into);
  let engine: LogEngine;
  try {
    engine = LogEngine.open(dbPath);
  } catch (cause) {
    if (cause instanceof StorageError) return { kind: "refused", error: cause };
    throw cause;
  }
  const { lastIndex, hardState } = engine.state;
  const terms: number[] = [];
  const refusedReads: number[] = [];
  for (let index = 1; index <= lastIndex; index++) {
    try {
      const [entry] = engine.readSlice(index, index + 1, 0);
      const original = modelEntry(index, entry?.term ?? 0);
      if (entry === undefined || !sameEntry(entry, original)) {
        throw new Error(`entry ${index} was served, and it is not what was written`);
      }
      terms.push(entry.term);
    } catch (cause) {
      if (!(cause instanceof StorageError) || cause.kind !== "corrupt") throw cause;
      refusedReads.push(index);
      terms.push(-1);
    }
  }
  engine.close();
  return {
    kind: "opened",
    log: { terms, term: hardState.term, vote: hardState.vote },
    refusedReads,
  };
}

function sameEntry(a: ReturnType<typeof modelEntry>, b: ReturnType<typeof modelEntry>): boolean {
  return (
    a.index === b.index &&
    a.term === b.term &&
    a.type === b.type &&
    Buffer.compare(a.data, b.data) === 0
  );
}

/** The last index that plain SQLite finds in the image, which checks no more than its own frames. */
export function lastIndexBySqlite(image: Image, into: string): number {
  const dbPath = restoreImage(image, into);
  const copy = `${dbPath}-plain`;
  copyFileSync(dbPath, copy);
  if (existsSync(`${dbPath}-wal`)) copyFileSync(`${dbPath}-wal`, `${copy}-wal`);
  const db = new DatabaseSync(copy);
  try {
    const row = db.prepare("SELECT max(idx) AS last FROM entry").get();
    return typeof row?.last === "number" ? row.last : 0;
  } catch {
    return 0;
  } finally {
    db.close();
  }
}
