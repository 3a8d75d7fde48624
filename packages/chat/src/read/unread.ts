// What is unread, room by room, for one account.
import { type RoomUnread, UnreadResponse } from "@parley/protocol";
import type { ChatDatabase, Statement } from "../database.ts";
import type { MemberRow, RoomRow } from "../rows.ts";
import { allArrays, firstArray, prepareArrays } from "../schema.ts";
import { type AsOf, type Counts, UnreadCounts } from "../unread-counts.ts";

export class UnreadReads {
  readonly #rooms: Statement;
  readonly #sender: Statement;
  readonly #counts: UnreadCounts;

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
    this.#counts = new UnreadCounts(db);
  }

  /** Every room of the account, those with nothing unread too; an encoded UnreadResponse. */
  unread(accountId: number, revision: number): Uint8Array {
    const rooms: RoomUnread[] = [];
    let unreadCount = 0;
    let mentionCount = 0;
    for (const [roomId, lastSeq, readSeq] of allArrays(this.#rooms, accountId) as number[][]) {
      if (roomId === undefined || lastSeq === undefined || readSeq === undefined) continue;
      const counts = this.#count(roomId, accountId, readSeq, lastSeq);
      rooms.push({ roomId, readSeq, lastSeq, ...counts });
      unreadCount += counts.unreadCount;
      mentionCount += counts.mentionCount;
    }
    const all = { rooms, unreadCount, mentionCount, revision, staleMs: 0 };
    return UnreadResponse.encode(all).finish();
  }

  /** Of a member. */
  of(room: RoomRow, { accountId, readSeq }: MemberRow): Counts {
    return this.#count(room.id, accountId, readSeq, room.lastSeq);
  }

  /** As it was when `lastSeq` was the room's newest message. */
  asOf({ roomId, accountId, readSeq }: MemberRow, lastSeq: number, asOf: AsOf): Counts {
    return this.#count(roomId, accountId, readSeq, lastSeq, asOf);
  }

  #count(roomId: number, accountId: number, readSeq: number, lastSeq: number, asOf?: AsOf): Counts {
    const sender = readSeq < lastSeq ? firstArray(this.#sender, roomId, accountId) : undefined;
    const [sentCount = 0, lastSentSeq = 0] = (sender ?? []) as number[];
    const position = { roomId, accountId, readSeq, lastSeq, sentCount, lastSentSeq };
    return this.#counts.count(position, asOf);
  }
}
