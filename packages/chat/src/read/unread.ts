// Unread messages: after the read position, not one's own, not deleted. Counted without scanning:
// sequences have no gaps (P3), an author's messages are numbered in each room, and deleted ones have an
// index of their own.
import { type RoomUnread, UnreadResponse } from "@parley/protocol";
import type { ChatDatabase, Statement } from "../database.ts";
import { allArrays, firstArray, prepareArrays } from "../schema.ts";

export class UnreadReads {
  readonly #rooms: Statement;
  readonly #ownUpTo: Statement;
  readonly #deletedAfter: Statement;

  constructor(db: ChatDatabase) {
    this.#rooms = prepareArrays(
      db,
      `SELECT r.id, r.last_seq, m.read_seq FROM members m JOIN rooms r ON r.id = m.room_id
       WHERE m.account_id = ? AND m.role <> 0 ORDER BY r.id`,
    );
    this.#ownUpTo = prepareArrays(
      db,
      `SELECT author_seq FROM messages WHERE room_id = ? AND author_id = ? AND seq <= ?
       ORDER BY seq DESC LIMIT 1`,
    );
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
    const own =
      this.#own(roomId, accountId, lastSeq) -
      (readSeq === 0 ? 0 : this.#own(roomId, accountId, readSeq));
    const deleted = firstArray(this.#deletedAfter, roomId, readSeq, accountId)?.[0] as number;
    return lastSeq - readSeq - own - deleted;
  }

  #own(roomId: number, accountId: number, seq: number): number {
    return (firstArray(this.#ownUpTo, roomId, accountId, seq)?.[0] as number | undefined) ?? 0;
  }
}
