// Who is in a room, and as what. Leaving keeps the row as a tombstone: a subscriber that catches up
// later is told that the room left its list, and of nothing else in it.
import {
  type InviteMemberCommand,
  InviteMemberResponse,
  type JoinRoomCommand,
  JoinRoomResponse,
  type LeaveRoomCommand,
  LeaveRoomResponse,
  LIMITS,
  type MuteMemberCommand,
  MuteMemberResponse,
  ParleyError,
  type RemoveMemberCommand,
  RemoveMemberResponse,
  RoomRemovalReason,
  RoomRole,
  type Room as RoomView,
  RoomVisibility,
  type SetRoleCommand,
  SetRoleResponse,
} from "@parley/protocol";
import { noInvite } from "../invites.ts";
import { type AccountRow, type MemberRow, type RoomRow, UNTIL_LIFTED } from "../rows.ts";
import { MENTIONS_SINCE } from "../state-version.ts";
import {
  accountView,
  membershipChangedEvent,
  peerIdOf,
  roomRemovedEvent,
  roomResetEvent,
  roomView,
  writingView,
} from "../views.ts";
import { type ApplyContext, memberChange, type Result, refuse, roomChange } from "./context.ts";
import { goodInvite, useInvite } from "./good-invites.ts";
import { forbidWriting } from "./muting.ts";
import { hexOf } from "./sessions.ts";

export const REMOVAL = {
  left: RoomRemovalReason.ROOM_REMOVAL_REASON_LEFT,
  kicked: RoomRemovalReason.ROOM_REMOVAL_REASON_KICKED,
  banned: RoomRemovalReason.ROOM_REMOVAL_REASON_BANNED,
  roomDeleted: RoomRemovalReason.ROOM_REMOVAL_REASON_ROOM_DELETED,
} as const;
const { ROOM_ROLE_MEMBER, ROOM_ROLE_ADMIN, ROOM_ROLE_OWNER } = RoomRole;
const { ROOM_VISIBILITY_PUBLIC, ROOM_VISIBILITY_DIRECT } = RoomVisibility;

const NO_ROOM = "There is no such room.";
const NOT_A_MEMBER = "You are not a member of this room.";
const DIRECT = "The two members of a direct conversation are fixed.";

export function isDirect(room: RoomRow): boolean {
  return room.visibility === ROOM_VISIBILITY_DIRECT;
}

export interface Membership {
  readonly room: RoomRow;
  readonly member: MemberRow;
}

/** The room as a member sees it. Answers are remembered, so an older program has to give the same ones. */
export function ownRoomView(
  { state }: ApplyContext,
  room: RoomRow,
  member: MemberRow | undefined,
  peer: AccountRow | undefined,
): RoomView {
  const isCounted = member !== undefined && state.stateVersion >= MENTIONS_SINCE;
  return roomView(room, member, peer, isCounted ? state.unread(room, member) : undefined);
}

/** The room and the actor's membership, or why there is none. */
export function membershipOf(
  context: ApplyContext,
  roomId: number,
  account: AccountRow,
): Membership | ParleyError {
  const room = context.state.liveRoom(roomId);
  if (room === undefined) return refuse("ROOM_NOT_FOUND", NO_ROOM);
  const member = context.state.member(roomId, account.id);
  if (member !== undefined) return { room, member };
  const isBanned = context.state.memberRow(roomId, account.id)?.banned === true;
  return isBanned
    ? refuse("BANNED", "You are banned from this room.")
    : refuse("NOT_A_MEMBER", NOT_A_MEMBER);
}

/** Why the account can't enter one more room, or the room take one more member. */
export function roomLimitProblem(
  context: ApplyContext,
  accountId: number,
  room: RoomRow | undefined,
): ParleyError | undefined {
  if (context.state.roomCountOf(accountId) >= LIMITS.roomsPerAccountMax) {
    const { roomsPerAccountMax: limit } = LIMITS;
    const message = `An account is in at most ${limit} rooms.`;
    return refuse("LIMIT_REACHED", message, { subject: "rooms", limit });
  }
  if (room !== undefined && room.memberCount >= LIMITS.membersPerRoomMax) {
    const { membersPerRoomMax: limit } = LIMITS;
    const message = `A room has at most ${limit} members.`;
    return refuse("LIMIT_REACHED", message, { subject: "members", limit });
  }
  return undefined;
}

/** Enters the room: everything so far counts as read, and a ban is forgotten. */
export function enterRoom(
  context: ApplyContext,
  room: RoomRow,
  accountId: number,
  role: number,
): MemberRow {
  const { state, revision, stampMs } = context;
  const before = state.memberRow(room.id, accountId);
  const member: MemberRow = before ?? {
    stored: false,
    hashA: 0,
    hashB: 0,
    roomId: room.id,
    accountId,
    role: 0,
    joinedRevision: 0,
    joinedAtMs: 0,
    changedRevision: 0,
    removalReason: 0,
    removedBy: 0,
    banned: false,
    readSeq: 0,
    readRevision: 0,
    starred: false,
    muted: false,
    preferenceRevision: 0,
    writeForbiddenUntilMs: 0,
    writeForbiddenRevision: 0,
  };
  member.role = role;
  if (role >= ROOM_ROLE_ADMIN) member.writeForbiddenUntilMs = 0;
  member.joinedRevision = revision;
  member.joinedAtMs = stampMs;
  member.changedRevision = revision;
  member.removalReason = 0;
  member.removedBy = 0;
  member.banned = false;
  member.readSeq = room.lastSeq;
  member.readRevision = 0;
  member.starred = false;
  member.muted = false;
  member.preferenceRevision = 0;
  room.memberCount += 1;
  context.roomActivity(room);
  state.changedMember(member);
  context.changes.push(memberChange(member));
  return member;
}

/** Tells the newcomer of the room and the room of the newcomer. */
export function announceEntry(context: ApplyContext, room: RoomRow, member: MemberRow): void {
  const { state, revision } = context;
  const account = state.account(member.accountId);
  const peer = isDirect(room) ? state.account(peerIdOf(room, member.accountId)) : undefined;
  context.toAccount(member.accountId, roomResetEvent(revision, room, member, peer));
  if (account === undefined) return;
  const changed = membershipChangedEvent(revision, room, account, member.role);
  context.toRoom(room.id, changed, member.accountId);
}

/**
 * Takes a member out and keeps the tombstone. A room without an owner gets its longest-standing
 * admin, else member, as one; a private or direct room without members is deleted.
 */
export function leaveBehind(
  context: ApplyContext,
  room: RoomRow,
  member: MemberRow,
  reason: number,
  byAccountId: number,
): void {
  const { state, revision } = context;
  const wasOwner = member.role === ROOM_ROLE_OWNER;
  member.role = 0;
  member.changedRevision = revision;
  member.removalReason = reason;
  member.removedBy = byAccountId;
  member.banned = reason === REMOVAL.banned;
  state.changedMember(member);
  room.memberCount -= 1;
  context.roomActivity(room);
  context.changes.push({ kind: "member-removed", roomId: room.id, accountId: member.accountId });
  for (const invite of state.invitesBy(member.accountId)) {
    if (invite.roomId === room.id) state.removeInvite(invite);
  }
  if (room.memberCount === 0 && room.visibility !== ROOM_VISIBILITY_PUBLIC) {
    state.changeRoomName(room, () => {
      room.deleted = true;
    });
    context.changes.push(roomChange(room));
    return;
  }
  if (wasOwner) handOwnershipOn(context, room);
}

function handOwnershipOn(context: ApplyContext, room: RoomRow): void {
  let heir: MemberRow | undefined;
  for (const member of context.state.memberRows(room.id)) {
    if (member.role === ROOM_ROLE_OWNER) return;
    if (member.role !== 0 && (heir === undefined || standsBefore(member, heir))) heir = member;
  }
  if (heir !== undefined) setRoleOf(context, room, heir, ROOM_ROLE_OWNER);
}

function standsBefore(member: MemberRow, other: MemberRow): boolean {
  if (member.role !== other.role) return member.role > other.role;
  if (member.joinedRevision !== other.joinedRevision) {
    return member.joinedRevision < other.joinedRevision;
  }
  return member.accountId < other.accountId;
}

function setRoleOf(context: ApplyContext, room: RoomRow, member: MemberRow, role: number): void {
  const { state, revision } = context;
  member.role = role;
  member.changedRevision = revision;
  state.changedMember(member);
  // Admins could lift it for each other.
  if (role >= ROOM_ROLE_ADMIN) forbidWriting(context, member, 0);
  context.roomActivity(room);
  context.changes.push(memberChange(member));
  const account = state.account(member.accountId);
  if (account === undefined) return;
  context.toRoom(room.id, membershipChangedEvent(revision, room, account, role));
}

/** The room that a command to join means: the one that it names, or that its invite leads to. */
function roomToJoin({ state }: ApplyContext, command: JoinRoomCommand): RoomRow | ParleyError {
  const isInvited = command.inviteHash.length > 0;
  const invite = isInvited ? state.inviteBySecret(hexOf(command.inviteHash)) : undefined;
  if (isInvited && invite === undefined) return noInvite();
  const room = state.liveRoom(invite?.roomId ?? command.roomId);
  const isOther = command.roomId !== 0 && room?.id !== command.roomId;
  if (room === undefined || isOther) return refuse("ROOM_NOT_FOUND", NO_ROOM);
  return room;
}

/**
 * Public rooms, and with an invite the one that it leads to. Joining where one is already is a success without an event, and uses no
 * invite up, be it spent by now or not (P2).
 */
export function joinRoom(
  context: ApplyContext,
  account: AccountRow,
  command: JoinRoomCommand,
): Result {
  const { state, revision } = context;
  const room = roomToJoin(context, command);
  if (room instanceof ParleyError) return room;
  let member = state.member(room.id, account.id);
  if (member === undefined) {
    if (isDirect(room)) return refuse("DIRECT_ROOM", DIRECT);
    if (state.memberRow(room.id, account.id)?.banned === true) {
      return refuse("BANNED", "You are banned from this room.");
    }
    const hasInvite = command.inviteHash.length > 0;
    if (room.visibility !== ROOM_VISIBILITY_PUBLIC && !hasInvite) {
      return refuse("PERMISSION_DENIED", "A private room is joined by invitation.", {
        subject: "private_room",
      });
    }
    const good = hasInvite ? goodInvite(context, command.inviteHash) : undefined;
    if (good instanceof ParleyError) return good;
    const limit = roomLimitProblem(context, account.id, room);
    if (limit !== undefined) return limit;
    if (good !== undefined) useInvite(context, good.invite);
    // Somebody has to be able to look after a public room that everybody had left.
    const role = room.memberCount === 0 ? ROOM_ROLE_OWNER : ROOM_ROLE_MEMBER;
    member = enterRoom(context, room, account.id, role);
    announceEntry(context, room, member);
  }
  const peer = isDirect(room) ? state.account(peerIdOf(room, account.id)) : undefined;
  return JoinRoomResponse.encode({
    room: ownRoomView(context, room, member, peer),
    revision,
  }).finish();
}

export function leaveRoom(
  context: ApplyContext,
  account: AccountRow,
  command: LeaveRoomCommand,
): Result {
  const { revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member } = found;
  if (isDirect(room)) return refuse("DIRECT_ROOM", DIRECT);
  leaveBehind(context, room, member, REMOVAL.left, account.id);
  context.toAccount(account.id, roomRemovedEvent(revision, room.id, REMOVAL.left, account.id));
  if (!room.deleted) context.toRoom(room.id, membershipChangedEvent(revision, room, account, 0));
  return LeaveRoomResponse.encode({ revision }).finish();
}

/** By any member; somebody banned is let in again by an admin or owner only. */
export function inviteMember(
  context: ApplyContext,
  account: AccountRow,
  command: InviteMemberCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member: inviter } = found;
  if (isDirect(room)) return refuse("DIRECT_ROOM", DIRECT);
  const invited = state.liveAccount(command.accountId);
  if (invited === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  const row = state.memberRow(room.id, invited.id);
  if (row !== undefined && row.role !== 0) {
    const { username: named } = invited;
    return refuse("ALREADY_A_MEMBER", `${named} is already a member.`, {
      subject: "account",
      named,
    });
  }
  if (row?.banned === true && inviter.role < ROOM_ROLE_ADMIN) {
    const { username: named } = invited;
    const message = `${named} is banned; an admin can invite them again.`;
    return refuse("BANNED", message, { subject: "account", named });
  }
  const limit = roomLimitProblem(context, invited.id, room);
  if (limit !== undefined) return limit;
  const member = enterRoom(context, room, invited.id, ROOM_ROLE_MEMBER);
  announceEntry(context, room, member);
  return InviteMemberResponse.encode({ member: memberView(invited, member), revision }).finish();
}

/** Kick or ban, by an admin or owner, of somebody of a lower role. */
export function removeMember(
  context: ApplyContext,
  account: AccountRow,
  command: RemoveMemberCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member: actor } = found;
  if (isDirect(room)) return refuse("DIRECT_ROOM", DIRECT);
  if (actor.role < ROOM_ROLE_ADMIN) {
    return refuse("PERMISSION_DENIED", "Only admins and owners of the room may remove members.", {
      subject: "room",
    });
  }
  if (command.accountId === account.id) {
    return refuse("INVALID_ARGUMENT", "To go yourself, leave the room.");
  }
  const target = state.liveAccount(command.accountId);
  if (target === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  const row = state.memberRow(room.id, target.id);
  if (row === undefined || row.role === 0) {
    if (!command.ban) return notAMember(target);
    banOutsider(context, room, target, row);
    return RemoveMemberResponse.encode({ revision }).finish();
  }
  if (row.role >= actor.role) {
    return refuse("PERMISSION_DENIED", "You may remove members of a lower role only.", {
      subject: "role",
    });
  }
  const reason = command.ban ? REMOVAL.banned : REMOVAL.kicked;
  leaveBehind(context, room, row, reason, account.id);
  context.toAccount(target.id, roomRemovedEvent(revision, room.id, reason, account.id));
  context.toRoom(room.id, membershipChangedEvent(revision, room, target, 0));
  return RemoveMemberResponse.encode({ revision }).finish();
}

/**
 * By an admin or owner, of somebody of a lower role. Who has left can be given leave to write when they come back, and not be
 * forbidden it.
 */
export function muteMember(
  context: ApplyContext,
  account: AccountRow,
  command: MuteMemberCommand,
): Result {
  const { state, revision, stampMs } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member: actor } = found;
  if (isDirect(room)) return refuse("DIRECT_ROOM", DIRECT);
  if (actor.role < ROOM_ROLE_ADMIN) {
    return refuse("PERMISSION_DENIED", "Only admins and owners of the room may mute members.", {
      subject: "room",
    });
  }
  const target = state.liveAccount(command.accountId);
  if (target === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  const row = state.memberRow(room.id, target.id);
  if (row === undefined || (row.role === 0 && command.muted)) {
    return notAMember(target);
  }
  if (row.role >= actor.role) {
    return refuse("PERMISSION_DENIED", "You may mute members of a lower role only.", {
      subject: "role",
    });
  }
  const untilMs = command.durationMs === 0 ? UNTIL_LIFTED : stampMs + command.durationMs;
  forbidWriting(context, row, command.muted ? untilMs : 0);
  return MuteMemberResponse.encode({ member: memberView(target, row), revision }).finish();
}

function notAMember({ username: named }: AccountRow): ParleyError {
  return refuse("NOT_A_MEMBER", `${named} is not a member.`, { subject: "account", named });
}

/** A ban of somebody who is not in the room changes nothing that anybody sees. */
function banOutsider(
  context: ApplyContext,
  room: RoomRow,
  target: AccountRow,
  row: MemberRow | undefined,
): void {
  const banned: MemberRow = row ?? {
    stored: false,
    hashA: 0,
    hashB: 0,
    roomId: room.id,
    accountId: target.id,
    role: 0,
    joinedRevision: 0,
    joinedAtMs: 0,
    changedRevision: 0,
    removalReason: 0,
    removedBy: 0,
    banned: true,
    readSeq: 0,
    readRevision: 0,
    starred: false,
    muted: false,
    preferenceRevision: 0,
    writeForbiddenUntilMs: 0,
    writeForbiddenRevision: 0,
  };
  banned.banned = true;
  context.state.changedMember(banned);
}

/** By an owner of the room; there may be several, but never none. */
export function setRole(
  context: ApplyContext,
  account: AccountRow,
  command: SetRoleCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member: actor } = found;
  if (isDirect(room)) return refuse("DIRECT_ROOM", DIRECT);
  if (actor.role !== ROOM_ROLE_OWNER) {
    return refuse("PERMISSION_DENIED", "Only an owner of the room may change roles.", {
      subject: "room",
    });
  }
  const target = state.liveAccount(command.accountId);
  if (target === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  const member = state.member(room.id, target.id);
  if (member === undefined) {
    return notAMember(target);
  }
  if (member.role !== command.role) {
    const isDemotion = member.role === ROOM_ROLE_OWNER;
    if (isDemotion && !hasAnotherOwner(context, room, member)) {
      return refuse("LAST_OWNER", "A room needs an owner; make somebody else one first.", {
        subject: "room",
      });
    }
    setRoleOf(context, room, member, command.role);
  }
  return SetRoleResponse.encode({ member: memberView(target, member), revision }).finish();
}

function hasAnotherOwner(context: ApplyContext, room: RoomRow, owner: MemberRow): boolean {
  for (const member of context.state.memberRows(room.id)) {
    if (member !== owner && member.role === ROOM_ROLE_OWNER) return true;
  }
  return false;
}

function memberView(account: AccountRow, member: MemberRow) {
  return {
    account: accountView(account),
    role: member.role as 1 | 2 | 3,
    joinedAtMs: member.joinedAtMs,
    // Others' read positions are theirs.
    readSeq: 0,
    ...writingView(member),
  };
}
