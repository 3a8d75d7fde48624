// Everything the client needs from outside, as interfaces: a process or a browser page wires real
// ones, the simulator virtual ones, and the client cannot tell them apart.
import type { NodeAddress } from "@parley/protocol";

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since some start; never goes back. Every timeout uses it. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may jump. Used in ids and for display only. */
  wallMs(): number;
  /** Calls `action` once, in a turn of its own, not before `delayMs` have passed. */
  after(delayMs: number, action: () => void): Timer;
}

export interface Random {
  /** Uniform in 0 … bound - 1. */
  int(bound: number): number;
  /** Unguessable bytes, for ids. */
  bytes(length: number): Uint8Array;
}

/**
 * Why a link ended. `refused`: nothing listens there. `unauthenticated`: the node refuses the token.
 * `malformed`: a frame could not be decoded or was over its bound.
 */
export type LinkEnd = "closed" | "refused" | "timeout" | "unauthenticated" | "malformed";

/** Why there is no session: how the last link ended, or `behind`, its node has not heard of the sign-in yet. */
export interface Trouble {
  readonly kind: LinkEnd | "behind";
  /** Of the node, as the carrier dials it; "" = not known. */
  readonly address: string;
}

export interface CarrierEvents {
  /** The transport is up; the node has not spoken yet. A carrier that can't tell may leave it out. */
  onOpen(): void;
  /** An encoded ServerFrame. */
  onFrame(frame: Uint8Array): void;
  /** Once, last; not after `close()`. */
  onEnd(end: LinkEnd, detail: string): void;
}

export interface CarrierLink {
  /** Queues an encoded ClientFrame in order; before `onOpen` too. After the end it does nothing. */
  send(frame: Uint8Array): void;
  /** Ends the link; no event follows. */
  close(): void;
}

/** How frames travel: a gRPC stream, a WebSocket, a virtual wire. */
export interface Carrier {
  /** Dials once, without a retry of its own. No event comes before `dial` has returned. */
  dial(address: string, events: CarrierEvents): CarrierLink;
  /** Where this carrier reaches a node; undefined when it cannot. */
  addressOf(node: NodeAddress): string | undefined;
}

/** Why a send failed for good: of its error what people are told. Left out: not said. */
export interface OutboxFailure {
  readonly reason: string;
  readonly message: string;
  readonly subject?: string;
  readonly limit?: number;
  readonly named?: string;
}

/** A file that was uploaded and belongs to a message that waits. */
export interface OutboxFile {
  readonly clientFileId: string;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** A message was taken back when a node might have had it already: it is deleted once it is committed. */
export interface OutboxWithdrawal {
  /** Its number in the room; 0 = it is not known to be committed. */
  readonly seq: number;
  /** Of the request that deletes it, which is done once (P2); "" = none was made yet. */
  readonly requestId: string;
}

/** One message that was written and is not yet known to be committed, or was taken back and is not yet deleted. */
export interface OutboxItem {
  /** 1–64 bytes, unique for the author; the same over every retry (P2). */
  readonly clientMessageId: string;
  /** The cluster and account that it was written for; "" and 0 = not known when it was written. */
  readonly clusterId: string;
  readonly accountId: number;
  readonly roomId: number;
  readonly body: string;
  /** 0 = answers nothing. */
  readonly replyToSeq: number;
  /** Left out or 0 = in no thread. */
  readonly threadRootSeq?: number | undefined;
  /** Files that were uploaded for it, in the order in which it shows them; left out = none. */
  readonly files?: readonly OutboxFile[] | undefined;
  /** Wall clock of this device, for display. */
  readonly queuedAtMs: number;
  /** Left out: it was not taken back. */
  readonly withdrawal?: OutboxWithdrawal | undefined;
  /**
   * Set once it can never succeed; it stays until it is dismissed or retried. Of a message that was taken back it says why it can't be
   * deleted.
   */
  readonly failure?: OutboxFailure | undefined;
}

/**
 * Where unsent messages wait. Methods that return nothing have done their work; those that return a
 * promise have done it when it resolves. Calls take effect in their order.
 */
export interface OutboxStore {
  /**
   * Called first: what is left from before, in the order in which it was put. Where clients share
   * the store, again whenever one becomes the sender: what is there now.
   */
  open(): Promise<readonly OutboxItem[]>;
  /** Adds the item, or replaces the one with its id in place. Durable when done. */
  put(item: OutboxItem): Promise<void> | undefined;
  /**
   * Whether what was put outlives this process; a store that makes do without room may keep it in
   * memory. Left out: it does.
   */
  lasts?(clientMessageId: string): boolean;
  /** Forgets the item. May become durable later: a repeated send is stored once (P2). */
  remove(clientMessageId: string): void;
  close(): Promise<void>;
}
