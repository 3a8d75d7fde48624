// A durable outbox in one file: a line for every message put and every one removed, each with its
// checksum. A put resolves after fdatasync; puts that arrive during a sync share the next one. A torn
// last line, from a crash in the middle of a write, was never acknowledged and is cut off on opening.
import { constants } from "node:fs";
import { copyFile, type FileHandle, mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { ParleyError } from "@parley/protocol";
import { lockFile } from "./file-outbox-lock.ts";
import type { OutboxItem, OutboxStore } from "./ports.ts";

/** More than the core's own bound on messages needs, with every character escaped (P11). */
export const FILE_BYTES_MAX = 256 * 1024 * 1024;
/** Below this the file is not worth rewriting. */
const COMPACT_BYTES_MIN = 1024 * 1024;

type FileRecord = { readonly put: OutboxItem } | { readonly del: string };

interface Waiting {
  readonly line: string;
  readonly done: ((error: Error | undefined) => void) | undefined;
}

function lineOf(record: FileRecord): string {
  const json = JSON.stringify(record);
  return `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`;
}

/** Undefined = torn or damaged. */
function parseLine(line: string): FileRecord | undefined {
  const json = line.slice(9);
  if (line.charAt(8) !== " " || Number.parseInt(line.slice(0, 8), 16) !== crc32(json)) {
    return undefined;
  }
  const record: unknown = JSON.parse(json);
  if (typeof record !== "object" || record === null) return undefined;
  return "put" in record || "del" in record ? (record as FileRecord) : undefined;
}

/** For one process at a time; the file is for one account's messages and readable by its owner. */
export class FileOutbox implements OutboxStore {
  readonly #path: string;
  readonly #items = new Map<string, { item: OutboxItem; bytes: number }>();
  #liveBytes = 0;
  #fileBytes = 0;
  #damagedLines = 0;
  #handle: FileHandle | undefined;
  #release: (() => Promise<void>) | undefined;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** A failed write or sync is final: what the disk holds is not known any more. */
  #broken: Error | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Lines in the middle of the file that could not be read; a copy of it is kept beside it. */
  get damagedLines(): number {
    return this.#damagedLines;
  }

  /** Rejects with LIMIT_REACHED while another process uses the file, or when it is far too large. */
  async open(): Promise<readonly OutboxItem[]> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    this.#release = await lockFile(`${this.#path}.lock`);
    try {
      const flags = constants.O_RDWR | constants.O_CREAT;
      this.#handle = await open(this.#path, flags, 0o600);
      await this.#load(this.#handle);
      await syncDirectory(dirname(this.#path));
    } catch (cause) {
      await this.#handle?.close();
      this.#handle = undefined;
      await this.#release();
      throw cause;
    }
    return [...this.#items.values()].map(({ item }) => item);
  }

  put(item: OutboxItem): Promise<void> {
    const line = lineOf({ put: item });
    this.#remember(item, Buffer.byteLength(line));
    return new Promise((resolve, reject) => {
      const done = (error: Error | undefined) => (error === undefined ? resolve() : reject(error));
      this.#write({ line, done });
    });
  }

  remove(clientMessageId: string): void {
    this.#forget(clientMessageId);
    this.#write({ line: lineOf({ del: clientMessageId }), done: undefined });
  }

  /** Writes what is left and frees the file for the next process. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#handle?.close();
    this.#handle = undefined;
    this.#broken ??= new Error("the outbox is closed");
    await this.#release?.();
    this.#release = undefined;
  }

  #remember(item: OutboxItem, bytes: number): void {
    const before = this.#items.get(item.clientMessageId);
    this.#items.set(item.clientMessageId, { item, bytes });
    this.#liveBytes += bytes - (before?.bytes ?? 0);
  }

  #forget(clientMessageId: string): void {
    this.#liveBytes -= this.#items.get(clientMessageId)?.bytes ?? 0;
    this.#items.delete(clientMessageId);
  }

  async #load(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    if (size > FILE_BYTES_MAX) {
      throw new ParleyError("LIMIT_REACHED", `${this.#path} has ${size} bytes, more than it may`);
    }
    const content = await handle.readFile();
    // Only whole lines count: the rest is the torn end of a write that was not acknowledged.
    const whole = content.lastIndexOf(0x0a) + 1;
    const lines = content.toString("utf8", 0, whole).split("\n").slice(0, -1);
    let lastGood = lines.length;
    const records = lines.map(parseLine);
    while (lastGood > 0 && records[lastGood - 1] === undefined) lastGood -= 1;
    let goodBytes = 0;
    for (const [at, record] of records.slice(0, lastGood).entries()) {
      const bytes = Buffer.byteLength(lines[at] ?? "") + 1;
      goodBytes += bytes;
      if (record === undefined) this.#damagedLines += 1;
      else if ("put" in record) this.#remember(record.put, bytes);
      else this.#forget(record.del);
    }
    this.#fileBytes = goodBytes;
    if (this.#damagedLines > 0) {
      await copyFile(this.#path, `${this.#path}.damaged`);
      return this.#compact();
    }
    if (size > goodBytes) {
      await handle.truncate(goodBytes);
      await handle.datasync();
    }
  }

  #write(waiting: Waiting): void {
    if (this.#broken !== undefined || this.#handle === undefined) {
      waiting.done?.(this.#broken ?? new Error("the outbox is not open"));
      return;
    }
    this.#waiting.push(waiting);
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && this.#broken === undefined) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#append(batch);
        for (const { done } of batch) done?.(undefined);
        if (this.#worthCompacting()) await this.#compact();
      } catch (cause) {
        const error = cause instanceof Error ? cause : new Error(String(cause));
        this.#broken = error;
        for (const { done } of [...batch, ...this.#waiting]) done?.(error);
        this.#waiting = [];
      }
    }
    // In the same turn as the last look at what waits, so that nothing is left lying.
    this.#writing = undefined;
  }

  async #append(batch: readonly Waiting[]): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) throw new Error("the outbox is closed");
    const bytes = Buffer.from(batch.map(({ line }) => line).join(""));
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, this.#fileBytes);
      this.#fileBytes += bytesWritten;
      at += bytesWritten;
    }
    // A removal that is lost means a repeated send, which is stored once (P2).
    if (batch.some(({ done }) => done !== undefined)) await handle.datasync();
  }

  #worthCompacting(): boolean {
    const garbage = this.#fileBytes - this.#liveBytes;
    return garbage > COMPACT_BYTES_MIN && garbage > this.#liveBytes;
  }

  /** Writes what is left into a new file that takes the old one's place at once. */
  async #compact(): Promise<void> {
    const draft = `${this.#path}.new`;
    const next = await open(draft, "w+", 0o600);
    const lines = [...this.#items.values()].map(({ item }) => lineOf({ put: item }));
    const bytes = Buffer.from(lines.join(""));
    await next.writeFile(bytes);
    await next.datasync();
    await rename(draft, this.#path);
    await syncDirectory(dirname(this.#path));
    await this.#handle?.close();
    this.#handle = next;
    this.#fileBytes = bytes.length;
  }
}

/** Makes a created or renamed name durable. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
