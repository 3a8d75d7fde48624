// Invites: whoever knows the secret of one may register where that takes an invite, and comes into its room. The state has the secret's
// hash alone. An invite is as good as its maker's right to make it: it counts for nothing while they have lost that.
import {
  type CreateInviteCommand,
  CreateInviteResponse,
  LIMITS,
  ParleyError,
  type RevokeInviteCommand,
  RevokeInviteResponse,
  RoomRole,
} from "@parley/protocol";
import { inviterProblem, isSpent } from "../invites.ts";
import type { AccountRow, InviteRow, RoomRow } from "../rows.ts";
import { inviteView } from "../views.ts";
import { type ApplyContext, type Result, refuse } from "./context.ts";
import { membershipOf } from "./membership.ts";
import { hexOf } from "./sessions.ts";

/** By a member of a public room, an admin or owner of a private one; to the instance alone, by its owner. */
export function createInvite(
  context: ApplyContext,
  account: AccountRow,
  command: CreateInviteCommand,
): Result {
  const { state, revision, stampMs } = context;
  let room: RoomRow | undefined;
  let role = 0;
  if (command.roomId !== 0) {
    const found = membershipOf(context, command.roomId, account);
    if (found instanceof ParleyError) return found;
    room = found.room;
    role = found.member.role;
  }
  const problem = inviterProblem(account, room, role);
  if (problem !== undefined) return problem;
  const secretHash = hexOf(command.secretHash);
  if (state.inviteBySecret(secretHash) !== undefined) {
    return refuse("INVALID_ARGUMENT", "The secret is in use.");
  }
  makeRoom(context, account.id, command.roomId);
  if (state.invitesBy(account.id).length >= LIMITS.invitesPerAccountMax) {
    return refuse(
      "LIMIT_REACHED",
      `An account has at most ${LIMITS.invitesPerAccountMax} invites; revoke one first.`,
      { subject: "invites", limit: LIMITS.invitesPerAccountMax },
    );
  }
  if (state.invitesTo(command.roomId).length >= LIMITS.invitesPerRoomMax) {
    return refuse(
      "LIMIT_REACHED",
      `A room has at most ${LIMITS.invitesPerRoomMax} invites; revoke one first.`,
      { subject: "invites", limit: LIMITS.invitesPerRoomMax },
    );
  }
  const invite: InviteRow = {
    stored: false,
    hashA: 0,
    hashB: 0,
    id: revision,
    roomId: command.roomId,
    accountId: account.id,
    secretHash,
    createdAtMs: stampMs,
    expiresAtMs: command.ttlMs === 0 ? 0 : stampMs + command.ttlMs,
    usesMax: command.usesMax,
    useCount: 0,
  };
  state.addInvite(invite);
  return CreateInviteResponse.encode({
    invite: inviteView(invite, account, room),
    revision,
  }).finish();
}

/** What can admit nobody any more goes first. */
function makeRoom({ state, stampMs }: ApplyContext, accountId: number, roomId: number): void {
  for (const invite of [...state.invitesBy(accountId), ...state.invitesTo(roomId)]) {
    if (isSpent(invite, stampMs)) state.removeInvite(invite);
  }
}

/** By its maker, an admin or owner of its room, or the instance's owner. */
export function revokeInvite(
  context: ApplyContext,
  account: AccountRow,
  command: RevokeInviteCommand,
): Result {
  const { state, revision } = context;
  const invite = state.invite(command.inviteId);
  const role = invite === undefined ? 0 : (state.member(invite.roomId, account.id)?.role ?? 0);
  const mayRevoke =
    invite?.accountId === account.id || account.owner || role >= RoomRole.ROOM_ROLE_ADMIN;
  if (invite === undefined || !mayRevoke) {
    return refuse("INVITE_NOT_FOUND", "There is no such invite.");
  }
  state.removeInvite(invite);
  return RevokeInviteResponse.encode({ revision }).finish();
}
