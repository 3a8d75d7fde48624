// Copies of chat files on a virtual disk: those made for others, and the one that is being received. What
// was synced of it survives its process; of the rest, any part does.
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { ChatMachine } from "@parley/chat";
import type { CopyHead, CopyPiece, CopyStore } from "@parley/node";
import { decodeConfState, isSameCopy, isSameState, StorageError } from "@parley/store";
import type { Prng } from "./prng.ts";
import type { VirtualProcess } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

export interface CopyDiskParts {
  /** How fast copies are made and verified. */
  readonly bytesPerSecond: number;
  freeBytes(): number;
  /** The chat file of the process that runs now. */
  source(): DatabaseSync | undefined;
}

/** What is done with copies. */
export const COPY_PHASES = ["make", "read", "receive", "write", "finish", "install"] as const;
export type CopyPhase = (typeof COPY_PHASES)[number];

export interface CopyCounts {
  /** Copies that were found to be damaged. */
  corrupt: number;
  /** Transfers that a process found half done by one before it. */
  foundAtStart: number;
  /** Crashes in the middle of each. */
  readonly crashes: Record<CopyPhase, number>;
}

interface Incoming {
  readonly head: CopyHead;
  readonly bytes: Uint8Array<ArrayBuffer>;
  received: number;
  durable: number;
  isVerified: boolean;
}

/** Received bytes between two syncs. */
const SYNC_BYTES = 64 * 1024;

export class CopyDisk {
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #parts: CopyDiskParts;
  readonly made = new Map<string, Uint8Array>();
  incoming: Incoming | undefined;
  /** The next piece that is read or received has a flipped bit. */
  #flipNext = false;
  #crash:
    | { stepsLeft: number; readonly phase: CopyPhase | undefined; readonly then: () => void }
    | undefined;
  readonly counts: CopyCounts = {
    corrupt: 0,
    foundAtStart: 0,
    crashes: { make: 0, read: 0, receive: 0, write: 0, finish: 0, install: 0 },
  };

  constructor(scheduler: Scheduler, random: Prng, parts: CopyDiskParts) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#parts = parts;
  }

  wipe(): void {
    this.made.clear();
    this.incoming = undefined;
  }

  openFor(process: VirtualProcess): VirtualCopies {
    // What a process had made goes with it; what it received durably stays.
    this.made.clear();
    const { incoming } = this;
    if (incoming !== undefined) {
      if (incoming.durable > 0) this.counts.foundAtStart += 1;
      incoming.received = incoming.durable;
      incoming.isVerified = false;
    }
    return new VirtualCopies(this, process);
  }

  /** The next bytes of a copy that this disk gives back are not those that were written. */
  flipNext(): void {
    this.#flipNext = true;
  }

  flipped(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (!this.#flipNext || bytes.length === 0) return bytes;
    this.#flipNext = false;
    const at = this.#random.int(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.int(8));
    return bytes;
  }

  copyOfSource(): Uint8Array {
    const bytes = this.#parts.source()?.serialize();
    if (bytes === undefined) throw failure("the chat file is not open");
    return bytes;
  }

  checkRoom(bytes: number): void {
    if (this.#parts.freeBytes() < bytes) throw failure("the disk is full");
  }

  /** The machine crashes at one of the next steps of making, sending, receiving or installing a copy. */
  crashAtNextStep(steps: number, then: () => void): void {
    this.#crash = { stepsLeft: steps, phase: undefined, then };
  }

  /** It crashes when this is done to a copy the next time; installed, it takes the place of the chat file. */
  crashAt(phase: CopyPhase, then: () => void): void {
    this.#crash = { stepsLeft: 1, phase, then };
  }

  /** No crash waits for its moment any more. */
  forgetCrash(): void {
    this.#crash = undefined;
  }

  /** No fault does. */
  forgetFaults(): void {
    this.forgetCrash();
    this.#flipNext = false;
  }

  /** A copy is about to take the place of the chat file. */
  installing(): void {
    this.#step("install");
  }

  #step(phase: CopyPhase | "remove"): void {
    const crash = this.#crash;
    if (crash === undefined || (crash.phase !== undefined && crash.phase !== phase)) return;
    crash.stepsLeft -= 1;
    if (crash.stepsLeft > 0) return;
    this.#crash = undefined;
    if (phase !== "remove") this.counts.crashes[phase] += 1;
    this.#scheduler.after(this.#random.between(1, 2_000), crash.then);
  }

  /** After a time that `bytes` take, in a callback of the process. */
  later<T>(
    process: VirtualProcess,
    phase: CopyPhase | "remove",
    bytes: number,
    compute: () => T,
  ): Promise<T> {
    this.#step(phase);
    return new Promise((resolve, reject) => {
      if (!process.alive) return;
      const delayUs = (bytes / this.#parts.bytesPerSecond) * 1e6 + this.#random.exponential(200);
      this.#scheduler.after(Math.ceil(delayUs), () =>
        process.deliver(() => {
          try {
            resolve(compute());
          } catch (error) {
            reject(error);
          }
        }),
      );
    });
  }
}

/** The port, for one process. */
export class VirtualCopies implements CopyStore {
  readonly #disk: CopyDisk;
  readonly #process: VirtualProcess;

  constructor(disk: CopyDisk, process: VirtualProcess) {
    this.#disk = disk;
    this.#process = process;
  }

  async make(copyId: string): Promise<CopyHead> {
    // One read transaction: as of now, however long the writing takes.
    const bytes = this.#disk.copyOfSource();
    return await this.#disk.later(this.#process, "make", bytes.length, () => {
      this.#disk.checkRoom(bytes.length);
      this.#disk.made.set(copyId, bytes);
      return headOf(copyId, bytes);
    });
  }

  read(copyId: string, offset: number, length: number): Promise<CopyPiece> {
    return this.#disk.later(this.#process, "read", length, () => {
      const found = this.#disk.made.get(copyId)?.slice(offset, offset + length);
      if (found === undefined || found.length === 0) throw failure(`there is no ${copyId}`);
      // Read wrongly, and so with a checksum that fits what was read.
      const bytes = this.#disk.flipped(new Uint8Array(found));
      return { bytes, crc32: crc32(bytes) };
    });
  }

  remove(copyId: string): Promise<void> {
    return this.#disk.later(this.#process, "remove", 0, () => {
      this.#disk.made.delete(copyId);
    });
  }

  receive(head: CopyHead): Promise<number> {
    return this.#disk.later(this.#process, "receive", 0, () => {
      const { incoming } = this.#disk;
      if (incoming !== undefined && isSameCopy(incoming.head, head) && !incoming.isVerified) {
        incoming.durable = incoming.received;
        return incoming.durable;
      }
      this.#disk.checkRoom(head.bytes);
      const bytes = new Uint8Array(head.bytes);
      this.#disk.incoming = { head, bytes, received: 0, durable: 0, isVerified: false };
      return 0;
    });
  }

  write(offset: number, piece: CopyPiece): Promise<void> {
    return this.#disk.later(this.#process, "write", piece.bytes.length, () => {
      const { incoming } = this.#disk;
      if (incoming === undefined || offset !== incoming.received) {
        throw failure(`the piece at ${offset} does not follow`);
      }
      if (crc32(piece.bytes) !== piece.crc32) throw failure(`the piece at ${offset} is corrupt`);
      if (offset + piece.bytes.length > incoming.head.bytes) throw failure("the piece is too long");
      incoming.bytes.set(piece.bytes, offset);
      incoming.received += piece.bytes.length;
      if (incoming.received - incoming.durable >= SYNC_BYTES) incoming.durable = incoming.received;
    });
  }

  finish(head: CopyHead): Promise<void> {
    return this.#disk.later(this.#process, "finish", head.bytes, () => {
      const { incoming } = this.#disk;
      if (incoming === undefined || !isSameCopy(incoming.head, head)) throw failure("no such copy");
      this.#disk.flipped(incoming.bytes);
      if (!isSameCopy({ ...head, sha256: sha256Of(incoming.bytes) }, head)) {
        this.#disk.counts.corrupt += 1;
        this.#disk.incoming = undefined;
        throw failure("the copy is corrupt: its SHA-256 does not fit");
      }
      const found = headOf(head.copyId, incoming.bytes);
      if (!isSameState(found, head)) throw failure("it is not what it says");
      incoming.durable = incoming.received;
      incoming.isVerified = true;
    });
  }

  discard(): Promise<void> {
    return this.#disk.later(this.#process, "remove", 0, () => {
      this.#disk.incoming = undefined;
    });
  }

  /** The bytes of the verified copy, which becomes a chat file. */
  take(head: CopyHead): Uint8Array {
    const { incoming } = this.#disk;
    if (incoming?.isVerified !== true || !isSameCopy(incoming.head, head)) {
      throw failure("this copy has not been verified");
    }
    this.#disk.incoming = undefined;
    return incoming.bytes;
  }
}

/** What a copy says of itself, without its name. */
type CopyContent = Omit<CopyHead, "copyId">;

/** By the SHA-256 of the bytes. Whoever receives a copy verifies what whoever made it has just verified. */
const verified = new Map<string, CopyContent>();
const VERIFIED_MAX = 16;

function headOf(copyId: string, bytes: Uint8Array): CopyHead {
  const key = Buffer.from(sha256Of(bytes)).toString("base64");
  let content = verified.get(key);
  if (content === undefined) {
    content = contentOf(bytes);
    verified.set(key, content);
    const [oldest = key] = verified.keys();
    if (verified.size > VERIFIED_MAX) verified.delete(oldest);
  }
  return { copyId, ...content };
}

/** Throws when its rows are not those that its hash was made of. */
function contentOf(bytes: Uint8Array): CopyContent {
  const db = new DatabaseSync(":memory:");
  try {
    db.deserialize(bytes);
    const machine = ChatMachine.open(db);
    const confState = machine.confState();
    const kept = machine.stateHash(0);
    if (confState === undefined || kept === undefined || machine.recomputeHash() !== kept.hash) {
      throw failure("the copy's rows do not fit");
    }
    return {
      index: machine.appliedIndex,
      term: machine.appliedTerm,
      confState: decodeConfState(confState),
      bytes: bytes.length,
      sha256: sha256Of(bytes),
      stateHash: kept.hash,
    };
  } finally {
    db.close();
  }
}

function sha256Of(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function failure(what: string): StorageError {
  return new StorageError("invalid", "copy", what);
}
