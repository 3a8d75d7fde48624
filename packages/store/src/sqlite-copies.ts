/** The copies of the chat file in files beside it, on a thread of their own; see `copy-worker.ts`. */
import { writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { CopyHead, CopyPiece, CopyStore } from "@parley/node/ports";
import type { CopyRequest, CopyWorkerData, MadeCopy } from "./copy-worker.ts";
import { StorageError } from "./errors.ts";
import { suspectPath } from "./files.ts";
import { WorkerLink } from "./worker-link.ts";

const COPY_WORKER = new URL("./copy-worker.ts", import.meta.url);

/** The chat file's side: which file it is now, and who must know that it is being read for long. */
export interface CopySource {
  chatFile(): string;
  beingCopied(isBeingCopied: boolean): Promise<void>;
}

export class SqliteCopies implements CopyStore {
  private readonly data: CopyWorkerData;
  private readonly source: CopySource;
  /** Most nodes never need it. */
  private started: WorkerLink<CopyRequest> | undefined;

  constructor(data: CopyWorkerData, source: CopySource) {
    this.data = data;
    this.source = source;
  }

  async make(copyId: string): Promise<CopyHead> {
    const { source } = this;
    await source.beingCopied(true);
    try {
      const chatFile = source.chatFile();
      const made = (await this.link.call({ kind: "make", copyId, chatFile })) as MadeCopy;
      if (made.kind === "made") return made.head;
      // Known to the next start, which finds it only in a file that it verifies.
      writeFileSync(suspectPath(chatFile), `${made.error.message}\n`);
      throw StorageError.fromData(made.error);
    } finally {
      await source.beingCopied(false);
    }
  }

  async read(copyId: string, offset: number, length: number): Promise<CopyPiece> {
    const bytes = (await this.link.call({ kind: "read", copyId, offset, length })) as Uint8Array;
    return { bytes, crc32: crc32(bytes) };
  }

  async remove(copyId: string): Promise<void> {
    await this.link.call({ kind: "remove", copyId });
  }

  async receive(head: CopyHead): Promise<number> {
    return (await this.link.call({ kind: "receive", head })) as number;
  }

  async write(offset: number, piece: CopyPiece): Promise<void> {
    // A copy: the caller's bytes are a part of a frame.
    const bytes = new Uint8Array(piece.bytes);
    await this.link.call({ kind: "write", offset, bytes, crc32: piece.crc32 }, [bytes.buffer]);
  }

  async finish(head: CopyHead): Promise<void> {
    await this.link.call({ kind: "finish", head });
  }

  async discard(): Promise<void> {
    await this.link.call({ kind: "discard" });
  }

  /** Gives the verified copy the name `target`, durably. */
  async giveTo(head: CopyHead, target: string): Promise<void> {
    await this.link.call({ kind: "give", head, target });
  }

  async close(): Promise<void> {
    await this.started?.close();
  }

  private get link(): WorkerLink<CopyRequest> {
    this.started ??= new WorkerLink(COPY_WORKER, this.data, `${this.data.dbPath}-copy`);
    return this.started;
  }
}
