// Threads: replies to one message, shown beside the room and not in it. They take numbers of the room, so that P3 and P5 hold for them
// as they are; what is apart is who is told that they are unread: whoever follows the thread, after a read position of their own in it.
import {
  type FollowThreadCommand,
  FollowThreadResponse,
  LIMITS,
  type MarkReadCommand,
  MarkReadResponse,
  type MentionList,
  ParleyError,
  ThreadSummary,
} from "@parley/protocol";
import type { AccountRow, FollowRow, MemberRow, MessageRow, RoomRow } from "../rows.ts";
import { followedThread, replyHasNoThread, threadMarkerEvent } from "../views.ts";
import { type ApplyContext, type Result, refuse } from "./context.ts";
import { type Membership, membershipOf } from "./membership.ts";

/** The message that a thread is or may be about, deleted or not. */
function rootOf({ state }: ApplyContext, room: RoomRow, seq: number): MessageRow | ParleyError {
  const root = state.messages.bySeq(room.id, seq);
  if (root === undefined) return refuse("MESSAGE_NOT_FOUND", `There is no message ${seq}.`);
  return root.threadRootSeq === 0
    ? root
    : refuse("INVALID_ARGUMENT", replyHasNoThread(root.seq, root.threadRootSeq));
}

/** The message that a reply is about, or why nobody may reply to it in a thread. */
export function threadRoot(
  context: ApplyContext,
  room: RoomRow,
  seq: number,
): MessageRow | ParleyError {
  const root = rootOf(context, room, seq);
  if (root instanceof ParleyError || !root.deleted) return root;
  return refuse("MESSAGE_NOT_FOUND", `There is no message ${seq} any more.`);
}

function summaryOf({ thread }: MessageRow): ThreadSummary {
  if (thread !== null) return ThreadSummary.decode(thread);
  return { replyCount: 0, lastReplySeq: 0, lastReplyAtMs: 0, participantIds: [] };
}

/** The thread's message with one reply more, which is in the table already. */
export function withReply({ state, revision }: ApplyContext, root: MessageRow, reply: MessageRow) {
  const { replyCount, participantIds } = summaryOf(root);
  const isShown =
    participantIds.includes(reply.authorId) ||
    participantIds.length >= LIMITS.threadParticipantsShownMax;
  const thread: ThreadSummary = {
    replyCount: replyCount + 1,
    lastReplySeq: reply.seq,
    lastReplyAtMs: reply.sentAtMs,
    participantIds: isShown ? participantIds : [...participantIds, reply.authorId],
  };
  const after: MessageRow = {
    ...root,
    thread: ThreadSummary.encode(thread).finish(),
    changedRevision: revision,
  };
  state.messages.replace(root, after);
  return after;
}

/** The thread's message without replies that are tombstones already. Who wrote them stays among those who replied. */
export function withoutReplies(
  { state, revision }: ApplyContext,
  root: MessageRow,
  deletedSeqs: readonly number[],
): MessageRow {
  const before = summaryOf(root);
  const isLastGone = deletedSeqs.includes(before.lastReplySeq);
  const last = isLastGone
    ? state.messages.lastReplyBefore(root.roomId, root.seq, before.lastReplySeq)
    : undefined;
  const thread: ThreadSummary = {
    ...before,
    replyCount: before.replyCount - deletedSeqs.length,
    lastReplySeq: isLastGone ? (last?.seq ?? 0) : before.lastReplySeq,
    lastReplyAtMs: isLastGone ? (last?.sentAtMs ?? 0) : before.lastReplyAtMs,
  };
  const after: MessageRow = {
    ...root,
    thread: ThreadSummary.encode(thread).finish(),
    changedRevision: revision,
  };
  state.messages.replace(root, after);
  return after;
}

/**
 * After a reply: its author follows the thread, and so do the members whom it mentions by name, and the author of the message that the
 * thread is about unless they have chosen not to. `@room` makes nobody follow. So a reply changes at most 52 places, however many
 * follow the thread: what is unread is counted for each of them when they ask.
 */
export function followByReply(
  context: ApplyContext,
  { room, member }: Membership,
  root: MessageRow,
  reply: MessageRow,
  mentions: MentionList | undefined,
): void {
  const { state } = context;
  // Who replies has read what is there; who is called begins with this reply.
  startFollowing(context, room, member, root.seq, reply.seq);
  for (const accountId of mentions?.accountIds ?? []) {
    const mentioned = state.member(room.id, accountId);
    if (mentioned !== undefined) startFollowing(context, room, mentioned, root.seq, reply.seq - 1);
  }
  const author = state.member(room.id, root.authorId);
  if (author === undefined || state.placeInThread(author, root.seq) !== undefined) return;
  startFollowing(context, room, author, root.seq, reply.seq - 1);
}

/** Unless they do already. */
function startFollowing(
  context: ApplyContext,
  room: RoomRow,
  member: MemberRow,
  threadRootSeq: number,
  readSeq: number,
): void {
  const { state } = context;
  if (state.followed(member, threadRootSeq) !== undefined) return;
  changeFollow(context, room, member, { threadRootSeq, following: true, readSeq });
  if (state.follows.count(member.accountId) > LIMITS.threadsFollowedMax) {
    letGoOldest(context, member.accountId);
  }
}

function changeFollow(
  context: ApplyContext,
  room: RoomRow,
  { accountId }: MemberRow,
  change: Pick<FollowRow, "threadRootSeq" | "following" | "readSeq">,
): FollowRow {
  const { state, revision } = context;
  const after = { ...change, accountId, roomId: room.id, changedRevision: revision };
  state.follows.put(state.follows.find(accountId, room.id, change.threadRootSeq), after);
  context.toAccount(
    accountId,
    threadMarkerEvent(revision, after, state.unreadInThread(room, after)),
  );
  return after;
}

/** Of a room that the account has left since, nothing remains to be told. */
function letGoOldest(context: ApplyContext, accountId: number): void {
  const { state } = context;
  const oldest = state.follows.oldest(accountId);
  if (oldest === undefined) return;
  const { roomId, threadRootSeq, readSeq } = oldest;
  const [room, member] = [state.liveRoom(roomId), state.member(roomId, accountId)];
  if (
    room === undefined ||
    member === undefined ||
    state.followed(member, threadRootSeq) === undefined
  ) {
    state.follows.remove(oldest);
    return;
  }
  changeFollow(context, room, member, { threadRootSeq, following: false, readSeq });
}

/** Everything that is there counts as read. Following what one follows, and not what one does not, changes nothing. */
export function followThread(
  context: ApplyContext,
  account: AccountRow,
  command: FollowThreadCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member } = found;
  const { seq, follow } = command;
  const root = follow ? threadRoot(context, room, seq) : rootOf(context, room, seq);
  if (root instanceof ParleyError) return root;
  if (follow) {
    startFollowing(context, room, member, seq, state.messages.lastInThread(room.id, seq).seq);
  } else {
    const place = state.placeInThread(member, seq);
    // Who wrote the message may say so before the first reply makes them follow.
    const wouldFollow = place === undefined && root.authorId === account.id;
    if (place?.following === true || wouldFollow) {
      const readSeq = place?.readSeq ?? 0;
      changeFollow(context, room, member, { threadRootSeq: seq, following: false, readSeq });
    }
  }
  const row = state.followed(member, seq);
  const followed =
    row === undefined ? undefined : followedThread(row, state.unreadInThread(room, row));
  return FollowThreadResponse.encode({ followed, revision }).finish();
}

/** As in the room: a maximum, and at most the newest reply. */
export function markThreadRead(
  context: ApplyContext,
  { room, member }: Membership,
  command: MarkReadCommand,
): Uint8Array {
  const { state, revision } = context;
  const { threadRootSeq } = command;
  const before = state.followed(member, threadRootSeq);
  if (before === undefined) return MarkReadResponse.encode({ readSeq: 0, revision }).finish();
  const last = state.messages.lastInThread(room.id, threadRootSeq).seq;
  const readSeq = Math.max(before.readSeq, Math.min(command.seq, last));
  if (readSeq > before.readSeq) {
    changeFollow(context, room, member, { threadRootSeq, following: true, readSeq });
  }
  return MarkReadResponse.encode({ readSeq, revision }).finish();
}
