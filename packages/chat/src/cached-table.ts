// One table that is kept in memory whole: changed rows are written, and folded into the state hash,
// once per transaction however often they changed in it. The tables at an applied index are the same
// whatever the batching, because only the last form of a row is ever written.
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "./database.ts";
import type { HashSum, RowHasher } from "./hash.ts";
import type { TableDefinition, Tracked } from "./rows.ts";
import { allArrays, columnsOf } from "./schema.ts";

export class CachedTable<Row extends Tracked> {
  readonly #definition: TableDefinition<Row>;
  readonly #upsert: Statement;
  readonly #delete: Statement;
  readonly #select: Statement;
  readonly #changed = new Set<Row>();
  readonly #removed = new Set<Row>();

  constructor(db: ChatDatabase, definition: TableDefinition<Row>) {
    this.#definition = definition;
    const { name, key, columns } = definition;
    const set = columns
      .filter((column) => !key.includes(column))
      .map((c) => `${c} = excluded.${c}`);
    this.#upsert = prepare(
      db,
      `INSERT INTO ${name} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})
       ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${set.join(", ")}`,
    );
    this.#delete = prepare(
      db,
      `DELETE FROM ${name} WHERE ${key.map((column) => `${column} = ?`).join(" AND ")}`,
    );
    this.#select = prepareArrays(
      db,
      `SELECT ${columnsOf(definition)} FROM ${name} ORDER BY ${key.join(", ")}`,
    );
  }

  /** Every row of the table, in the order of its key. */
  load(hasher: RowHasher): Row[] {
    return allArrays(this.#select).map((values) => {
      const row = this.#definition.row(values);
      hasher.hash(this.#definition.tag, values, this.#definition.added);
      row.hashA = hasher.a;
      row.hashB = hasher.b;
      return row;
    });
  }

  /** The row is new or has changed. */
  touch(row: Row): void {
    this.#changed.add(row);
  }

  /** The row is gone for good. */
  remove(row: Row): void {
    this.#changed.delete(row);
    if (row.stored) this.#removed.add(row);
  }

  /** Writes what changed and folds it into `sum`. */
  flush(sum: HashSum, hasher: RowHasher): void {
    const { tag, key, added } = this.#definition;
    for (const row of this.#removed) {
      sum.subtract(row.hashA, row.hashB);
      this.#delete.run(...this.#definition.values(row).slice(0, key.length));
      row.stored = false;
    }
    this.#removed.clear();
    for (const row of this.#changed) {
      const values = this.#definition.values(row);
      if (row.stored) sum.subtract(row.hashA, row.hashB);
      hasher.hash(tag, values, added);
      row.hashA = hasher.a;
      row.hashB = hasher.b;
      row.stored = true;
      sum.add(row.hashA, row.hashB);
      this.#upsert.run(...values);
    }
    this.#changed.clear();
  }
}
