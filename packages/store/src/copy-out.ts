/**
 * Copies of the chat file for others. `VACUUM INTO` reads in one transaction, beside the applying, and writes a
 * file without free pages or a WAL of its own; what it wrote is verified before anybody gets it.
 * Synchronous: it lives on the copy thread.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, fsyncSync, openSync, readSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { CopyHead } from "@parley/node/ports";
import {
  type ChatEngine,
  type ChatEngineModule,
  ChatFileDamage,
  verifyHash,
  verifyStructure,
} from "./chat-file.ts";
import { decodeConfState } from "./conf-state-codec.ts";
import { isSqliteDamage, StorageError } from "./errors.ts";
import { copyPath, removeWithSidecars, syncDirectoryOf } from "./files.ts";

const BLOCK_BYTES = 1024 * 1024;

/** What a copy says of itself, once its structure and its rows have been verified. */
export interface VerifiedCopy {
  readonly index: number;
  readonly term: number;
  readonly confState: CopyHead["confState"];
  readonly stateHash: string;
}

/**
 * Makes the copy `copyId` of the chat file and verifies it. A failure leaves nothing behind; it is of the kind "corrupt" when the chat
 * file itself is damaged.
 */
export function makeCopy(
  dbPath: string,
  chatFile: string,
  copyId: string,
  module: ChatEngineModule,
  pagesMax: number | undefined,
): CopyHead {
  const path = copyPath(dbPath, copyId);
  removeWithSidecars(path);
  try {
    const source = new DatabaseSync(chatFile, { readOnly: true, timeout: 5_000 });
    try {
      const { pages } = source
        .prepare("SELECT page_count AS pages FROM pragma_page_count")
        .get() as {
        pages: number;
      };
      if (pagesMax !== undefined && pages > pagesMax) {
        throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
      }
      source.prepare("VACUUM INTO ?").run(path);
    } finally {
      source.close();
    }
    const verified = verifyCopy(path, module);
    const { bytes, sha256 } = hashAndSync(path);
    return { copyId, bytes, sha256, ...verified };
  } catch (cause) {
    removeWithSidecars(path);
    if (cause instanceof ChatFileDamage || isSqliteDamage(cause)) {
      const found = `${chatFile}: the chat file is damaged, found while a copy was made: ${cause.message}`;
      throw new StorageError("corrupt", chatFile, found);
    }
    throw StorageError.from(cause, path, "making a copy of the chat file");
  }
}

/** Verifies a copy from its rows. Throws what it finds. A copy that an older program made gets the tables that it lacks. */
export function verifyCopy(path: string, module: ChatEngineModule): VerifiedCopy {
  const db = new DatabaseSync(path);
  try {
    verifyStructure(db);
    const engine: ChatEngine = module.ChatMachine.open(db);
    verifyHash(engine);
    const confState = engine.confState();
    const hash = engine.stateHash(0);
    if (confState === undefined || hash === undefined) {
      throw new StorageError("corrupt", path, `${path}: the copy has no membership`);
    }
    const { appliedIndex: index, appliedTerm: term } = engine;
    return { index, term, confState: decodeConfState(confState), stateHash: hash.hash };
  } finally {
    db.close();
  }
}

/** Makes a file durable, and reads all of it. */
export function hashAndSync(path: string): {
  readonly bytes: number;
  readonly sha256: Uint8Array;
} {
  const fd = openSync(path, "r+");
  try {
    fsyncSync(fd);
    const hash = createHash("sha256");
    const block = new Uint8Array(BLOCK_BYTES);
    let bytes = 0;
    for (;;) {
      const length = readSync(fd, block, 0, BLOCK_BYTES, bytes);
      if (length === 0) break;
      hash.update(block.subarray(0, length));
      bytes += length;
    }
    syncDirectoryOf(path);
    return { bytes, sha256: new Uint8Array(hash.digest()) };
  } finally {
    closeSync(fd);
  }
}

/** The files of copies that are being read. */
export class OutgoingCopies {
  private readonly dbPath: string;
  private readonly open = new Map<string, number>();

  constructor(dbPath: string) {
    this.dbPath = dbPath;
  }

  read(copyId: string, offset: number, length: number): Uint8Array {
    const path = copyPath(this.dbPath, copyId);
    let fd = this.open.get(copyId);
    if (fd === undefined) {
      fd = openSync(path, "r");
      this.open.set(copyId, fd);
    }
    const size = fstatSync(fd).size;
    const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    const read = readSync(fd, bytes, 0, bytes.length, offset);
    if (read !== bytes.length || read === 0) {
      throw new StorageError("corrupt", path, `${path}: it ends before ${offset + length}`);
    }
    return bytes;
  }

  remove(copyId: string): void {
    this.closeFile(copyId);
    removeWithSidecars(copyPath(this.dbPath, copyId));
  }

  close(): void {
    for (const copyId of [...this.open.keys()]) this.closeFile(copyId);
  }

  private closeFile(copyId: string): void {
    const fd = this.open.get(copyId);
    if (fd !== undefined) closeSync(fd);
    this.open.delete(copyId);
  }
}
