// Who may read a room: its members; a public one every account that is not banned from it.
import { ParleyError, RoomVisibility } from "@parley/protocol";
import type { RoomRow } from "../rows.ts";
import type { RowSource } from "./rows-of.ts";

/** The room, if the account may read it. Throws a ParleyError. */
export function readableRoom(rows: RowSource, roomId: number, accountId: number): RoomRow {
  const room = rows.room(roomId);
  if (room === undefined || room.deleted) {
    throw new ParleyError("ROOM_NOT_FOUND", "There is no such room.");
  }
  const member = rows.member(roomId, accountId);
  if (member?.banned === true) {
    throw new ParleyError("BANNED", "You are banned from this room.");
  }
  const isMember = member !== undefined && member.role !== 0;
  if (!isMember && room.visibility !== RoomVisibility.ROOM_VISIBILITY_PUBLIC) {
    throw new ParleyError("NOT_A_MEMBER", "You are not a member of this room.");
  }
  return room;
}
