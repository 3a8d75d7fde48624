/**
 * A copy of the chat file on its way in. Its head and how much of it is durable stand in a file beside it, so that
 * it is continued where it broke off, also after a restart of this node. Synchronous: it lives
 * on the copy thread.
 */
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { crc32 } from "node:zlib";
import type { CopyHead } from "@parley/node/ports";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { ChatEngineModule } from "./chat-file.ts";
import { decodeConfState, encodeConfiguration } from "./conf-state-codec.ts";
import { isSameCopy, isSameState } from "./copy-head.ts";
import { hashAndSync, verifyCopy } from "./copy-out.ts";
import { StorageError } from "./errors.ts";
import { incomingHeadPath, incomingPath, removeWithSidecars, syncDirectoryOf } from "./files.ts";

/** After a crash no more than this has to be sent again. */
const SYNC_BYTES = 4 * 1024 * 1024;

interface Receiving {
  readonly head: CopyHead;
  readonly fd: number;
  received: number;
  durable: number;
}

export class IncomingCopy {
  private readonly dbPath: string;
  private readonly module: ChatEngineModule;
  private receiving: Receiving | undefined;
  private verified: CopyHead | undefined;

  constructor(dbPath: string, module: ChatEngineModule) {
    this.dbPath = dbPath;
    this.module = module;
  }

  /** Resolves with how much of this very copy is durably here. */
  begin(head: CopyHead): number {
    this.verified = undefined;
    const current = this.receiving;
    if (current !== undefined && isSameCopy(current.head, head)) {
      this.sync(current);
      return current.durable;
    }
    this.close();
    const durable = this.found(head);
    if (durable === undefined) this.discard();
    const fd = openSync(this.path, durable === undefined ? "w+" : "r+");
    this.receiving = { head, fd, received: durable ?? 0, durable: durable ?? 0 };
    // What is behind the durable part may be anything.
    ftruncateSync(fd, durable ?? 0);
    this.saveHead(this.receiving);
    return this.receiving.durable;
  }

  write(offset: number, bytes: Uint8Array, checksum: number): void {
    const { receiving } = this;
    if (receiving === undefined) throw this.error("no copy is being received");
    if (offset !== receiving.received || offset + bytes.length > receiving.head.bytes) {
      throw this.error(`the piece at ${offset} does not follow on ${receiving.received}`);
    }
    if (crc32(bytes) !== checksum) {
      throw this.error(`the piece at ${offset} is corrupt: its checksum does not fit`);
    }
    try {
      let written = 0;
      while (written < bytes.length) {
        written += writeSync(
          receiving.fd,
          bytes,
          written,
          bytes.length - written,
          offset + written,
        );
      }
      receiving.received += bytes.length;
      if (receiving.received - receiving.durable >= SYNC_BYTES) this.sync(receiving);
    } catch (cause) {
      this.discard();
      throw cause;
    }
  }

  /** Verifies the whole: SHA-256, structure, rows and membership. Whatever does not fit is dropped. */
  finish(head: CopyHead): void {
    const { receiving } = this;
    if (receiving === undefined || !isSameCopy(receiving.head, head)) {
      throw this.error("this copy is not being received");
    }
    this.close();
    try {
      const { bytes, sha256 } = hashAndSync(this.path);
      if (!isSameCopy({ ...head, bytes, sha256 }, head)) {
        throw this.error("the copy is corrupt: its SHA-256 does not fit");
      }
      const found = verifyCopy(this.path, this.module);
      if (!isSameState(found, head))
        throw this.error("the copy is corrupt: it is not what its head says");
    } catch (cause) {
      this.discard();
      throw cause;
    }
    this.verified = head;
  }

  /** Gives the verified copy its final name, durably. Nothing refers to it yet. */
  giveTo(head: CopyHead, target: string): void {
    if (this.verified === undefined || !isSameCopy(this.verified, head)) {
      throw this.error("this copy has not been verified");
    }
    removeWithSidecars(target);
    renameSync(this.path, target);
    rmSync(incomingHeadPath(this.dbPath), { force: true });
    syncDirectoryOf(target);
    this.verified = undefined;
  }

  discard(): void {
    this.close();
    this.verified = undefined;
    removeWithSidecars(this.path);
    rmSync(incomingHeadPath(this.dbPath), { force: true });
  }

  close(): void {
    if (this.receiving !== undefined) closeSync(this.receiving.fd);
    this.receiving = undefined;
  }

  private get path(): string {
    return incomingPath(this.dbPath);
  }

  private sync(receiving: Receiving): void {
    if (receiving.durable === receiving.received) return;
    fsyncSync(receiving.fd);
    receiving.durable = receiving.received;
    this.saveHead(receiving);
  }

  /** Atomically: after a crash it says what was durable before or after. */
  private saveHead({ head, durable }: Receiving): void {
    const path = incomingHeadPath(this.dbPath);
    writeFileSync(`${path}-new`, encodeHead(head, durable), { flush: true });
    renameSync(`${path}-new`, path);
    syncDirectoryOf(path);
  }

  /** How much of this copy an earlier process has left; undefined = nothing of use. */
  private found(head: CopyHead): number | undefined {
    try {
      const saved = decodeHead(readFileSync(incomingHeadPath(this.dbPath)));
      return saved !== undefined && isSameCopy(saved.head, head) ? saved.durable : undefined;
    } catch {
      return undefined;
    }
  }

  private error(what: string): StorageError {
    return new StorageError("invalid", this.path, `${this.path}: ${what}`);
  }
}

function encodeHead(head: CopyHead, durable: number): Uint8Array {
  const writer = new ByteWriter().text(head.copyId).u53(head.index).u53(head.term);
  writer.bytes(encodeConfiguration(head.confState)).u53(head.bytes).bytes(head.sha256);
  const body = writer.text(head.stateHash).u53(durable).finish();
  return new ByteWriter().u32(crc32(body)).bytes(body).finish();
}

function decodeHead(
  bytes: Uint8Array,
): { readonly head: CopyHead; readonly durable: number } | undefined {
  const outer = new ByteReader(bytes);
  const checksum = outer.u32();
  const body = outer.bytes();
  if (crc32(body) !== checksum) return undefined;
  const reader = new ByteReader(body);
  const head: CopyHead = {
    copyId: reader.text(),
    index: reader.u53(),
    term: reader.u53(),
    confState: decodeConfState(reader.bytes()),
    bytes: reader.u53(),
    sha256: reader.bytes().slice(),
    stateHash: reader.text(),
  };
  return { head, durable: reader.u53() };
}
