// What an account wants for itself, the same on all of its devices. Of what it wants of a room nobody else learns.
import {
  ParleyError,
  type SetReadReceiptsCommand,
  SetReadReceiptsResponse,
  type SetRoomPreferenceCommand,
  SetRoomPreferenceResponse,
} from "@parley/protocol";
import type { AccountRow } from "../rows.ts";
import { accountChangedEvent, accountView, roomPreferenceEvent } from "../views.ts";
import { type ApplyContext, accountChange, type Result } from "./context.ts";
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

/** Others are told at once, so that nobody goes on showing what is to be hidden. */
export function setReadReceipts(
  context: ApplyContext,
  account: AccountRow,
  { shown }: SetReadReceiptsCommand,
): Result {
  const { state, revision } = context;
  if (account.readsHidden === shown) {
    account.readsHidden = !shown;
    account.changedRevision = revision;
    state.changedAccount(account);
    context.changes.push(accountChange(account));
    context.toEveryone(accountChangedEvent(revision, account));
  }
  return SetReadReceiptsResponse.encode({ account: accountView(account), revision }).finish();
}
