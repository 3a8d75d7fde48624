// Blocking somebody for oneself.
import { type BlockCommand, BlockResponse, LIMITS, type ParleyError } from "@parley/protocol";
import type { AccountRow, RoomRow } from "../rows.ts";
import { blockedEvent, peerIdOf } from "../views.ts";
import { type ApplyContext, blockedChange, type Result, refuse } from "./context.ts";

/** Deleted accounts leave the list with its next change. */
export function block(context: ApplyContext, account: AccountRow, command: BlockCommand): Result {
  const { state, revision } = context;
  const target = state.liveAccount(command.accountId);
  if (target === undefined) return refuse("ACCOUNT_NOT_FOUND", "There is no such account.");
  if (target.id === account.id) return refuse("INVALID_ARGUMENT", "You can't block yourself.");
  const before = state.blockedBy(account.id);
  if (before.has(target.id) !== command.blocked) {
    const others = [...before].filter((id) => id !== target.id && state.liveAccount(id));
    if (command.blocked && others.length >= LIMITS.blockedPerAccountMax) {
      return refuse(
        "LIMIT_REACHED",
        `You can block at most ${LIMITS.blockedPerAccountMax} accounts.`,
        { subject: "blocks", limit: LIMITS.blockedPerAccountMax },
      );
    }
    const after = command.blocked ? [...others, target.id] : others;
    state.setBlocked(
      account,
      after.sort((x, y) => x - y),
      revision,
    );
    context.changes.push(blockedChange(account.id, state.blockedBy(account.id)));
    context.toAccount(account.id, blockedEvent(revision, account.blocked));
  }
  const accountIds = [...state.blockedBy(account.id)];
  return BlockResponse.encode({ blocked: { accountIds }, revision }).finish();
}

/** Why somebody may not write in a room: it is a direct one with an account that has blocked them. */
export function blockedProblem(
  { state }: ApplyContext,
  room: RoomRow,
  account: AccountRow,
): ParleyError | undefined {
  if (room.directLow === 0) return undefined;
  return blockedByProblem(state.blockedBy(peerIdOf(room, account.id)), account);
}

export function blockedByProblem(
  blocked: ReadonlySet<number>,
  account: AccountRow,
): ParleyError | undefined {
  if (!blocked.has(account.id)) return undefined;
  return refuse("BLOCKED", "This account takes no direct messages from you.");
}
