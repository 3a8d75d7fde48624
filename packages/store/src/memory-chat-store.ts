/** The real chat on an in-memory database and the caller's own thread, for tests. */
import { DatabaseSync } from "node:sqlite";
import {
  type AppliedBatch,
  type ChatAnswer,
  ChatMachine,
  type ChatQuery,
  ChatReader,
} from "@parley/chat";
import type {
  ApplyRequest,
  ChatStore,
  ChatStoreState,
  CopyHead,
  InstalledCopy,
  Membership,
} from "@parley/node/ports";
import type { HardState } from "@parley/raft";
import { decodeConfState, encodeConfState } from "./conf-state-codec.ts";
import { StorageError } from "./errors.ts";
import { MemoryCopies } from "./memory-copies.ts";
import type { MemoryLogStore } from "./memory-log-store.ts";

/** What outlives a `MemoryChatStore`: open another one on it to restart. */
export class MemoryChatDisk {
  db: DatabaseSync = new DatabaseSync(":memory:");
}

interface Opened {
  readonly machine: ChatMachine;
  readonly reader: ChatReader;
}

export class MemoryChatStore implements ChatStore {
  readonly copies: MemoryCopies = new MemoryCopies(() => this.disk.db);
  private readonly disk: MemoryChatDisk;
  private readonly owner: MemoryLogStore | undefined;
  private opened: Opened | undefined;
  private failure: StorageError | undefined;

  /** `owner`: the log that an installed copy resets. */
  constructor(disk: MemoryChatDisk = new MemoryChatDisk(), owner?: MemoryLogStore) {
    this.disk = disk;
    this.owner = owner;
  }

  async open(initial: Membership | undefined, logBeginsAfter = 0): Promise<ChatStoreState> {
    const { db } = this.disk;
    const machine = ChatMachine.open(db);
    const isNew = machine.appliedIndex === logBeginsAfter && machine.confState() === undefined;
    if (isNew && initial !== undefined) {
      machine.apply([], encodeConfState(initial));
    }
    return this.openedOn(machine);
  }

  async install(head: CopyHead, hardState: HardState | undefined): Promise<InstalledCopy> {
    this.usable();
    if (this.owner === undefined) throw new StorageError("invalid", "memory", "there is no log");
    const db = new DatabaseSync(":memory:");
    db.deserialize(this.copies.take(head));
    const { index, term } = head;
    const generation = this.owner.chatGeneration + 1;
    const log = await this.owner.install({ generation, position: { index, term }, hardState });
    this.disk.db.close();
    this.disk.db = db;
    return { log, chat: this.openedOn(ChatMachine.open(db)) };
  }

  private openedOn(machine: ChatMachine): ChatStoreState {
    this.opened = { machine, reader: new ChatReader(this.disk.db) };
    const confState = machine.confState();
    return {
      admission: machine.admissionSnapshot(),
      confState: confState === undefined ? undefined : decodeConfState(confState),
    };
  }

  async apply({ entries, confState }: ApplyRequest): Promise<AppliedBatch> {
    const { machine } = this.usable();
    try {
      const encoded = confState === undefined ? undefined : encodeConfState(confState);
      const batch = machine.apply(entries, encoded);
      if (machine.indexingDue) machine.index();
      return batch;
    } catch (cause) {
      this.failure = StorageError.from(cause, "memory", "applying");
      throw this.failure;
    }
  }

  async read(query: ChatQuery): Promise<ChatAnswer> {
    return this.usable().reader.read(query);
  }

  async stateHash(
    atIndex: number,
  ): Promise<{ readonly appliedIndex: number; readonly hash: string } | undefined> {
    return this.usable().machine.stateHash(atIndex);
  }

  async sizeBytes(): Promise<number> {
    return this.disk.db.serialize().length;
  }

  async checkpoint(): Promise<number> {
    return this.durableApplied;
  }

  get durableApplied(): number {
    return this.usable().machine.appliedIndex;
  }

  async close(): Promise<void> {
    this.opened = undefined;
  }

  private usable(): Opened {
    if (this.failure !== undefined) throw this.failure;
    if (this.opened === undefined) throw new StorageError("closed", "memory", "not open");
    return this.opened;
  }
}
