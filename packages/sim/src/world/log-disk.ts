// A virtual disk with a raft log on it, and the log-store port of the processes that use it, one
// after another. The disk outlives them. It keeps every promise of the port and gives away nothing
// more: what was synced survives; of what was not, any prefix does.
import type {
  DamagedEntry,
  LogPosition,
  LogState,
  LogStore,
  LogWrite,
  NodeIdentity,
} from "@parley/node";
import type { Entry, HardState } from "@parley/raft";
import { EMPTY_HARD_STATE } from "@parley/raft";
import {
  EMPTY_HIGH_WATER,
  type FoundRecord,
  type HighWater,
  type IdentityStage,
  type LogInstall,
  loweredHighWater,
  raisedHighWater,
  recoveryVerdict,
  StorageError,
} from "@parley/store";
import type { Prng } from "./prng.ts";
import type { VirtualProcess } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

export interface DiskOptions {
  readonly syncUsMin: number;
  readonly syncUsMean: number;
  readonly readUsMean: number;
  readonly capacityBytes: number;
}

interface Contents {
  identity: NodeIdentity | undefined;
  hardState: HardState;
  /** The node has forgotten everything up to here. */
  compacted: LogPosition;
  dataFloor: number;
  /** Which chat file is current. */
  generation: number;
  /** What a witness has in the place of a chat file. */
  witness: Uint8Array | undefined;
  /**
   * entries[i] is at index i + 1. Those up to the compacted one are not the node's any more: they are what its chat file
   * stands for, for the checkers.
   */
  readonly entries: Entry[];
}

type Step =
  | { readonly kind: "identity"; readonly identity: NodeIdentity }
  | { readonly kind: "compact"; readonly index: number; readonly dataFloor: number }
  | { readonly kind: "install"; readonly install: LogInstall }
  | { readonly kind: "write"; readonly write: LogWrite };

interface PendingStep {
  readonly step: Step;
  /** A witness's state that becomes durable together with the step. */
  readonly witness: Uint8Array | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Sees the log as it changes; for the checkers. */
export interface DiskObserver {
  /** A write was handed over (not durable yet). */
  onWrite(write: LogWrite): void;
  /** The write is durable, whether or not anybody has been told. */
  onDurable(write: LogWrite): void;
  /** The log is about to be cut off at its beginning. */
  onCompact(): void;
  /** The identity is durable. */
  onIdentity(identity: NodeIdentity): void;
  /** A copy of the chat file took the log's place up to an index. */
  onInstalled(): void;
  /** The term of a committed entry, of which this disk may never have had a copy. */
  committedTerm(index: number): number;
}

export interface DiskCounts {
  /** Syncs that covered several writes. */
  syncsShared: number;
  /** Entries that took the place of others. */
  entriesReplaced: number;
  truncations: number;
  unsyncedWritesLost: number;
  unsyncedWritesKept: number;
  tornGroups: number;
}

const STALL_CHECK_US = 50_000;

export class LogDisk {
  readonly name: string;
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #options: DiskOptions;
  readonly #durable: Contents = {
    identity: undefined,
    hardState: EMPTY_HARD_STATE,
    compacted: { index: 0, term: 0 },
    dataFloor: 0,
    generation: 1,
    witness: undefined,
    entries: [],
  };
  #beforeDamage: readonly Entry[] | undefined;
  #highWater: HighWater | undefined;
  #pending: PendingStep[] = [];
  /** How many of the pending steps the running sync covers. */
  #syncing = 0;
  #stalledUntilUs = 0;
  #usedBytes = 0;
  /** Set while somebody else fills the disk. */
  #freeBytesLimit: number | undefined;
  #failNextSync: "io" | "disk-full" | undefined;
  #open: VirtualLogStore | undefined;
  readonly #observer: DiskObserver;
  readonly counts: DiskCounts = {
    syncsShared: 0,
    entriesReplaced: 0,
    truncations: 0,
    unsyncedWritesLost: 0,
    unsyncedWritesKept: 0,
    tornGroups: 0,
  };

  constructor(
    name: string,
    scheduler: Scheduler,
    random: Prng,
    options: DiskOptions,
    observer: DiskObserver,
  ) {
    this.name = name;
    this.#scheduler = scheduler;
    this.#random = random;
    this.#options = options;
    this.#observer = observer;
  }

  /** The entry at an index that is synced (on a damaged disk: was), for the checkers. */
  durableEntry(index: number): Entry | undefined {
    return (this.#beforeDamage ?? this.#durable.entries)[index - 1];
  }

  /** On a damaged disk: as it was. */
  get durableLastIndex(): number {
    return (this.#beforeDamage ?? this.#durable.entries).length;
  }

  get compactedIndex(): number {
    return this.#durable.compacted.index;
  }

  get compactedPosition(): LogPosition {
    return this.#durable.compacted;
  }

  /** Which chat file is current. */
  get generation(): number {
    return this.#durable.generation;
  }

  get witnessState(): Uint8Array | undefined {
    return this.#durable.witness;
  }

  get durableHardState(): HardState {
    return this.#durable.hardState;
  }

  /** As `durableEntry`, all of it. */
  wholeLog(): Entry[] {
    return [...(this.#beforeDamage ?? this.#durable.entries)];
  }

  /** Everything that is durable, as a copy. */
  durableLog(): Entry[] {
    return [...this.#durable.entries];
  }

  /** Whose disk it is; undefined = nobody's yet. */
  get identity(): NodeIdentity | undefined {
    return this.#durable.identity;
  }

  /** Everything on it is gone; nobody may be using it. */
  wipe(): void {
    this.#durable.identity = undefined;
    this.#durable.hardState = EMPTY_HARD_STATE;
    this.#durable.entries.length = 0;
    this.#durable.compacted = { index: 0, term: 0 };
    this.#durable.dataFloor = 0;
    this.#durable.generation = 1;
    this.#durable.witness = undefined;
    this.#beforeDamage = undefined;
    this.#highWater = undefined;
    this.#usedBytes = 0;
  }

  /** Neither stalled nor short of space. */
  get isHealthy(): boolean {
    return this.#stalledUntilUs <= this.#scheduler.nowUs && this.#freeBytesLimit === undefined;
  }

  get hasUnsynced(): boolean {
    return this.#pending.length > 0;
  }

  /** The log store of one process. */
  openFor(process: VirtualProcess): VirtualLogStore {
    const store = new VirtualLogStore(this, process);
    this.#open = store;
    process.onDeath(() => this.#crash(store));
    return store;
  }

  /** No sync completes for this long. */
  stall(durationUs: number): void {
    this.#stalledUntilUs = Math.max(this.#stalledUntilUs, this.#scheduler.nowUs + durationUs);
  }

  /** Syncs complete again, soon. */
  endStall(): void {
    this.#stalledUntilUs = Math.min(this.#stalledUntilUs, this.#scheduler.nowUs);
  }

  /** Leaves this many bytes; undefined = as many as the disk has. */
  fill(freeBytes: number | undefined): void {
    this.#freeBytesLimit = freeBytes;
  }

  /** The next sync fails; whether its writes survive is open. */
  failNextSync(kind: "io" | "disk-full"): void {
    this.#failNextSync = kind;
  }

  /**
   * A byte of the log's file flips while the node is down: the file reopens, silently shorter, as a
   * write-ahead log does. Returns the last index that is left, or undefined if there was nothing to lose.
   */
  flipByte(): number | undefined {
    const { entries, compacted } = this.#durable;
    const kept = entries.length - compacted.index;
    if (kept === 0) return undefined;
    this.#beforeDamage = [...entries];
    entries.length = compacted.index + this.#random.int(kept);
    // What a shorter write-ahead log loses it loses together: a commit index goes with its entries.
    const { hardState } = this.#durable;
    const commit = Math.min(hardState.commit, entries.length);
    this.#durable.hardState = { ...hardState, commit };
    return entries.length;
  }

  // ---- For the store ---------------------------------------------------------------------------

  isOpen(store: VirtualLogStore): boolean {
    return this.#open === store;
  }

  recover(): LogState {
    const durable = this.#durable;
    const record: FoundRecord =
      this.#highWater === undefined
        ? { kind: "absent" }
        : { kind: "found", highWater: this.#highWater };
    const verdict = recoveryVerdict(record, {
      term: durable.hardState.term,
      vote: durable.hardState.vote,
      compactedIndex: durable.compacted.index,
      lastIndex: durable.entries.length,
      identity: stageOf(durable.identity),
      termAt: (index) => (index === 0 ? 0 : durable.entries[index - 1]?.term),
    });
    if (verdict.kind === "wiped") {
      throw new StorageError("wiped", this.name, `${this.name}: ${verdict.found}`);
    }
    // Opening creates the record, before anything is written.
    this.#highWater ??= EMPTY_HIGH_WATER;
    // What it had lost was never acknowledged: it is whole.
    this.#beforeDamage = undefined;
    this.#raise();
    return this.state();
  }

  state(): LogState {
    const { identity, hardState, compacted, dataFloor, entries } = this.#durable;
    return {
      identity,
      hardState,
      compactedIndex: compacted.index,
      compactedTerm: compacted.term,
      lastIndex: entries.length,
      lastTerm: entries.at(-1)?.term ?? 0,
      dataFloor,
    };
  }

  get sizeBytes(): number {
    const { entries, compacted } = this.#durable;
    let bytes = 0;
    for (const entry of entries.slice(compacted.index)) bytes += entry.data.length + 32;
    return bytes;
  }

  submit(step: Step, witness: Uint8Array | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      if (step.kind === "write") this.#observer.onWrite(step.write);
      if (step.kind === "compact") this.#observer.onCompact();
      this.#pending.push({ step, witness, resolve, reject });
      if (this.#syncing === 0) this.#startSync();
    });
  }

  /** As written so far, durable or not: what a read sees. */
  entriesBetween(lo: number, hi: number, bytesMax: number): Entry[] {
    if (lo <= this.#durable.compacted.index) {
      throw new StorageError("invalid", this.name, `${this.name}: entry ${lo} is compacted`);
    }
    const view = new Map<number, Entry>();
    let last = this.#durable.entries.length;
    for (const { step } of this.#pending) {
      if (step.kind !== "write") continue;
      for (const entry of step.write.entries) {
        view.set(entry.index, entry);
        last = entry.index;
      }
    }
    const found: Entry[] = [];
    let bytes = 0;
    for (let index = lo; index < hi && index <= last; index++) {
      const entry = view.get(index) ?? this.#durable.entries[index - 1];
      if (entry === undefined) break;
      bytes += entry.data.length;
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  freeBytes(): number {
    const free = Math.max(0, this.#options.capacityBytes - this.#usedBytes);
    return Math.min(free, this.#freeBytesLimit ?? free);
  }

  readDelayUs(): number {
    return this.#random.exponential(this.#options.readUsMean);
  }

  after(delayUs: number, process: VirtualProcess, action: () => void): void {
    this.#unstalled(() => {
      this.#scheduler.after(delayUs, () => process.deliver(action));
    });
  }

  /** A stall may end sooner than it was to. */
  #unstalled(action: () => void): void {
    const stalledUs = this.#stalledUntilUs - this.#scheduler.nowUs;
    if (stalledUs <= 0) action();
    else this.#scheduler.after(Math.min(stalledUs, STALL_CHECK_US), () => this.#unstalled(action));
  }

  // ---- Syncing ---------------------------------------------------------------------------------

  #startSync(): void {
    const store = this.#open;
    if (this.#pending.length === 0 || store === undefined) return;
    this.#syncing = this.#pending.length;
    const mean = this.#options.syncUsMean - this.#options.syncUsMin;
    const durationUs = this.#options.syncUsMin + this.#random.exponential(mean);
    this.#scheduler.after(durationUs, () => this.#unstalled(() => this.#syncDue(store)));
  }

  #syncDue(store: VirtualLogStore): void {
    if (this.#open !== store) return;
    const group = this.#pending.splice(0, this.#syncing);
    const failure = this.#failureOf(group);
    if (failure !== undefined) {
      this.#fail(store, group, failure);
      return;
    }
    for (const pending of group) this.#makeDurable(pending);
    this.#raise();
    if (group.length > 1) this.counts.syncsShared += 1;
    store.process.deliver(() => {
      for (const { resolve } of group) resolve();
      // A stopped process starts no new sync.
      this.#syncing = 0;
      if (this.#open === store) this.#startSync();
    });
  }

  #failureOf(group: readonly PendingStep[]): StorageError | undefined {
    let kind = this.#failNextSync;
    this.#failNextSync = undefined;
    let bytes = 0;
    for (const { step } of group) bytes += stepBytes(step);
    if (this.freeBytes() < bytes) kind = "disk-full";
    if (kind === undefined) return undefined;
    return new StorageError(kind, this.name, `${this.name}: ${kind}`);
  }

  #fail(store: VirtualLogStore, group: readonly PendingStep[], error: StorageError): void {
    const survivors = this.#random.int(group.length + 1);
    for (const one of group.slice(0, survivors)) this.#makeDurable(one);
    const all = [...group, ...this.#pending];
    this.#pending = [];
    this.#open = undefined;
    this.#syncing = 0;
    store.broken = error;
    store.process.deliver(() => {
      for (const { reject } of all) reject(error);
    });
  }

  #crash(store: VirtualLogStore): void {
    if (this.#open !== store) return;
    this.#open = undefined;
    const pending = this.#pending;
    this.#pending = [];
    this.#syncing = 0;
    if (pending.length === 0) return;
    const survivors = this.#random.int(pending.length + 1);
    for (const one of pending.slice(0, survivors)) this.#makeDurable(one);
    this.counts.unsyncedWritesKept += survivors;
    this.counts.unsyncedWritesLost += pending.length - survivors;
    if (survivors > 0 && survivors < pending.length) this.counts.tornGroups += 1;
  }

  #makeDurable({ step, witness }: PendingStep): void {
    const durable = this.#durable;
    this.#usedBytes += stepBytes(step);
    if (witness !== undefined) durable.witness = witness;
    switch (step.kind) {
      case "identity":
        durable.identity = step.identity;
        this.#observer.onIdentity(step.identity);
        return;
      case "compact":
        this.#compact(step.index, step.dataFloor);
        return;
      case "install":
        this.#install(step.install);
        return;
    }
    const { hardState, entries } = step.write;
    const first = entries[0];
    if (first !== undefined) {
      if (first.index > durable.entries.length + 1) {
        throw new Error(`${this.name}: a hole in the log before index ${first.index}`);
      }
      const termBefore = durable.entries[first.index - 2]?.term ?? 0;
      if (this.#highWater !== undefined) {
        this.#highWater =
          loweredHighWater(this.#highWater, first.index, termBefore) ?? this.#highWater;
      }
      this.counts.entriesReplaced += durable.entries.length - (first.index - 1);
      durable.entries.length = first.index - 1;
      durable.entries.push(...entries);
    }
    if (hardState !== undefined) durable.hardState = hardState;
    this.#observer.onDurable(step.write);
  }

  #compact(index: number, dataFloor: number): void {
    const durable = this.#durable;
    durable.dataFloor = Math.max(durable.dataFloor, dataFloor);
    const entry = durable.entries[index - 1];
    if (entry === undefined) throw new Error(`${this.name}: compacts to ${index}, past its end`);
    if (index <= durable.compacted.index) return;
    this.#usedBytes -= sizeOf(durable.entries.slice(durable.compacted.index, index));
    durable.compacted = { index, term: entry.term };
    this.counts.truncations += 1;
  }

  #install({ generation, position, hardState, witness }: LogInstall): void {
    const durable = this.#durable;
    if (witness !== undefined) durable.witness = witness;
    const { index, term } = position;
    if (index < durable.compacted.index) throw new Error(`${this.name}: a copy leaves a gap`);
    const own = durable.entries[index - 1];
    const continues = own?.term === term;
    if (!continues && this.#highWater !== undefined) {
      const termBefore = durable.entries[index - 2]?.term ?? 0;
      this.#highWater = loweredHighWater(this.#highWater, index, termBefore) ?? this.#highWater;
    }
    this.#usedBytes -= sizeOf(durable.entries.slice(durable.compacted.index, index));
    if (!continues) durable.entries.length = Math.min(durable.entries.length, index);
    for (let at = 1; at <= index; at++) {
      const committed = this.#observer.committedTerm(at);
      if (durable.entries[at - 1]?.term === committed) continue;
      const data = new Uint8Array(0);
      durable.entries[at - 1] = { type: "EntryNormal", term: committed, index: at, data };
    }
    durable.compacted = position;
    durable.generation = generation;
    const known = hardState ?? durable.hardState;
    durable.hardState = { ...known, commit: Math.max(known.commit, index) };
    this.#observer.onInstalled();
  }

  /** The record follows the durable log before anybody is told of it. */
  #raise(): void {
    const durable = this.#durable;
    this.#highWater =
      raisedHighWater(this.#highWater ?? EMPTY_HIGH_WATER, {
        term: durable.hardState.term,
        vote: durable.hardState.vote,
        lastIndex: durable.entries.length,
        lastTerm: durable.entries.at(-1)?.term ?? 0,
        identity: stageOf(durable.identity),
      }) ?? this.#highWater;
  }
}

function stageOf(identity: NodeIdentity | undefined): IdentityStage {
  if (identity === undefined) return 0;
  return identity.bootstrap === undefined ? 1 : 2;
}

function stepBytes(step: Step): number {
  return step.kind === "write" ? 64 + sizeOf(step.write.entries) : 512;
}

function sizeOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length + 32;
  return bytes;
}

/** The port, for one process. */
export class VirtualLogStore implements LogStore {
  readonly process: VirtualProcess;
  readonly #disk: LogDisk;
  broken: Error | undefined;
  /** As of when the log was opened. */
  witnessState: Uint8Array | undefined;
  /** Goes to disk along with the next step. */
  #witnessUnwritten: Uint8Array | undefined;

  constructor(disk: LogDisk, process: VirtualProcess) {
    this.#disk = disk;
    this.process = process;
  }

  open(): Promise<LogState> {
    return this.#later(() => {
      this.witnessState = this.#disk.witnessState;
      return this.#disk.recover();
    });
  }

  get chatGeneration(): number {
    return this.#disk.generation;
  }

  async noteWitness(_index: number, state: Uint8Array): Promise<void> {
    this.#witnessUnwritten = state;
  }

  setIdentity(identity: NodeIdentity): Promise<void> {
    return this.#submit({ kind: "identity", identity });
  }

  append(write: LogWrite): Promise<void> {
    return this.#submit({ kind: "write", write });
  }

  read(lo: number, hi: number, bytesMax: number): Promise<readonly Entry[] | DamagedEntry> {
    return this.#later(() => this.#disk.entriesBetween(lo, hi, bytesMax));
  }

  async compact(index: number, dataFloor = 0): Promise<LogPosition> {
    await this.#submit({ kind: "compact", index, dataFloor });
    return this.#disk.compactedPosition;
  }

  /** For the chat store: the pointer and the log's reset, in one step. */
  async install(install: LogInstall): Promise<LogState> {
    await this.#submit({ kind: "install", install });
    return this.#disk.state();
  }

  sizeBytes(): Promise<number> {
    return this.#later(() => this.#disk.sizeBytes);
  }

  freeBytes(): Promise<number> {
    return this.#later(() => this.#disk.freeBytes());
  }

  async close(): Promise<void> {}

  #submit(step: Step): Promise<void> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    // A dead process's calls reach nobody, and are never answered.
    if (!this.process.alive || !this.#disk.isOpen(this)) return new Promise(() => {});
    const witness = this.#witnessUnwritten;
    this.#witnessUnwritten = undefined;
    return this.#disk.submit(step, witness);
  }

  #later<T>(compute: () => T): Promise<T> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    return new Promise((resolve, reject) => {
      if (!this.process.alive) return;
      this.#disk.after(this.#disk.readDelayUs(), this.process, () => {
        try {
          resolve(compute());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}
