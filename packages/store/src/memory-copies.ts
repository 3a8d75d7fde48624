/** Copies without a disk, for tests: the same contract as the SQLite ones (one suite checks both). */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { ChatMachine } from "@parley/chat";
import type { CopyHead, CopyPiece, CopyStore } from "@parley/node/ports";
import { decodeConfState } from "./conf-state-codec.ts";
import { isSameCopy, isSameState } from "./copy-head.ts";
import { StorageError } from "./errors.ts";

const NAME = "memory";

interface Receiving {
  readonly head: CopyHead;
  readonly bytes: Uint8Array<ArrayBuffer>;
  received: number;
  isVerified: boolean;
}

export class MemoryCopies implements CopyStore {
  private readonly source: () => DatabaseSync;
  private readonly made = new Map<string, Uint8Array>();
  private receiving: Receiving | undefined;

  constructor(source: () => DatabaseSync) {
    this.source = source;
  }

  async make(copyId: string): Promise<CopyHead> {
    const bytes = this.source().serialize();
    const head = headOf(copyId, bytes, "corrupt");
    this.made.set(copyId, bytes);
    return head;
  }

  async read(copyId: string, offset: number, length: number): Promise<CopyPiece> {
    const bytes = this.made.get(copyId)?.slice(offset, offset + length);
    if (bytes === undefined || bytes.length === 0) throw failure(`there is no ${copyId}`);
    return { bytes, crc32: crc32(bytes) };
  }

  async remove(copyId: string): Promise<void> {
    this.made.delete(copyId);
  }

  async receive(head: CopyHead): Promise<number> {
    if (this.receiving?.head.copyId !== head.copyId || this.receiving.isVerified) {
      const bytes = new Uint8Array(head.bytes);
      this.receiving = { head, bytes, received: 0, isVerified: false };
    }
    return this.receiving.received;
  }

  async write(offset: number, piece: CopyPiece): Promise<void> {
    const { receiving } = this;
    if (receiving === undefined || offset !== receiving.received) {
      throw failure(`the piece at ${offset} does not follow`);
    }
    if (offset + piece.bytes.length > receiving.head.bytes) throw failure("the piece is too long");
    if (crc32(piece.bytes) !== piece.crc32) throw failure(`the piece at ${offset} is corrupt`);
    receiving.bytes.set(piece.bytes, offset);
    receiving.received += piece.bytes.length;
  }

  async finish(head: CopyHead): Promise<void> {
    const { receiving } = this;
    if (receiving === undefined || receiving.received !== head.bytes) {
      throw failure("this copy is not whole");
    }
    try {
      const found = headOf(head.copyId, receiving.bytes, "invalid");
      if (!isSameCopy(found, head) || !isSameState(found, head))
        throw failure("the copy is corrupt");
    } catch (cause) {
      this.receiving = undefined;
      throw StorageError.from(cause, NAME, "verifying a copy");
    }
    receiving.isVerified = true;
  }

  async discard(): Promise<void> {
    this.receiving = undefined;
  }

  /** The bytes of the verified copy, once. */
  take(head: CopyHead): Uint8Array {
    const { receiving } = this;
    if (receiving?.isVerified !== true || receiving.head.copyId !== head.copyId) {
      throw failure("this copy has not been verified");
    }
    this.receiving = undefined;
    return receiving.bytes;
  }
}

/** Opens the bytes and verifies them from their rows; `kind`: what it is when they don't fit. */
function headOf(copyId: string, bytes: Uint8Array, kind: "corrupt" | "invalid"): CopyHead {
  const db = new DatabaseSync(":memory:");
  try {
    db.deserialize(bytes);
    const machine = ChatMachine.open(db);
    const confState = machine.confState();
    const kept = machine.stateHash(0);
    if (confState === undefined || kept === undefined || machine.recomputeHash() !== kept.hash) {
      throw new StorageError(kind, NAME, "the rows do not fit the hash that was kept of them");
    }
    return {
      copyId,
      index: machine.appliedIndex,
      term: machine.appliedTerm,
      confState: decodeConfState(confState),
      bytes: bytes.length,
      sha256: new Uint8Array(createHash("sha256").update(bytes).digest()),
      stateHash: kept.hash,
    };
  } finally {
    db.close();
  }
}

function failure(what: string): StorageError {
  return new StorageError("invalid", NAME, what);
}
