// Rows as messages of the wire. Events and answers are made of the same views, so that what a
// subscriber sees equals what a read shows (P5).
import {
  Account,
  type Account as AccountView,
  AttachmentList,
  type FollowedThread,
  type Invite,
  joinBytes,
  lengthDelimitedField,
  MembershipChanged,
  MentionList,
  type Message as MessageView,
  type Reaction,
  ReactionList,
  ReadMarker,
  Room,
  RoomPreference,
  RoomRemoved,
  RoomReset,
  type Room as RoomView,
  RoomWriting,
  ThreadMarker,
  ThreadSummary,
  varintField,
} from "@parley/protocol";
import {
  type AccountRow,
  type FollowRow,
  type InviteRow,
  type MemberRow,
  type MessageRow,
  type RoomRow,
  UNTIL_LIFTED,
} from "./rows.ts";
import type { Counts } from "./unread-counts.ts";

const NO_BYTES = new Uint8Array(0);
const NOTHING_UNREAD: Counts = { unreadCount: 0, mentionCount: 0 };

/** Both names of an account that is gone. */
export const DELETED_ACCOUNT_NAME = "deleted account";

/** `online` is never known here: the node fills it in from gossip. */
export function accountView(row: AccountRow): AccountView {
  return {
    id: row.id,
    username: row.deleted ? DELETED_ACCOUNT_NAME : row.username,
    displayName: row.deleted ? DELETED_ACCOUNT_NAME : row.displayName,
    online: false,
    lastSeenMs: row.lastSeenMs,
    owner: row.owner,
    deleted: row.deleted,
    readsHidden: row.readsHidden,
  };
}

export function inviteView(
  row: InviteRow,
  maker: AccountRow | undefined,
  room: RoomRow | undefined,
): Invite {
  return {
    id: row.id,
    roomId: row.roomId,
    roomName: room?.name ?? "",
    maker: maker === undefined ? undefined : accountView(maker),
    createdAtMs: row.createdAtMs,
    expiresAtMs: row.expiresAtMs,
    usesMax: row.usesMax,
    useCount: row.useCount,
  };
}

const WRITING = { writeForbidden: false, writeForbiddenUntilMs: 0 };

/** Whether a member may write. */
export function writingView({ writeForbiddenUntilMs }: MemberRow): typeof WRITING {
  if (writeForbiddenUntilMs === 0) return WRITING;
  const isForEver = writeForbiddenUntilMs === UNTIL_LIFTED;
  return {
    writeForbidden: true,
    writeForbiddenUntilMs: isForEver ? 0 : writeForbiddenUntilMs,
  };
}

/** What a room looks like to somebody; `undefined` = to nobody in particular. */
export function roomView(
  row: RoomRow,
  viewer: MemberRow | undefined,
  peer: AccountRow | undefined,
  counts: Counts = NOTHING_UNREAD,
  threads: FollowedThread[] = [],
): RoomView {
  const isMember = viewer !== undefined && viewer.role !== 0;
  return {
    id: row.id,
    name: row.name,
    visibility: row.visibility as RoomView["visibility"],
    lastSeq: row.lastSeq,
    memberCount: row.memberCount,
    topic: row.topic,
    role: (isMember ? viewer.role : 0) as RoomView["role"],
    readSeq: isMember ? viewer.readSeq : 0,
    starred: isMember && viewer.starred,
    muted: isMember && viewer.muted,
    ...(isMember ? writingView(viewer) : WRITING),
    peer: peer === undefined ? undefined : accountView(peer),
    createdAtMs: row.createdAtMs,
    deleted: row.deleted,
    ...counts,
    threads,
  };
}

export function followedThread(
  { threadRootSeq, readSeq }: FollowRow,
  counts: Counts,
): FollowedThread {
  return { threadRootSeq, readSeq, ...counts };
}

/** Why a reply can't be what a thread is about. */
export function replyHasNoThread(seq: number, threadRootSeq: number): string {
  return `Message ${seq} is itself a reply, in the thread of message ${threadRootSeq}.`;
}

/** The other account of a direct room, as `accountId` sees it (itself in a room with itself). */
export function peerIdOf(room: RoomRow, accountId: number): number {
  return room.directLow === accountId ? room.directHigh : room.directLow;
}

const NO_MENTIONS: MentionList = { accountIds: [], room: false };

/** `author`: the username, or the name of a deleted account. */
export function messageView(row: MessageRow, author: string): MessageView {
  const mentions = row.mentions === null ? NO_MENTIONS : MentionList.decode(row.mentions);
  return {
    id: row.id,
    roomId: row.roomId,
    seq: row.seq,
    revision: row.changedRevision === 0 ? row.id : row.changedRevision,
    authorId: row.authorId,
    author,
    body: row.body,
    sentAtMs: row.sentAtMs,
    clientMessageId: row.clientMessageId,
    deleted: row.deleted,
    replyToSeq: row.replyToSeq,
    version: row.version,
    editedAtMs: row.editedAtMs,
    reactions: reactionsOf(row),
    pinned: row.pinnedRevision > 0,
    mentions: mentions.accountIds,
    mentionsRoom: mentions.room,
    threadRootSeq: row.threadRootSeq,
    thread: row.thread === null ? undefined : ThreadSummary.decode(row.thread),
    attachments: row.attachments === null ? [] : AttachmentList.decode(row.attachments).attachments,
  };
}

export function reactionsOf(row: MessageRow): Reaction[] {
  return row.reactions === null ? [] : ReactionList.decode(row.reactions).reactions;
}

export function authorName(account: AccountRow | undefined): string {
  return account === undefined || account.deleted ? DELETED_ACCOUNT_NAME : account.username;
}

// ---- Events: the revision and one encoded case, joined, so that a case is encoded once. The numbers
// are those of the fields of parley.v1.Event.

function event(revision: number, fieldNumber: number, value: Uint8Array): Uint8Array {
  return joinBytes([varintField(1, revision), lengthDelimitedField(fieldNumber, value)]);
}

/** `message`: an encoded Message. */
export function messageEvent(revision: number, message: Uint8Array): Uint8Array {
  return event(revision, 2, message);
}

/** `message`: an encoded Message. */
export function messageChangedEvent(revision: number, message: Uint8Array): Uint8Array {
  return event(revision, 3, message);
}

/** For all members at once, so without what depends on the viewer (role, read position, peer). */
export function roomChangedEvent(revision: number, room: RoomRow): Uint8Array {
  return event(revision, 4, Room.encode(roomView(room, undefined, undefined)).finish());
}

export function roomResetEvent(
  revision: number,
  room: RoomRow,
  viewer: MemberRow,
  peer: AccountRow | undefined,
  counts?: Counts,
): Uint8Array {
  const view = roomView(room, viewer, peer, counts);
  return event(revision, 5, RoomReset.encode({ room: view }).finish());
}

export function roomRemovedEvent(
  revision: number,
  roomId: number,
  reason: number,
  byAccountId: number,
): Uint8Array {
  const removed = { roomId, reason: reason as RoomRemoved["reason"], byAccountId };
  return event(revision, 6, RoomRemoved.encode(removed).finish());
}

/** `role` 0 = no longer a member. */
export function membershipChangedEvent(
  revision: number,
  room: RoomRow,
  account: AccountRow,
  role: number,
): Uint8Array {
  const changed: MembershipChanged = {
    roomId: room.id,
    account: accountView(account),
    role: role as MembershipChanged["role"],
    memberCount: room.memberCount,
  };
  return event(revision, 7, MembershipChanged.encode(changed).finish());
}

/** `counts`: what is unread of the room itself after `seq`, as of the revision. */
export function readMarkerEvent(
  revision: number,
  roomId: number,
  seq: number,
  counts: Counts,
): Uint8Array {
  return event(revision, 8, ReadMarker.encode({ roomId, seq, ...counts }).finish());
}

/** `counts`: what is unread of the thread, as of the revision. */
export function threadMarkerEvent(revision: number, row: FollowRow, counts: Counts): Uint8Array {
  const { roomId, following } = row;
  const thread = followedThread(row, following ? counts : NOTHING_UNREAD);
  return event(revision, 10, ThreadMarker.encode({ roomId, following, thread }).finish());
}

export function blockedEvent(revision: number, list: Uint8Array | null): Uint8Array {
  return event(revision, 12, list ?? NO_BYTES);
}

export function accountChangedEvent(revision: number, account: AccountRow): Uint8Array {
  return event(revision, 9, Account.encode(accountView(account)).finish());
}

export function roomPreferenceEvent(
  revision: number,
  roomId: number,
  { starred, muted }: Pick<MemberRow, "starred" | "muted">,
): Uint8Array {
  return event(revision, 11, RoomPreference.encode({ roomId, starred, muted }).finish());
}

export function roomWritingEvent(revision: number, row: MemberRow): Uint8Array {
  const { writeForbidden: forbidden, writeForbiddenUntilMs: untilMs } = writingView(row);
  return event(
    revision,
    13,
    RoomWriting.encode({ roomId: row.roomId, forbidden, untilMs }).finish(),
  );
}
