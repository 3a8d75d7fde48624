/**
 * The interface of one consensus member, as `RawNode` implements it. The member is a pure state
 * machine: nothing happens but in these calls, nothing is awaited, and the same calls in the same
 * order give the same results.
 */
import type { Storage } from "./storage.ts";
import type {
  ConfChange,
  ConfState,
  Entry,
  HardState,
  Index,
  Logger,
  Message,
  NodeId,
  ReadOnlyOption,
  ReadState,
  Snapshot,
  SoftState,
  StateType,
  Term,
} from "./types.ts";

export interface RaftConfig {
  readonly id: NodeId;
  readonly storage: Storage;
  /** Ticks without hearing from a leader before a campaign; the actual time is in [n, 2n). */
  readonly electionTick: number;
  /** Ticks between two heartbeats; below `electionTick`. */
  readonly heartbeatTick: number;
  /** A uniformly random integer in [0, n). The only source of randomness. */
  readonly random: (n: number) => number;
  /** Index up to which the application has durably applied entries. Default 0. */
  readonly applied?: Index;
  /** Storage is written by threads that answer with messages, instead of `advance`. Default false. */
  readonly asyncStorageWrites?: boolean;
  /** Bytes of entries in one MsgApp (at least one entry goes). Default unlimited. */
  readonly maxSizePerMsg?: number;
  /** Bytes of entries being applied at a time. Default `maxSizePerMsg`. */
  readonly maxCommittedSizePerReady?: number;
  /** Payload bytes that may wait for commit in the leader's log; more is refused. Default unlimited. */
  readonly maxUncommittedEntriesSize?: number;
  /** MsgApps in flight to one follower. Default 256. */
  readonly maxInflightMsgs?: number;
  /** Payload bytes in flight to one follower; at least `maxSizePerMsg`. Default unlimited. */
  readonly maxInflightBytes?: number;
  /** A leader that can't reach a quorum for an election timeout steps down. Default false. */
  readonly checkQuorum?: boolean;
  /** Ask for votes before raising the term (thesis, 9.6). Default false. */
  readonly preVote?: boolean;
  readonly readOnly?: ReadOnlyOption;
  /** Reads that may wait for their quorum (or for the first commit of the term) at once. Default 65,536. */
  readonly maxPendingReads?: number;
  /** A follower refuses proposals instead of passing them on to the leader. Default false. */
  readonly disableProposalForwarding?: boolean;
  /** Leave the check that a configuration change fits to whoever proposes it. Default false. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that is removed (or made a learner) steps down when that is applied. Default false. */
  readonly stepDownOnRemoval?: boolean;
  /**
   * Whether a member is a witness: it votes and keeps the log, and has no state. The answer never changes for an id, and is known
   * here before the member has a vote. All members of a cluster have this or none. Default: nobody is, and nobody ever will be.
   */
  readonly isWitness?: (id: NodeId) => boolean;
  /** The data floor that this member knew of before it was restarted (see `witness.ts`); default 0: it knows of none. */
  readonly dataFloor?: Index;
  readonly logger?: Logger;
}

export type ProposalRefusal =
  /** No leader is known in this term. */
  | "no-leader"
  /** This member follows, and forwarding is switched off. */
  | "not-leader"
  /** Leadership is being handed over. */
  | "transferring"
  /** `maxUncommittedEntriesSize` is reached. */
  | "uncommitted-limit"
  /** This leader is a witness, which takes none but configuration changes. */
  | "witness"
  /** This leader is no longer a member. */
  | "not-a-member"
  /** The change doesn't fit the configuration; an empty entry took its place in the log. */
  | "conf-change-refused"
  /** An entry of a configuration change that can't be decoded. */
  | "malformed-conf-change";

/** What became of a proposal. "appended" is not "committed": compare the term at that index when it is applied. */
export type ProposeResult =
  | {
      readonly ok: true;
      readonly kind: "appended";
      readonly term: Term;
      readonly first: Index;
      readonly last: Index;
    }
  | { readonly ok: true; readonly kind: "forwarded"; readonly to: NodeId }
  | { readonly ok: false; readonly reason: ProposalRefusal; readonly detail: string };

export type StepRefusal =
  /** A message that only the member itself may make came from outside. */
  | "local-message"
  /** A response of someone who is not a member. */
  | "peer-not-found"
  /** A forwarded proposal was refused. */
  | "proposal-dropped";

export type StepResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: StepRefusal; readonly detail: string };

export type ReadIndexResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "no-leader" | "too-many-reads" };

/**
 * Everything there is to do after a few inputs. Without `asyncStorageWrites`, in this order: store
 * `hardState`, `snapshot` and the `entries` after it durably; send `messages`; apply `snapshot` and
 * `committedEntries`; call `advance()`. With it: hand `messages` to whom they are addressed, nothing
 * else (the other fields say the same for information); each storage thread processes its messages in
 * order and then delivers their `responses` (to peers: send; to this member: `step`).
 *
 * A snapshot replaces the application's state and goes with the MsgStorageAppend. Entries that wait to be
 * applied at that moment are part of it: those up to its index are skipped, conf changes included.
 */
export interface Ready {
  /** Set when the leader or the role has changed. */
  readonly softState: SoftState | null;
  /** Set when it has changed. */
  readonly hardState: HardState | null;
  readonly readStates: readonly ReadState[];
  /**
   * New entries to store; they replace whatever is stored at their indices and above. If there is a snapshot
   * as well, they follow it.
   */
  readonly entries: readonly Entry[];
  readonly snapshot: Snapshot | null;
  /** To be applied, in order; each conf change through `applyConfChange`. */
  readonly committedEntries: readonly Entry[];
  readonly messages: readonly Message[];
  /** Whether the write must reach the disk before messages that depend on it go out. */
  readonly mustSync: boolean;
}

export type ProgressState = "StateProbe" | "StateReplicate" | "StateSnapshot";

/** How far a member has got, as its leader sees it. */
export interface ProgressStatus {
  readonly match: Index;
  readonly next: Index;
  readonly state: ProgressState;
  readonly pendingSnapshot: Index;
  readonly recentActive: boolean;
  readonly isLearner: boolean;
  readonly paused: boolean;
  readonly inflight: number;
  readonly inflightFull: boolean;
}

export interface RaftStatus {
  readonly id: NodeId;
  readonly term: Term;
  readonly vote: NodeId;
  readonly commit: Index;
  readonly applied: Index;
  readonly lastIndex: Index;
  /** Up to here the log is known to be in storage; a new leader's own progress already counts what is still being written. */
  readonly stableIndex: Index;
  readonly lead: NodeId;
  readonly state: StateType;
  /** To whom leadership is being handed, or NONE. */
  readonly leadTransferee: NodeId;
  readonly config: ConfState;
  /** Who is to become a voter with a state must have the log up to here; 0 unless this member leads. */
  readonly promotionFloor: Index;
  /** In ascending order of id; empty unless this member leads. */
  readonly progress: ReadonlyMap<NodeId, ProgressStatus>;
}

/** A member of a brand-new cluster, for {@link RawNodeApi.bootstrap}. */
export interface BootstrapPeer {
  readonly id: NodeId;
  readonly context: Uint8Array;
}

export interface RawNodeApi {
  readonly id: NodeId;
  readonly term: Term;
  readonly lead: NodeId;
  readonly state: StateType;
  readonly commit: Index;
  readonly applied: Index;
  /** It leads and has committed in its own term, so it knows everything that was committed before. */
  readonly hasCommittedInTerm: boolean;
  /**
   * Up to here every data voter has the log on disk: no log may be truncated above it. No limit where there are no witnesses;
   * 0 until a leader has said it.
   */
  readonly dataFloor: Index;

  /** One unit of the logical clock has passed. */
  tick(): void;
  /** A message has arrived from a peer or a storage thread. */
  step(message: Message): StepResult;
  /** Start an election now (a pre-election, with `preVote`). */
  campaign(): void;
  /** `forgetLeader` and then `campaign`: the application knows that the leader is dead. */
  preCampaign(): void;
  /** Append one entry for each payload, all or none. */
  propose(data: readonly Uint8Array[]): ProposeResult;
  proposeConfChange(change: ConfChange): ProposeResult;
  /** To be called for every applied conf-change entry; the result belongs in the storage of the applied index. */
  applyConfChange(change: ConfChange): ConfState;
  hasReady(): boolean;
  /** The work at hand. It counts as accepted: it must be done, and is not offered again. */
  ready(): Ready;
  /** The last Ready has been stored and applied. Only without `asyncStorageWrites`. */
  advance(): void;
  /** Entries that storage called "unavailable" have come: send them to whom they were meant for. */
  retryAppends(): void;
  /** The last message to `id` may be lost. */
  reportUnreachable(id: NodeId): void;
  /** The transfer of a snapshot to `id` has ended. */
  reportSnapshot(id: NodeId, ok: boolean): void;
  transferLeader(to: NodeId): void;
  /** Leave the leader (not the term), and grant votes at once. */
  forgetLeader(): void;
  /** Ask for a read index; it comes back in `Ready.readStates` with this context, or never. */
  readIndex(context: Uint8Array): ReadIndexResult;
  /** Start a new cluster of these voters in an empty storage. */
  bootstrap(peers: readonly BootstrapPeer[]): void;
  status(): RaftStatus;
}
