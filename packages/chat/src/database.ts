// The one thing that the chat state needs of SQLite. Only types: whoever owns the file opens it,
// sets its pragmas and closes it.
import type { DatabaseSync, StatementSync } from "node:sqlite";

/** An open database; a `DatabaseSync` of node:sqlite is one. */
export type ChatDatabase = Pick<DatabaseSync, "exec" | "prepare">;
export type Statement = StatementSync;
