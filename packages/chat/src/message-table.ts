// The messages: appended, and turned into tombstones. Never cached; SQLite finds them by index.
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "./database.ts";
import type { HashSum, RowHasher, SqlValue } from "./hash.ts";
import { MESSAGES, type MessageRow } from "./rows.ts";
import { columnsOf, firstArray } from "./schema.ts";
import type { SearchIndex } from "./search/index-table.ts";

export class MessageTable {
  readonly #sum: HashSum;
  readonly #hasher: RowHasher;
  readonly #search: SearchIndex;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #byClientId: Statement;
  readonly #bySeq: Statement;
  readonly #pinCount: Statement;
  readonly #threadSeq: Statement;
  readonly #authorThreadSeq: Statement;
  readonly #lastReply: Statement;

  constructor(db: ChatDatabase, sum: HashSum, hasher: RowHasher, search: SearchIndex) {
    this.#sum = sum;
    this.#hasher = hasher;
    this.#search = search;
    const columns = columnsOf(MESSAGES);
    this.#insert = prepare(
      db,
      `INSERT INTO messages (${columns}) VALUES (${MESSAGES.columns.map(() => "?").join(", ")})`,
    );
    this.#update = prepare(
      db,
      `UPDATE messages SET body = ?, deleted = ?, changed_revision = ?, version = ?, edited_at_ms = ?,
       reactions = ?, pinned_revision = ?, thread = ?, attachments = ? WHERE id = ?`,
    );
    this.#byClientId = prepareArrays(
      db,
      `SELECT ${columns} FROM messages WHERE author_id = ? AND client_message_id = ?`,
    );
    this.#bySeq = prepareArrays(
      db,
      `SELECT ${columns} FROM messages WHERE room_id = ? AND seq = ?`,
    );
    this.#pinCount = prepareArrays(
      db,
      "SELECT count(*) FROM messages WHERE room_id = ? AND pinned_revision > 0",
    );
    const reply = "FROM messages WHERE room_id = ? AND thread_root_seq = ? AND thread_root_seq > 0";
    const last = "ORDER BY seq DESC LIMIT 1";
    this.#threadSeq = prepareArrays(db, `SELECT seq, thread_seq ${reply} ${last}`);
    this.#authorThreadSeq = prepareArrays(
      db,
      `SELECT author_thread_seq ${reply} AND author_id = ? ${last}`,
    );
    this.#lastReply = prepareArrays(
      db,
      `SELECT ${columns} ${reply} AND seq < ? AND deleted = 0 ${last}`,
    );
  }

  byClientId(authorId: number, clientMessageId: string): MessageRow | undefined {
    const values = firstArray(this.#byClientId, authorId, clientMessageId);
    return values === undefined ? undefined : MESSAGES.row(values);
  }

  bySeq(roomId: number, seq: number): MessageRow | undefined {
    const values = firstArray(this.#bySeq, roomId, seq);
    return values === undefined ? undefined : MESSAGES.row(values);
  }

  /** How many of a room's are pinned. */
  pinCount(roomId: number): number {
    return firstArray(this.#pinCount, roomId)?.[0] as number;
  }

  /** A thread's newest reply, deleted or not, and its how-manieth it is; zeros = nobody replied. */
  lastInThread(roomId: number, threadRootSeq: number): { seq: number; threadSeq: number } {
    const [seq = 0, threadSeq = 0] = (firstArray(this.#threadSeq, roomId, threadRootSeq) ??
      []) as number[];
    return { seq, threadSeq };
  }

  /** How often an account has replied in a thread. */
  repliesOf(roomId: number, threadRootSeq: number, authorId: number): number {
    const values = firstArray(this.#authorThreadSeq, roomId, threadRootSeq, authorId);
    return (values?.[0] as number | undefined) ?? 0;
  }

  /**
   * The newest reply before `seq` that is not deleted. It looks at those deleted in between; nobody deletes them twice, so it is a step
   * for each deletion at the most.
   */
  lastReplyBefore(roomId: number, threadRootSeq: number, seq: number): MessageRow | undefined {
    const values = firstArray(this.#lastReply, roomId, threadRootSeq, seq);
    return values === undefined ? undefined : MESSAGES.row(values);
  }

  append(message: MessageRow): void {
    const values = MESSAGES.values(message);
    this.#insert.run(...values);
    this.#hash(values);
    this.#sum.add(this.#hasher.a, this.#hasher.b);
    this.#search.appended();
  }

  /** Replaces `before` with a later form of it: body, tombstone, edits, reactions, pin, thread, files and change revision. */
  replace(before: MessageRow, after: MessageRow): void {
    this.#hash(MESSAGES.values(before));
    this.#sum.subtract(this.#hasher.a, this.#hasher.b);
    this.#hash(MESSAGES.values(after));
    this.#sum.add(this.#hasher.a, this.#hasher.b);
    const { id, body, deleted, changedRevision, version, editedAtMs } = after;
    const { reactions, pinnedRevision, thread, attachments } = after;
    const isDeleted = deleted ? 1 : 0;
    const values = [body, isDeleted, changedRevision, version, editedAtMs];
    this.#update.run(...values, reactions, pinnedRevision, thread, attachments, id);
    this.#search.replaced(before, after);
  }

  #hash(values: readonly SqlValue[]): void {
    this.#hasher.hash(MESSAGES.tag, values, MESSAGES.added);
  }
}
