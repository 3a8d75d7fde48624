// What is unread, room by room, for one account.
import { type FollowedThread, type RoomUnread, UnreadResponse } from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import { FOLLOWS, type FollowRow, type MemberRow, type RoomRow } from "../rows.ts";
import { allArrays, columnsOf, firstArray } from "../schema.ts";
import { type Counts, UnreadCounts } from "../unread-counts.ts";
import { followedThread } from "../views.ts";

const NO_THREADS: ReadonlyMap<number, FollowedThread[]> = new Map();

export class UnreadReads {
  readonly #rooms: Statement;
  readonly #follows: Statement;
  readonly #follow: Statement;
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
      "SELECT sent_count, last_seq, reply_count FROM senders WHERE room_id = ? AND account_id = ?",
    );
    const follows = `SELECT ${columnsOf(FOLLOWS, "f")}, r.last_seq FROM follows f
       JOIN members m ON m.room_id = f.room_id AND m.account_id = f.account_id
       JOIN rooms r ON r.id = f.room_id
       WHERE f.account_id = ? AND f.following = 1 AND m.role <> 0 AND f.changed_revision > m.joined_revision`;
    this.#follows = prepareArrays(db, `${follows} ORDER BY f.room_id, f.thread_root_seq`);
    this.#follow = prepareArrays(db, `${follows} AND f.room_id = ? AND f.thread_root_seq = ?`);
    this.#counts = new UnreadCounts(db);
  }

  /** Every room of the account, those with nothing unread too; an encoded UnreadResponse. */
  unread(accountId: number, revision: number): Uint8Array {
    const rooms: RoomUnread[] = [];
    let unreadCount = 0;
    let mentionCount = 0;
    const threads = this.threads(accountId);
    for (const [roomId, lastSeq, readSeq] of allArrays(this.#rooms, accountId) as number[][]) {
      if (roomId === undefined || lastSeq === undefined || readSeq === undefined) continue;
      const counts = { ...this.#count(roomId, accountId, readSeq, lastSeq) };
      for (const thread of threads.get(roomId) ?? []) {
        counts.unreadCount += thread.unreadCount;
        counts.mentionCount += thread.mentionCount;
      }
      rooms.push({ roomId, readSeq, lastSeq, ...counts });
      unreadCount += counts.unreadCount;
      mentionCount += counts.mentionCount;
    }
    const all = { rooms, unreadCount, mentionCount, revision, staleMs: 0 };
    return UnreadResponse.encode(all).finish();
  }

  /** What the account follows, by room and in the order of the room. */
  threads(accountId: number): ReadonlyMap<number, FollowedThread[]> {
    const found = allArrays(this.#follows, accountId);
    if (found.length === 0) return NO_THREADS;
    const rooms = new Map<number, FollowedThread[]>();
    for (const values of found) {
      const row = FOLLOWS.row(values);
      const thread = this.#thread(row, values.at(-1) as number);
      const threads = rooms.get(row.roomId);
      if (threads === undefined) rooms.set(row.roomId, [thread]);
      else threads.push(thread);
    }
    return rooms;
  }

  /** Undefined = the account does not follow it. */
  thread(accountId: number, roomId: number, threadRootSeq: number): FollowedThread | undefined {
    const values = firstArray(this.#follow, accountId, roomId, threadRootSeq);
    return values === undefined
      ? undefined
      : this.#thread(FOLLOWS.row(values), values.at(-1) as number);
  }

  /** As it was at `revision`, when `lastSeq` was the room's newest message; without `revision` as it is. */
  inThread(follow: FollowRow, lastSeq: number, revision?: number): Counts {
    const { accountId, roomId, threadRootSeq, readSeq } = follow;
    const position = { accountId, roomId, threadRootSeq, readSeq, lastSeq };
    return this.#counts.countThread(position, revision);
  }

  #thread(row: FollowRow, lastSeq: number): FollowedThread {
    return followedThread(row, this.inThread(row, lastSeq));
  }

  /** Of a member, in the room itself. */
  of(room: RoomRow, { accountId, readSeq }: MemberRow): Counts {
    return this.#count(room.id, accountId, readSeq, room.lastSeq);
  }

  /** As it was at `revision`, when `lastSeq` was the room's newest message. */
  asOf({ roomId, accountId, readSeq }: MemberRow, lastSeq: number, revision: number): Counts {
    return this.#count(roomId, accountId, readSeq, lastSeq, revision);
  }

  #count(
    roomId: number,
    accountId: number,
    readSeq: number,
    lastSeq: number,
    revision?: number,
  ): Counts {
    const sender = readSeq < lastSeq ? firstArray(this.#sender, roomId, accountId) : undefined;
    const [sentCount = 0, lastSentSeq = 0, sentReplies = 0] = (sender ?? []) as number[];
    const sent = { sentCount, lastSentSeq, sentReplies };
    return this.#counts.count({ roomId, accountId, readSeq, lastSeq, ...sent }, revision);
  }
}
