// The one thing that the chat state needs of SQLite. Whoever owns the file opens it, sets its pragmas and closes it.
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";

/** An open database; a `DatabaseSync` of node:sqlite is one. */
export type ChatDatabase = Pick<DatabaseSync, "exec" | "prepare">;

type Row = Record<string, SQLOutputValue>;

/** A prepared statement; values are in the order of its question marks. */
export interface Statement {
  run(...values: SQLInputValue[]): { readonly changes: number | bigint };
  /** The first row. */
  get(...values: SQLInputValue[]): Row | undefined;
  all(...values: SQLInputValue[]): Row[];
  iterate(...values: SQLInputValue[]): Iterable<Row>;
}

/**
 * A statement that SQLite compiles when it is first used. The chat has a hundred and fifty of them, most of which a process that looks
 * something up, verifies a copy or is restarted again soon never needs.
 */
class LazyStatement implements Statement {
  readonly #db: ChatDatabase;
  readonly #sql: string;
  readonly #asArrays: boolean;
  #compiled: StatementSync | undefined;

  constructor(db: ChatDatabase, sql: string, asArrays: boolean) {
    this.#db = db;
    this.#sql = sql;
    this.#asArrays = asArrays;
  }

  run(...values: SQLInputValue[]): { readonly changes: number | bigint } {
    return this.#statement().run(...values);
  }

  get(...values: SQLInputValue[]): Row | undefined {
    return this.#statement().get(...values);
  }

  all(...values: SQLInputValue[]): Row[] {
    return this.#statement().all(...values);
  }

  iterate(...values: SQLInputValue[]): Iterable<Row> {
    return this.#statement().iterate(...values);
  }

  #statement(): StatementSync {
    if (this.#compiled === undefined) {
      this.#compiled = this.#db.prepare(this.#sql);
      if (this.#asArrays) this.#compiled.setReturnArrays(true);
    }
    return this.#compiled;
  }
}

/** A statement whose rows, if it has any, come as objects. */
export function prepare(db: ChatDatabase, sql: string): Statement {
  return new LazyStatement(db, sql, false);
}

/** A statement whose rows come as arrays of values: cheaper, and in the order of the columns. */
export function prepareArrays(db: ChatDatabase, sql: string): Statement {
  return new LazyStatement(db, sql, true);
}
