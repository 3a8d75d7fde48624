// The replicated chat: commands in, rows and events out. Deterministic; no clock, no network.
export {
  Admission,
  type AdmittedAccount,
  type AdmittedMember,
  type AdmittedRoom,
  type Precheck,
} from "./admission.ts";
export * from "./build-command.ts";
export { checkCommand, stampCommand } from "./check-command.ts";
export type { ChatDatabase } from "./database.ts";
export { InvariantViolation } from "./invariant.ts";
export { ChatMachine, type StateHash } from "./machine.ts";
export { type Mentions, mentionsIn } from "./mentions.ts";
export { ChatReader } from "./read/reader.ts";
export { isUuidV7, uuidV7TimeMs } from "./request-id.ts";
export {
  REGISTRATION_SINCE,
  STATE_VERSION,
  STATE_VERSION_FIRST,
  versionNeeded,
} from "./state-version.ts";
export * from "./text.ts";
export type * from "./types.ts";
