// From messages to what stands in the list: days, the line above the unread, messages, and what is not committed yet.
import type { Message, OutboxItem } from "@parley/client/browser";
import { dayKey } from "./format.ts";

export type Row =
  | { readonly kind: "day"; readonly key: string; readonly atMs: number }
  | { readonly kind: "unread"; readonly key: string }
  /** `isGrouped`: goes on from the same author, shortly before. */
  | {
      readonly kind: "message";
      readonly key: string;
      readonly message: Message;
      readonly isGrouped: boolean;
    }
  | { readonly kind: "unsent"; readonly key: string; readonly item: OutboxItem };

const GROUP_MS = 5 * 60 * 1000;

export interface RowsOf {
  readonly messages: readonly Message[];
  readonly unsent: readonly OutboxItem[];
  readonly ownId: number;
  /** The line stands above the first message after it that is not one's own; 0 = no line. */
  readonly unreadAfter: number;
  /** The line stands above this one, whoever wrote it; 0 = none is marked. */
  readonly markedSeq: number;
}

/** An unsent message keeps its row's key when it is committed, whichever side tells of it first. */
export function rowsOf(given: RowsOf): readonly Row[] {
  const { messages, unsent, ownId, unreadAfter, markedSeq } = given;
  const rows: Row[] = [];
  const own = new Set<string>();
  let before: Message | undefined;
  let hasLine = unreadAfter === 0 && markedSeq === 0;
  for (const message of messages) {
    const { authorId, clientMessageId, sentAtMs, seq } = message;
    if (authorId === ownId) own.add(clientMessageId);
    const isNewDay = before === undefined || dayKey(before.sentAtMs) !== dayKey(sentAtMs);
    if (isNewDay) rows.push({ kind: "day", key: `day:${seq}`, atMs: sentAtMs });
    const isNew = markedSeq > 0 ? seq >= markedSeq : seq > unreadAfter && authorId !== ownId;
    const isLine = !hasLine && isNew;
    if (isLine) {
      hasLine = true;
      rows.push({ kind: "unread", key: "unread" });
    }
    const isGrouped =
      !isNewDay &&
      !isLine &&
      before !== undefined &&
      before.authorId === authorId &&
      message.replyToSeq === 0 &&
      sentAtMs - before.sentAtMs < GROUP_MS;
    const key = authorId === ownId ? `own:${clientMessageId}` : `seq:${seq}`;
    rows.push({ kind: "message", key, message, isGrouped });
    before = message;
  }
  for (const item of unsent) {
    // Committed, it is a message, though it may stand elsewhere.
    if (own.has(item.clientMessageId) || (item.withdrawal?.seq ?? 0) > 0) continue;
    rows.push({ kind: "unsent", key: `own:${item.clientMessageId}`, item });
  }
  return rows;
}
