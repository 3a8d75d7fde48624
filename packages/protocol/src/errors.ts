// One error class for failed requests: a gRPC status code, a stable reason for programs, a sentence
// for people and, where a retry helps, a delay.
import type { Error as WireError } from "./generated/parley/v1/session.ts";

/** gRPC status codes, by their standard names (grpc/status). */
export const StatusCode = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type StatusCode = (typeof StatusCode)[keyof typeof StatusCode];

/** Every reason that an operation can fail with, and its status code. Stable: programs match on it. */
export const REASONS = {
  // The request itself.
  MALFORMED: StatusCode.INVALID_ARGUMENT,
  INVALID_ARGUMENT: StatusCode.INVALID_ARGUMENT,
  TOO_LARGE: StatusCode.INVALID_ARGUMENT,
  UNKNOWN_OPERATION: StatusCode.UNIMPLEMENTED,
  PROTOCOL_VERSION: StatusCode.FAILED_PRECONDITION,
  WRONG_CLUSTER: StatusCode.FAILED_PRECONDITION,
  // An operation that came with a newer version of Parley than some member of the cluster runs.
  NOT_YET_SUPPORTED: StatusCode.FAILED_PRECONDITION,
  // This program is older than what the cluster's state holds.
  TOO_OLD: StatusCode.FAILED_PRECONDITION,
  // A node whose disk was lost comes under an identity that the cluster knows differently (P9).
  WIPED_DISK: StatusCode.FAILED_PRECONDITION,
  // Changing the membership (P8, P9).
  REMOVED: StatusCode.FAILED_PRECONDITION,
  ID_IN_USE: StatusCode.ALREADY_EXISTS,
  ID_EXISTS: StatusCode.ALREADY_EXISTS,
  ADDRESS_EXISTS: StatusCode.ALREADY_EXISTS,
  SERVER_NOT_FOUND: StatusCode.NOT_FOUND,
  SERVER_UNREACHABLE: StatusCode.UNAVAILABLE,
  NOT_ADMITTED: StatusCode.UNAVAILABLE,
  NOT_CAUGHT_UP: StatusCode.FAILED_PRECONDITION,
  CHANGE_IN_PROGRESS: StatusCode.ABORTED,
  LAST_VOTER: StatusCode.FAILED_PRECONDITION,
  WOULD_LOSE_QUORUM: StatusCode.FAILED_PRECONDITION,
  // Who asks.
  UNAUTHENTICATED: StatusCode.UNAUTHENTICATED,
  WRONG_CREDENTIALS: StatusCode.UNAUTHENTICATED,
  PERMISSION_DENIED: StatusCode.PERMISSION_DENIED,
  // No certificate of this cluster where one is needed, or one that does not count (P10).
  CERTIFICATE_REFUSED: StatusCode.PERMISSION_DENIED,
  // The first account of an instance that others can reach needs the token that its node printed.
  SETUP_TOKEN_REQUIRED: StatusCode.PERMISSION_DENIED,
  // Registering: nobody may at present, or only with an invite.
  REGISTRATION_CLOSED: StatusCode.PERMISSION_DENIED,
  INVITE_REQUIRED: StatusCode.PERMISSION_DENIED,
  // An invite that does not count: unknown, revoked, expired, used up, or its maker has lost the right.
  INVITE_NOT_FOUND: StatusCode.NOT_FOUND,
  // A password link that does not count: unknown, used, expired, or the password was set since.
  PASSWORD_LINK_NOT_FOUND: StatusCode.NOT_FOUND,
  NOT_A_MEMBER: StatusCode.PERMISSION_DENIED,
  // The other one of a direct conversation has blocked this one.
  BLOCKED: StatusCode.PERMISSION_DENIED,
  BANNED: StatusCode.PERMISSION_DENIED,
  // An admin of the room has forbidden the account to write there.
  MUTED: StatusCode.PERMISSION_DENIED,
  // What it is about.
  ACCOUNT_NOT_FOUND: StatusCode.NOT_FOUND,
  ROOM_NOT_FOUND: StatusCode.NOT_FOUND,
  MESSAGE_NOT_FOUND: StatusCode.NOT_FOUND,
  // It was deleted with its message, given to another one, is not whole yet, or was never there.
  FILE_NOT_FOUND: StatusCode.NOT_FOUND,
  // The message was edited since it was read.
  VERSION_CONFLICT: StatusCode.ABORTED,
  SESSION_NOT_FOUND: StatusCode.NOT_FOUND,
  USERNAME_TAKEN: StatusCode.ALREADY_EXISTS,
  ROOM_NAME_TAKEN: StatusCode.ALREADY_EXISTS,
  ALREADY_A_MEMBER: StatusCode.ALREADY_EXISTS,
  LAST_OWNER: StatusCode.FAILED_PRECONDITION,
  DIRECT_ROOM: StatusCode.FAILED_PRECONDITION,
  LIMIT_REACHED: StatusCode.RESOURCE_EXHAUSTED,
  // Exactly once (P2, P3).
  ID_REUSED: StatusCode.ALREADY_EXISTS,
  ID_EXPIRED: StatusCode.FAILED_PRECONDITION,
  PREDECESSOR_MISSING: StatusCode.FAILED_PRECONDITION,
  CREDENTIALS_CHANGED: StatusCode.ABORTED,
  // The cluster; a retry, often on another node, helps.
  NOT_LEADER: StatusCode.UNAVAILABLE,
  NO_QUORUM: StatusCode.UNAVAILABLE,
  BEHIND: StatusCode.UNAVAILABLE,
  OUTCOME_UNKNOWN: StatusCode.UNAVAILABLE,
  SHUTTING_DOWN: StatusCode.UNAVAILABLE,
  NOT_READY: StatusCode.UNAVAILABLE,
  RATE_LIMITED: StatusCode.RESOURCE_EXHAUSTED,
  OVERLOADED: StatusCode.RESOURCE_EXHAUSTED,
  SLOW_SUBSCRIBER: StatusCode.RESOURCE_EXHAUSTED,
  // Bytes that are not what was promised: a copy or a backup that was damaged on its way or on a disk.
  CORRUPT: StatusCode.DATA_LOSS,
  DISK_FULL: StatusCode.RESOURCE_EXHAUSTED,
  // A data node has been away for so long that the logs, which are kept for it, are as long as they may be.
  WITNESS_LOG_FULL: StatusCode.RESOURCE_EXHAUSTED,
  // The node that was asked is a witness: it has no chat state.
  WITNESS: StatusCode.UNAVAILABLE,
  // The device that a client runs on: what it was to keep is not kept.
  STORAGE_FULL: StatusCode.RESOURCE_EXHAUSTED,
  STORAGE_UNAVAILABLE: StatusCode.FAILED_PRECONDITION,
  DEADLINE_EXCEEDED: StatusCode.DEADLINE_EXCEEDED,
  CANCELLED: StatusCode.CANCELLED,
  INTERNAL: StatusCode.INTERNAL,
} as const satisfies Record<string, StatusCode>;
export type Reason = keyof typeof REASONS;

/** What an error is about, where its reason leaves that open; `limit` is in the unit in parentheses. Stable, as the reasons are. */
export const SUBJECTS = [
  // What was written: INVALID_ARGUMENT or TOO_LARGE (bytes; of a password that is too short, the fewest).
  "username",
  "password",
  // A room's, a person's, a device's or a file's; also a topic.
  "name",
  // What one of them has in it that makes it pass for another.
  "look_alikes",
  "marks",
  "invisible",
  "message",
  "emoji",
  "file",
  // Those of one message (files).
  "files",
  // A search: INVALID_ARGUMENT.
  "search",
  "search_quote",
  "search_word",
  // The beginning of a word (letters that it must have), and how many of them there are.
  "search_star",
  "search_stars",
  "search_filter",
  "search_has",
  "search_day",
  // The device's clock is more than a day ahead: INVALID_ARGUMENT.
  "clock",
  // How many there may be: LIMIT_REACHED (how many; files in bytes).
  "pins",
  "reactions",
  "unsent_files",
  "own_files",
  "all_files",
  "rooms",
  "members",
  "invites",
  "blocks",
  "outbox",
  // Not before then: MUTED (milliseconds since the Unix epoch).
  "until",
  // It may have happened: DEADLINE_EXCEEDED.
  "write",
  // Who or what is missing, or of whom more is asked: NOT_FOUND, PERMISSION_DENIED, LAST_OWNER.
  "account",
  "peer",
  "room",
  "private_room",
  "role",
  "instance",
] as const;
export type Subject = (typeof SUBJECTS)[number];

export interface ParleyErrorDetails {
  /** Milliseconds after which a retry can help; 0 = it does not. */
  readonly retryAfterMs?: number;
  readonly leaderId?: number;
  /** The node's applied revision, with BEHIND. */
  readonly revision?: number;
  readonly subject?: Subject | undefined;
  /** The bound that would have been passed, in the subject's unit; 0 = not said. */
  readonly limit?: number;
  /** Whom or what it is about: a username, a room's name, a filter of a search; "" = not said. */
  readonly named?: string;
}

/** A failed request. `reason` is stable; `message` is a sentence for people. */
export class ParleyError extends Error {
  override readonly name = "ParleyError";
  readonly code: StatusCode;
  readonly reason: Reason;
  readonly retryAfterMs: number;
  readonly leaderId: number;
  readonly revision: number;
  /** One of SUBJECTS, or of a newer version's; "" = not said. */
  readonly subject: string;
  readonly limit: number;
  readonly named: string;

  constructor(reason: Reason, message: string, details: ParleyErrorDetails = {}) {
    super(message);
    this.reason = reason;
    this.code = REASONS[reason];
    this.retryAfterMs = details.retryAfterMs ?? 0;
    this.leaderId = details.leaderId ?? 0;
    this.revision = details.revision ?? 0;
    this.subject = details.subject ?? "";
    this.limit = details.limit ?? 0;
    this.named = details.named ?? "";
  }

  toWire(): WireError {
    return {
      code: this.code,
      reason: this.reason,
      message: this.message,
      retryAfterMs: this.retryAfterMs,
      leaderId: this.leaderId,
      revision: this.revision,
      subject: this.subject,
      limit: this.limit,
      named: this.named,
    };
  }

  /** The error that a peer or server sent; an unknown reason of a newer version becomes INTERNAL, with that reason before its message. */
  static fromWire(error: WireError): ParleyError {
    const known = Object.hasOwn(REASONS, error.reason);
    const reason = known ? (error.reason as Reason) : "INTERNAL";
    const message = known ? error.message : `${error.reason}: ${error.message}`;
    return new ParleyError(reason, message, error as ParleyErrorDetails);
  }

  /** Whatever was thrown, as a ParleyError; anything foreign is INTERNAL. */
  static from(cause: unknown): ParleyError {
    if (cause instanceof ParleyError) return cause;
    return new ParleyError("INTERNAL", cause instanceof Error ? cause.message : String(cause));
  }
}
