/**
 * The vocabulary of the consensus core: plain data that crosses its boundary.
 *
 * Names are those of the Raft paper and thesis. Everything here is a plain, immutable object, so the
 * application may keep, queue and encode what it is given; entry payloads are `Uint8Array`s that
 * nobody may modify after handing them over.
 */

/** A Raft term (paper, 5.1). A safe integer; 0 is "before the first election". */
export type Term = number;
/** A log position (paper, 5.3). A safe integer; the first entry of a log is 1, 0 is "nothing". */
export type Index = number;
/** A member's id: a safe integer of at least 1. {@link NONE} stands for "no member". */
export type NodeId = number;

/** No member. */
export const NONE: NodeId = 0;
/** Addressee of `MsgStorageAppend`: whatever makes the log and the hard state durable. */
export const LOCAL_APPEND_THREAD: NodeId = Number.MAX_SAFE_INTEGER;
/** Addressee of `MsgStorageApply`: whatever applies committed entries. */
export const LOCAL_APPLY_THREAD: NodeId = Number.MAX_SAFE_INTEGER - 1;
/** A limit that never bites. */
export const NO_LIMIT: number = Number.MAX_SAFE_INTEGER;

/** The empty payload; shared, so that nothing is allocated for it. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** `EntryNormal` belongs to the application; the other two carry an encoded {@link ConfChange}. */
export type EntryType = "EntryNormal" | "EntryConfChange" | "EntryConfChangeV2";

/** One log entry (paper, 5.3). A normal entry without data is the no-op of a new leader (5.4, 8). */
export interface Entry {
  readonly type: EntryType;
  readonly term: Term;
  readonly index: Index;
  readonly data: Uint8Array;
}

/** What must survive a crash beside the log (paper, figure 2), plus the commit index as a hint. */
export interface HardState {
  readonly term: Term;
  /** Whom this member voted for in `term`, or {@link NONE}. */
  readonly vote: NodeId;
  readonly commit: Index;
}

export type StateType = "StateFollower" | "StateCandidate" | "StatePreCandidate" | "StateLeader";

/** Volatile state that the application may want to know of; it is never stored. */
export interface SoftState {
  readonly lead: NodeId;
  readonly state: StateType;
}

/**
 * The membership as of an applied index (thesis, 4). `votersOutgoing` is non-empty exactly while the
 * configuration is joint. Lists are in ascending order.
 */
export interface ConfState {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** The leader leaves the joint configuration by itself as soon as it may. */
  readonly autoLeave: boolean;
}

/** State up to `index`, in place of the log up to there (paper, 7). Index 0 = no snapshot. */
export interface Snapshot {
  readonly index: Index;
  readonly term: Term;
  readonly confState: ConfState;
  /** Opaque to the core. The server puts a descriptor here, not the chat database itself. */
  readonly data: Uint8Array;
}

/** The messages of the protocol. Which fields of {@link Message} each one uses is said there. */
export type MessageType =
  | "MsgProp"
  | "MsgApp"
  | "MsgAppResp"
  | "MsgVote"
  | "MsgVoteResp"
  | "MsgPreVote"
  | "MsgPreVoteResp"
  | "MsgSnap"
  | "MsgHeartbeat"
  | "MsgHeartbeatResp"
  | "MsgTransferLeader"
  | "MsgTimeoutNow"
  | "MsgReadIndex"
  | "MsgReadIndexResp"
  | "MsgStorageAppend"
  | "MsgStorageAppendResp"
  | "MsgStorageApply"
  | "MsgStorageApplyResp";

/**
 * One protocol message. All messages share this one flat shape (unused fields are 0, empty, `null` or
 * `false`), which keeps the hot path monomorphic and the wire encoding trivial.
 *
 * | type | uses, beside `from`, `to`, `term` |
 * | --- | --- |
 * | MsgProp | entries (term 0: valid in any term) |
 * | MsgApp | index, logTerm = the entry before `entries`; entries; commit |
 * | MsgAppResp | index = last matching entry; or reject, index = what was rejected, rejectHint, logTerm |
 * | MsgVote, MsgPreVote | index, logTerm = the candidate's last entry; context = a transfer's mark |
 * | MsgVoteResp, MsgPreVoteResp | reject; from who can't be elected also commit = index, logTerm |
 * | MsgSnap | snapshot |
 * | MsgHeartbeat | commit; index = the data floor, 0 without witnesses; context = a read round |
 * | MsgHeartbeatResp | context, echoed |
 * | MsgTransferLeader | from = the transferee |
 * | MsgTimeoutNow | |
 * | MsgReadIndex | context = the client's (term 0) |
 * | MsgReadIndexResp | index = the read index; context = the client's |
 * | MsgStorageAppend | entries, snapshot, hard state as term, vote, commit (all 0: unchanged); responses |
 * | MsgStorageAppendResp | index, logTerm = last entry known stable (0: none); snapshot |
 * | MsgStorageApply | entries; responses |
 * | MsgStorageApplyResp | entries |
 */
export interface Message {
  readonly type: MessageType;
  readonly to: NodeId;
  readonly from: NodeId;
  readonly term: Term;
  readonly logTerm: Term;
  readonly index: Index;
  readonly entries: readonly Entry[];
  readonly commit: Index;
  readonly vote: NodeId;
  readonly snapshot: Snapshot | null;
  readonly reject: boolean;
  readonly rejectHint: Index;
  readonly context: Uint8Array;
  /** To be delivered once the work of a storage message is done; never crosses the network. */
  readonly responses: readonly Message[];
}

/** How a change of several members is carried out (thesis, 4.3). */
export type ConfChangeTransition =
  /** One voter at a time goes directly; anything more goes through a joint configuration and leaves it by itself. */
  | "auto"
  /** Always joint; left by itself. */
  | "joint-implicit"
  /** Always joint; left by proposing an empty change. */
  | "joint-explicit";

export type ConfChangeKind = "add-voter" | "add-learner" | "remove" | "update";

export interface ConfChangeSingle {
  readonly kind: ConfChangeKind;
  readonly nodeId: NodeId;
}

/** One member, one step; refused while the configuration is joint. */
export interface ConfChangeV1 {
  readonly version: 1;
  readonly change: ConfChangeSingle;
  /** Opaque to the core: an address, a server's identity. */
  readonly context: Uint8Array;
}

/** Any number of changes; none at all (and transition "auto") leaves a joint configuration. */
export interface ConfChangeV2 {
  readonly version: 2;
  readonly transition: ConfChangeTransition;
  readonly changes: readonly ConfChangeSingle[];
  /** Opaque to the core: addresses, servers' identities. */
  readonly context: Uint8Array;
}

/** A configuration change. It takes effect when its entry is *applied*. */
export type ConfChange = ConfChangeV1 | ConfChangeV2;

/** A read that may be served from state applied up to `index` (thesis, 6.4). */
export interface ReadState {
  readonly index: Index;
  /** What the application passed to `readIndex`. */
  readonly context: Uint8Array;
}

export type ReadOnlyOption =
  /** A round of heartbeats proves leadership for every read (thesis, 6.4). */
  | "safe"
  /** Trusts the clock: the leader's lease of one election timeout (6.4.1). Needs check-quorum. */
  | "lease-based";

/**
 * Where the core's decisions are told. A missing method costs nothing: its text is not even built.
 * The texts are stable enough to be compared in scenario files.
 */
export interface Logger {
  readonly debug?: (text: string) => void;
  readonly info?: (text: string) => void;
  readonly warn?: (text: string) => void;
  readonly error?: (text: string) => void;
}

export const EMPTY_CONF_STATE: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};
export const EMPTY_HARD_STATE: HardState = { term: 0, vote: NONE, commit: 0 };
export const EMPTY_SNAPSHOT: Snapshot = {
  index: 0,
  term: 0,
  confState: EMPTY_CONF_STATE,
  data: NO_BYTES,
};

const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** A message with every field present; those not given are empty. */
export function makeMessage(
  fields: Partial<Message> & Pick<Message, "type" | "to" | "from" | "term">,
): Message {
  return {
    type: fields.type,
    to: fields.to,
    from: fields.from,
    term: fields.term,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    entries: fields.entries ?? NO_ENTRIES,
    commit: fields.commit ?? 0,
    vote: fields.vote ?? NONE,
    snapshot: fields.snapshot ?? null,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    context: fields.context ?? NO_BYTES,
    responses: fields.responses ?? NO_MESSAGES,
  };
}

export function isEmptyHardState(state: HardState): boolean {
  return state.term === 0 && state.vote === NONE && state.commit === 0;
}

export function hardStatesEqual(a: HardState, b: HardState): boolean {
  return a.term === b.term && a.vote === b.vote && a.commit === b.commit;
}

/** Whether `id` names one of the member's own storage threads. */
export function isLocalThread(id: NodeId): boolean {
  return id === LOCAL_APPEND_THREAD || id === LOCAL_APPLY_THREAD;
}
