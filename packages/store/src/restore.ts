/**
 * A node's files from a backup: the chat file, without the membership that it was made in, and a raft file whose
 * log begins after it. The node is fresh otherwise: it becomes part of a new cluster, whose
 * configured nodes must all have been restored from the same backup.
 */
import { DatabaseSync } from "node:sqlite";
import { ChatMachine } from "@parley/chat";
import { verifyHash, verifyStructure } from "./chat-file.ts";
import { StorageError } from "./errors.ts";
import { chatPath, removeWithSidecars, syncDirectoryOf } from "./files.ts";
import { LogEngine } from "./log-engine.ts";
import { GENERATION_OF_NEW, mustBeEmpty, syncFile } from "./new-disk.ts";

/** What the backup says of the state in it. */
export interface BackupState {
  readonly revision: number;
  readonly term: number;
  readonly stateHash: string;
}

/**
 * Restores into the configured `dbPath`, where nothing may be. `write` is given the path of the chat file to
 * fill. Throws a StorageError, and leaves nothing behind, when the state is not what the backup says.
 */
export function restoreNode(
  dbPath: string,
  expected: BackupState,
  write: (path: string) => void,
): void {
  mustBeEmpty(dbPath);
  const path = chatPath(dbPath, GENERATION_OF_NEW);
  try {
    write(path);
    prepare(path, expected);
  } catch (cause) {
    removeWithSidecars(path);
    throw StorageError.from(cause, path, "restoring the chat file");
  }
  beginAfter(dbPath, expected);
}

/** The same for a witness, which keeps nothing of the chat: its log begins where the others' do. */
export function restoreWitness(dbPath: string, expected: BackupState): void {
  mustBeEmpty(dbPath);
  beginAfter(dbPath, expected);
}

function beginAfter(dbPath: string, { revision, term }: BackupState): void {
  const engine = LogEngine.open(dbPath);
  try {
    engine.install({
      generation: GENERATION_OF_NEW,
      position: { index: revision, term },
      // The next election must be of a later term than what is in the chat.
      hardState: { term, vote: 0, commit: revision },
    });
  } finally {
    engine.close();
  }
}

function prepare(path: string, expected: BackupState): void {
  const db = new DatabaseSync(path);
  try {
    verifyStructure(db);
    const machine = ChatMachine.open(db);
    verifyHash(machine);
    const hash = machine.stateHash(0)?.hash;
    const { appliedIndex, appliedTerm } = machine;
    if (
      appliedIndex !== expected.revision ||
      appliedTerm !== expected.term ||
      hash !== expected.stateHash
    ) {
      throw new StorageError("corrupt", path, `${path}: it is not the state that the backup says`);
    }
    // The new cluster's nodes are others.
    machine.forgetConfiguration();
  } finally {
    db.close();
  }
  syncFile(path);
  syncDirectoryOf(path);
}
