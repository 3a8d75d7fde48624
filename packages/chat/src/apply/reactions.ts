// Reactions: an emoji that an account gives to a message, or takes back. They change what the message shows, and neither its version
// nor what counts as unread.
import {
  encode,
  LIMITS,
  Message,
  ParleyError,
  type ReactCommand,
  type Reaction,
  ReactionList,
  ReactResponse,
} from "@parley/protocol";
import type { AccountRow, MessageRow } from "../rows.ts";
import { authorName, messageChangedEvent, messageView, reactionsOf } from "../views.ts";
import { blockedProblem } from "./blocks.ts";
import { type ApplyContext, type Result, refuse } from "./context.ts";
import { membershipOf } from "./membership.ts";
import { mutedProblem } from "./muting.ts";

/** Giving what one has given, and taking back what one has not, changes nothing. */
export function react(context: ApplyContext, account: AccountRow, command: ReactCommand): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const muted = command.add ? mutedProblem(context, found.member) : undefined;
  const forbidden = muted ?? blockedProblem(context, found.room, account);
  if (forbidden !== undefined) return forbidden;
  const row = state.messages.bySeq(found.room.id, command.seq);
  if (row === undefined || row.deleted) {
    return refuse("MESSAGE_NOT_FOUND", `There is no message ${command.seq} any more.`);
  }
  const before = reactionsOf(row);
  const given = state.reactions.find(row.id, command.emoji, account.id);
  if (command.add === (given !== undefined)) return response(before, revision);
  if (given === undefined) {
    const problem = limitProblem(before, command.emoji);
    if (problem !== undefined) return problem;
    const { emoji } = command;
    state.reactions.add({ id: revision, messageId: row.id, emoji, accountId: account.id });
  } else {
    state.reactions.remove(given);
  }
  const reactions = command.add
    ? withReaction(before, command.emoji, account.id)
    : withoutReaction(context, row.id, before, command.emoji, account.id);
  const after: MessageRow = {
    ...row,
    reactions: reactions.length === 0 ? null : ReactionList.encode({ reactions }).finish(),
    changedRevision: revision,
  };
  state.messages.replace(row, after);
  const message = encode(Message, messageView(after, authorName(state.account(row.authorId))));
  context.toRoom(found.room.id, messageChangedEvent(revision, message));
  context.roomActivity(found.room);
  return response(reactions, revision);
}

function response(reactions: Reaction[], revision: number): Uint8Array {
  return ReactResponse.encode({ reactions, revision }).finish();
}

function limitProblem(reactions: readonly Reaction[], emoji: string): ParleyError | undefined {
  const { emojiPerMessageMax, reactionsPerMessageMax } = LIMITS;
  const isNew = reactions.every((reaction) => reaction.emoji !== emoji);
  if (isNew && reactions.length >= emojiPerMessageMax) {
    const message = `A message has at most ${emojiPerMessageMax} different emoji.`;
    return refuse("LIMIT_REACHED", message, { subject: "emoji", limit: emojiPerMessageMax });
  }
  const count = reactions.reduce((sum, reaction) => sum + reaction.count, 0);
  if (count >= reactionsPerMessageMax) {
    const message = `A message has at most ${reactionsPerMessageMax} reactions.`;
    const limit = reactionsPerMessageMax;
    return refuse("LIMIT_REACHED", message, { subject: "reactions", limit });
  }
  return undefined;
}

function withReaction(before: readonly Reaction[], emoji: string, accountId: number): Reaction[] {
  if (before.every((reaction) => reaction.emoji !== emoji)) {
    return [...before, { emoji, count: 1, accountIds: [accountId] }];
  }
  return before.map((reaction) => {
    if (reaction.emoji !== emoji) return reaction;
    const { count, accountIds: shown } = reaction;
    const isShown = shown.length < LIMITS.reactionAccountsShownMax;
    return { emoji, count: count + 1, accountIds: isShown ? [...shown, accountId] : shown };
  });
}

/** Whoever came first among those that were not shown takes the place of one who was. */
function withoutReaction(
  context: ApplyContext,
  messageId: number,
  before: readonly Reaction[],
  emoji: string,
  accountId: number,
): Reaction[] {
  return before.flatMap((reaction) => {
    if (reaction.emoji !== emoji) return [reaction];
    const count = reaction.count - 1;
    if (count === 0) return [];
    const accountIds = reaction.accountIds.filter((id) => id !== accountId);
    if (accountIds.length < reaction.accountIds.length && accountIds.length < count) {
      const next = context.state.reactions.accountAt(messageId, emoji, accountIds.length);
      if (next !== undefined) accountIds.push(next);
    }
    return [{ emoji, count, accountIds }];
  });
}
