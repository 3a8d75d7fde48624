// What the world shows to its checkers. They look from outside, at frames, disks, applied batches and
// what clients were told, never into the node: a checker must not share the node's mistakes.
import type { AppliedBatch, CommittedEntry } from "@parley/chat";
import type { CallName } from "@parley/client";
import type { LogWrite, Membership } from "@parley/node";
import type { Message as ChatMessage, Event, Reason, RoomMember } from "@parley/protocol";
import type { ConfState, Entry } from "@parley/raft";
import type { Sought } from "./checkers/search.ts";

/** A promise or property was broken. `property` names it as the paper or DESIGN does. */
export interface Violation {
  readonly property: string;
  readonly detail: string;
}

export type Report = (violation: Violation) => void;

/** A raft message on its way from one node to another, as it is delivered. */
export interface ObservedRaftMessage {
  readonly from: number;
  readonly to: number;
  readonly type: string;
  readonly term: number;
  readonly reject: boolean;
  readonly index: number;
  readonly commit: number;
}

/** A copy of a chat file that a node begins to send to another one. */
export interface OfferedCopy {
  /** The machine. */
  readonly from: string;
  readonly index: number;
  /** The copy's own, and what the receiver's core is told. */
  readonly configurations: readonly ConfState[];
}

/** One call of an application on its client: a send, a read, … */
export interface Operation {
  readonly id: number;
  readonly client: string;
  readonly accountId: number;
  readonly kind: OperationKind;
  /** In which order things began and ended; the world's event counter, strictly increasing. */
  readonly invokedAt: number;
  readonly invokedUs: number;
  /** The highest revision that this client had been shown when it asked. */
  readonly seenRevision: number;
}

export type OperationKind =
  | {
      readonly kind: "send";
      readonly roomId: number;
      readonly clientMessageId: string;
      readonly body: string;
      /** SHA-256 of the files that go with it. */
      readonly files: readonly Uint8Array[];
      /** Whether the sender promises order: its sends of the room stand as they were invoked (P3). */
      readonly ordered: boolean;
    }
  | { readonly kind: "history"; readonly roomId: number; readonly linearizable: boolean }
  | { readonly kind: "unread"; readonly linearizable: boolean }
  | {
      readonly kind: "search";
      readonly linearizable: boolean;
      readonly query: string;
      /** What the query means. */
      readonly sought: Sought;
    }
  | {
      readonly kind: "write";
      readonly name: CallName;
      readonly requestId: string;
      /** All of the request but its id. */
      readonly fields: object;
    };

/** How an operation ended. A timeout or a lost connection means unknown: it may or may not have happened. */
export type Outcome =
  | { readonly kind: "sent"; readonly message: ChatMessage; readonly replicas: number }
  | {
      readonly kind: "read";
      readonly revision: number;
      /** Not up to date, and marked so. */
      readonly stale: boolean;
      readonly messages: readonly ChatMessage[];
      readonly lastSeq: number;
    }
  | { readonly kind: "written"; readonly revision: number; readonly response: string }
  | { readonly kind: "refused"; readonly reason: Reason; readonly detail: string }
  | { readonly kind: "unknown"; readonly reason: string };

/** What a subscriber was handed, in the order in which it was. */
export type SubscriptionItem =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "resync"; readonly revision: number };

/** Every hook is optional: a checker takes the ones that it needs. */
export interface Checker {
  readonly property: string;
  onRaftMessage?(message: ObservedRaftMessage): void;
  onLogWrite?(nodeId: number, write: LogWrite): void;
  onLogDurable?(nodeId: number, write: LogWrite): void;
  /** The node's process has died; its unsynced writes are gone, `log` is what is left. */
  onRestart?(nodeId: number, log: readonly Entry[]): void;
  /** A copy of a chat file took the place of the node's log up to an index; `log` is what the node stands for now. */
  onInstalled?(nodeId: number, log: readonly Entry[]): void;
  onApplied?(
    nodeId: number,
    batch: AppliedBatch,
    entries: readonly CommittedEntry[],
    hash: string,
  ): void;
  /** The membership as of an index, as a node stored it with its entry; `nodeId` is a raft id, as above. */
  onMembership?(nodeId: number, index: number, membership: Membership): void;
  /** A node handed a message to the network. */
  onRaftMessageSent?(message: ObservedRaftMessage): void;
  onCopyOffered?(copy: OfferedCopy): void;
  /** A process has become a member on this disk. */
  onAdopted?(nodeId: number, serverUuid: string): void;
  /** A disk was lost, and with it what its node had promised. */
  onWiped?(nodeId: number): void;
  onInvoke?(operation: Operation): void;
  onOutcome?(operation: Operation, outcome: Outcome, at: number): void;
  onSubscription?(client: string, accountId: number, item: SubscriptionItem): void;
  /** A client shows that an acknowledged message is on so many members' disks. */
  onSpread?(client: string, revision: number, replicas: number): void;
  /** A person writes in a room, whether they are in it or not. */
  onTypes?(accountId: number, roomId: number): void;
  /** A subscriber, who has been shown everything up to `seenRevision`, is told that an account types. */
  onTypist?(
    client: string,
    accountId: number,
    roomId: number,
    typistId: number,
    seenRevision: number,
  ): void;
  /** A subscriber, who has been shown everything up to `seenRevision`, is told that an account has read up to `seq`. */
  onReceipt?(
    client: string,
    accountId: number,
    receipt: { readonly roomId: number; readonly readerId: number; readonly seq: number },
    seenRevision: number,
  ): void;
  /** A client has read a file, whole and as its message says, or was refused for a reason. */
  onDownload?(client: string, fileId: number, problem: string, part: "file" | "preview"): void;
  /** A list of a room's members, as of `revision`. */
  onMembers?(
    client: string,
    accountId: number,
    roomId: number,
    revision: number,
    members: readonly RoomMember[],
  ): void;
  /** A subscriber lost everything that it had (its process died) and starts from nothing. */
  onSubscriberLost?(client: string): void;
  /** After the quiet tail: everything healed, all nodes up and equal. */
  atEnd?(end: FinalState): void;
}

/** What every node holds at the end, read through the chat's own reader. */
export interface FinalState {
  readonly nodes: readonly FinalNode[];
}

/** What an account wants of a room. */
export interface Wanted {
  readonly starred: boolean;
  readonly muted: boolean;
}

export interface FinalFile {
  readonly sha256: Uint8Array;
  /** Of the bytes that are there. */
  readonly actual: Uint8Array;
}

export interface FinalNode {
  readonly nodeId: number;
  readonly appliedIndex: number;
  readonly hash: string;
  /** Whole history of each room, ascending. */
  readonly rooms: ReadonlyMap<number, readonly ChatMessage[]>;
  /** Those of messages. */
  readonly files: ReadonlyMap<number, FinalFile>;
  /** The rooms of each account. */
  readonly memberships: ReadonlyMap<number, ReadonlyMap<number, Wanted>>;
  /** What is unread, of each account in each of its rooms. */
  readonly unread: ReadonlyMap<number, ReadonlyMap<number, FinalUnread>>;
}

/** As a text: how many unread, how many mentions. */
export interface FinalUnread {
  /** By going through the messages. */
  readonly counted: string;
  /** By the node. */
  readonly told: string;
}
