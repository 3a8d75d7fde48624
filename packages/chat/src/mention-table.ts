// Who was mentioned where, for counting: rows are only added. What became of a message since stands in the message itself.
import { type ChatDatabase, prepare, type Statement } from "./database.ts";
import type { HashSum, RowHasher } from "./hash.ts";
import { MENTIONS, type MentionRow } from "./rows.ts";
import { columnsOf } from "./schema.ts";

export class MentionTable {
  readonly #sum: HashSum;
  readonly #hasher: RowHasher;
  readonly #insert: Statement;

  constructor(db: ChatDatabase, sum: HashSum, hasher: RowHasher) {
    this.#sum = sum;
    this.#hasher = hasher;
    this.#insert = prepare(
      db,
      `INSERT INTO mentions (${columnsOf(MENTIONS)}) VALUES (${MENTIONS.columns.map(() => "?").join(", ")})`,
    );
  }

  add(mention: MentionRow): void {
    const values = MENTIONS.values(mention);
    this.#insert.run(...values);
    this.#hasher.hash(MENTIONS.tag, values, MENTIONS.added);
    this.#sum.add(this.#hasher.a, this.#hasher.b);
  }
}
