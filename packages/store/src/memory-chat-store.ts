/** The real chat on an in-memory database and the caller's own thread, for tests. */
import { DatabaseSync } from "node:sqlite";
import {
  type AppliedBatch,
  type ChatAnswer,
  ChatMachine,
  type ChatQuery,
  ChatReader,
} from "@parley/chat";
import type { ApplyRequest, ChatStore, ChatStoreState, Membership } from "@parley/node/ports";
import { decodeConfState, encodeConfState } from "./conf-state-codec.ts";
import { StorageError } from "./errors.ts";

/** What outlives a `MemoryChatStore`: open another one on it to restart. */
export class MemoryChatDisk {
  readonly db: DatabaseSync = new DatabaseSync(":memory:");
}

interface Opened {
  readonly machine: ChatMachine;
  readonly reader: ChatReader;
}

export class MemoryChatStore implements ChatStore {
  private readonly disk: MemoryChatDisk;
  private opened: Opened | undefined;
  private failure: StorageError | undefined;

  constructor(disk: MemoryChatDisk = new MemoryChatDisk()) {
    this.disk = disk;
  }

  async open(initial: Membership | undefined): Promise<ChatStoreState> {
    const { db } = this.disk;
    const machine = ChatMachine.open(db);
    if (machine.appliedIndex === 0 && machine.confState() === undefined && initial !== undefined) {
      machine.apply([], encodeConfState(initial));
    }
    this.opened = { machine, reader: new ChatReader(db) };
    const confState = machine.confState();
    return {
      admission: machine.admissionSnapshot(),
      confState: confState === undefined ? undefined : decodeConfState(confState),
    };
  }

  async apply({ entries, confState }: ApplyRequest): Promise<AppliedBatch> {
    const { machine } = this.usable();
    try {
      return machine.apply(
        entries,
        confState === undefined ? undefined : encodeConfState(confState),
      );
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

  async close(): Promise<void> {
    this.opened = undefined;
  }

  private usable(): Opened {
    if (this.failure !== undefined) throw this.failure;
    if (this.opened === undefined) throw new StorageError("closed", "memory", "not open");
    return this.opened;
  }
}
