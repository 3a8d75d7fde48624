// What applying one command works with: the state, the command's place in the log, and what comes out
// of it. A handler first checks everything and only then changes anything, so that a refusal leaves
// no trace.
import { ParleyError, type ParleyErrorDetails, type Reason } from "@parley/protocol";
import type { AccountRow, MemberRow, RoomRow, SessionRow } from "../rows.ts";
import type { ChatState } from "../state.ts";
import type { AdmissionChange, Delivery } from "../types.ts";

/** The encoded response, or why the command is refused. */
export type Result = Uint8Array | ParleyError;

export class ApplyContext {
  readonly state: ChatState;
  /** The entry's log index. */
  readonly revision: number;
  /** Replicated time, milliseconds since the Unix epoch. */
  readonly stampMs: number;
  readonly changes: AdmissionChange[] = [];
  readonly deliveries: Delivery[] = [];

  constructor(state: ChatState, revision: number, stampMs: number) {
    this.state = state;
    this.revision = revision;
    this.stampMs = stampMs;
  }

  toRoom(roomId: number, event: Uint8Array, exceptAccountId = 0): void {
    this.deliveries.push({ audience: { kind: "room", roomId, exceptAccountId }, event });
  }

  toAccount(accountId: number, event: Uint8Array): void {
    this.deliveries.push({ audience: { kind: "account", accountId }, event });
  }

  toEveryone(event: Uint8Array): void {
    this.deliveries.push({ audience: { kind: "everyone" }, event });
  }

  /** Something happened in the room that its members see. */
  roomActivity(room: RoomRow): void {
    room.activityRevision = this.revision;
    this.state.changedRoom(room);
  }
}

export function refuse(reason: Reason, message: string, details?: ParleyErrorDetails): ParleyError {
  return new ParleyError(reason, message, details);
}

export function accountChange(account: AccountRow): AdmissionChange {
  return {
    kind: "account",
    accountId: account.id,
    username: account.username,
    usernameKey: account.usernameKey ?? "",
    displayName: account.displayName,
    owner: account.owner,
    deleted: account.deleted,
    lastSeenMs: account.lastSeenMs,
    credentialsRevision: account.credentialsRevision,
    readsHidden: account.readsHidden,
  };
}

export function blockedChange(accountId: number, blocked: ReadonlySet<number>): AdmissionChange {
  return { kind: "blocked", accountId, blockedIds: [...blocked] };
}

export function sessionChange(session: SessionRow): AdmissionChange {
  return {
    kind: "session",
    sessionId: session.id,
    accountId: session.accountId,
    tokenHash: session.tokenHash,
    expiresAtMs: session.expiresAtMs,
  };
}

export function roomChange(room: RoomRow): AdmissionChange {
  return {
    kind: "room",
    roomId: room.id,
    visibility: room.visibility as 1 | 2 | 3,
    deleted: room.deleted,
  };
}

/** For a current member. */
export function memberChange(member: MemberRow): AdmissionChange {
  return {
    kind: "member",
    roomId: member.roomId,
    accountId: member.accountId,
    role: member.role as 1 | 2 | 3,
    joinedRevision: member.joinedRevision,
    writeForbiddenUntilMs: member.writeForbiddenUntilMs,
  };
}
