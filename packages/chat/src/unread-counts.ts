// How much of a room an account has not read: messages after its read position, not its own, not deleted; and among them those that
// mention it. Counted without scanning: sequences have no gaps (P3), an author's messages in a room are numbered and linked, and
// deleted ones and mentions have indexes of their own.
import type { ChatDatabase, Statement } from "./database.ts";
import type { SqlValue } from "./hash.ts";
import { firstArray, prepareArrays } from "./schema.ts";

/** Somebody's place in a room. */
export interface ReadPosition {
  readonly roomId: number;
  readonly accountId: number;
  readonly readSeq: number;
  readonly lastSeq: number;
  /** How much the account itself has sent there, and the number of the latest; 0 = nothing. */
  readonly sentCount: number;
  readonly lastSentSeq: number;
}

/**
 * The counts as they were at an earlier revision, for a subscriber that is caught up from `base` and will be told of what was deleted
 * after `revision`. `lastSeq` of the position is as it was then.
 */
export interface AsOf {
  readonly revision: number;
  readonly base: number;
}

export interface Counts {
  readonly unreadCount: number;
  readonly mentionCount: number;
}

const NOTHING: Counts = { unreadCount: 0, mentionCount: 0 };

/** Tombstones that the subscriber has not been told of count as the messages that they were. */
const TOLD = "(m.id > ?5 OR m.changed_revision <= ?6)";

export class UnreadCounts {
  readonly #indexedAfter: Statement;
  readonly #bySeq: Statement;
  readonly #deletedAfter: Statement;
  readonly #deletedAsOf: Statement;
  readonly #mentions: Statement;
  readonly #mentionsAsOf: Statement;

  constructor(db: ChatDatabase) {
    const link = "SELECT seq, author_seq, author_prev_seq FROM messages";
    this.#indexedAfter = prepareArrays(
      db,
      `${link} WHERE room_id = ? AND author_id = ? AND seq > ? AND author_seq % 32 = 0
       ORDER BY seq LIMIT 1`,
    );
    this.#bySeq = prepareArrays(db, `${link} WHERE room_id = ? AND seq = ?`);
    const deleted = `SELECT count(*) FROM messages m
       WHERE m.room_id = ?1 AND m.seq > ?2 AND m.seq <= ?3 AND m.author_id <> ?4 AND m.deleted = 1`;
    this.#deletedAfter = prepareArrays(db, deleted);
    this.#deletedAsOf = prepareArrays(db, `${deleted} AND ${TOLD}`);
    const mentions = `SELECT count(*) FROM mentions n JOIN messages m ON m.id = n.message_id
       WHERE n.account_id IN (0, ?4) AND n.room_id = ?1 AND n.seq > ?2 AND n.seq <= ?3 AND m.author_id <> ?4`;
    this.#mentions = prepareArrays(db, `${mentions} AND m.deleted = 0`);
    this.#mentionsAsOf = prepareArrays(db, `${mentions} AND NOT (m.deleted = 1 AND ${TOLD})`);
  }

  count(position: ReadPosition, asOf?: AsOf): Counts {
    const { roomId, accountId, readSeq, lastSeq } = position;
    if (readSeq >= lastSeq) return NOTHING;
    const own = this.#ownAfter(position, readSeq) - this.#ownAfter(position, lastSeq);
    const range: SqlValue[] = [roomId, readSeq, lastSeq, accountId];
    const [deleted, mentions] =
      asOf === undefined
        ? [firstArray(this.#deletedAfter, ...range), firstArray(this.#mentions, ...range)]
        : [
            firstArray(this.#deletedAsOf, ...range, asOf.base, asOf.revision),
            firstArray(this.#mentionsAsOf, ...range, asOf.base, asOf.revision),
          ];
    return {
      unreadCount: lastSeq - readSeq - own - (deleted?.[0] as number),
      mentionCount: mentions?.[0] as number,
    };
  }

  /** How many messages the account itself has sent after `seq`; at most 33 rows are looked at. */
  #ownAfter({ roomId, accountId, sentCount, lastSentSeq }: ReadPosition, seq: number): number {
    if (seq >= lastSentSeq) return 0;
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
