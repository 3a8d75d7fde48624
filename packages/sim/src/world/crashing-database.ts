// A database whose process dies right after the next transaction that it commits: what it has then is
// what a restarted process finds. If all that belongs together is in one transaction, nothing is torn.
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ChatDatabase } from "@parley/chat";

export class Crash extends Error {
  override readonly name = "Crash";
}

export class CrashingDatabase implements ChatDatabase {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  exec(sql: string): void {
    this.#db.exec(sql);
    this.#written();
  }

  prepare(sql: string): StatementSync {
    const statement = this.#db.prepare(sql);
    const run = statement.run.bind(statement) as (...values: unknown[]) => unknown;
    return Object.defineProperty(statement, "run", {
      value: (...values: unknown[]) => {
        const result = run(...values);
        this.#written();
        return result;
      },
    });
  }

  #written(): void {
    if (!this.#db.isTransaction) throw new Crash("after a commit");
  }
}
