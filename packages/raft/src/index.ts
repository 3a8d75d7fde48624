/**
 * Consensus as a pure state machine: no I/O, no clock, no randomness, no imports. `RawNode` is one
 * member; `api.ts` says what it promises, `raft.ts` is where its inside begins.
 */
export type * from "./api.ts";
export type { DecodedConfChange } from "./confchange-codec.ts";
export {
  CONF_CHANGE_CONTEXT_MAX,
  CONF_CHANGES_MAX,
  decodeConfChange,
  encodeConfChange,
} from "./confchange-codec.ts";
export { describeChanges, describeConfChange, parseChanges } from "./confchange-text.ts";
export { entriesSize, entrySize, payloadsSize } from "./entry.ts";
export { InvariantViolation } from "./invariant.ts";
export { MemoryStorage } from "./memory-storage.ts";
export { RawNode } from "./raw-node.ts";
export type { Compacted, Storage, Unavailable } from "./storage.ts";
export { describeProgress } from "./tracker/progress.ts";
export { describeConfig } from "./tracker/tracker.ts";
export * from "./types.ts";
