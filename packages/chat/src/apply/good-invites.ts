// Coming in by an invite: by registering, or by joining its room.
import type { ParleyError } from "@parley/protocol";
import { inviteProblem, noInvite } from "../invites.ts";
import type { InviteRow, RoomRow } from "../rows.ts";
import type { ApplyContext } from "./context.ts";
import { hexOf } from "./sessions.ts";

/** An invite that admits somebody now, with the room that it leads to. */
export interface GoodInvite {
  readonly invite: InviteRow;
  /** Undefined: it leads into the instance alone. */
  readonly room: RoomRow | undefined;
}

/** The invite with this secret, or why it does not count. */
export function goodInvite(
  { state, stampMs }: ApplyContext,
  secretHash: Uint8Array,
): GoodInvite | ParleyError {
  const invite = state.inviteBySecret(hexOf(secretHash));
  if (invite === undefined) return noInvite();
  const room = state.room(invite.roomId);
  const maker = state.account(invite.accountId);
  const role = state.member(invite.roomId, invite.accountId)?.role ?? 0;
  return inviteProblem(invite, { maker, room, role }, stampMs) ?? { invite, room };
}

/** It has admitted one more. */
export function useInvite({ state }: ApplyContext, invite: InviteRow): void {
  invite.useCount += 1;
  state.changedInvite(invite);
}
