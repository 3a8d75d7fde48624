// Who gave which emoji to which message. What a message shows of it is kept with the message (see MessageRow.reactions), so
// that reading one looks at no other row. Never cached; SQLite finds them by index.
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "./database.ts";
import type { HashSum, RowHasher } from "./hash.ts";
import { REACTIONS, type ReactionRow } from "./rows.ts";
import { allArrays, columnsOf, firstArray } from "./schema.ts";

export class ReactionTable {
  readonly #sum: HashSum;
  readonly #hasher: RowHasher;
  readonly #insert: Statement;
  readonly #delete: Statement;
  readonly #find: Statement;
  readonly #ofMessage: Statement;
  readonly #accountAt: Statement;

  constructor(db: ChatDatabase, sum: HashSum, hasher: RowHasher) {
    this.#sum = sum;
    this.#hasher = hasher;
    const columns = columnsOf(REACTIONS);
    this.#insert = prepare(
      db,
      `INSERT INTO reactions (${columns}) VALUES (${REACTIONS.columns.map(() => "?").join(", ")})`,
    );
    this.#delete = prepare(db, "DELETE FROM reactions WHERE id = ?");
    const ofMessage = `SELECT ${columns} FROM reactions WHERE message_id = ?`;
    this.#find = prepareArrays(db, `${ofMessage} AND emoji = ? AND account_id = ?`);
    this.#ofMessage = prepareArrays(db, ofMessage);
    this.#accountAt = prepareArrays(
      db,
      "SELECT account_id FROM reactions WHERE message_id = ? AND emoji = ? ORDER BY id LIMIT 1 OFFSET ?",
    );
  }

  find(messageId: number, emoji: string, accountId: number): ReactionRow | undefined {
    const values = firstArray(this.#find, messageId, emoji, accountId);
    return values === undefined ? undefined : REACTIONS.row(values);
  }

  /** Who gave the emoji, by order in which they did; the first is 0. */
  accountAt(messageId: number, emoji: string, place: number): number | undefined {
    return firstArray(this.#accountAt, messageId, emoji, place)?.[0] as number | undefined;
  }

  add(reaction: ReactionRow): void {
    const values = REACTIONS.values(reaction);
    this.#insert.run(...values);
    this.#hasher.hash(REACTIONS.tag, values);
    this.#sum.add(this.#hasher.a, this.#hasher.b);
  }

  remove(reaction: ReactionRow): void {
    this.#delete.run(reaction.id);
    this.#hasher.hash(REACTIONS.tag, REACTIONS.values(reaction));
    this.#sum.subtract(this.#hasher.a, this.#hasher.b);
  }

  /** All of a message's. */
  drop(messageId: number): void {
    for (const values of allArrays(this.#ofMessage, messageId)) this.remove(REACTIONS.row(values));
  }
}
