/** What making a node's files outside of a running node takes (restore, recover). */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { StorageError } from "./errors.ts";

/** A new log's own chat file is generation 1. */
export const GENERATION_OF_NEW = 2;

/** Throws a StorageError when files of a node are at `dbPath`. Makes the folder. */
export function mustBeEmpty(dbPath: string): void {
  mkdirSync(dirname(dbPath), { recursive: true });
  const found = readdirSync(dirname(dbPath)).find((name) => name.startsWith(basename(dbPath)));
  if (found !== undefined) {
    throw new StorageError(
      "invalid",
      dbPath,
      `${dbPath}: there is data of a node already (${found}). A new cluster begins with empty folders: move the ` +
        "data away, or name another db_path.",
    );
  }
}

export function syncFile(path: string): void {
  const fd = openSync(path, "r+");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
