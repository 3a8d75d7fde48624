// Sessions: what a bearer token stands for.
import {
  type CreateSessionCommand,
  type EndSessionCommand,
  LIMITS,
  LoginResponse,
  LogoutResponse,
} from "@parley/protocol";
import type { AccountRow, SessionRow } from "../rows.ts";
import { accountView } from "../views.ts";
import { type ApplyContext, accountChange, type Result, refuse, sessionChange } from "./context.ts";

/** Bytes as lower-case hexadecimal. */
export function hexOf(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += (byte < 16 ? "0" : "") + byte.toString(16);
  return hex;
}

export function tokenInUse(context: ApplyContext, tokenHash: Uint8Array): boolean {
  return context.state.sessionByToken(hexOf(tokenHash)) !== undefined;
}

/** Makes room first: expired sessions go, then the oldest ones above the limit. */
export function openSession(
  context: ApplyContext,
  account: AccountRow,
  made: { readonly tokenHash: string; readonly tokenTtlMs: number; readonly device: string },
): SessionRow {
  const { state, stampMs } = context;
  let live = 0;
  const sessions = state.sessionsOf(account.id);
  for (const session of sessions) {
    if (session.expiresAtMs <= stampMs) endSession(context, session);
    else live += 1;
  }
  for (const session of sessions) {
    if (live < LIMITS.loginSessionsPerAccountMax) break;
    if (session.expiresAtMs <= stampMs) continue;
    endSession(context, session);
    live -= 1;
  }
  const session: SessionRow = {
    stored: false,
    hashA: 0,
    hashB: 0,
    id: context.revision,
    accountId: account.id,
    tokenHash: made.tokenHash,
    device: made.device,
    createdAtMs: stampMs,
    expiresAtMs: stampMs + made.tokenTtlMs,
  };
  state.addSession(session);
  context.changes.push(sessionChange(session));
  return session;
}

export function endSession(context: ApplyContext, session: SessionRow): void {
  context.state.removeSession(session);
  context.changes.push({ kind: "session-ended", sessionId: session.id });
}

/** Login. As with Register the response has no token; `tokenExpiresAtMs` ≠ 0 says it is valid. */
export function createSession(
  context: ApplyContext,
  account: AccountRow,
  command: CreateSessionCommand,
): Result {
  const { revision, stampMs } = context;
  if (command.credentialsRevision !== account.credentialsRevision) {
    return refuse("CREDENTIALS_CHANGED", "The password was changed meanwhile; log in again.");
  }
  if (tokenInUse(context, command.tokenHash)) {
    return refuse("INVALID_ARGUMENT", "The token is in use.");
  }
  account.lastSeenMs = stampMs;
  context.state.changedAccount(account);
  context.changes.push(accountChange(account));
  const session = openSession(context, account, {
    tokenHash: hexOf(command.tokenHash),
    tokenTtlMs: command.tokenTtlMs,
    device: command.device,
  });
  return LoginResponse.encode({
    account: accountView(account),
    token: "",
    unreadCount: 0,
    tokenExpiresAtMs: session.expiresAtMs,
    unread: [],
    revision,
    mentionCount: 0,
  }).finish();
}

/** Logout and RevokeSession: the response is the same on the wire. */
export function endSessionOf(
  context: ApplyContext,
  account: AccountRow,
  command: EndSessionCommand,
): Result {
  const session = context.state.session(command.sessionId);
  if (session === undefined || session.accountId !== account.id) {
    return refuse("SESSION_NOT_FOUND", "You have no such session.");
  }
  endSession(context, session);
  return LogoutResponse.encode({ revision: context.revision }).finish();
}
