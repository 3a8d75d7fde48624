/** The names of a node's files, all beside the configured `db_path`, and what makes them durable. */
import { closeSync, fsyncSync, openSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

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

/** Lies beside a chat file that was found to be damaged while it was in use: the next start verifies it, however large it is. */
export function suspectPath(chatFile: string): string {
  return `${chatFile}-suspect`;
}

/** A copy that is made for somebody else. */
export function copyPath(dbPath: string, copyId: string): string {
  return `${dbPath}-copy-${copyId}`;
}

/** A copy that is being received; what is known of it stands beside it, in `incomingHeadPath`. */
export function incomingPath(dbPath: string): string {
  return `${dbPath}-incoming`;
}

export function incomingHeadPath(dbPath: string): string {
  return `${dbPath}-incoming-head`;
}

/** A database and what SQLite keeps beside it. */
export function removeWithSidecars(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}

/**
 * What a process that died may have left: copies that it made, and chat files that became current never, or
 * no longer. A new generation must not meet their `-wal`. Damaged files that were put aside stay.
 */
export function removeLeftovers(dbPath: string, generation: number): void {
  const current = basename(chatPath(dbPath, generation));
  const chat = `${basename(dbPath)}-chat-`;
  const copy = `${basename(dbPath)}-copy-`;
  for (const name of readdirSync(dirname(dbPath))) {
    const isChat =
      name.startsWith(chat) && /^[0-9]{6,}(-wal|-shm|-suspect)?$/.test(name.slice(chat.length));
    const isOldChat = isChat && name !== current && !name.startsWith(`${current}-`);
    if (isOldChat || name.startsWith(copy)) rmSync(join(dirname(dbPath), name), { force: true });
  }
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
