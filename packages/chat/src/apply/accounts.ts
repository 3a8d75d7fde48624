// Accounts: registering, profile, password, deletion.
import {
  type DeleteAccountCommand,
  DeleteAccountResponse,
  ParleyError,
  type RegisterCommand,
  RegisterResponse,
  RegistrationMode,
  ResetPasswordResponse,
  type Room,
  RoomRole,
  type SetPasswordCommand,
  type SetRegistrationCommand,
  SetRegistrationResponse,
  type UpdateProfileCommand,
  UpdateProfileResponse,
} from "@parley/protocol";
import type { AccountRow, RoomRow } from "../rows.ts";
import { LOOK_ALIKES_SINCE } from "../state-version.ts";
import { accountChangedEvent, accountView, membershipChangedEvent } from "../views.ts";
import { type ApplyContext, accountChange, type Result, refuse } from "./context.ts";
import { type GoodInvite, goodInvite, useInvite } from "./good-invites.ts";
import {
  announceEntry,
  enterRoom,
  leaveBehind,
  ownRoomView,
  REMOVAL,
  roomLimitProblem,
} from "./membership.ts";
import { endSession, hexOf, openSession, tokenInUse } from "./sessions.ts";

/**
 * The first account, and any registered while no owner is left, owns the instance: so then the command must say that
 * the set-up token was shown, or that none is needed. Whether it was is found out where the command is made; every node
 * compares with the same hash, from the bootstrap record, and what it found travels in the command. Deciding here, and
 * not before the proposal, leaves no gap in which the owner could vanish between the look and the entry. The response has
 * no token: whoever proposed the command knows it. `tokenExpiresAtMs` ≠ 0 says that it is valid.
 */
export function register(context: ApplyContext, command: RegisterCommand): Result {
  const { state, revision, stampMs } = context;
  const admitted = admit(context, command);
  if (admitted instanceof ParleyError) return admitted;
  if (state.accountIdByKey(command.usernameKey) !== undefined) {
    return refuse("USERNAME_TAKEN", `The username ${command.username} is taken.`);
  }
  if (state.stateVersion >= LOOK_ALIKES_SINCE && state.hasLookAlike(command.username)) {
    return refuse(
      "USERNAME_TAKEN",
      `The username ${command.username} looks like another one, which is taken.`,
      { subject: "look_alikes" },
    );
  }
  if (command.notOwner && state.instanceOwnerId === 0) {
    return refuse(
      "SETUP_TOKEN_REQUIRED",
      "This instance has no owner yet: its first account needs the set-up token that the node printed at its first start.",
    );
  }
  if (tokenInUse(context, command.tokenHash)) {
    return refuse("INVALID_ARGUMENT", "The token is in use.");
  }
  const account: AccountRow = {
    stored: false,
    hashA: 0,
    hashB: 0,
    id: revision,
    username: command.username,
    usernameKey: command.usernameKey,
    displayName: command.displayName,
    passwordHash: command.passwordHash,
    credentialsRevision: revision,
    owner: state.instanceOwnerId === 0,
    deleted: false,
    createdAtMs: stampMs,
    lastSeenMs: stampMs,
    changedRevision: 0,
    requestFloor: "",
    linkHash: "",
    linkExpiresAtMs: 0,
    blocked: null,
    blockedRevision: 0,
    readsHidden: false,
  };
  state.addAccount(account);
  context.changes.push(accountChange(account));
  const session = openSession(context, account, {
    tokenHash: hexOf(command.tokenHash),
    tokenTtlMs: command.tokenTtlMs,
    device: command.device,
  });
  if (admitted !== undefined) useInvite(context, admitted.invite);
  return RegisterResponse.encode({
    account: accountView(account),
    token: "",
    tokenExpiresAtMs: session.expiresAtMs,
    revision,
    room:
      admitted?.room === undefined ? undefined : enterAsInvited(context, admitted.room, account),
  }).finish();
}

/** What is there when an account is made has been read; nothing of it is news. */
function enterAsInvited(context: ApplyContext, room: RoomRow, account: AccountRow): Room {
  const member = enterRoom(context, room, account.id, RoomRole.ROOM_ROLE_MEMBER);
  announceEntry(context, room, member);
  return ownRoomView(context, room, member, undefined);
}

/**
 * The invite that somebody comes in by; undefined where none is needed or shown; or why they may not register now. Whether other machines reach the instance, and it is invite-only until the owner has chosen, is known
 * where the command is made, and travels in it as the look at the set-up token does. The owner comes in by that token alone: a closed
 * instance can still be taken over by whoever runs it.
 */
function admit(
  context: ApplyContext,
  command: RegisterCommand,
): GoodInvite | ParleyError | undefined {
  const { state } = context;
  if (state.instanceOwnerId === 0) return undefined;
  const isInvited = command.inviteHash.length > 0;
  const preset = command.inviteOnlyByDefault
    ? RegistrationMode.REGISTRATION_MODE_INVITE_ONLY
    : RegistrationMode.REGISTRATION_MODE_OPEN;
  switch (state.registration === 0 ? preset : state.registration) {
    case RegistrationMode.REGISTRATION_MODE_CLOSED:
      return refuse("REGISTRATION_CLOSED", "Nobody can make an account here at present.");
    case RegistrationMode.REGISTRATION_MODE_INVITE_ONLY:
      if (!isInvited) return refuse("INVITE_REQUIRED", "An account here takes an invite.");
  }
  if (!isInvited) return undefined;
  const good = goodInvite(context, command.inviteHash);
  if (good instanceof ParleyError || good.room === undefined) return good;
  const full = roomLimitProblem(context, 0, good.room);
  return full ?? good;
}

export function setRegistration(
  context: ApplyContext,
  account: AccountRow,
  command: SetRegistrationCommand,
): Result {
  if (!account.owner) {
    return refuse("PERMISSION_DENIED", "Only the instance's owner says who may register.", {
      subject: "instance",
    });
  }
  context.state.registration = command.mode;
  const { revision } = context;
  return SetRegistrationResponse.encode({ mode: command.mode, revision }).finish();
}

export function updateProfile(
  context: ApplyContext,
  account: AccountRow,
  command: UpdateProfileCommand,
): Result {
  const { revision } = context;
  if (account.displayName !== command.displayName) {
    account.displayName = command.displayName;
    account.changedRevision = revision;
    context.state.changedAccount(account);
    context.changes.push(accountChange(account));
    context.toEveryone(accountChangedEvent(revision, account));
  }
  return UpdateProfileResponse.encode({ account: accountView(account), revision }).finish();
}

/** Ends every session but one (0 = every one), and the link that would set it once more. */
export function setPasswordOf(
  context: ApplyContext,
  account: AccountRow,
  passwordHash: string,
  keepSessionId: number,
): void {
  const { state, revision } = context;
  account.passwordHash = passwordHash;
  account.credentialsRevision = revision;
  state.changedAccount(account);
  state.setLink(account, "", 0);
  context.changes.push(accountChange(account));
  for (const session of state.sessionsOf(account.id)) {
    if (session.id !== keepSessionId) endSession(context, session);
  }
}

/** ChangePassword and ResetPassword: the response is the same on the wire. */
export function setPassword(
  context: ApplyContext,
  actor: AccountRow,
  command: SetPasswordCommand,
): Result {
  const { state, revision } = context;
  const isReset = command.targetAccountId !== 0;
  if (isReset && !actor.owner) {
    return refuse("PERMISSION_DENIED", "Only the instance's owner may reset passwords.", {
      subject: "instance",
    });
  }
  const target = isReset ? state.liveAccount(command.targetAccountId) : actor;
  if (target === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  if (!isReset && command.credentialsRevision !== actor.credentialsRevision) {
    return refuse("CREDENTIALS_CHANGED", "The password was changed meanwhile; try again.");
  }
  setPasswordOf(context, target, command.passwordHash, command.keepSessionId);
  return ResetPasswordResponse.encode({ revision }).finish();
}

/**
 * The account's messages stay; it leaves all rooms, its sessions end and its name becomes free. The
 * instance's owner can go only as the last one: otherwise nobody could reset passwords any more.
 */
export function deleteAccount(
  context: ApplyContext,
  account: AccountRow,
  command: DeleteAccountCommand,
): Result {
  const { state, revision } = context;
  if (command.credentialsRevision !== account.credentialsRevision) {
    return refuse("CREDENTIALS_CHANGED", "The password was changed meanwhile; try again.");
  }
  if (account.owner && state.liveAccountCount > 1) {
    return refuse(
      "LAST_OWNER",
      "The instance's owner can't be deleted while there are other accounts.",
      { subject: "instance" },
    );
  }
  for (const session of state.sessionsOf(account.id)) endSession(context, session);
  for (const invite of state.invitesBy(account.id)) state.removeInvite(invite);
  state.files.dropUnsentOf(account.id);
  state.setLink(account, "", 0);
  state.setBlocked(account, [], 0);
  state.forgetAccountName(account);
  account.username = "";
  account.displayName = "";
  account.passwordHash = "";
  account.owner = false;
  account.changedRevision = revision;
  for (const roomId of state.roomIdsOf(account.id)) {
    const room = state.liveRoom(roomId);
    const member = state.member(roomId, account.id);
    if (room === undefined || member === undefined) continue;
    member.readSeq = 0;
    member.readRevision = 0;
    leaveBehind(context, room, member, REMOVAL.left, account.id);
    if (!room.deleted) {
      context.toRoom(room.id, membershipChangedEvent(revision, room, account, 0));
    }
  }
  context.changes.push(accountChange(account));
  context.toEveryone(accountChangedEvent(revision, account));
  return DeleteAccountResponse.encode({ revision }).finish();
}
