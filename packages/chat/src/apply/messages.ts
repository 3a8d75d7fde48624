// Messages: sending, deleting, read positions. Send is the hot path: it touches one message row, and
// in memory one room.
import {
  type DeleteCommand,
  DeleteResponse,
  type EditCommand,
  EditResponse,
  encode,
  LIMITS,
  lengthDelimitedField,
  type MarkReadCommand,
  MarkReadResponse,
  MentionList,
  Message,
  ParleyError,
  RoomRole,
  type SendCommand,
} from "@parley/protocol";
import { contentHash } from "../hash.ts";
import type { AccountRow, MessageRow, RoomRow, SenderRow } from "../rows.ts";
import {
  authorName,
  messageChangedEvent,
  messageEvent,
  messageView,
  peerIdOf,
  readMarkerEvent,
} from "../views.ts";
import { blockedProblem } from "./blocks.ts";
import { type ApplyContext, type Result, refuse } from "./context.ts";
import { attachmentsOf, filesToGive } from "./files.ts";
import { isDirect, type Membership, membershipOf } from "./membership.ts";
import { mutedProblem } from "./muting.ts";
import { followByReply, markThreadRead, threadRoot, withoutReplies, withReply } from "./threads.ts";

function sendContentHash(context: ApplyContext, command: SendCommand): number {
  const { roomId, body, replyToSeq, threadRootSeq } = command;
  // As it was before there were threads, for what is in none.
  const thread = threadRootSeq === 0 ? [] : [threadRootSeq];
  const { clientFileIds } = command;
  return contentHash(context.state.hasher, [roomId, body, replyToSeq, ...thread, ...clientFileIds]);
}

function sendResponse(message: Uint8Array): Uint8Array {
  return lengthDelimitedField(1, message);
}

/**
 * The first result of a send that is there already (P2), also after the message was deleted; refused
 * when the id stood for other content; undefined when it is new.
 */
export function repeatedSend(
  context: ApplyContext,
  accountId: number,
  command: SendCommand,
): Result | undefined {
  const { state } = context;
  const row = state.messages.byClientId(accountId, command.clientMessageId);
  if (row === undefined) return undefined;
  if (row.contentHash !== sendContentHash(context, command)) {
    return refuse("ID_REUSED", "The message's id was used for another message.");
  }
  const author = authorName(state.account(accountId));
  return sendResponse(encode(Message, messageView(row, author)));
}

/**
 * Of those whom the text names, the members; everybody, if the author may. Not who has blocked the author, but that an admin
 * speaks to everybody in a large room. Undefined = nobody.
 */
function mentionsOf(
  context: ApplyContext,
  { room, member }: Membership,
  command: SendCommand,
): MentionList | undefined {
  const { state } = context;
  const isReached = (accountId: number) =>
    state.member(room.id, accountId) !== undefined &&
    !state.blockedBy(accountId).has(member.accountId);
  const accountIds = [...new Set(command.mentionIds)].filter(isReached);
  const mayAll =
    room.memberCount <= LIMITS.roomMentionMembersMax || member.role >= RoomRole.ROOM_ROLE_ADMIN;
  const all = command.mentionsRoom && mayAll;
  if (all && room.memberCount <= LIMITS.roomMentionMembersMax) {
    // Everybody but those who have blocked the author is who is left, one by one.
    const members = [...state.memberRows(room.id)].filter(({ role }) => role !== 0);
    const reached = members.map((one) => one.accountId).filter(isReached);
    if (reached.length < members.length) {
      reached.sort((x, y) => x - y);
      return { accountIds: reached.filter((id) => id !== member.accountId), room: false };
    }
  }
  return accountIds.length === 0 && !all ? undefined : { accountIds, room: all };
}

/** One row for everybody stands for each of them too, so that nobody is counted twice. */
function addMentions({ state }: ApplyContext, message: MessageRow, mentions: MentionList): void {
  const { id: messageId, roomId, seq, threadRootSeq } = message;
  for (const accountId of mentions.room ? [0] : mentions.accountIds) {
    state.mentions.add({ accountId, roomId, seq, messageId, threadRootSeq });
  }
}

/** What numbers a reply in its thread; zeros for a message of the room itself. */
function threadNumbers(
  { state }: ApplyContext,
  room: RoomRow,
  authorId: number,
  threadRootSeq: number,
): Pick<MessageRow, "threadRootSeq" | "threadSeq" | "authorThreadSeq"> {
  if (threadRootSeq === 0) return { threadRootSeq, threadSeq: 0, authorThreadSeq: 0 };
  const { threadSeq } = state.messages.lastInThread(room.id, threadRootSeq);
  const own = state.messages.repliesOf(room.id, threadRootSeq, authorId);
  return { threadRootSeq, threadSeq: threadSeq + 1, authorThreadSeq: own + 1 };
}

/** P2, P3: once, the next number of its room, after its predecessor. */
export function send(context: ApplyContext, account: AccountRow, command: SendCommand): Result {
  const { state, revision, stampMs } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room } = found;
  if (isDirect(room) && state.liveAccount(peerIdOf(room, account.id)) === undefined) {
    return refuse("ACCOUNT_NOT_FOUND", "The other account of this conversation was deleted.", {
      subject: "peer",
    });
  }
  const problem = mutedProblem(context, found.member) ?? blockedProblem(context, room, account);
  if (problem !== undefined) return problem;
  if (command.replyToSeq > room.lastSeq) {
    return refuse("MESSAGE_NOT_FOUND", "The message that this one answers does not exist.");
  }
  if (command.afterClientMessageId !== "") {
    const predecessor = state.messages.byClientId(account.id, command.afterClientMessageId);
    if (predecessor?.roomId !== room.id) {
      return refuse("PREDECESSOR_MISSING", "The message before this one has not arrived.");
    }
  }
  const root =
    command.threadRootSeq === 0 ? undefined : threadRoot(context, room, command.threadRootSeq);
  if (root instanceof ParleyError) return root;
  const files = filesToGive(context, account, command.clientFileIds);
  if (files instanceof ParleyError) return files;
  const replies = root === undefined ? 0 : 1;
  const sentAtMs = Math.max(stampMs, room.lastSentAtMs);
  const mentions = mentionsOf(context, found, command);
  const sender: SenderRow = state.sender(room.id, account.id) ?? {
    stored: false,
    hashA: 0,
    hashB: 0,
    roomId: room.id,
    accountId: account.id,
    sentCount: 0,
    lastSeq: 0,
    replyCount: 0,
  };
  const row: MessageRow = {
    id: revision,
    roomId: room.id,
    seq: room.lastSeq + 1,
    authorId: account.id,
    clientMessageId: command.clientMessageId,
    body: command.body,
    sentAtMs,
    replyToSeq: command.replyToSeq,
    deleted: false,
    changedRevision: 0,
    contentHash: sendContentHash(context, command),
    authorSeq: sender.sentCount + 1,
    authorPrevSeq: sender.lastSeq,
    version: 0,
    editedAtMs: 0,
    reactions: null,
    pinnedRevision: 0,
    mentions: mentions === undefined ? null : MentionList.encode(mentions).finish(),
    ...threadNumbers(context, room, account.id, command.threadRootSeq),
    repliesSoFar: room.replyCount + replies,
    authorRepliesSoFar: sender.replyCount + replies,
    thread: null,
    attachments: attachmentsOf(files),
  };
  state.messages.append(row);
  for (const file of files) state.files.give(file, room.id, row.id);
  if (mentions !== undefined) addMentions(context, row, mentions);
  sender.sentCount = row.authorSeq;
  sender.lastSeq = row.seq;
  sender.replyCount = row.authorRepliesSoFar;
  state.changedSender(sender);
  room.lastSeq = row.seq;
  room.replyCount = row.repliesSoFar;
  room.lastSentAtMs = sentAtMs;
  context.roomActivity(room);
  const message = encode(Message, messageView(row, account.username));
  context.toRoom(room.id, messageEvent(revision, message));
  if (root !== undefined) {
    tellChanged(context, withReply(context, root, row));
    followByReply(context, found, root, row, mentions);
  }
  return sendResponse(message);
}

function tellChanged(context: ApplyContext, row: MessageRow): void {
  const author = authorName(context.state.account(row.authorId));
  const message = encode(Message, messageView(row, author));
  context.toRoom(row.roomId, messageChangedEvent(context.revision, message));
}

/** One's own messages, or anybody's as an admin or owner of the room; all of them or none. */
export function deleteMessages(
  context: ApplyContext,
  account: AccountRow,
  command: DeleteCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member } = found;
  const rows: MessageRow[] = [];
  for (const seq of new Set(command.seqs)) {
    const row = state.messages.bySeq(room.id, seq);
    if (row === undefined) return refuse("MESSAGE_NOT_FOUND", `There is no message ${seq}.`);
    if (row.authorId !== account.id && member.role < RoomRole.ROOM_ROLE_ADMIN) {
      return refuse("PERMISSION_DENIED", `Message ${seq} is not yours.`);
    }
    if (!row.deleted) rows.push(row);
  }
  const changed = new Map<number, MessageRow>();
  for (const row of rows) {
    const after: MessageRow = {
      ...row,
      body: "",
      deleted: true,
      changedRevision: revision,
      reactions: null,
      pinnedRevision: 0,
      attachments: null,
    };
    state.messages.replace(row, after);
    if (row.reactions !== null) state.reactions.drop(row.id);
    if (row.attachments !== null) state.files.dropOfMessage(room.id, row.id);
    changed.set(row.seq, after);
  }
  for (const [rootSeq, seqs] of repliesByThread(rows)) {
    // A tombstone never changes: whoever is told of one takes it out of what they count as unread. So what one says of its thread is
    // how that was when it was deleted.
    const root = changed.get(rootSeq) ?? state.messages.bySeq(room.id, rootSeq);
    const wasDeleted = root?.deleted === true && !changed.has(rootSeq);
    if (root !== undefined && !wasDeleted) {
      changed.set(rootSeq, withoutReplies(context, root, seqs));
    }
  }
  // A message that was deleted and lost replies is told of once: a revision has one state of it.
  const inOrder = [...changed.values()].sort((x, y) => x.seq - y.seq);
  for (const row of inOrder) tellChanged(context, row);
  if (rows.length > 0) context.roomActivity(room);
  return DeleteResponse.encode({ deletedCount: rows.length, revision }).finish();
}

function repliesByThread(rows: readonly MessageRow[]): Map<number, number[]> {
  const threads = new Map<number, number[]>();
  for (const { threadRootSeq, seq } of rows) {
    if (threadRootSeq === 0) continue;
    const seqs = threads.get(threadRootSeq);
    if (seqs === undefined) threads.set(threadRootSeq, [seq]);
    else seqs.push(seq);
  }
  return threads;
}

/** One's own message, as it was last seen. */
export function editMessage(
  context: ApplyContext,
  account: AccountRow,
  command: EditCommand,
): Result {
  const { state, revision, stampMs } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room } = found;
  const problem = mutedProblem(context, found.member) ?? blockedProblem(context, room, account);
  if (problem !== undefined) return problem;
  const row = state.messages.bySeq(room.id, command.seq);
  if (row === undefined || row.deleted) {
    return refuse("MESSAGE_NOT_FOUND", `There is no message ${command.seq} any more.`);
  }
  if (row.authorId !== account.id) {
    return refuse("PERMISSION_DENIED", `Message ${command.seq} is not yours.`);
  }
  if (row.version !== command.expectedVersion) {
    return refuse("VERSION_CONFLICT", "The message was edited meanwhile; look at it again.");
  }
  const after: MessageRow = {
    ...row,
    body: command.body,
    changedRevision: revision,
    version: row.version + 1,
    editedAtMs: Math.max(stampMs, row.sentAtMs),
  };
  state.messages.replace(row, after);
  const message = messageView(after, account.username);
  context.toRoom(room.id, messageChangedEvent(revision, encode(Message, message)));
  context.roomActivity(room);
  return EditResponse.encode({ message, revision }).finish();
}

/** The read position is a maximum and at most the newest message, so a repeat is harmless. */
export function markRead(
  context: ApplyContext,
  account: AccountRow,
  command: MarkReadCommand,
): Result {
  const { state, revision } = context;
  const found = membershipOf(context, command.roomId, account);
  if (found instanceof ParleyError) return found;
  const { room, member } = found;
  if (command.threadRootSeq > 0) return markThreadRead(context, found, command);
  const seq = Math.min(command.seq, room.lastSeq);
  if (seq > member.readSeq) {
    member.readSeq = seq;
    member.readRevision = revision;
    state.changedMember(member);
    context.toAccount(
      account.id,
      readMarkerEvent(revision, room.id, seq, state.unread(room, member)),
    );
    if (!account.readsHidden && room.memberCount <= LIMITS.receiptMembersMax) {
      context.changes.push({ kind: "read", roomId: room.id, accountId: account.id, seq });
    }
  }
  return MarkReadResponse.encode({ readSeq: member.readSeq, revision }).finish();
}
