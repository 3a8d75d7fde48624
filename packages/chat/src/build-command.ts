// Requests to commands: validated, normalised, complete but for the leader's stamp. What needs I/O
// (hashes, tokens, looking up who a username is) comes in as an argument. Every function throws a
// ParleyError with a sentence for the person who asked; `requestId` must be there already.
import {
  type BlockRequest,
  type Command,
  type CreateInviteRequest,
  type CreatePasswordLinkRequest,
  type CreateRoomRequest,
  type DeleteAccountRequest,
  type DeleteRequest,
  type DeleteRoomRequest,
  type EditRequest,
  type FollowThreadRequest,
  type InviteMemberRequest,
  type JoinRoomRequest,
  type LeaveRoomRequest,
  LIMITS,
  type LoginRequest,
  type MarkReadRequest,
  type MuteMemberRequest,
  type OpenDirectRequest,
  type PinRequest,
  type ReactRequest,
  type RegisterRequest,
  type RemoveMemberRequest,
  type RevokeInviteRequest,
  type SendRequest,
  type SetReadReceiptsRequest,
  type SetRegistrationRequest,
  type SetRoleRequest,
  type SetRoomPreferenceRequest,
  type UpdateProfileRequest,
  type UpdateRoomRequest,
  type UploadRequest,
} from "@parley/protocol";
import { commandProblem } from "./check-command.ts";
import type { Mentions } from "./mentions.ts";
import { type Op, PREVIEWS_SINCE, STATE_VERSION, versionOf } from "./state-version.ts";
import {
  normaliseRoomName,
  normaliseUsername,
  validateBody,
  validateDevice,
  validateDisplayName,
  validateEmoji,
  validateFileName,
  validateRoomName,
  validateTopic,
  validateUsername,
} from "./text.ts";

/** Who asks, as the bearer token says. `sessionId` 0 = through no session. */
export interface Actor {
  readonly accountId: number;
  readonly sessionId: number;
}

const NO_BYTES = new Uint8Array(0);
const NOBODY: Actor = { accountId: 0, sessionId: 0 };

function command(actor: Actor, requestId: string, op: Op): Command {
  const built: Command = {
    version: versionOf(op),
    stampMs: 0,
    accountId: actor.accountId,
    sessionId: actor.sessionId,
    requestId: requestId.toLowerCase(),
    op,
  };
  const problem = commandProblem(built);
  if (problem !== undefined) throw problem;
  return built;
}

/** What a new session needs: SHA-256 of its token (32 bytes) and how long it lives. */
export interface NewToken {
  readonly tokenHash: Uint8Array;
  readonly tokenTtlMs: number;
}

/** `passwordHash`: a PHC string over the validated password. */
export function registerCommand(
  request: Pick<RegisterRequest, "username" | "displayName" | "requestId">,
  made: NewToken & {
    readonly passwordHash: string;
    readonly device: string;
    /** Nothing shows that this account may own an instance which has no owner. */
    readonly notOwner?: boolean;
    /** Other machines can reach the instance. */
    readonly inviteOnlyByDefault?: boolean;
    /** SHA-256 of the secret of an invite; left out or empty = none. */
    readonly inviteHash?: Uint8Array;
  },
): Command {
  const username = validateUsername(request.username);
  return command(NOBODY, request.requestId, {
    $case: "register",
    value: {
      username,
      usernameKey: normaliseUsername(username),
      displayName: validateDisplayName(request.displayName, username),
      passwordHash: made.passwordHash,
      tokenHash: made.tokenHash,
      tokenTtlMs: made.tokenTtlMs,
      device: validateDevice(made.device),
      notOwner: made.notOwner === true,
      inviteOnlyByDefault: made.inviteOnlyByDefault === true,
      inviteHash: made.inviteHash ?? NO_BYTES,
    },
  });
}

/** By the instance's owner. */
export function setRegistrationCommand(request: SetRegistrationRequest, actor: Actor): Command {
  return command(actor, request.requestId, {
    $case: "setRegistration",
    value: { mode: request.mode },
  });
}

/** After the password was found right at `credentialsRevision`; a change since then refuses it. */
export function createSessionCommand(
  request: Pick<LoginRequest, "device" | "requestId">,
  accountId: number,
  credentialsRevision: number,
  made: NewToken,
): Command {
  return command({ accountId, sessionId: 0 }, request.requestId, {
    $case: "createSession",
    value: {
      tokenHash: made.tokenHash,
      tokenTtlMs: made.tokenTtlMs,
      device: validateDevice(request.device),
      credentialsRevision,
    },
  });
}

/** Logout (`sessionId` = the actor's) and RevokeSession. */
export function endSessionCommand(
  request: { readonly requestId: string },
  actor: Actor,
  sessionId: number,
): Command {
  return command(actor, request.requestId, { $case: "endSession", value: { sessionId } });
}

/**
 * ChangePassword (`targetAccountId` 0, the revision that the old password was checked against) and
 * ResetPassword by the instance's owner (the target's id; `credentialsRevision` 0).
 */
export function setPasswordCommand(
  request: { readonly requestId: string },
  actor: Actor,
  made: {
    readonly passwordHash: string;
    readonly credentialsRevision: number;
    readonly targetAccountId: number;
    readonly keepSessionId: number;
  },
): Command {
  return command(actor, request.requestId, { $case: "setPassword", value: { ...made } });
}

/** For the instance's owner. `secretHash`: SHA-256 of the validated secret. */
export function createPasswordLinkCommand(
  request: Pick<CreatePasswordLinkRequest, "ttlMs" | "requestId">,
  actor: Actor,
  accountId: number,
  secretHash: Uint8Array,
): Command {
  const ttlMs = request.ttlMs === 0 ? LIMITS.passwordLinkTtlMsDefault : request.ttlMs;
  return command(actor, request.requestId, {
    $case: "createPasswordLink",
    value: { accountId, secretHash, ttlMs },
  });
}

/** `passwordHash`: a PHC string over the validated password. */
export function usePasswordLinkCommand(
  request: { readonly requestId: string },
  secretHash: Uint8Array,
  passwordHash: string,
): Command {
  return command(NOBODY, request.requestId, {
    $case: "usePasswordLink",
    value: { secretHash, passwordHash },
  });
}

export function deleteAccountCommand(
  request: Pick<DeleteAccountRequest, "requestId">,
  actor: Actor,
  credentialsRevision: number,
): Command {
  return command(actor, request.requestId, {
    $case: "deleteAccount",
    value: { credentialsRevision },
  });
}

/** An empty display name becomes `username`, the actor's own. */
export function updateProfileCommand(
  request: Pick<UpdateProfileRequest, "displayName" | "requestId">,
  actor: Actor,
  username: string,
): Command {
  return command(actor, request.requestId, {
    $case: "updateProfile",
    value: { displayName: validateDisplayName(request.displayName, username) },
  });
}

/** Blocks an account for the actor, or takes that back. */
export function blockCommand(
  request: Pick<BlockRequest, "blocked" | "requestId">,
  actor: Actor,
  accountId: number,
): Command {
  return command(actor, request.requestId, {
    $case: "block",
    value: { accountId, blocked: request.blocked },
  });
}

export function createRoomCommand(request: CreateRoomRequest, actor: Actor): Command {
  const name = validateRoomName(request.name);
  return command(actor, request.requestId, {
    $case: "createRoom",
    value: {
      name,
      nameKey: normaliseRoomName(name),
      visibility: request.visibility,
      topic: validateTopic(request.topic),
    },
  });
}

export function updateRoomCommand(request: UpdateRoomRequest, actor: Actor): Command {
  const name = request.name === "" ? "" : validateRoomName(request.name);
  return command(actor, request.requestId, {
    $case: "updateRoom",
    value: {
      roomId: request.roomId,
      name,
      nameKey: normaliseRoomName(name),
      topic: validateTopic(request.topic),
      visibility: request.visibility,
    },
  });
}

export function deleteRoomCommand(request: DeleteRoomRequest, actor: Actor): Command {
  return command(actor, request.requestId, {
    $case: "deleteRoom",
    value: { roomId: request.roomId },
  });
}

/** `inviteHash`: SHA-256 of the secret of an invite; with one, the room may be left open (0). */
export function joinRoomCommand(
  request: Pick<JoinRoomRequest, "roomId" | "requestId">,
  actor: Actor,
  inviteHash: Uint8Array = NO_BYTES,
): Command {
  return command(actor, request.requestId, {
    $case: "joinRoom",
    value: { roomId: request.roomId, inviteHash },
  });
}

/** `secretHash`: SHA-256 of the validated secret. */
export function createInviteCommand(
  request: Omit<CreateInviteRequest, "secret">,
  actor: Actor,
  secretHash: Uint8Array,
): Command {
  const { roomId, ttlMs, usesMax } = request;
  return command(actor, request.requestId, {
    $case: "createInvite",
    value: { roomId, secretHash, ttlMs, usesMax },
  });
}

export function revokeInviteCommand(request: RevokeInviteRequest, actor: Actor): Command {
  return command(actor, request.requestId, {
    $case: "revokeInvite",
    value: { inviteId: request.inviteId },
  });
}

export function leaveRoomCommand(request: LeaveRoomRequest, actor: Actor): Command {
  return command(actor, request.requestId, {
    $case: "leaveRoom",
    value: { roomId: request.roomId },
  });
}

export function inviteMemberCommand(
  request: Pick<InviteMemberRequest, "roomId" | "requestId">,
  actor: Actor,
  accountId: number,
): Command {
  return command(actor, request.requestId, {
    $case: "inviteMember",
    value: { roomId: request.roomId, accountId },
  });
}

export function muteMemberCommand(
  request: Omit<MuteMemberRequest, "username">,
  actor: Actor,
  accountId: number,
): Command {
  const { roomId, muted, durationMs } = request;
  return command(actor, request.requestId, {
    $case: "muteMember",
    value: { roomId, accountId, muted, durationMs },
  });
}

export function removeMemberCommand(
  request: Pick<RemoveMemberRequest, "roomId" | "ban" | "requestId">,
  actor: Actor,
  accountId: number,
): Command {
  return command(actor, request.requestId, {
    $case: "removeMember",
    value: { roomId: request.roomId, accountId, ban: request.ban },
  });
}

export function setRoleCommand(
  request: Pick<SetRoleRequest, "roomId" | "role" | "requestId">,
  actor: Actor,
  accountId: number,
): Command {
  return command(actor, request.requestId, {
    $case: "setRole",
    value: { roomId: request.roomId, accountId, role: request.role },
  });
}

export function openDirectCommand(
  request: Pick<OpenDirectRequest, "requestId">,
  actor: Actor,
  accountId: number,
): Command {
  return command(actor, request.requestId, { $case: "openDirect", value: { accountId } });
}

/** Carries no request id: `clientMessageId` is its id (P2). `mentions`: as `mentionsIn` finds them in the body. */
export function sendCommand(request: SendRequest, actor: Actor, mentions?: Mentions): Command {
  const isOfFiles = request.body === "" && request.clientFileIds.length > 0;
  return command(actor, "", {
    $case: "send",
    value: {
      roomId: request.roomId,
      body: isOfFiles ? "" : validateBody(request.body),
      clientMessageId: request.clientMessageId,
      replyToSeq: request.replyToSeq,
      threadRootSeq: request.threadRootSeq,
      afterClientMessageId: request.afterClientMessageId,
      mentionIds: mentions?.mentionIds ?? [],
      mentionsRoom: mentions?.mentionsRoom ?? false,
      clientFileIds: request.clientFileIds,
    },
  });
}

/** Carries no request id: the offset says what it is. While not every member knows of previews, the file goes without. */
export function uploadCommand(
  request: UploadRequest,
  actor: Actor,
  stateVersion: number = STATE_VERSION,
): Command {
  const { clientFileId, size, sha256, offset, data } = request;
  const preview = stateVersion < PREVIEWS_SINCE ? NO_BYTES : request.preview;
  const name = validateFileName(request.name);
  return command(actor, "", {
    $case: "upload",
    value: { clientFileId, name, size, sha256, offset, data, preview },
  });
}

export function deleteCommand(request: DeleteRequest, actor: Actor): Command {
  return command(actor, request.requestId, {
    $case: "delete",
    value: { roomId: request.roomId, seqs: request.seqs },
  });
}

/** A body for a message of the actor's own, if it has still been edited `expectedVersion` times. */
export function editCommand(request: EditRequest, actor: Actor): Command {
  const { roomId, seq, expectedVersion } = request;
  const body = validateBody(request.body);
  return command(actor, request.requestId, {
    $case: "edit",
    value: { roomId, seq, body, expectedVersion },
  });
}

/** Gives a message an emoji, or takes it back. */
export function reactCommand(request: ReactRequest, actor: Actor): Command {
  const { roomId, seq, add } = request;
  const emoji = validateEmoji(request.emoji);
  return command(actor, request.requestId, { $case: "react", value: { roomId, seq, emoji, add } });
}

/** Pins a message to its room, or unpins it. */
export function pinCommand(request: PinRequest, actor: Actor): Command {
  const { roomId, seq, pinned } = request;
  return command(actor, request.requestId, { $case: "pin", value: { roomId, seq, pinned } });
}

/** Follows a thread, or follows it no more. */
export function followThreadCommand(request: FollowThreadRequest, actor: Actor): Command {
  const { roomId, seq, follow } = request;
  return command(actor, request.requestId, {
    $case: "followThread",
    value: { roomId, seq, follow },
  });
}

/** The leader's own: every member knows commands of this version. */
export function raiseStateVersionCommand(stateVersion: number): Command {
  return command(NOBODY, "", { $case: "raiseStateVersion", value: { stateVersion } });
}

/** What an account wants of a room. */
export function setRoomPreferenceCommand(request: SetRoomPreferenceRequest, actor: Actor): Command {
  const { roomId, starred, muted } = request;
  return command(actor, request.requestId, {
    $case: "setRoomPreference",
    value: { roomId, starred, muted },
  });
}

/** Whether others learn how far the account has read. */
export function setReadReceiptsCommand(
  { shown, requestId }: SetReadReceiptsRequest,
  actor: Actor,
): Command {
  return command(actor, requestId, { $case: "setReadReceipts", value: { shown } });
}

/** May carry a request id, but needs none: the read position is a maximum. */
export function markReadCommand(request: MarkReadRequest, actor: Actor): Command {
  return command(actor, request.requestId, {
    $case: "markRead",
    value: { roomId: request.roomId, seq: request.seq, threadRootSeq: request.threadRootSeq },
  });
}
