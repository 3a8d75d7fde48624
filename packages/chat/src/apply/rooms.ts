// Rooms: making, changing and deleting them, and the direct room of two accounts.
import {
  type CreateRoomCommand,
  CreateRoomResponse,
  type DeleteRoomCommand,
  DeleteRoomResponse,
  type OpenDirectCommand,
  OpenDirectResponse,
  ParleyError,
  RoomRole,
  RoomVisibility,
  type UpdateRoomCommand,
  UpdateRoomResponse,
} from "@parley/protocol";
import type { AccountRow, RoomRow } from "../rows.ts";
import { roomChangedEvent, roomRemovedEvent, roomResetEvent, roomView } from "../views.ts";
import { blockedByProblem } from "./blocks.ts";
import { type ApplyContext, type Result, refuse, roomChange } from "./context.ts";
import {
  enterRoom,
  isDirect,
  membershipOf,
  ownRoomView,
  REMOVAL,
  roomLimitProblem,
} from "./membership.ts";

const { ROOM_VISIBILITY_PUBLIC, ROOM_VISIBILITY_DIRECT } = RoomVisibility;
const { ROOM_ROLE_ADMIN, ROOM_ROLE_MEMBER, ROOM_ROLE_OWNER } = RoomRole;

function newRoom(
  context: ApplyContext,
  made: Pick<RoomRow, "name" | "nameKey" | "visibility" | "topic" | "directLow" | "directHigh">,
): RoomRow {
  const room: RoomRow = {
    stored: false,
    hashA: 0,
    hashB: 0,
    id: context.revision,
    name: made.name,
    nameKey: made.nameKey,
    visibility: made.visibility,
    topic: made.topic,
    lastSeq: 0,
    lastSentAtMs: 0,
    memberCount: 0,
    createdAtMs: context.stampMs,
    deleted: false,
    activityRevision: context.revision,
    infoRevision: 0,
    directLow: made.directLow,
    directHigh: made.directHigh,
    replyCount: 0,
  };
  context.state.addRoom(room);
  context.changes.push(roomChange(room));
  return room;
}

export function createRoom(
  context: ApplyContext,
  account: AccountRow,
  command: CreateRoomCommand,
): Result {
  const { state, revision } = context;
  if (
    command.visibility === ROOM_VISIBILITY_PUBLIC &&
    state.publicRoomIdByKey(command.nameKey) !== undefined
  ) {
    return refuse("ROOM_NAME_TAKEN", `There is a public room ${command.name} already.`);
  }
  const limit = roomLimitProblem(context, account.id, undefined);
  if (limit !== undefined) return limit;
  const room = newRoom(context, { ...command, directLow: 0, directHigh: 0 });
  const member = enterRoom(context, room, account.id, ROOM_ROLE_OWNER);
  context.toAccount(account.id, roomResetEvent(revision, room, member, undefined));
  const view = roomView(room, member, undefined);
  return CreateRoomResponse.encode({ room: view, revision }).finish();
}

/** By an admin or owner of the room. Empty fields stay as they are. */
export function updateRoom(
  context: ApplyContext,
  account: AccountRow,
  command: UpdateRoomCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member } = found;
  if (isDirect(room)) return refuse("DIRECT_ROOM", "A direct conversation has no name or topic.");
  if (member.role < ROOM_ROLE_ADMIN) {
    return refuse("PERMISSION_DENIED", "Only admins and owners of the room may change it.", {
      subject: "room",
    });
  }
  const name = command.name === "" ? room.name : command.name;
  const nameKey = command.name === "" ? room.nameKey : command.nameKey;
  const topic = command.topic === "" ? room.topic : command.topic;
  const visibility = command.visibility === 0 ? room.visibility : command.visibility;
  if (visibility === ROOM_VISIBILITY_PUBLIC) {
    const holder = state.publicRoomIdByKey(nameKey);
    if (holder !== undefined && holder !== room.id) {
      return refuse("ROOM_NAME_TAKEN", `There is a public room ${name} already.`);
    }
  }
  const isChange =
    name !== room.name ||
    nameKey !== room.nameKey ||
    topic !== room.topic ||
    visibility !== room.visibility;
  if (isChange) {
    const isVisibilityChange = visibility !== room.visibility;
    state.changeRoomName(room, () => {
      room.name = name;
      room.nameKey = nameKey;
      room.topic = topic;
      room.visibility = visibility;
      room.infoRevision = revision;
    });
    context.roomActivity(room);
    if (isVisibilityChange) context.changes.push(roomChange(room));
    context.toRoom(room.id, roomChangedEvent(revision, room));
  }
  const view = ownRoomView(context, room, member, undefined);
  return UpdateRoomResponse.encode({ room: view, revision }).finish();
}

/** By an owner of the room. Every member keeps a tombstone; the name becomes free. */
export function deleteRoom(
  context: ApplyContext,
  account: AccountRow,
  command: DeleteRoomCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member: actor } = found;
  if (isDirect(room)) return refuse("DIRECT_ROOM", "A direct conversation can't be deleted.");
  if (actor.role !== ROOM_ROLE_OWNER) {
    return refuse("PERMISSION_DENIED", "Only an owner of the room may delete it.", {
      subject: "room",
    });
  }
  for (const invite of state.invitesTo(room.id)) state.removeInvite(invite);
  state.files.dropOfRoom(room.id);
  const removed = roomRemovedEvent(revision, room.id, REMOVAL.roomDeleted, account.id);
  for (const member of state.memberRows(room.id)) {
    if (member.role === 0) continue;
    member.role = 0;
    member.changedRevision = revision;
    member.removalReason = REMOVAL.roomDeleted;
    member.removedBy = account.id;
    state.changedMember(member);
    context.changes.push({ kind: "member-removed", roomId: room.id, accountId: member.accountId });
    context.toAccount(member.accountId, removed);
  }
  state.changeRoomName(room, () => {
    room.deleted = true;
    room.memberCount = 0;
  });
  context.roomActivity(room);
  context.changes.push(roomChange(room));
  return DeleteRoomResponse.encode({ revision }).finish();
}

/** The one room of two accounts, oneself included. Opening it again is a success without an event. */
export function openDirect(
  context: ApplyContext,
  account: AccountRow,
  command: OpenDirectCommand,
): Result {
  const { state, revision } = context;
  const peer = state.liveAccount(command.accountId);
  if (peer === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  const blocked = blockedByProblem(state.blockedBy(peer.id), account);
  if (blocked !== undefined) return blocked;
  const low = Math.min(account.id, peer.id);
  const high = Math.max(account.id, peer.id);
  let room = state.directRoom(low, high);
  if (room === undefined) {
    const limit =
      roomLimitProblem(context, account.id, undefined) ??
      roomLimitProblem(context, peer.id, undefined);
    if (limit !== undefined) return limit;
    room = newRoom(context, {
      name: "",
      nameKey: "",
      visibility: ROOM_VISIBILITY_DIRECT,
      topic: "",
      directLow: low,
      directHigh: high,
    });
    const own = enterRoom(context, room, account.id, ROOM_ROLE_MEMBER);
    if (peer.id === account.id) {
      context.toAccount(account.id, roomResetEvent(revision, room, own, account));
    } else {
      const theirs = enterRoom(context, room, peer.id, ROOM_ROLE_MEMBER);
      context.toAccount(account.id, roomResetEvent(revision, room, own, peer));
      context.toAccount(peer.id, roomResetEvent(revision, room, theirs, account));
    }
  }
  const member = state.member(room.id, account.id);
  const view = ownRoomView(context, room, member, peer);
  return OpenDirectResponse.encode({ room: view, revision }).finish();
}
