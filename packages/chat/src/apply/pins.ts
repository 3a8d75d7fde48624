// Pins: the few messages that a room's admins want everybody to find.
import {
  encode,
  LIMITS,
  Message,
  ParleyError,
  type PinCommand,
  PinResponse,
  RoomRole,
} from "@parley/protocol";
import type { AccountRow, MessageRow } from "../rows.ts";
import { authorName, messageChangedEvent, messageView } from "../views.ts";
import { type ApplyContext, type Result, refuse } from "./context.ts";
import { isDirect, membershipOf } from "./membership.ts";

/** Pinning what is pinned, and unpinning what is not, changes nothing. */
export function pin(context: ApplyContext, account: AccountRow, command: PinCommand): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member } = found;
  if (!isDirect(room) && member.role < RoomRole.ROOM_ROLE_ADMIN) {
    return refuse("PERMISSION_DENIED", "Only admins and owners of the room may pin messages.", {
      subject: "room",
    });
  }
  const row = state.messages.bySeq(room.id, command.seq);
  if (row === undefined || row.deleted) {
    return refuse("MESSAGE_NOT_FOUND", `There is no message ${command.seq} any more.`);
  }
  if (command.pinned !== row.pinnedRevision > 0) {
    if (command.pinned && state.messages.pinCount(room.id) >= LIMITS.pinsPerRoomMax) {
      return refuse(
        "LIMIT_REACHED",
        `A room has at most ${LIMITS.pinsPerRoomMax} pinned messages.`,
        { subject: "pins", limit: LIMITS.pinsPerRoomMax },
      );
    }
    const pinnedRevision = command.pinned ? revision : 0;
    const after: MessageRow = { ...row, pinnedRevision, changedRevision: revision };
    state.messages.replace(row, after);
    const message = encode(Message, messageView(after, authorName(state.account(row.authorId))));
    context.toRoom(room.id, messageChangedEvent(revision, message));
    context.roomActivity(room);
  }
  return PinResponse.encode({ revision }).finish();
}
