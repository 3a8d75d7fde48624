// One command on its way through apply: a retry gets the first result, then the actor is checked, then
// the operation runs, then its answer is remembered.
import {
  type Command,
  LIMITS,
  LoginResponse,
  type ParleyError,
  RegisterResponse,
} from "@parley/protocol";
import { needsRequestId } from "../check-command.ts";
import { contentHash, type SqlValue } from "../hash.ts";
import { uuidV7TimeMs } from "../request-id.ts";
import { REQUEST_ID_AHEAD_MS_MAX } from "../request-table.ts";
import type { AccountRow, RequestRow } from "../rows.ts";
import type { Op } from "../state-version.ts";
import {
  deleteAccount,
  register,
  setPassword,
  setRegistration,
  updateProfile,
} from "./accounts.ts";
import { block } from "./blocks.ts";
import { type ApplyContext, accountChange, type Result, refuse } from "./context.ts";
import { upload } from "./files.ts";
import { createInvite, revokeInvite } from "./invites.ts";
import {
  inviteMember,
  joinRoom,
  leaveRoom,
  muteMember,
  removeMember,
  setRole,
} from "./membership.ts";
import { deleteMessages, editMessage, markRead, repeatedSend, send } from "./messages.ts";
import { createPasswordLink, usePasswordLink } from "./password-links.ts";
import { pin } from "./pins.ts";
import { setReadReceipts, setRoomPreference } from "./preferences.ts";
import { react } from "./reactions.ts";
import { createRoom, deleteRoom, openDirect, updateRoom } from "./rooms.ts";
import { createSession, endSessionOf, hexOf } from "./sessions.ts";
import { followThread } from "./threads.ts";

const NOTHING = new Uint8Array(0);

/** Last seen moves at most this often by activity, so that a send seldom changes the account. */
const LAST_SEEN_STEP_MS = 5 * 60 * 1000;

/** Applies a command that passed `commandProblem`. Never throws for what is in the command. */
export function applyCommand(context: ApplyContext, command: Command): Result {
  const { op } = command;
  context.state.files.sweep();
  if (op === undefined) return refuse("UNKNOWN_OPERATION", "The command names no operation.");
  if (op.$case === "raiseStateVersion") return raiseStateVersion(context, op.value.stateVersion);
  if (command.version > context.state.stateVersion) {
    return refuse("NOT_YET_SUPPORTED", "The cluster's state does not have this yet.");
  }
  if (op.$case === "send") {
    const repeated = repeatedSend(context, command.accountId, op.value);
    if (repeated !== undefined) return repeated;
  }
  if (!needsRequestId(op.$case)) return runAsActor(context, command, op);

  const content = contentHash(context.state.hasher, identifyingContent(op));
  const remembered = context.state.requests.find(command.accountId, command.requestId);
  if (remembered !== undefined) return repeatedRequest(context, op, content, remembered);
  const expired = requestIdProblem(context, command);
  if (expired !== undefined) return expired;
  const result = runAsActor(context, command, op);
  if (result instanceof Uint8Array) remember(context, command, op, content, result);
  return result;
}

/**
 * What a retry of a request has in common with the first try. Hashes of passwords and tokens differ
 * from try to try and are left out.
 */
function identifyingContent(op: Op): SqlValue[] {
  switch (op.$case) {
    case "register":
      return [op.$case, op.value.usernameKey, op.value.displayName, ...secret(op.value.inviteHash)];
    case "setRegistration":
      return [op.$case, op.value.mode];
    case "createSession":
      return [op.$case, op.value.device];
    case "endSession":
      return [op.$case, op.value.sessionId];
    case "setPassword":
      return [op.$case, op.value.targetAccountId];
    case "createPasswordLink":
      return [op.$case, op.value.accountId, op.value.ttlMs, ...secret(op.value.secretHash)];
    case "usePasswordLink":
      return [op.$case, ...secret(op.value.secretHash)];
    case "deleteAccount":
      return [op.$case];
    case "updateProfile":
      return [op.$case, op.value.displayName];
    case "createRoom":
      return [op.$case, op.value.name, op.value.visibility, op.value.topic];
    case "updateRoom": {
      const { roomId, name, topic, visibility } = op.value;
      return [op.$case, roomId, name, topic, visibility];
    }
    case "joinRoom":
      return [op.$case, op.value.roomId, ...secret(op.value.inviteHash)];
    case "createInvite": {
      const { roomId, secretHash, ttlMs, usesMax } = op.value;
      return [op.$case, roomId, ttlMs, usesMax, ...secret(secretHash)];
    }
    case "revokeInvite":
      return [op.$case, op.value.inviteId];
    case "deleteRoom":
    case "leaveRoom":
      return [op.$case, op.value.roomId];
    case "inviteMember":
      return [op.$case, op.value.roomId, op.value.accountId];
    case "removeMember":
      return [op.$case, op.value.roomId, op.value.accountId, op.value.ban ? 1 : 0];
    case "setRole":
      return [op.$case, op.value.roomId, op.value.accountId, op.value.role];
    case "openDirect":
      return [op.$case, op.value.accountId];
    case "block":
      return [op.$case, op.value.accountId, op.value.blocked ? 1 : 0];
    case "delete":
      return [op.$case, op.value.roomId, ...op.value.seqs];
    case "edit": {
      const { roomId, seq, body, expectedVersion } = op.value;
      return [op.$case, roomId, seq, body, expectedVersion];
    }
    case "react": {
      const { roomId, seq, emoji, add } = op.value;
      return [op.$case, roomId, seq, emoji, add ? 1 : 0];
    }
    case "pin":
      return [op.$case, op.value.roomId, op.value.seq, op.value.pinned ? 1 : 0];
    case "followThread":
      return [op.$case, op.value.roomId, op.value.seq, op.value.follow ? 1 : 0];
    case "setRoomPreference": {
      const { roomId, starred, muted } = op.value;
      return [op.$case, roomId, wish(starred), wish(muted)];
    }
    case "muteMember": {
      const { roomId, accountId, muted, durationMs } = op.value;
      return [op.$case, roomId, accountId, muted ? 1 : 0, durationMs];
    }
    case "setReadReceipts":
      return [op.$case, op.value.shown ? 1 : 0];
    case "send":
    case "upload":
    case "markRead":
    case "raiseStateVersion":
      return [op.$case];
  }
}

/** Nothing where there is none, so that requests from before there were invites are recognised. */
function secret(hash: Uint8Array): string[] {
  return hash.length === 0 ? [] : [hexOf(hash)];
}

/** No, yes, or nothing said. */
function wish(value: boolean | undefined): number {
  return value === undefined ? 2 : Number(value);
}

/**
 * The first result (P2). A retried Register or login carries another token than the first: its answer
 * says with `tokenExpiresAtMs` 0 that this token is not valid, and the node logs in anew.
 */
function repeatedRequest(
  context: ApplyContext,
  op: Op,
  content: number,
  remembered: RequestRow,
): Result {
  if (remembered.operation !== op.$case || remembered.contentHash !== content) {
    return refuse("ID_REUSED", "The request's id was used for another request.");
  }
  if (op.$case !== "register" && op.$case !== "createSession") return remembered.response;
  const session = context.state.sessionByToken(hexOf(op.value.tokenHash));
  const isFirst = session?.id === remembered.id;
  const tokenExpiresAtMs = isFirst ? session.expiresAtMs : 0;
  const codec = op.$case === "register" ? RegisterResponse : LoginResponse;
  return codec.encode({ ...codec.decode(remembered.response), tokenExpiresAtMs } as never).finish();
}

function requestIdProblem(context: ApplyContext, command: Command): ParleyError | undefined {
  const { state, stampMs } = context;
  const timeMs = uuidV7TimeMs(command.requestId);
  if (timeMs > stampMs + REQUEST_ID_AHEAD_MS_MAX) {
    return refuse(
      "INVALID_ARGUMENT",
      "The request's id is from more than a day ahead; set this device's clock.",
      { subject: "clock" },
    );
  }
  const floor =
    command.accountId === 0
      ? state.registerFloor
      : (state.account(command.accountId)?.requestFloor ?? "");
  if (timeMs + LIMITS.requestIdTtlMs < stampMs || command.requestId <= floor) {
    return refuse("ID_EXPIRED", "The request is too old to be done safely; make it anew.");
  }
  return undefined;
}

function remember(
  context: ApplyContext,
  command: Command,
  op: Op,
  content: number,
  response: Uint8Array,
): void {
  const { state } = context;
  const forgotten = state.requests.remember({
    id: context.revision,
    accountId: command.accountId,
    requestId: command.requestId,
    recordedAtMs: context.stampMs,
    operation: op.$case,
    contentHash: content,
    response,
  });
  if (forgotten === undefined) return;
  if (command.accountId === 0) {
    if (forgotten > state.registerFloor) state.registerFloor = forgotten;
    return;
  }
  const account = state.account(command.accountId);
  if (account === undefined || forgotten <= account.requestFloor) return;
  account.requestFloor = forgotten;
  state.changedAccount(account);
}

/** Checks that account and session are alive at this very revision, then runs the operation. */
function runAsActor(
  context: ApplyContext,
  command: Command,
  op: ActorsOp | Extract<Op, { $case: "register" | "usePasswordLink" }>,
): Result {
  if (op.$case === "register") return register(context, op.value);
  if (op.$case === "usePasswordLink") return usePasswordLink(context, op.value);
  const { state, stampMs } = context;
  const account = state.liveAccount(command.accountId);
  if (account === undefined) return refuse("UNAUTHENTICATED", "The account does not exist.");
  if (command.sessionId !== 0) {
    const session = state.session(command.sessionId);
    if (session?.accountId !== account.id || session.expiresAtMs <= stampMs) {
      return refuse("UNAUTHENTICATED", "The session has ended; log in again.");
    }
  }
  const result = run(context, account, op);
  if (result instanceof Uint8Array) noteActivity(context, account);
  return result;
}

/** Commands that came with this version may follow from here on. */
function raiseStateVersion({ state, changes }: ApplyContext, stateVersion: number): Result {
  if (stateVersion > state.stateVersion) {
    state.stateVersion = stateVersion;
    changes.push({ kind: "state-version", stateVersion });
  }
  return NOTHING;
}

type ActorsOp = Exclude<Op, { $case: "register" | "usePasswordLink" | "raiseStateVersion" }>;

function run(context: ApplyContext, account: AccountRow, op: ActorsOp): Result {
  switch (op.$case) {
    case "send":
      return send(context, account, op.value);
    case "upload":
      return upload(context, account, op.value);
    case "markRead":
      return markRead(context, account, op.value);
    case "setReadReceipts":
      return setReadReceipts(context, account, op.value);
    case "setRoomPreference":
      return setRoomPreference(context, account, op.value);
    case "delete":
      return deleteMessages(context, account, op.value);
    case "edit":
      return editMessage(context, account, op.value);
    case "react":
      return react(context, account, op.value);
    case "pin":
      return pin(context, account, op.value);
    case "setRegistration":
      return setRegistration(context, account, op.value);
    case "followThread":
      return followThread(context, account, op.value);
    case "createSession":
      return createSession(context, account, op.value);
    case "endSession":
      return endSessionOf(context, account, op.value);
    case "setPassword":
      return setPassword(context, account, op.value);
    case "createPasswordLink":
      return createPasswordLink(context, account, op.value);
    case "deleteAccount":
      return deleteAccount(context, account, op.value);
    case "updateProfile":
      return updateProfile(context, account, op.value);
    case "createRoom":
      return createRoom(context, account, op.value);
    case "updateRoom":
      return updateRoom(context, account, op.value);
    case "deleteRoom":
      return deleteRoom(context, account, op.value);
    case "joinRoom":
      return joinRoom(context, account, op.value);
    case "createInvite":
      return createInvite(context, account, op.value);
    case "revokeInvite":
      return revokeInvite(context, account, op.value);
    case "leaveRoom":
      return leaveRoom(context, account, op.value);
    case "inviteMember":
      return inviteMember(context, account, op.value);
    case "muteMember":
      return muteMember(context, account, op.value);
    case "removeMember":
      return removeMember(context, account, op.value);
    case "setRole":
      return setRole(context, account, op.value);
    case "block":
      return block(context, account, op.value);
    case "openDirect":
      return openDirect(context, account, op.value);
  }
}

function noteActivity(context: ApplyContext, account: AccountRow): void {
  if (account.deleted || context.stampMs < account.lastSeenMs + LAST_SEEN_STEP_MS) return;
  account.lastSeenMs = context.stampMs;
  context.state.changedAccount(account);
  context.changes.push(accountChange(account));
}
