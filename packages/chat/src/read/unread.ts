// Unread messages: after the read position, not one's own, not deleted. Counted without scanning:
// sequences have no gaps (P3), an author's messages in a room are numbered and linked, and deleted ones
// have an index of their own.
import { type RoomUnread, UnreadResponse } from "@parley/protocol";
import type { ChatDatabase, Statement } from "../database.ts";
import { allArrays, firstArray, prepareArrays } from "../schema.ts";

export class UnreadReads {
  readonly #rooms: Statement;
  readonly #sender: Statement;
  readonly #indexedAfter: Statement;
  readonly #bySeq: Statement;
  readonly #deletedAfter: Statement;

  constructor(db: ChatDatabase) {
    this.#rooms = prepareArrays(
      db,
      `SELECT r.id, r.last_seq, m.read_seq FROM members m JOIN rooms r ON r.id = m.room_id
       WHERE m.account_id = ? AND m.role <> 0 ORDER BY m.room_id`,
    );
    this.#sender = prepareArrays(
      db,
      "SELECT sent_count, last_seq FROM senders WHERE room_id = ? AND account_id = ?",
    );
    const link = "SELECT seq, author_seq, author_prev_seq FROM messages";
    this.#indexedAfter = prepareArrays(
      db,
      `${link} WHERE room_id = ? AND author_id = ? AND seq > ? AND author_seq % 32 = 0
       ORDER BY seq LIMIT 1`,
    );
    this.#bySeq = prepareArrays(db, `${link} WHERE room_id = ? AND seq = ?`);
    this.#deletedAfter = prepareArrays(
      db,
      `SELECT count(*) FROM messages
       WHERE room_id = ? AND seq > ? AND author_id <> ? AND deleted = 1`,
    );
  }

  /** Every room of the account, those with nothing unread too; an encoded UnreadResponse. */
  unread(accountId: number, revision: number): Uint8Array {
    const rooms: RoomUnread[] = [];
    let total = 0;
    for (const [roomId, lastSeq, readSeq] of allArrays(this.#rooms, accountId) as number[][]) {
      if (roomId === undefined || lastSeq === undefined || readSeq === undefined) continue;
      const unreadCount = this.#count(roomId, accountId, readSeq, lastSeq);
      rooms.push({ roomId, unreadCount, readSeq, lastSeq });
      total += unreadCount;
    }
    return UnreadResponse.encode({ rooms, unreadCount: total, revision, staleMs: 0 }).finish();
  }

  #count(roomId: number, accountId: number, readSeq: number, lastSeq: number): number {
    if (readSeq >= lastSeq) return 0;
    const own = this.#ownAfter(roomId, accountId, readSeq);
    const deleted = firstArray(this.#deletedAfter, roomId, readSeq, accountId)?.[0] as number;
    return lastSeq - readSeq - own - deleted;
  }

  /** How many messages the account itself has sent after `seq`; at most 33 rows are looked at. */
  #ownAfter(roomId: number, accountId: number, seq: number): number {
    const [sentCount = 0, lastSeq = 0] = (firstArray(this.#sender, roomId, accountId) ??
      []) as number[];
    if (seq >= lastSeq) return 0;
    if (seq === 0) return sentCount;
    let link =
      firstArray(this.#indexedAfter, roomId, accountId, seq) ??
      firstArray(this.#bySeq, roomId, lastSeq);
    while (link !== undefined && (link[0] as number) > seq) {
      link = firstArray(this.#bySeq, roomId, link[2] as number);
    }
    return sentCount - ((link?.[1] as number | undefined) ?? 0);
  }
}
