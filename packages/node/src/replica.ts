// What the chat service sees of the replicated log: a place to put writes, a source of applied
// entries, and the truth about how fresh this node is.
import type { Admission, AppliedBatch, AppliedEntry } from "@parley/chat";
import type { ClusterView, Command, Positions, StatusResponse } from "@parley/protocol";

export interface ProposeOptions {
  /** On the node's monotonic clock; past it the result is OUTCOME_UNKNOWN or NO_QUORUM. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Replica {
  /** The tables for admission, always as of `appliedRevision`. */
  readonly admission: Admission;
  /** What this node has applied and shown to its listeners. */
  readonly appliedRevision: number;

  /**
   * Puts a command (without its stamp) into the log, wherever the leader is, and resolves with what
   * applying it on this node gave. Re-sends it by itself when the leader changes or another entry took its place: that is
   * harmless, because the command carries its id (P2). Rejects with a ParleyError: OVERLOADED, NO_QUORUM, OUTCOME_UNKNOWN,
   * SHUTTING_DOWN, DISK_FULL.
   */
  propose(command: Command, options: ProposeOptions): Promise<AppliedEntry>;

  /** Resolves with the revision that a linearizable read must wait for (ReadIndex). Rejects with NO_QUORUM. */
  readIndex(options: ProposeOptions): Promise<number>;

  /** Resolves when `appliedRevision` ≥ revision; rejects with BEHIND at the deadline. */
  waitApplied(revision: number, options: ProposeOptions): Promise<void>;

  /** Called for every applied entry in order; see AppliedListener. */
  onApplied(listener: AppliedListener): void;

  /** What clients need to know of the cluster, now. */
  view(): ClusterView;
  /** Called when the view changed (leader, term, quorum, nodes). */
  onViewChanged(listener: (view: ClusterView) => void): void;

  status(): StatusResponse;

  /** How many members have `revision` on disk, as far as this node knows. */
  replicasAt(revision: number): number;
  /** Of each member, what it has on disk, as far as this node knows. */
  positions(): Positions;

  /** 0 while in touch with a leader that has a quorum; else the age of this node's data. */
  staleMs(): number;

  /** Accounts with a session somewhere, by gossip; this node's own are set by the service. */
  isOnline(accountId: number): boolean;
  setLocalPresence(accountId: number, online: boolean): void;
  /** Called with an account for which `isOnline` may have changed. */
  onPresence(listener: PresenceListener): void;

  /** Tells the other nodes that an account types in a room: at once, and perhaps in vain. */
  tellTyping(roomId: number, accountId: number): void;
  /** Called with what another node says of its clients. */
  onTyping(listener: TypingListener): void;
}

export type PresenceListener = (accountId: number) => void;
export type TypingListener = (roomId: number, accountId: number) => void;

export interface AppliedListener {
  /** One entry; its admission changes have just been applied, later entries' have not. */
  onEntry(entry: AppliedEntry): void;
  /** The whole batch has been handed out: flush what was gathered. */
  onBatchEnd(batch: AppliedBatch): void;
  /**
   * A copy of the chat file was installed: the tables for admission are as of the copy, `appliedRevision` is about to
   * follow, and the entries between are not handed out.
   */
  onJump(): void;
}
