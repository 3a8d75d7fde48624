// A room's messages: by sequence, those of one thread, and those that are pinned.
import {
  type HistoryRequest,
  HistoryResponse,
  LIMITS,
  type ListPinsRequest,
  ListPinsResponse,
  type Message,
  ParleyError,
  type ThreadRequest,
  ThreadResponse,
} from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import type { SqlValue } from "../hash.ts";
import { MESSAGES } from "../rows.ts";
import { allArrays, columnsOf, firstArray } from "../schema.ts";
import { DELETED_ACCOUNT_NAME, messageView, replyHasNoThread } from "../views.ts";
import { readableRoom } from "./access.ts";
import { pageSize, pageToken, positionOf } from "./paging.ts";
import type { RowSource } from "./rows-of.ts";
import type { UnreadReads } from "./unread.ts";

/** A message with its author's name, for statements that end in `AUTHOR_COLUMNS`. */
export const MESSAGE_COLUMNS = `${columnsOf(MESSAGES, "m")}, a.username, a.deleted`;

/** From the values in the order of MESSAGE_COLUMNS. */
export function messageOf(values: readonly SqlValue[]): Message {
  const [username, isDeleted] = values.slice(MESSAGES.columns.length);
  const author = isDeleted === 0 ? (username as string) : DELETED_ACCOUNT_NAME;
  return messageView(MESSAGES.row(values), author);
}

export class HistoryReads {
  readonly #rows: RowSource;
  readonly #unread: UnreadReads;
  readonly #ascending: Statement;
  readonly #descending: Statement;
  readonly #bySeq: Statement;
  readonly #repliesAscending: Statement;
  readonly #repliesDescending: Statement;
  readonly #lastReply: Statement;
  readonly #pinned: Statement;

  constructor(db: ChatDatabase, rows: RowSource, unread: UnreadReads) {
    this.#rows = rows;
    this.#unread = unread;
    const messages = `SELECT ${MESSAGE_COLUMNS} FROM messages m JOIN accounts a ON a.id = m.author_id`;
    const between = `${messages} WHERE m.room_id = ? AND m.seq > ? AND m.seq < ? ORDER BY m.seq`;
    this.#ascending = prepareArrays(db, `${between} LIMIT ?`);
    this.#descending = prepareArrays(db, `${between} DESC LIMIT ?`);
    this.#bySeq = prepareArrays(db, `${messages} WHERE m.room_id = ? AND m.seq = ?`);
    const thread = "room_id = ? AND thread_root_seq > 0 AND thread_root_seq = ?";
    const replies = `${messages} WHERE m.id IN (SELECT id FROM messages WHERE ${thread} AND seq > ? AND seq < ?
       ORDER BY seq`;
    this.#repliesAscending = prepareArrays(db, `${replies} LIMIT ?) ORDER BY m.id`);
    this.#repliesDescending = prepareArrays(db, `${replies} DESC LIMIT ?) ORDER BY m.id`);
    this.#lastReply = prepareArrays(
      db,
      `SELECT seq FROM messages WHERE ${thread} ORDER BY seq DESC LIMIT 1`,
    );
    this.#pinned = prepareArrays(
      db,
      `${messages} WHERE m.room_id = ? AND m.pinned_revision > 0 AND m.pinned_revision < ?
       ORDER BY m.pinned_revision DESC LIMIT ?`,
    );
  }

  /**
   * Ascending. With `beforeSeq` the last ones before it; with `afterSeq` the first ones after it; with
   * both the first ones between; with neither the newest.
   */
  history(request: HistoryRequest, accountId: number, revision: number): Uint8Array {
    const limit = pageSize(request.limit, LIMITS.historyPageDefault, LIMITS.historyPageMax);
    const room = readableRoom(this.#rows, request.roomId, accountId);
    const before = request.beforeSeq === 0 ? Number.MAX_SAFE_INTEGER : request.beforeSeq;
    const found =
      request.afterSeq === 0
        ? allArrays(this.#descending, room.id, 0, before, limit).reverse()
        : allArrays(this.#ascending, room.id, request.afterSeq, before, limit);
    return HistoryResponse.encode({
      messages: found.map(messageOf),
      revision,
      staleMs: 0,
      lastSeq: room.lastSeq,
    }).finish();
  }

  /** As `history`, of one thread; with the message that it is about and the account's place in it. */
  thread(request: ThreadRequest, accountId: number, revision: number): Uint8Array {
    const { roomId, threadRootSeq, beforeSeq, afterSeq } = request;
    const limit = pageSize(request.limit, LIMITS.historyPageDefault, LIMITS.historyPageMax);
    const room = readableRoom(this.#rows, roomId, accountId);
    const found = firstArray(this.#bySeq, room.id, threadRootSeq);
    if (found === undefined) {
      throw new ParleyError("MESSAGE_NOT_FOUND", `There is no message ${threadRootSeq}.`);
    }
    const root = messageOf(found);
    if (root.threadRootSeq > 0) {
      const message = replyHasNoThread(root.seq, root.threadRootSeq);
      throw new ParleyError("INVALID_ARGUMENT", message);
    }
    const replies = afterSeq === 0 ? this.#repliesDescending : this.#repliesAscending;
    const before = beforeSeq === 0 ? Number.MAX_SAFE_INTEGER : beforeSeq;
    const lastSeq = firstArray(this.#lastReply, room.id, threadRootSeq)?.[0] as number | undefined;
    return ThreadResponse.encode({
      root,
      messages: allArrays(replies, room.id, threadRootSeq, afterSeq, before, limit).map(messageOf),
      revision,
      staleMs: 0,
      lastSeq: lastSeq ?? 0,
      followed: this.#unread.thread(accountId, room.id, threadRootSeq),
    }).finish();
  }

  /** The one pinned last first. */
  pins(request: ListPinsRequest, accountId: number, revision: number): Uint8Array {
    const size = pageSize(request.pageSize, LIMITS.pinsPageDefault, LIMITS.pinsPageMax);
    const list = ["pins", request.roomId];
    const before = positionOf(list, request.pageToken);
    const room = readableRoom(this.#rows, request.roomId, accountId);
    const found = allArrays(
      this.#pinned,
      room.id,
      before === "" ? Number.MAX_SAFE_INTEGER : Number(before),
      size + 1,
    ).map((values) => ({ message: messageOf(values), ...MESSAGES.row(values) }));
    const page = found.slice(0, size);
    const last = page.at(-1)?.pinnedRevision ?? 0;
    return ListPinsResponse.encode({
      messages: page.map(({ message }) => message),
      nextPageToken: found.length > size ? pageToken(list, String(last)) : "",
      revision,
      staleMs: 0,
    }).finish();
  }
}
