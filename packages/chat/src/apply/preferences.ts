// What an account wants of a room: nobody else learns of it, and it is the same on all of its devices.
import {
  ParleyError,
  type SetRoomPreferenceCommand,
  SetRoomPreferenceResponse,
} from "@parley/protocol";
import type { AccountRow } from "../rows.ts";
import { roomPreferenceEvent } from "../views.ts";
import type { ApplyContext, Result } from "./context.ts";
import { membershipOf } from "./membership.ts";

/** Wanting what one wants already changes nothing. */
export function setRoomPreference(
  context: ApplyContext,
  account: AccountRow,
  command: SetRoomPreferenceCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member } = found;
  const { starred = member.starred, muted = member.muted } = command;
  if (starred !== member.starred || muted !== member.muted) {
    member.starred = starred;
    member.muted = muted;
    member.preferenceRevision = revision;
    state.changedMember(member);
    context.toAccount(account.id, roomPreferenceEvent(revision, room.id, member));
  }
  return SetRoomPreferenceResponse.encode({ revision }).finish();
}
