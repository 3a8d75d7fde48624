// How much of a room an account has not read: messages after its read position, not its own, not deleted; and among them those that
// mention it. Counted without scanning: sequences have no gaps (P3), an author's messages in a room are numbered and linked, and
// deleted ones and mentions have indexes of their own.
//
// Replies in threads are nobody's unread messages but those of who follows the thread, and are counted for each thread by itself, after
// a read position in that thread. The room's position can't stand for it: the room does not show them, so who has read the room to its
// end has not seen them, and who reads a thread has not seen the room. They are numbered too: in the room and by author, so that they
// are left out of the room's count, and in the thread and by author there.
import { type ChatDatabase, prepareArrays, type Statement } from "./database.ts";
import type { SqlValue } from "./hash.ts";
import { firstArray } from "./schema.ts";

/** Somebody's place in a room. */
export interface ReadPosition {
  readonly roomId: number;
  readonly accountId: number;
  readonly readSeq: number;
  readonly lastSeq: number;
  /** How much the account itself has sent there, and the number of the latest; 0 = nothing. */
  readonly sentCount: number;
  readonly lastSentSeq: number;
  /** How much of that were replies in threads. */
  readonly sentReplies: number;
}

/** Somebody's place in a thread that they follow. */
export interface ThreadPosition {
  readonly roomId: number;
  readonly threadRootSeq: number;
  readonly accountId: number;
  readonly readSeq: number;
  /** The room's. */
  readonly lastSeq: number;
}

export interface Counts {
  readonly unreadCount: number;
  readonly mentionCount: number;
}

const NOTHING: Counts = { unreadCount: 0, mentionCount: 0 };
/** Past every revision. */
const NOW = Number.MAX_SAFE_INTEGER;

/** What was deleted after the revision counts as the message that it was: a tombstone never changes again. */
const DELETED_BY_THEN = "m.deleted = 1 AND m.changed_revision <= ?5";

export class UnreadCounts {
  readonly #indexedAfter: Statement;
  readonly #bySeq: Statement;
  readonly #deleted: Statement;
  readonly #mentions: Statement;
  readonly #repliesSoFar: Statement;
  readonly #threadSeqAt: Statement;
  readonly #authorThreadSeqAt: Statement;
  readonly #deletedReplies: Statement;
  readonly #threadMentions: Statement;

  constructor(db: ChatDatabase) {
    const link = "SELECT seq, author_seq - author_replies_so_far, author_prev_seq FROM messages";
    this.#indexedAfter = prepareArrays(
      db,
      `${link} WHERE room_id = ? AND author_id = ? AND seq > ? AND author_seq % 32 = 0
       ORDER BY seq LIMIT 1`,
    );
    this.#bySeq = prepareArrays(db, `${link} WHERE room_id = ? AND seq = ?`);
    const deleted = `SELECT count(*) FROM messages m
       WHERE m.room_id = ?1 AND m.seq > ?2 AND m.seq <= ?3 AND m.author_id <> ?4 AND ${DELETED_BY_THEN}`;
    this.#deleted = prepareArrays(db, `${deleted} AND m.thread_root_seq = 0`);
    const mentions = `SELECT count(*) FROM mentions n JOIN messages m ON m.id = n.message_id
       WHERE n.account_id IN (0, ?4) AND n.room_id = ?1 AND n.seq > ?2 AND n.seq <= ?3 AND m.author_id <> ?4
         AND NOT (${DELETED_BY_THEN})`;
    this.#mentions = prepareArrays(db, `${mentions} AND n.thread_root_seq = 0`);
    this.#repliesSoFar = prepareArrays(
      db,
      "SELECT replies_so_far FROM messages WHERE room_id = ? AND seq = ?",
    );
    const inThread = "thread_root_seq > 0 AND thread_root_seq";
    const at = `FROM messages WHERE room_id = ?1 AND ${inThread} = ?2 AND seq <= ?3`;
    const last = "ORDER BY seq DESC LIMIT 1";
    this.#threadSeqAt = prepareArrays(db, `SELECT thread_seq ${at} ${last}`);
    this.#authorThreadSeqAt = prepareArrays(
      db,
      `SELECT author_thread_seq ${at} AND author_id = ?4 ${last}`,
    );
    this.#deletedReplies = prepareArrays(
      db,
      `${deleted} AND m.thread_root_seq > 0 AND m.thread_root_seq = ?6`,
    );
    this.#threadMentions = prepareArrays(
      db,
      `${mentions} AND n.thread_root_seq > 0 AND n.thread_root_seq = ?6`,
    );
  }

  /** Of the room itself, as it was at `revision`, when the position's `lastSeq` was its newest message. */
  count(position: ReadPosition, revision = NOW): Counts {
    const { roomId, accountId, readSeq, lastSeq } = position;
    if (readSeq >= lastSeq) return NOTHING;
    const own = this.#ownAfter(position, readSeq) - this.#ownAfter(position, lastSeq);
    const range: SqlValue[] = [roomId, readSeq, lastSeq, accountId, revision];
    const deleted = firstArray(this.#deleted, ...range)?.[0] as number;
    return {
      unreadCount: lastSeq - readSeq - this.#repliesWithin(position) - own - deleted,
      mentionCount: firstArray(this.#mentions, ...range)?.[0] as number,
    };
  }

  /** Of a thread, as with `count`. */
  countThread(position: ThreadPosition, revision = NOW): Counts {
    const { roomId, threadRootSeq, accountId, readSeq, lastSeq } = position;
    if (readSeq >= lastSeq) return NOTHING;
    const after = (statement: Statement, ...more: SqlValue[]): number => {
      const upTo = (seq: number) =>
        (firstArray(statement, roomId, threadRootSeq, seq, ...more)?.[0] as number | undefined) ??
        0;
      return upTo(lastSeq) - upTo(readSeq);
    };
    const replies = after(this.#threadSeqAt);
    if (replies === 0) return NOTHING;
    const own = after(this.#authorThreadSeqAt, accountId);
    const range: SqlValue[] = [roomId, readSeq, lastSeq, accountId, revision, threadRootSeq];
    const deleted = firstArray(this.#deletedReplies, ...range)?.[0] as number;
    return {
      unreadCount: replies - own - deleted,
      mentionCount: firstArray(this.#threadMentions, ...range)?.[0] as number,
    };
  }

  /** How many replies in threads stand between. */
  #repliesWithin({ roomId, readSeq, lastSeq }: ReadPosition): number {
    const upTo = (seq: number) =>
      (firstArray(this.#repliesSoFar, roomId, seq)?.[0] as number | undefined) ?? 0;
    const last = upTo(lastSeq);
    return last === 0 ? 0 : last - upTo(readSeq);
  }

  /** How much the account itself has sent to the room after `seq`; at most 33 rows are looked at. */
  #ownAfter(position: ReadPosition, seq: number): number {
    const { roomId, accountId, lastSentSeq } = position;
    if (seq >= lastSentSeq) return 0;
    const sentCount = position.sentCount - position.sentReplies;
    if (seq === 0) return sentCount;
    let link =
      firstArray(this.#indexedAfter, roomId, accountId, seq) ??
      firstArray(this.#bySeq, roomId, lastSentSeq);
    while (link !== undefined && (link[0] as number) > seq) {
      link = firstArray(this.#bySeq, roomId, link[2] as number);
    }
    return sentCount - ((link?.[1] as number | undefined) ?? 0);
  }
}
