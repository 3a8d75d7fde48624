// A room's messages by sequence.
import { type HistoryRequest, HistoryResponse, LIMITS, type Message } from "@parley/protocol";
import type { ChatDatabase, Statement } from "../database.ts";
import type { SqlValue } from "../hash.ts";
import { MESSAGES } from "../rows.ts";
import { allArrays, columnsOf, prepareArrays } from "../schema.ts";
import { DELETED_ACCOUNT_NAME, messageView } from "../views.ts";
import { readableRoom } from "./access.ts";
import { pageSize } from "./paging.ts";
import type { RowSource } from "./rows-of.ts";

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
  readonly #ascending: Statement;
  readonly #descending: Statement;

  constructor(db: ChatDatabase, rows: RowSource) {
    this.#rows = rows;
    const between = `SELECT ${MESSAGE_COLUMNS} FROM messages m JOIN accounts a ON a.id = m.author_id
       WHERE m.room_id = ? AND m.seq > ? AND m.seq < ? ORDER BY m.seq`;
    this.#ascending = prepareArrays(db, `${between} LIMIT ?`);
    this.#descending = prepareArrays(db, `${between} DESC LIMIT ?`);
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
}
