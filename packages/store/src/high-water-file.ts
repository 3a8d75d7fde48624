/**
 * The high-water record on disk: two slots, each in a block of its own, written in turn with
 * O_DSYNC. The file has its full size from the start, so a write changes no metadata and costs one
 * flush of the disk.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { StorageError } from "./errors.ts";
import { syncDirectoryOf } from "./files.ts";
import {
  EMPTY_HIGH_WATER,
  encodeHighWater,
  type FoundRecord,
  HIGH_WATER_BYTES,
  HIGH_WATER_SLOTS,
  type HighWater,
  newestHighWater,
  slotOf,
} from "./high-water.ts";

/** A slot has a disk block to itself: a torn write of one can't touch the other. */
const SLOT_STRIDE_BYTES = 4096;

export class HighWaterFile {
  readonly path: string;
  private readonly fd: number;
  private current: HighWater;

  private constructor(path: string, fd: number, current: HighWater) {
    this.path = path;
    this.fd = fd;
    this.current = current;
  }

  /** What the file at `path` says; changes nothing. */
  static find(path: string): FoundRecord {
    let fd: number;
    try {
      fd = openSync(path, "r");
    } catch (cause) {
      if (isMissing(cause)) return { kind: "absent" };
      throw StorageError.from(cause, path, "opening the high-water record");
    }
    try {
      const slots: Uint8Array[] = [];
      for (let slot = 0; slot < HIGH_WATER_SLOTS; slot++) {
        const bytes = new Uint8Array(HIGH_WATER_BYTES);
        const length = readSync(fd, bytes, 0, HIGH_WATER_BYTES, slot * SLOT_STRIDE_BYTES);
        slots.push(bytes.subarray(0, length));
      }
      return newestHighWater(slots);
    } catch (cause) {
      throw StorageError.from(cause, path, "reading the high-water record");
    } finally {
      closeSync(fd);
    }
  }

  /** Creates the record of a new node, durably and whole or not at all. */
  static create(path: string): void {
    const unfinished = `${path}-new`;
    try {
      const fd = openSync(unfinished, "w", 0o600);
      try {
        const blank = new Uint8Array(SLOT_STRIDE_BYTES * HIGH_WATER_SLOTS);
        blank.set(encodeHighWater(EMPTY_HIGH_WATER), slotOf(EMPTY_HIGH_WATER) * SLOT_STRIDE_BYTES);
        writeFully(unfinished, fd, blank, 0);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(unfinished, path);
      syncDirectoryOf(path);
    } catch (cause) {
      throw StorageError.from(cause, path, "creating the high-water record");
    }
  }

  /** Opens the record for writing; `current` is what {@link find} found. */
  static open(path: string, current: HighWater): HighWaterFile {
    try {
      const fd = openSync(path, constants.O_RDWR | constants.O_DSYNC);
      return new HighWaterFile(path, fd, current);
    } catch (cause) {
      throw StorageError.from(cause, path, "opening the high-water record");
    }
  }

  get highWater(): HighWater {
    return this.current;
  }

  /** Durable when it returns. */
  write(highWater: HighWater): void {
    try {
      writeFully(
        this.path,
        this.fd,
        encodeHighWater(highWater),
        slotOf(highWater) * SLOT_STRIDE_BYTES,
      );
    } catch (cause) {
      throw StorageError.from(cause, this.path, "writing the high-water record");
    }
    this.current = highWater;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function writeFully(path: string, fd: number, bytes: Uint8Array, position: number): void {
  const written = writeSync(fd, bytes, 0, bytes.byteLength, position);
  if (written !== bytes.byteLength) {
    const text = `${path}: only ${written} of ${bytes.byteLength} bytes were written`;
    throw new StorageError("io", path, text);
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}
