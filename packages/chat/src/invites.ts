// What an invite is worth, for apply and for reads alike.
import { ParleyError, RoomRole, RoomVisibility } from "@parley/protocol";
import type { AccountRow, InviteRow, RoomRow } from "./rows.ts";

/** It can admit nobody any more, whoever made it. */
export function isSpent(invite: InviteRow, stampMs: number): boolean {
  const isOver = invite.expiresAtMs !== 0 && invite.expiresAtMs <= stampMs;
  return isOver || (invite.usesMax !== 0 && invite.useCount >= invite.usesMax);
}

/** Why somebody may not invite to a room that they have this role in (0 = none); no room: to the instance alone. */
export function inviterProblem(
  account: AccountRow,
  room: RoomRow | undefined,
  role: number,
): ParleyError | undefined {
  if (room === undefined) {
    if (account.owner) return undefined;
    return new ParleyError(
      "PERMISSION_DENIED",
      "Only the instance's owner makes invites that lead to no room.",
      { subject: "instance" },
    );
  }
  if (room.visibility === RoomVisibility.ROOM_VISIBILITY_DIRECT) {
    return new ParleyError("DIRECT_ROOM", "The two members of a direct conversation are fixed.");
  }
  const isPublic = room.visibility === RoomVisibility.ROOM_VISIBILITY_PUBLIC;
  const roleMin = isPublic ? RoomRole.ROOM_ROLE_MEMBER : RoomRole.ROOM_ROLE_ADMIN;
  if (role >= roleMin) return undefined;
  return new ParleyError(
    "PERMISSION_DENIED",
    "Only admins and owners make invites to a private room.",
    { subject: "room" },
  );
}

/** One answer, whatever is wrong with it: who guesses learns nothing. */
export function noInvite(): ParleyError {
  return new ParleyError("INVITE_NOT_FOUND", "This invite does not count, or no longer.");
}

/** Why an invite admits nobody now. */
export function inviteProblem(
  invite: InviteRow,
  by: {
    readonly maker: AccountRow | undefined;
    /** Where it leads, and its maker's role there. */
    readonly room: RoomRow | undefined;
    readonly role: number;
  },
  stampMs: number,
): ParleyError | undefined {
  const { maker, room, role } = by;
  if (maker === undefined || maker.deleted || isSpent(invite, stampMs)) return noInvite();
  if (invite.roomId !== 0 && room?.deleted !== false) return noInvite();
  return inviterProblem(maker, room, role) === undefined ? undefined : noInvite();
}
