/**
 * The state of one member (paper, figure 2) and the few things that every part of the protocol does
 * with it: sending and starting a new term. The parts themselves are functions over it, one
 * subject to a file; `raft.ts` says which message goes where.
 */
import type { RaftConfig } from "./api.ts";
import { assert } from "./invariant.ts";
import { RaftLog } from "./log.ts";
import type { ReadRequest } from "./read-rounds.ts";
import { ReadRounds } from "./read-rounds.ts";
import { ProgressTracker } from "./tracker/tracker.ts";
import type {
  Entry,
  HardState,
  Index,
  Logger,
  Message,
  MessageType,
  NodeId,
  ReadOnlyOption,
  ReadState,
  SoftState,
  StateType,
  Term,
} from "./types.ts";
import { LOCAL_APPLY_THREAD, NO_BYTES, NO_LIMIT, NONE } from "./types.ts";

const MAX_INFLIGHT_MSGS = 256;
const MAX_PENDING_READS = 65_536;
const NO_ENTRIES: readonly Entry[] = [];
const NO_MESSAGES: readonly Message[] = [];

/** A configuration with its defaults filled in. */
export interface Settings {
  readonly id: NodeId;
  readonly electionTick: number;
  readonly heartbeatTick: number;
  readonly random: (n: number) => number;
  readonly asyncStorageWrites: boolean;
  readonly maxSizePerMsg: number;
  readonly maxCommittedSizePerReady: number;
  readonly maxUncommittedEntriesSize: number;
  readonly maxInflightMsgs: number;
  readonly maxInflightBytes: number;
  readonly checkQuorum: boolean;
  readonly preVote: boolean;
  readonly readOnly: ReadOnlyOption;
  readonly maxPendingReads: number;
  readonly disableProposalForwarding: boolean;
  readonly disableConfChangeValidation: boolean;
  readonly stepDownOnRemoval: boolean;
  /** Null: this core knows nothing of witnesses. */
  readonly isWitness: ((id: NodeId) => boolean) | null;
}

/** Fills in the defaults and checks what can't work. */
export function settingsOf(config: RaftConfig): Settings {
  const maxSizePerMsg = config.maxSizePerMsg ?? NO_LIMIT;
  const settings: Settings = {
    id: config.id,
    electionTick: config.electionTick,
    heartbeatTick: config.heartbeatTick,
    random: config.random,
    asyncStorageWrites: config.asyncStorageWrites ?? false,
    maxSizePerMsg,
    maxCommittedSizePerReady: config.maxCommittedSizePerReady ?? maxSizePerMsg,
    maxUncommittedEntriesSize: config.maxUncommittedEntriesSize ?? NO_LIMIT,
    maxInflightMsgs: config.maxInflightMsgs ?? MAX_INFLIGHT_MSGS,
    maxInflightBytes: config.maxInflightBytes ?? NO_LIMIT,
    checkQuorum: config.checkQuorum ?? false,
    preVote: config.preVote ?? false,
    readOnly: config.readOnly ?? "safe",
    maxPendingReads: config.maxPendingReads ?? MAX_PENDING_READS,
    disableProposalForwarding: config.disableProposalForwarding ?? false,
    disableConfChangeValidation: config.disableConfChangeValidation ?? false,
    stepDownOnRemoval: config.stepDownOnRemoval ?? false,
    isWitness: config.isWitness ?? null,
  };
  const { id, heartbeatTick, electionTick } = settings;
  assert(Number.isSafeInteger(id) && id > NONE && id < LOCAL_APPLY_THREAD, `no member id: ${id}`);
  assert(heartbeatTick > 0, "heartbeat tick must be greater than 0");
  assert(electionTick > heartbeatTick, "election tick must be greater than heartbeat tick");
  assert(settings.maxInflightMsgs > 0, "max inflight messages must be greater than 0");
  assert(settings.maxCommittedSizePerReady > 0, "max committed size must be greater than 0");
  assert(
    settings.maxInflightBytes >= maxSizePerMsg || maxSizePerMsg === NO_LIMIT,
    "max inflight bytes must be >= max message size",
  );
  assert(
    settings.readOnly === "safe" || settings.checkQuorum,
    "lease-based reads need check-quorum",
  );
  return settings;
}

/** What a sender gives; the rest is filled in. */
export type Outgoing = Partial<Message> & { readonly type: MessageType; readonly to: NodeId };

export class RaftState {
  readonly settings: Settings;
  readonly id: NodeId;
  readonly logger: Logger;
  readonly log: RaftLog;
  readonly tracker: ProgressTracker;

  /** Latest term seen; never falls. */
  term: Term = 0;
  /** Whom this member voted for in `term`; never changes from one candidate to another. */
  vote: NodeId = NONE;
  state: StateType = "StateFollower";
  lead: NodeId = NONE;

  /** Ticks since the last sign of a leader; for a leader, since its last check of the quorum. */
  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTimeout = 0;

  /** To whom this leader is handing over (thesis, 3.10). */
  leadTransferee: NodeId = NONE;
  /** A hand-over may be under way in this term: the election it causes does not respect the lease. */
  leaseBroken = false;
  /** Only one conf change may be unapplied: the last one may be at up to this index. */
  pendingConfIndex: Index = 0;
  /** Members that the conf change there makes data voters; see `witness.ts`. */
  promoting: readonly NodeId[] = [];
  /** This leader's first entry, its no-op. */
  termStart: Index = 0;
  /** Every data voter is known to have the log up to here; see `witness.ts`. Never falls. */
  dataFloor: Index;
  /** The commit index when this leader last looked whether it gets on; 0 before it first did. */
  commitSeen: Index = 0;
  /** Payload bytes appended as leader and not known to be applied. */
  uncommittedSize = 0;

  reads = new ReadRounds();
  /** Reads that came before the first commit of this leader's term. */
  postponedReads: ReadRequest[] = [];
  readStates: ReadState[] = [];

  /** May be sent at once. */
  messages: Message[] = [];
  /** Promise something that must be durable first: votes and acknowledgements. */
  messagesAfterAppend: Message[] = [];

  constructor(config: RaftConfig) {
    this.settings = settingsOf(config);
    this.id = config.id;
    this.logger = config.logger ?? {};
    const { maxCommittedSizePerReady, maxInflightMsgs, maxInflightBytes } = this.settings;
    this.log = new RaftLog(config.storage, this.logger, maxCommittedSizePerReady);
    this.tracker = new ProgressTracker(maxInflightMsgs, maxInflightBytes);
    this.dataFloor = config.dataFloor ?? 0;
  }

  softState(): SoftState {
    return { lead: this.lead, state: this.state };
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /**
   * Queues a message. Votes and acknowledgements wait until what they promise is durable, also those to
   * this member itself.
   */
  send(outgoing: Outgoing): void {
    switch (outgoing.type) {
      case "MsgVote":
      case "MsgPreVote":
        this.messages.push(this.#complete(outgoing, this.#explicitTerm(outgoing)));
        return;
      case "MsgVoteResp":
      case "MsgPreVoteResp":
        this.messagesAfterAppend.push(this.#complete(outgoing, this.#explicitTerm(outgoing)));
        return;
      case "MsgAppResp":
        this.messagesAfterAppend.push(this.#complete(outgoing, this.term));
        return;
      case "MsgProp":
      case "MsgReadIndex":
        // Forwarded on a client's behalf: valid in whatever term they arrive.
        this.messages.push(this.#complete(outgoing, 0));
        return;
      default:
        assert(outgoing.to !== this.id, () => `${outgoing.type} addressed to its own sender`);
        this.messages.push(this.#complete(outgoing, this.term));
    }
  }

  #explicitTerm(outgoing: Outgoing): Term {
    const term = outgoing.term ?? 0;
    assert(term > 0, () => `term should be set when sending ${outgoing.type}`);
    return term;
  }

  /** Written out, not spread: this makes every message. */
  #complete(outgoing: Outgoing, term: Term): Message {
    return {
      type: outgoing.type,
      to: outgoing.to,
      from: outgoing.from ?? this.id,
      term,
      logTerm: outgoing.logTerm ?? 0,
      index: outgoing.index ?? 0,
      entries: outgoing.entries ?? NO_ENTRIES,
      commit: outgoing.commit ?? 0,
      vote: outgoing.vote ?? NONE,
      snapshot: outgoing.snapshot ?? null,
      reject: outgoing.reject ?? false,
      rejectHint: outgoing.rejectHint ?? 0,
      context: outgoing.context ?? NO_BYTES,
      responses: NO_MESSAGES,
    };
  }

  /** Starts over as a member that knows of no leader, no votes and nobody's log, in `term`. */
  reset(term: Term): void {
    assert(term >= this.term, () => `term falls from ${this.term} to ${term}`);
    if (this.term !== term) {
      this.term = term;
      this.vote = NONE;
    }
    this.lead = NONE;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.randomizeElectionTimeout();
    this.leadTransferee = NONE;
    this.leaseBroken = false;
    this.tracker.resetVotes();
    const lastIndex = this.log.lastIndex();
    this.tracker.resetProgress(lastIndex + 1);
    const own = this.tracker.progress.get(this.id);
    if (own !== undefined) own.match = lastIndex;
    this.pendingConfIndex = 0;
    this.promoting = [];
    this.uncommittedSize = 0;
    this.reads = new ReadRounds();
    this.postponedReads = [];
  }

  /**
   * A time out of [electionTick, 2 electionTick), so that split votes are rare (paper, 5.2). A witness waits for one more
   * electionTick: it leads only when no data node can.
   */
  randomizeElectionTimeout(): void {
    const { electionTick, random } = this.settings;
    const patience = this.isWitness(this.id) ? electionTick : 0;
    this.randomizedElectionTimeout = electionTick + patience + random(electionTick);
  }

  /** Whether that member votes and keeps the log, but has no state; see `witness.ts`. */
  isWitness(id: NodeId): boolean {
    return this.settings.isWitness?.(id) ?? false;
  }

  /** Whether this member may become leader: a voter that has the state its log starts from. */
  promotable(): boolean {
    const own = this.tracker.progress.get(this.id);
    return own !== undefined && !own.isLearner && this.log.unstable.snapshot === null;
  }
}

/** Member ids in log texts are hexadecimal. */
export function hex(id: NodeId): string {
  return id.toString(16);
}
