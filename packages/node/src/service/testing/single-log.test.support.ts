// A replicated log of one node over the real chat state in memory: what is proposed is applied
// after a virtual delay, and shown to the service a little later, as on a node whose store is ahead
// of its loop.
import { DatabaseSync } from "node:sqlite";
import {
  Admission,
  type AppliedBatch,
  type AppliedEntry,
  type ChatAnswer,
  ChatMachine,
  type ChatQuery,
  ChatReader,
  type CommittedEntry,
  STATE_VERSION,
  stampCommand,
} from "@parley/chat";
import {
  type ClusterView,
  Command,
  ParleyError,
  type Positions,
  type StatusResponse,
} from "@parley/protocol";
import type { ChatReads } from "../../ports.ts";
import type {
  AppliedListener,
  PresenceListener,
  ProposeOptions,
  Replica,
  TypingListener,
} from "../../replica.ts";
import type { VirtualClock } from "./virtual-clock.test.support.ts";

interface Waiting {
  readonly revision: number;
  readonly resolve: () => void;
}

export class SingleLog implements Replica {
  readonly admission = new Admission();
  readonly chatStore: ChatReads;
  appliedRevision = 0;
  /** Between a proposal and its being applied, and from there until the service is told. */
  applyDelayMs = 1;
  showDelayMs = 0;
  readDelayMs = 0;
  /** While set, nothing is applied: the node is behind. */
  behind = false;
  hasQuorum = true;
  readonly proposed: Command[] = [];
  /** Every command in the log, stamped, for another node's log. */
  readonly commands: Uint8Array[] = [];
  readonly presence = new Map<number, boolean>();
  readonly #clock: VirtualClock;
  readonly #machine: ChatMachine;
  readonly #reader: ChatReader;
  readonly #results = new Map<number, (entry: AppliedEntry) => void>();
  #listener: AppliedListener | undefined;
  #presenceListener: PresenceListener = () => {};
  #viewListeners: ((view: ClusterView) => void)[] = [];
  #unapplied: CommittedEntry[] = [];
  #waiting: Waiting[] = [];
  #lastIndex = 0;
  #scheduled = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    const db = new DatabaseSync(":memory:");
    this.#machine = ChatMachine.open(db);
    this.#reader = new ChatReader(db);
    this.chatStore = {
      read: (query) => this.#read(query),
      stateHash: async (atIndex) => this.#machine.stateHash(atIndex),
    };
    // The first entry of a log is a leader's empty one.
    this.append(new Uint8Array());
  }

  get lastIndex(): number {
    return this.#lastIndex;
  }

  propose(command: Command, options: ProposeOptions): Promise<AppliedEntry> {
    this.proposed.push(command);
    const index = this.append(stampCommand(Command.encode(command).finish(), this.#clock.wallMs()));
    return new Promise((resolve, reject) => {
      this.#results.set(index, resolve);
      this.#clock.after(options.deadlineMs - this.#clock.monotonicMs(), () => {
        reject(new ParleyError("NO_QUORUM", "no quorum", { retryAfterMs: 100 }));
      });
    });
  }

  /** An entry from another node. */
  append(command: Uint8Array): number {
    this.#lastIndex += 1;
    if (command.length > 0) this.commands.push(command);
    this.#unapplied.push({ index: this.#lastIndex, term: 1, command });
    this.#schedule();
    return this.#lastIndex;
  }

  catchUp(): void {
    this.behind = false;
    this.#schedule();
  }

  async readIndex(_options: ProposeOptions): Promise<number> {
    if (!this.hasQuorum) throw new ParleyError("NO_QUORUM", "no quorum", { retryAfterMs: 100 });
    return this.#lastIndex;
  }

  waitApplied(revision: number, options: ProposeOptions): Promise<void> {
    if (this.appliedRevision >= revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ revision, resolve });
      this.#clock.after(options.deadlineMs - this.#clock.monotonicMs(), () => {
        reject(new ParleyError("BEHIND", "behind", { retryAfterMs: 100 }));
      });
    });
  }

  onApplied(listener: AppliedListener): void {
    this.#listener = listener;
  }

  view(): ClusterView {
    return {
      clusterId: "test-cluster",
      nodes: [{ id: 1, address: "127.0.0.1:1", httpAddress: "" }],
      leaderId: this.hasQuorum ? 1 : 0,
      term: 1,
      hasQuorum: this.hasQuorum,
      staleMs: this.staleMs(),
      members: [],
    };
  }

  onViewChanged(listener: (view: ClusterView) => void): void {
    this.#viewListeners.push(listener);
  }

  changeView(): void {
    for (const listener of this.#viewListeners) listener(this.view());
  }

  status(): StatusResponse {
    return {
      clusterId: "test-cluster",
      leaderId: 1,
      term: 1,
      members: [],
      nodeId: 1,
      hasQuorum: this.hasQuorum,
      staleMs: this.staleMs(),
      removed: false,
      joint: false,
      stateVersion: STATE_VERSION,
    };
  }

  /** What the other members have on disk; this one has what it has applied. */
  readonly others = new Map<number, number>();

  positions(): Positions {
    const others = [...this.others].map(([nodeId, revision]) => ({ nodeId, revision }));
    return { nodes: [{ nodeId: 1, revision: this.appliedRevision }, ...others] };
  }

  replicasAt(): number {
    return 3;
  }

  staleMs(): number {
    return this.hasQuorum ? 0 : 1_234;
  }

  isOnline(accountId: number): boolean {
    return this.presence.get(accountId) === true;
  }

  setLocalPresence(accountId: number, online: boolean): void {
    this.presence.set(accountId, online);
    this.#presenceListener(accountId);
  }

  onPresence(listener: PresenceListener): void {
    this.#presenceListener = listener;
  }

  /** What the other nodes were told. */
  readonly typing: { readonly roomId: number; readonly accountId: number }[] = [];
  /** What another node tells. */
  hearTyping: TypingListener = () => {};

  tellTyping(roomId: number, accountId: number): void {
    this.typing.push({ roomId, accountId });
  }

  onTyping(listener: TypingListener): void {
    this.hearTyping = listener;
  }

  #read(query: ChatQuery): Promise<ChatAnswer> {
    return new Promise((resolve, reject) => {
      this.#clock.after(this.readDelayMs, () => {
        try {
          resolve(this.#reader.read(query));
        } catch (cause) {
          reject(cause);
        }
      });
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.behind || this.#unapplied.length === 0) return;
    this.#scheduled = true;
    this.#clock.after(this.applyDelayMs, () => {
      this.#scheduled = false;
      if (this.behind) return;
      const batch = this.#machine.apply(this.#unapplied);
      this.#unapplied = [];
      this.#clock.after(this.showDelayMs, () => this.#show(batch));
    });
  }

  #show(batch: AppliedBatch): void {
    for (const entry of batch.entries) {
      this.admission.applyEntry(entry);
      this.appliedRevision = entry.index;
      this.#listener?.onEntry(entry);
    }
    this.#listener?.onBatchEnd(batch);
    for (const entry of batch.entries) {
      this.#results.get(entry.index)?.(entry);
      this.#results.delete(entry.index);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) {
      if (item.revision <= this.appliedRevision) item.resolve();
      else this.#waiting.push(item);
    }
    this.#schedule();
  }
}
