/**
 * A witness's `ChatStore`: there is no chat in it. What applying an entry leaves behind is the membership alone, and that is
 * a row of the raft file, which compaction moves on in its own transaction.
 */
import type { AppliedBatch, ChatAnswer, ChatQuery } from "@parley/chat";
import type {
  ApplyRequest,
  ChatStore,
  ChatStoreState,
  CopyHead,
  CopyStore,
  InstalledCopy,
  LogState,
  Membership,
} from "@parley/node/ports";
import type { HardState } from "@parley/raft";
import { StorageError } from "./errors.ts";
import type { LogInstall } from "./log-engine.ts";
import { type AppliedWitness, decodeWitness, encodeWitness } from "./witness-codec.ts";

/** The raft file's side. `SqliteLogStore` is one. */
export interface WitnessFile {
  readonly chatGeneration: number;
  /** As of when the log was opened; undefined = it never was a witness's. */
  readonly witnessState: Uint8Array | undefined;
  noteWitness(index: number, state: Uint8Array): Promise<void>;
  install(install: LogInstall): Promise<LogState>;
}

/** So many entries are applied again after a crash at the most. */
const NOTE_ENTRIES = 1_024;
const NAME = "witness";

export class WitnessStore implements ChatStore {
  readonly copies: CopyStore = new NoCopies();
  private readonly file: WitnessFile;
  private state: AppliedWitness | undefined;
  private noted = 0;
  /** A later state is being written than the one in memory, which must not come after it. */
  private isInstalling = false;

  constructor(file: WitnessFile) {
    this.file = file;
  }

  async open(initial: Membership | undefined, logBeginsAfter = 0): Promise<ChatStoreState> {
    const stored = this.file.witnessState;
    if (stored !== undefined) {
      this.state = decoded(stored);
      this.noted = this.state.appliedIndex;
    } else if (initial !== undefined) {
      // A new cluster, which may begin with the state of a backup.
      const index = logBeginsAfter;
      this.state = { appliedIndex: index, membershipIndex: index, membership: initial };
      this.noted = index;
    }
    return this.chatState;
  }

  /** What the commands in it do is nothing to a witness. */
  async apply({ entries, confState }: ApplyRequest): Promise<AppliedBatch> {
    const before = this.opened();
    const appliedIndex = entries.at(-1)?.index ?? before.appliedIndex;
    this.state =
      confState === undefined
        ? { ...before, appliedIndex }
        : { appliedIndex, membershipIndex: appliedIndex, membership: confState };
    if (confState !== undefined || appliedIndex - this.noted >= NOTE_ENTRIES) await this.note();
    return { appliedIndex, entries: [] };
  }

  async checkpoint(): Promise<number> {
    await this.note();
    return this.noted;
  }

  get durableApplied(): number {
    return this.noted;
  }

  async install(head: CopyHead, hardState: HardState | undefined): Promise<InstalledCopy> {
    const { index, term, witness } = head;
    if (witness === undefined) throw new StorageError("invalid", NAME, "a witness keeps no chat");
    const state = { ...witness, appliedIndex: index };
    this.isInstalling = true;
    const log = await this.file.install({
      generation: this.file.chatGeneration + 1,
      position: { index, term },
      hardState,
      witness: encodeWitness(state),
    });
    this.isInstalling = false;
    this.state = state;
    this.noted = index;
    return { log, chat: this.chatState };
  }

  async read(_query: ChatQuery): Promise<ChatAnswer> {
    throw new StorageError("invalid", NAME, "a witness has no chat to read");
  }

  async stateHash(_atIndex: number): Promise<undefined> {
    return undefined;
  }

  async sizeBytes(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.state = undefined;
  }

  private get chatState(): ChatStoreState {
    const state = this.opened();
    const { appliedIndex } = state;
    return {
      admission: { appliedIndex, appliedTerm: 0, stampMs: 0, changes: [] },
      confState: state.membership,
      confStateIndex: state.membershipIndex,
    };
  }

  private async note(): Promise<void> {
    if (this.isInstalling) return;
    const state = this.opened();
    await this.file.noteWitness(state.appliedIndex, encodeWitness(state));
    this.noted = Math.max(this.noted, state.appliedIndex);
  }

  private opened(): AppliedWitness {
    if (this.state === undefined) throw new StorageError("closed", NAME, "not open");
    return this.state;
  }
}

function decoded(bytes: Uint8Array): AppliedWitness {
  try {
    return decodeWitness(bytes);
  } catch (cause) {
    throw StorageError.from(cause, NAME, "reading a witness's state");
  }
}

/** There is nothing that a copy could be made of, and nothing that one could be installed into. */
class NoCopies implements CopyStore {
  make(): Promise<never> {
    return refused();
  }

  read(): Promise<never> {
    return refused();
  }

  async remove(): Promise<void> {}

  receive(): Promise<never> {
    return refused();
  }

  write(): Promise<never> {
    return refused();
  }

  finish(): Promise<never> {
    return refused();
  }

  async discard(): Promise<void> {}
}

function refused(): Promise<never> {
  return Promise.reject(new StorageError("invalid", NAME, "a witness has no chat to copy"));
}
