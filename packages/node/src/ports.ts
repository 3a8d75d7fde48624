// Everything the node needs from outside, as interfaces: the server wires real ones, the simulator
// virtual ones, and the node cannot tell them apart.
import type {
  AdmissionSnapshot,
  AppliedBatch,
  ChatAnswer,
  ChatQuery,
  CommittedEntry,
} from "@parley/chat";
import type { ServerRecord } from "@parley/protocol";
import type { ConfState, Entry, HardState } from "@parley/raft";
import type { CopyInstaller } from "./copies/copy-ports.ts";

export type * from "./copies/copy-ports.ts";

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since some start; never goes back. Everything that measures time uses it. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may jump. Used for the replicated stamp only. */
  wallMs(): number;
  /** Calls `action` once, not before `delayMs` have passed. */
  after(delayMs: number, action: () => void): Timer;
}

export interface Random {
  /** Uniform in 0 … bound - 1. */
  int(bound: number): number;
  /** Unguessable bytes, for tokens and ids. */
  bytes(length: number): Uint8Array;
}

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Password hashing (argon2id in the server). Both may take tens of milliseconds. */
export interface PasswordHasher {
  /** A PHC string. */
  hash(password: string): Promise<string>;
  verify(password: string, phc: string): Promise<boolean>;
}

/** SHA-256, for token hashes. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

// ---- The raft log (DESIGN sections 5 and 7) --------------------------------------------------

/** Who this node is; written durably once, before anything else (P9). */
export interface NodeIdentity {
  readonly serverUuid: string;
  /** The encoded `BootstrapRecord` that the node adopted, with itself in it; undefined = still fresh. */
  readonly bootstrap: Uint8Array | undefined;
}

export interface LogState {
  readonly identity: NodeIdentity | undefined;
  readonly hardState: HardState;
  /** Index and term of the entry before the first one kept; 0 and 0 when the log is whole. */
  readonly compactedIndex: number;
  readonly compactedTerm: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** With witnesses: the data floor by which the log was last compacted; 0 = none is known. */
  readonly dataFloor: number;
}

/** A place in the log. */
export interface LogPosition {
  readonly index: number;
  readonly term: number;
}

/** An entry that can't be read any more. What it did is durably applied, so the log can do without it. */
export interface DamagedEntry {
  readonly damagedIndex: number;
  /** Names the file and what was found. */
  readonly found: string;
}

/** One durable step. Both parts are in one transaction. */
export interface LogWrite {
  readonly hardState: HardState | undefined;
  /** Contiguous; replaces whatever stands at and above the first one's index. */
  readonly entries: readonly Entry[];
}

/**
 * The durable log. Any failure is final: the promise rejects, and the node must stop (no retry, P1).
 * Opening a log that is shorter than its high-water record, or unreadable above what is durably
 * applied, rejects with a `StorageError` whose message names the file and what was found (P9).
 */
export interface LogStore {
  open(): Promise<LogState>;
  /** Writes the identity durably. */
  setIdentity(identity: NodeIdentity): Promise<void>;
  /**
   * Resolves when the write is on disk (fsynced). Writes are applied in the order of the calls;
   * all that arrive while a sync runs share the next one (group commit). A write that changes nothing
   * but the commit index may resolve at once and reach the disk with the next one.
   */
  append(write: LogWrite): Promise<void>;
  /**
   * Entries lo … hi - 1, at least one, ending early at about `bytesMax`; checksums verified. A damaged
   * entry that is durably applied is an answer; one above is final, like any failure. Reading what
   * is compacted by now is refused (`invalid`) and harms nothing else.
   */
  read(lo: number, hi: number, bytesMax: number): Promise<readonly Entry[] | DamagedEntry>;
  /**
   * Forgets the entries up to `index`, which is durably applied, in bounded steps between which appends
   * get their turn. Resolves with where the log begins after that: at `index`, or near it where
   * the entry there can't be read. A crash leaves the log beginning anywhere between. `dataFloor` is kept with it, if
   * it is higher than the one before: what allowed it once allows it after a restart.
   */
  compact(index: number, dataFloor?: number): Promise<LogPosition>;
  /** Bytes that the log takes on disk, without what it has freed for reuse. */
  sizeBytes(): Promise<number>;
  /** Bytes left on the disk of the log. */
  freeBytes(): Promise<number>;
  close(): Promise<void>;
}

// ---- The chat file -----------------------------------------------------------------------------

/** Who votes, and which servers they are, as of an applied index; see `membership.ts`. */
export interface Membership extends ConfState {
  /** In ascending order of their raft ids; exactly those that the configuration holds. */
  readonly servers: readonly ServerRecord[];
  /** The raft id of the next server; no id is given twice (P9). */
  readonly nextRaftId: number;
  /** Of the last change that was asked for; empty = none yet. */
  readonly lastChangeId: string;
}

export interface ChatStoreState {
  readonly admission: AdmissionSnapshot;
  /** As of the applied index; undefined in a new file. */
  readonly confState: Membership | undefined;
  /** As of this index instead, where that is above the applied one: a witness's membership may be newer than its log. */
  readonly confStateIndex?: number;
}

export interface ApplyRequest {
  readonly entries: readonly CommittedEntry[];
  /** The membership after the last entry, when one of the entries changed it. */
  readonly confState: Membership | undefined;
}

/** The reading side of the chat database. */
export interface ChatReads {
  /** Served concurrently with apply, from a state at least as new as the last resolved apply. */
  read(query: ChatQuery): Promise<ChatAnswer>;
  /**
   * The state hash at `atIndex` exactly when it is still kept (the newest applied index always is,
   * and a bounded number of round ones), else undefined. 0 = the newest.
   */
  stateHash(
    atIndex: number,
  ): Promise<{ readonly appliedIndex: number; readonly hash: string } | undefined>;
}

/** The chat database: applying is one transaction with the applied index in it. */
export interface ChatStore extends ChatReads, CopyInstaller {
  /**
   * A file that is damaged is put aside, and an empty one takes its place: the caller compares the applied index
   * with where the log begins. A file without a membership that is as of `logBeginsAfter` (a new one, or a restored
   * backup) gets `initial`.
   */
  open(initial: Membership | undefined, logBeginsAfter?: number): Promise<ChatStoreState>;
  /** Calls are served in order. Rejects only when the store is broken: the node must stop. */
  apply(request: ApplyRequest): Promise<AppliedBatch>;
  /**
   * Moves what is applied into the file's durable part, as far as nothing keeps it from that, and resolves
   * with the index up to which it is there: the log may be compacted up to it (P1).
   */
  checkpoint(): Promise<number>;
  /** Bytes that the chat file takes on disk. */
  sizeBytes(): Promise<number>;
  /** The newest answer of {@link checkpoint}, or of one that the store made by itself. */
  readonly durableApplied: number;
  close(): Promise<void>;
}

// ---- Peers -------------------------------------------------------------------------------------

/** Why an outgoing link ended. `refused`: nothing listens there (the process is gone). */
export type LinkEnd = "closed" | "refused" | "timeout" | "rejected";

/** What happens on a link that this node dialled. */
export interface OutgoingLinkEvents {
  /** The transport is up; the peer has not spoken yet. */
  onOpen(): void;
  /** An encoded PeerFrame from the other end. */
  onFrame(frame: Uint8Array): void;
  /** Once, last. */
  onEnd(end: LinkEnd, detail: string): void;
  /** The backlog fell below half of its bound after a send was refused. */
  onDrain(): void;
}

export interface OutgoingLink {
  /** Queues an encoded PeerFrame in order; false = the backlog is full and the frame was dropped. */
  send(frame: Uint8Array): boolean;
  close(): void;
}

/** A link that a peer dialled to this node. */
export interface IncomingLink {
  readonly remote: string;
  /** The node that the other end's certificate names; undefined where the transport checks none (P10). */
  readonly certifiedId?: number | undefined;
  send(frame: Uint8Array): boolean;
  close(): void;
}

export interface IncomingLinkEvents {
  onFrame(frame: Uint8Array): void;
  onEnd(): void;
}

export interface PeerTransport {
  /**
   * Dials once; no retry. `address` is host:port. No event comes before the call has returned. Where certificates are
   * checked, only node `nodeId` is spoken to.
   */
  dial(address: string, events: OutgoingLinkEvents, nodeId: number): OutgoingLink;
  /** Called once, before any dial: how this node takes links from peers. */
  listen(accept: (link: IncomingLink) => IncomingLinkEvents): void;
  /** The same for a copy of the chat file: a stream of its own, with CopyFrames out and CopyProgress back. */
  dialCopy(address: string, events: OutgoingLinkEvents, nodeId: number): OutgoingLink;
  listenForCopies(accept: (link: IncomingLink) => IncomingLinkEvents): void;
}

// ---- Clients -----------------------------------------------------------------------------------

/** Who the other end of a connection is by its certificate. */
export type CallerCertificate =
  | { readonly kind: "none" }
  /** Of this cluster, and in time. `name` is a node's id, or what an operator or client is called. */
  | {
      readonly kind: "trusted";
      readonly role: "node" | "operator" | "client";
      readonly name: string;
    }
  /** It was shown and does not count; `why` is a sentence's end, without its full stop. */
  | { readonly kind: "refused"; readonly why: string };

/** Where a session's or subscription's frames go: a gRPC stream, a WebSocket, a virtual wire. */
export interface FrameSink {
  /** Queues encoded bytes in order. */
  send(bytes: Uint8Array): void;
  /** Bytes queued and not yet taken by the network; the node's bound on it is P11. */
  backlogBytes(): number;
  /** Ends the stream after what is queued. `error` is for streams that end with a status. */
  end(error?: Error): void;
}

// ---- All of them -------------------------------------------------------------------------------

export interface NodePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logStore: LogStore;
  readonly chatStore: ChatStore;
  readonly transport: PeerTransport;
  readonly hasher: PasswordHasher;
  readonly sha256: Sha256;
  readonly logger: Logger;
  /**
   * For a node that is told by its cluster where to listen: does so, and resolves with the address of HTTP (empty = none). Rejects
   * when that can't be done; the node goes on asking.
   */
  readonly listen?: (address: string) => Promise<string>;
  /** Storage failed or an invariant broke: the process must end. Called at most once. */
  readonly onFatal: (error: unknown) => void;
}
