// Who follows which thread, and how far they have read in it. Never cached; SQLite finds them by index.
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "./database.ts";
import type { HashSum, RowHasher } from "./hash.ts";
import { FOLLOWS, type FollowRow } from "./rows.ts";
import { columnsOf, firstArray } from "./schema.ts";

export class FollowTable {
  readonly #sum: HashSum;
  readonly #hasher: RowHasher;
  readonly #put: Statement;
  readonly #remove: Statement;
  readonly #find: Statement;
  readonly #count: Statement;
  readonly #oldest: Statement;

  constructor(db: ChatDatabase, sum: HashSum, hasher: RowHasher) {
    this.#sum = sum;
    this.#hasher = hasher;
    const columns = columnsOf(FOLLOWS);
    const key = "account_id = ? AND room_id = ? AND thread_root_seq = ?";
    this.#put = prepare(
      db,
      `INSERT OR REPLACE INTO follows (${columns}) VALUES (${FOLLOWS.columns.map(() => "?").join(", ")})`,
    );
    this.#remove = prepare(db, `DELETE FROM follows WHERE ${key}`);
    this.#find = prepareArrays(db, `SELECT ${columns} FROM follows WHERE ${key}`);
    const live = "FROM follows WHERE account_id = ? AND following = 1";
    this.#count = prepareArrays(db, `SELECT count(*) ${live}`);
    this.#oldest = prepareArrays(
      db,
      `SELECT ${columns} ${live} ORDER BY changed_revision, room_id, thread_root_seq LIMIT 1`,
    );
  }

  find(accountId: number, roomId: number, threadRootSeq: number): FollowRow | undefined {
    const values = firstArray(this.#find, accountId, roomId, threadRootSeq);
    return values === undefined ? undefined : FOLLOWS.row(values);
  }

  /** How many threads an account follows; at most one more than it may. */
  count(accountId: number): number {
    return firstArray(this.#count, accountId)?.[0] as number;
  }

  /** Of those that the account follows the one that changed least recently. */
  oldest(accountId: number): FollowRow | undefined {
    const values = firstArray(this.#oldest, accountId);
    return values === undefined ? undefined : FOLLOWS.row(values);
  }

  /** In the place of `before`, what `find` gave. */
  put(before: FollowRow | undefined, after: FollowRow): void {
    if (before !== undefined) this.#subtract(before);
    const values = FOLLOWS.values(after);
    this.#put.run(...values);
    this.#hasher.hash(FOLLOWS.tag, values);
    this.#sum.add(this.#hasher.a, this.#hasher.b);
  }

  remove(row: FollowRow): void {
    this.#subtract(row);
    this.#remove.run(row.accountId, row.roomId, row.threadRootSeq);
  }

  #subtract(row: FollowRow): void {
    this.#hasher.hash(FOLLOWS.tag, FOLLOWS.values(row));
    this.#sum.subtract(this.#hasher.a, this.#hasher.b);
  }
}
