// Backups as files: a magic, the head with its length and CRC-32, then the chat file, whose SHA-256 is in
// the head. Written beside its final name first, so that a file with that name is always whole.
import { createHash, type Hash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { BackupHead } from "@parley/protocol";

const MAGIC = Buffer.from("PARLEYBK", "latin1");
const HEAD_BYTES_MAX = 64 * 1024;
const BLOCK_BYTES = 1024 * 1024;
/** The layout that this program reads and writes. */
export const FORMAT_VERSION = 1;

/** A backup that can't be used; the message says why and what to do. */
export class BackupError extends Error {
  override readonly name = "BackupError";
}

export class BackupWriter {
  readonly #path: string;
  readonly #head: BackupHead;
  readonly #fd: number;
  readonly #hash: Hash = createHash("sha256");
  #written = 0;

  constructor(path: string, head: BackupHead) {
    checkVersion(path, head);
    this.#path = path;
    this.#head = head;
    this.#fd = openSync(`${path}.part`, "w");
    const encoded = BackupHead.encode(head).finish();
    const frame = Buffer.alloc(8);
    frame.writeUInt32LE(encoded.length, 0);
    frame.writeUInt32LE(crc32(encoded), 4);
    for (const bytes of [MAGIC, frame, encoded]) writeWhole(this.#fd, bytes);
  }

  get written(): number {
    return this.#written;
  }

  add(bytes: Uint8Array, checksum: number): void {
    if (crc32(bytes) !== checksum) {
      throw new BackupError(
        "The backup was damaged on its way (its checksum does not fit); try again.",
      );
    }
    writeWhole(this.#fd, bytes);
    this.#hash.update(bytes);
    this.#written += bytes.length;
  }

  /** Makes it durable under its name. Throws when it is not whole. */
  finish(): void {
    const { bytes, sha256 } = this.#head;
    if (this.#written !== bytes || !this.#hash.digest().equals(sha256)) {
      throw new BackupError(
        `The backup is not whole: ${this.#written} of ${bytes} bytes came, or some were changed; try again.`,
      );
    }
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    renameSync(`${this.#path}.part`, this.#path);
  }

  /** Leaves nothing behind. */
  abandon(): void {
    rmSync(`${this.#path}.part`, { force: true });
  }
}

/** Reads the head, and verifies all of the file. Throws a BackupError. */
export function verifyBackup(path: string): BackupHead {
  const hash = createHash("sha256");
  let total = 0;
  const head = readBackup(path, (bytes) => {
    hash.update(bytes);
    total += bytes.length;
  });
  if (total !== head.bytes || !hash.digest().equals(head.sha256)) {
    throw new BackupError(
      `${path} is damaged: ${total} of ${head.bytes} bytes are there, or some were changed. Use another backup.`,
    );
  }
  return head;
}

/** The bytes of the chat file go to `take`, in order. */
export function readBackup(path: string, take: (bytes: Uint8Array) => void): BackupHead {
  const fd = openSync(path, "r");
  try {
    const { head, length } = readHead(path, fd);
    const block = new Uint8Array(BLOCK_BYTES);
    for (let at = length; ; ) {
      const read = readSync(fd, block, 0, BLOCK_BYTES, at);
      if (read === 0) return head;
      take(block.subarray(0, read));
      at += read;
    }
  } finally {
    closeSync(fd);
  }
}

function readHead(
  path: string,
  fd: number,
): { readonly head: BackupHead; readonly length: number } {
  const start = Buffer.alloc(MAGIC.length + 8);
  const isBackup = readSync(fd, start, 0, start.length, 0) === start.length;
  if (!isBackup || !start.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new BackupError(`${path} is not a backup of Parley.`);
  }
  const bytes = start.readUInt32LE(MAGIC.length);
  const encoded = Buffer.alloc(Math.min(bytes, HEAD_BYTES_MAX));
  readSync(fd, encoded, 0, encoded.length, start.length);
  if (encoded.length !== bytes || crc32(encoded) !== start.readUInt32LE(MAGIC.length + 4)) {
    throw new BackupError(`${path} is damaged at its beginning. Use another backup.`);
  }
  const head = BackupHead.decode(encoded);
  checkVersion(path, head);
  return { head, length: start.length + bytes };
}

function checkVersion(path: string, { formatVersion }: BackupHead): void {
  if (formatVersion <= FORMAT_VERSION) return;
  throw new BackupError(
    `${path} is a backup of version ${formatVersion}, of a newer Parley; this one reads up to ${FORMAT_VERSION}. ` +
      "Use the version that made it, or a newer one.",
  );
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
}
