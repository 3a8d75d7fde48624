/**
 * The log without a disk, for tests: the same contract as the SQLite one (one suite checks both),
 * with every write durable at once.
 */
import type { LogState, LogStore, LogWrite, NodeIdentity } from "@parley/node/ports";
import type { Entry, HardState } from "@parley/raft";
import { ENTRY_OVERHEAD_BYTES } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";

/** What outlives a `MemoryLogStore`: open another one on it to restart. */
export class MemoryLogDisk {
  identity: NodeIdentity | undefined;
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  /** Entry i + 1 at position i. */
  readonly entries: Entry[] = [];
  /** Held by the store that is open. */
  locked = false;
  chatGeneration = 1;
}

const NAME = "memory";
const FREE_BYTES = 1024 ** 4;

export class MemoryLogStore implements LogStore {
  private readonly disk: MemoryLogDisk;
  private isOpen = false;
  private failure: StorageError | undefined;

  constructor(disk: MemoryLogDisk = new MemoryLogDisk()) {
    this.disk = disk;
  }

  async open(): Promise<LogState> {
    if (this.disk.locked) throw new StorageError("locked", NAME, "the log is open already");
    this.disk.locked = true;
    this.isOpen = true;
    const last = this.disk.entries.at(-1);
    return {
      identity: this.disk.identity,
      hardState: this.disk.hardState,
      compactedIndex: 0,
      compactedTerm: 0,
      lastIndex: last?.index ?? 0,
      lastTerm: last?.term ?? 0,
    };
  }

  async setIdentity(identity: NodeIdentity): Promise<void> {
    this.assertUsable();
    this.disk.identity = identity;
  }

  async append({ hardState, entries }: LogWrite): Promise<void> {
    this.assertUsable();
    const [first] = entries;
    if (hardState !== undefined && hardState.term < this.disk.hardState.term) {
      throw this.fail(`term ${hardState.term} follows ${this.disk.hardState.term}`);
    }
    if (first !== undefined) {
      const lastIndex = this.disk.entries.length;
      if (first.index < 1 || first.index > lastIndex + 1) {
        throw this.fail(`entry ${first.index} does not continue a log that ends at ${lastIndex}`);
      }
      for (const [offset, entry] of entries.entries()) {
        if (entry.index !== first.index + offset) throw this.fail("entries are not contiguous");
      }
      this.disk.entries.length = first.index - 1;
      for (const entry of entries) this.disk.entries.push({ ...entry, data: entry.data.slice() });
    }
    this.disk.hardState = hardState ?? this.disk.hardState;
  }

  async read(lo: number, hi: number, bytesMax: number): Promise<readonly Entry[]> {
    this.assertUsable();
    const { entries } = this.disk;
    if (lo < 1 || hi <= lo || hi > entries.length + 1) {
      const asked = `entries ${lo} … ${hi - 1} were asked for, but the log has 1 … ${entries.length}`;
      throw new StorageError("invalid", NAME, asked);
    }
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of entries.slice(lo - 1, hi - 1)) {
      bytes += ENTRY_OVERHEAD_BYTES + entry.data.byteLength;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  async freeBytes(): Promise<number> {
    return FREE_BYTES;
  }

  async close(): Promise<void> {
    if (this.isOpen) this.disk.locked = false;
    this.isOpen = false;
  }

  private assertUsable(): void {
    if (this.failure !== undefined) throw this.failure;
    if (!this.isOpen) throw new StorageError("closed", NAME, "the log is not open");
  }

  private fail(what: string): StorageError {
    this.failure = new StorageError("invalid", NAME, what);
    return this.failure;
  }
}
