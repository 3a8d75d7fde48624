/** Durable storage: the raft log and the chat file in SQLite, each on threads of its own. */
export { decodeConfState, encodeConfState } from "./conf-state-codec.ts";
export { isSameCopy, isSameState } from "./copy-head.ts";
export { entryChecksum, entryTypeCode } from "./entry-codec.ts";
export { StorageError, type StorageErrorData, type StorageErrorKind } from "./errors.ts";
export * from "./high-water.ts";
export type { LogEngineOptions, LogInstall } from "./log-engine.ts";
export { MemoryChatDisk, MemoryChatStore } from "./memory-chat-store.ts";
export { MemoryLogDisk, MemoryLogStore } from "./memory-log-store.ts";
export { type DiskSurvey, recoverNode, surveyDisk } from "./recover.ts";
export { type BackupState, restoreNode, restoreWitness } from "./restore.ts";
export {
  type ChatFileOwner,
  SqliteChatStore,
  type SqliteChatStoreOptions,
} from "./sqlite-chat-store.ts";
export { SqliteLogStore } from "./sqlite-log-store.ts";
export { type WitnessFile, WitnessStore } from "./witness-store.ts";
