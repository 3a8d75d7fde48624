/** The names of a node's files, all beside the configured `db_path`, and what makes them durable. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

const GENERATION_DIGITS = 6;

/** The high-water record of the raft file `dbPath`. */
export function highWaterPath(dbPath: string): string {
  return `${dbPath}-highwater`;
}

/**
 * A chat file. Generations only rise, so a new file never meets the `-wal` of an older one; the raft
 * file says which one is current.
 */
export function chatPath(dbPath: string, generation: number): string {
  return `${dbPath}-chat-${String(generation).padStart(GENERATION_DIGITS, "0")}`;
}

/** Where a damaged chat file is put aside, to be looked at. */
export function corruptChatPath(dbPath: string, generation: number): string {
  return `${chatPath(dbPath, generation)}-corrupt`;
}

/** Makes the creation, renaming or removal of files in `path`'s directory durable. */
export function syncDirectoryOf(path: string): void {
  const directory = openSync(dirname(path), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
