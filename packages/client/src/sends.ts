// What a send is to the application: what it gives, what it gets, what becomes of it.
import { LIMITS, type Message, ParleyError } from "@parley/protocol";
import type { OutboxFile, OutboxItem } from "./ports.ts";

export interface SendResult {
  readonly message: Message;
  /** How many members held it on disk when it was answered. */
  readonly replicas: number;
}

export interface SendOptions {
  /** The number of the message that this one answers; 0 or left out = none. */
  readonly replyToSeq?: number | undefined;
  /** The number of the message to whose thread this one belongs; 0 or left out = it stands in the room itself. */
  readonly threadRootSeq?: number | undefined;
  /** Files that are uploaded whole (`uploadFile`) and belong to no message yet; with some the text may be empty. */
  readonly files?: readonly OutboxFile[] | undefined;
  /** Made by the client when left out. */
  readonly clientMessageId?: string | undefined;
  /** Before transmission it cancels the message; later it only ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

export interface QueuedSend {
  readonly clientMessageId: string;
  /** The message is durable in the outbox: it will be sent, even by a later process. */
  readonly stored: Promise<void>;
  /** The message is committed, or has failed for good (rejects with a ParleyError). */
  readonly committed: Promise<SendResult>;
}

/** What became of a message; for those that show it, also after a restart. */
export type OutboxChange =
  | { readonly kind: "queued"; readonly item: OutboxItem }
  | { readonly kind: "committed"; readonly item: OutboxItem; readonly result: SendResult }
  /** It was taken back, and is deleted once it is committed. */
  | { readonly kind: "withdrawn"; readonly item: OutboxItem }
  /** It can't be sent, or, where its `withdrawal` has a number, not be deleted. */
  | { readonly kind: "failed"; readonly item: OutboxItem; readonly error: ParleyError }
  | { readonly kind: "removed"; readonly item: OutboxItem };

/**
 * `cancelled`: it was never sent. `withdrawn`: a node may have it; it is deleted once it is committed. `asked`: another client is the sender, and
 * does one or the other. `failed`: it is not sent anyway. `unknown`: it is not here.
 */
export type CancelOutcome = "cancelled" | "withdrawn" | "asked" | "failed" | "unknown";

export interface OutboxBounds {
  /** Messages that wait or have failed. */
  readonly itemsMax: number;
  /** Bytes of their texts. */
  readonly bytesMax: number;
}

/** What the outbox holds already. */
export interface OutboxLoad {
  readonly items: number;
  readonly bytes: number;
}

const encoder = new TextEncoder();

/** Bytes of a text as they travel. */
export function sizeOf(text: string): number {
  return encoder.encode(text).length;
}

function isSeqOrNone(seq: number): boolean {
  return Number.isSafeInteger(seq) && seq >= 0;
}

/** Why a message can't be taken, before anything is stored; undefined = it can (P11). */
export function refusalOf(
  item: OutboxItem,
  load: OutboxLoad,
  bounds: OutboxBounds,
): ParleyError | undefined {
  const bytes = sizeOf(item.body);
  const idBytes = sizeOf(item.clientMessageId);
  const { files = [] } = item;
  if (files.length > LIMITS.filesPerMessageMax) {
    const { filesPerMessageMax: limit } = LIMITS;
    const message = `a message has at most ${limit} files`;
    return new ParleyError("TOO_LARGE", message, { subject: "files", limit });
  }
  const subject = "message";
  if (bytes === 0 && files.length === 0)
    return new ParleyError("INVALID_ARGUMENT", "a message can't be empty", { subject });
  if (!item.body.isWellFormed()) {
    return new ParleyError("INVALID_ARGUMENT", "the text is not valid Unicode", { subject });
  }
  if (bytes > LIMITS.bodyBytesMax) {
    const message = `a message has at most ${LIMITS.bodyBytesMax} bytes, this one has ${bytes}`;
    return new ParleyError("TOO_LARGE", message, { subject, limit: LIMITS.bodyBytesMax });
  }
  if (idBytes === 0 || idBytes > LIMITS.clientMessageIdBytesMax) {
    return new ParleyError("INVALID_ARGUMENT", "a client message id has 1 to 64 bytes");
  }
  if (![item.replyToSeq, item.threadRootSeq ?? 0].every(isSeqOrNone)) {
    return new ParleyError("INVALID_ARGUMENT", "a message answers another one by its number");
  }
  if (load.items >= bounds.itemsMax || load.bytes + bytes > bounds.bytesMax) {
    const message = `the outbox is full (${load.items} messages, ${load.bytes} bytes)`;
    return new ParleyError("LIMIT_REACHED", message, { subject: "outbox", limit: bounds.itemsMax });
  }
  return undefined;
}
