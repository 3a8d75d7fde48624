/**
 * The log without a disk, for tests: the same contract as the SQLite one (one suite checks both),
 * with every write durable at once.
 */
import type { LogPosition, LogState, LogStore, LogWrite, NodeIdentity } from "@parley/node/ports";
import type { Entry, HardState } from "@parley/raft";
import { ENTRY_OVERHEAD_BYTES } from "./entry-codec.ts";
import { StorageError } from "./errors.ts";
import type { LogInstall } from "./log-engine.ts";

/** What outlives a `MemoryLogStore`: open another one on it to restart. */
export class MemoryLogDisk {
  identity: NodeIdentity | undefined;
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  compacted: LogPosition = { index: 0, term: 0 };
  dataFloor = 0;
  /** Those after the compacted one. */
  readonly entries: Entry[] = [];
  /** Held by the store that is open. */
  locked = false;
  chatGeneration = 1;
  witness: Uint8Array | undefined;
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
    return this.state();
  }

  private state(): LogState {
    const { compacted } = this.disk;
    const last = this.disk.entries.at(-1) ?? compacted;
    return {
      identity: this.disk.identity,
      hardState: this.disk.hardState,
      compactedIndex: compacted.index,
      compactedTerm: compacted.term,
      lastIndex: last.index,
      lastTerm: last.term,
      dataFloor: this.disk.dataFloor,
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
      const { index: compactedIndex } = this.disk.compacted;
      const lastIndex = compactedIndex + this.disk.entries.length;
      if (first.index <= compactedIndex || first.index > lastIndex + 1) {
        throw this.fail(`entry ${first.index} does not continue a log that ends at ${lastIndex}`);
      }
      for (const [offset, entry] of entries.entries()) {
        if (entry.index !== first.index + offset) throw this.fail("entries are not contiguous");
      }
      this.disk.entries.length = first.index - 1 - compactedIndex;
      for (const entry of entries) this.disk.entries.push({ ...entry, data: entry.data.slice() });
    }
    this.disk.hardState = hardState ?? this.disk.hardState;
  }

  async read(lo: number, hi: number, bytesMax: number): Promise<readonly Entry[]> {
    this.assertUsable();
    const { entries } = this.disk;
    const { index: compacted } = this.disk.compacted;
    if (lo <= compacted || hi <= lo || hi > compacted + entries.length + 1) {
      const has = `${compacted + 1} … ${compacted + entries.length}`;
      const asked = `entries ${lo} … ${hi - 1} were asked for, but the log has ${has}`;
      throw new StorageError("invalid", NAME, asked);
    }
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of entries.slice(lo - 1 - compacted, hi - 1 - compacted)) {
      bytes += ENTRY_OVERHEAD_BYTES + entry.data.byteLength;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  async compact(index: number, dataFloor = 0): Promise<LogPosition> {
    this.assertUsable();
    const { compacted, entries } = this.disk;
    this.disk.dataFloor = Math.max(this.disk.dataFloor, dataFloor);
    const gone = Math.min(index - compacted.index, entries.length);
    const last = entries[gone - 1];
    if (last !== undefined) {
      this.disk.compacted = { index: last.index, term: last.term };
      entries.splice(0, gone);
    }
    return this.disk.compacted;
  }

  /** As `SqliteLogStore.install`. */
  async install({ generation, position, hardState, witness }: LogInstall): Promise<LogState> {
    this.assertUsable();
    const { compacted, entries } = this.disk;
    const at = position.index - compacted.index;
    const own = at === 0 ? compacted.term : entries[at - 1]?.term;
    entries.splice(0, own === position.term ? at : entries.length);
    this.disk.compacted = position;
    const known = hardState ?? this.disk.hardState;
    this.disk.hardState = { ...known, commit: Math.max(known.commit, position.index) };
    this.disk.chatGeneration = generation;
    this.disk.witness = witness ?? this.disk.witness;
    return this.state();
  }

  get chatGeneration(): number {
    return this.disk.chatGeneration;
  }

  get witnessState(): Uint8Array | undefined {
    return this.disk.witness;
  }

  async noteWitness(_index: number, state: Uint8Array): Promise<void> {
    this.disk.witness = state;
  }

  async sizeBytes(): Promise<number> {
    let bytes = 0;
    for (const { data } of this.disk.entries) bytes += ENTRY_OVERHEAD_BYTES + data.byteLength;
    return bytes;
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
