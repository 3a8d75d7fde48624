/** Durable storage: the raft log and the chat file in SQLite, each on threads of its own. */
export { StorageError, type StorageErrorData, type StorageErrorKind } from "./errors.ts";
export * from "./high-water.ts";
export { SqliteLogStore } from "./sqlite-log-store.ts";
