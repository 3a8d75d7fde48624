/** Consensus as a pure state machine: no I/O, no clock, no randomness, no imports. */
export type * from "./api.ts";
export type { Compacted, Storage, Unavailable } from "./storage.ts";
export * from "./types.ts";
