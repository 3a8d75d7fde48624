// The replicated tables but for messages and remembered requests, as objects. The machine keeps all
// of these in memory; the tables are their durable form. A row knows its columns in one place, so
// that writing, reading and hashing it can't disagree.
import { BlockList } from "@parley/protocol";
import type { SqlValue } from "./hash.ts";

/** What was last written of a row: its hash, to be taken out of the sum when it changes. */
export interface Tracked {
  stored: boolean;
  hashA: number;
  hashB: number;
}

export interface TableDefinition<Row> {
  /** Part of every row's hash; never reused. */
  readonly tag: number;
  readonly name: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /**
   * What the last columns hold in rows from before there were these columns. A row is hashed without them while they hold it, so
   * that its hash is the one that an older program gives it (rolling upgrades; see state-version.ts).
   */
  readonly added?: readonly SqlValue[];
  values(row: Row): SqlValue[];
  /** From the values in the order of `columns`. */
  row(values: readonly SqlValue[]): Row;
}

export interface AccountRow extends Tracked {
  readonly id: number;
  username: string;
  /** null once deleted: the name is free again. */
  usernameKey: string | null;
  displayName: string;
  /** Empty once deleted. */
  passwordHash: string;
  /** The revision that last set the password. */
  credentialsRevision: number;
  owner: boolean;
  deleted: boolean;
  readonly createdAtMs: number;
  lastSeenMs: number;
  /** The revision of the last change that others are told of; 0 = none since registering. */
  changedRevision: number;
  /** Request ids up to this one are no longer all remembered (P2); empty = all are. */
  requestFloor: string;
  /** SHA-256, hexadecimal, of the secret of a link that sets the password once; empty = there is none. */
  linkHash: string;
  linkExpiresAtMs: number;
  /** Whom the account has blocked, an encoded BlockList; null = nobody. */
  blocked: Uint8Array | null;
  /** The revision that changed it last; 0 = none did. */
  blockedRevision: number;
  /** Neither tells others how far it has read, nor is told. */
  readsHidden: boolean;
}

/** Ids of those whom the account has blocked, ascending. */
export function blockedIds({ blocked }: AccountRow): readonly number[] {
  return blocked === null ? [] : BlockList.decode(blocked).accountIds;
}

export interface SessionRow extends Tracked {
  readonly id: number;
  readonly accountId: number;
  /** SHA-256 of the token, hexadecimal. */
  readonly tokenHash: string;
  readonly device: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface RoomRow extends Tracked {
  readonly id: number;
  name: string;
  /** The folded name; unique among live public rooms. */
  nameKey: string;
  visibility: number;
  topic: string;
  lastSeq: number;
  lastSentAtMs: number;
  memberCount: number;
  readonly createdAtMs: number;
  deleted: boolean;
  /** The newest revision at which anything changed that members see: catch-up skips quiet rooms. */
  activityRevision: number;
  /** The newest revision at which name, topic or visibility changed; 0 = never. */
  infoRevision: number;
  /** The two accounts of a direct room, the smaller id first; 0 in other rooms. */
  readonly directLow: number;
  readonly directHigh: number;
  /** How many of its messages are replies in threads. */
  replyCount: number;
}

export interface MemberRow extends Tracked {
  readonly roomId: number;
  readonly accountId: number;
  /** A RoomRole; 0 = not a member: the row is what remains (a tombstone, or a ban). */
  role: number;
  /** The revision of the latest joining; 0 = never was a member. */
  joinedRevision: number;
  joinedAtMs: number;
  /** The revision of the latest joining, leaving or change of role. */
  changedRevision: number;
  /** A RoomRemovalReason, and who did it. */
  removalReason: number;
  removedBy: number;
  banned: boolean;
  readSeq: number;
  /** The revision that moved the read position last; 0 = never moved. */
  readRevision: number;
  /** What the account wants of the room, and the revision that set it last; 0 = as when it came in. */
  starred: boolean;
  muted: boolean;
  preferenceRevision: number;
  /** An admin has forbidden it to write until then; 0 = none has, UNTIL_LIFTED. It outlasts the membership. */
  writeForbiddenUntilMs: number;
  /** The revision that changed it last; 0 = none did. */
  writeForbiddenRevision: number;
}

/** Later than any time. */
export const UNTIL_LIFTED = Number.MAX_SAFE_INTEGER;

const fresh = { stored: true, hashA: 0, hashB: 0 };

export const ACCOUNTS: TableDefinition<AccountRow> = {
  tag: 1,
  name: "accounts",
  key: ["id"],
  columns: [
    "id",
    "username",
    "username_key",
    "display_name",
    "password_hash",
    "credentials_revision",
    "owner",
    "deleted",
    "created_at_ms",
    "last_seen_ms",
    "changed_revision",
    "request_floor",
    "link_hash",
    "link_expires_at_ms",
    "blocked",
    "blocked_revision",
    "reads_hidden",
  ],
  added: ["", 0, null, 0, 0],
  values: (row) => [
    row.id,
    row.username,
    row.usernameKey,
    row.displayName,
    row.passwordHash,
    row.credentialsRevision,
    row.owner ? 1 : 0,
    row.deleted ? 1 : 0,
    row.createdAtMs,
    row.lastSeenMs,
    row.changedRevision,
    row.requestFloor,
    row.linkHash,
    row.linkExpiresAtMs,
    row.blocked,
    row.blockedRevision,
    row.readsHidden ? 1 : 0,
  ],
  row: (values) => ({
    ...fresh,
    id: values[0] as number,
    username: values[1] as string,
    usernameKey: values[2] as string | null,
    displayName: values[3] as string,
    passwordHash: values[4] as string,
    credentialsRevision: values[5] as number,
    owner: values[6] === 1,
    deleted: values[7] === 1,
    createdAtMs: values[8] as number,
    lastSeenMs: values[9] as number,
    changedRevision: values[10] as number,
    requestFloor: values[11] as string,
    linkHash: values[12] as string,
    linkExpiresAtMs: values[13] as number,
    blocked: values[14] as Uint8Array | null,
    blockedRevision: values[15] as number,
    readsHidden: values[16] === 1,
  }),
};

export const SESSIONS: TableDefinition<SessionRow> = {
  tag: 2,
  name: "sessions",
  key: ["id"],
  columns: ["id", "account_id", "token_hash", "device", "created_at_ms", "expires_at_ms"],
  values: (row) => [
    row.id,
    row.accountId,
    row.tokenHash,
    row.device,
    row.createdAtMs,
    row.expiresAtMs,
  ],
  row: (values) => ({
    ...fresh,
    id: values[0] as number,
    accountId: values[1] as number,
    tokenHash: values[2] as string,
    device: values[3] as string,
    createdAtMs: values[4] as number,
    expiresAtMs: values[5] as number,
  }),
};

export const ROOMS: TableDefinition<RoomRow> = {
  tag: 3,
  name: "rooms",
  key: ["id"],
  columns: [
    "id",
    "name",
    "name_key",
    "visibility",
    "topic",
    "last_seq",
    "last_sent_at_ms",
    "member_count",
    "created_at_ms",
    "deleted",
    "activity_revision",
    "info_revision",
    "direct_low",
    "direct_high",
    "reply_count",
  ],
  added: [0],
  values: (row) => [
    row.id,
    row.name,
    row.nameKey,
    row.visibility,
    row.topic,
    row.lastSeq,
    row.lastSentAtMs,
    row.memberCount,
    row.createdAtMs,
    row.deleted ? 1 : 0,
    row.activityRevision,
    row.infoRevision,
    row.directLow,
    row.directHigh,
    row.replyCount,
  ],
  row: (values) => ({
    ...fresh,
    id: values[0] as number,
    name: values[1] as string,
    nameKey: values[2] as string,
    visibility: values[3] as number,
    topic: values[4] as string,
    lastSeq: values[5] as number,
    lastSentAtMs: values[6] as number,
    memberCount: values[7] as number,
    createdAtMs: values[8] as number,
    deleted: values[9] === 1,
    activityRevision: values[10] as number,
    infoRevision: values[11] as number,
    directLow: values[12] as number,
    directHigh: values[13] as number,
    replyCount: values[14] as number,
  }),
};

export const MEMBERS: TableDefinition<MemberRow> = {
  tag: 4,
  name: "members",
  key: ["room_id", "account_id"],
  columns: [
    "room_id",
    "account_id",
    "role",
    "joined_revision",
    "joined_at_ms",
    "changed_revision",
    "removal_reason",
    "removed_by",
    "banned",
    "read_seq",
    "read_revision",
    "starred",
    "muted",
    "preference_revision",
    "write_forbidden_until_ms",
    "write_forbidden_revision",
  ],
  added: [0, 0, 0, 0, 0],
  values: (row) => [
    row.roomId,
    row.accountId,
    row.role,
    row.joinedRevision,
    row.joinedAtMs,
    row.changedRevision,
    row.removalReason,
    row.removedBy,
    row.banned ? 1 : 0,
    row.readSeq,
    row.readRevision,
    row.starred ? 1 : 0,
    row.muted ? 1 : 0,
    row.preferenceRevision,
    row.writeForbiddenUntilMs,
    row.writeForbiddenRevision,
  ],
  row: (values) => ({
    ...fresh,
    roomId: values[0] as number,
    accountId: values[1] as number,
    role: values[2] as number,
    joinedRevision: values[3] as number,
    joinedAtMs: values[4] as number,
    changedRevision: values[5] as number,
    removalReason: values[6] as number,
    removedBy: values[7] as number,
    banned: values[8] === 1,
    readSeq: values[9] as number,
    readRevision: values[10] as number,
    starred: values[11] === 1,
    muted: values[12] === 1,
    preferenceRevision: values[13] as number,
    writeForbiddenUntilMs: values[14] as number,
    writeForbiddenRevision: values[15] as number,
  }),
};

/**
 * How much an account has sent to a room. With it an account's unread messages are counted without an
 * index over every message by author, which would double the cost of a send.
 */
export interface SenderRow extends Tracked {
  readonly roomId: number;
  readonly accountId: number;
  sentCount: number;
  /** The sequence number of the latest. */
  lastSeq: number;
  /** How many of them were replies in threads. */
  replyCount: number;
}

export const SENDERS: TableDefinition<SenderRow> = {
  tag: 7,
  name: "senders",
  key: ["room_id", "account_id"],
  columns: ["room_id", "account_id", "sent_count", "last_seq", "reply_count"],
  added: [0],
  values: (row) => [row.roomId, row.accountId, row.sentCount, row.lastSeq, row.replyCount],
  row: (values) => ({
    ...fresh,
    roomId: values[0] as number,
    accountId: values[1] as number,
    sentCount: values[2] as number,
    lastSeq: values[3] as number,
    replyCount: values[4] as number,
  }),
};

export interface InviteRow extends Tracked {
  /** The revision that made it. */
  readonly id: number;
  /** 0 = it leads into the instance alone. */
  readonly roomId: number;
  /** Who made it. */
  readonly accountId: number;
  /** SHA-256 of its secret, hexadecimal. */
  readonly secretHash: string;
  readonly createdAtMs: number;
  /** 0 = never. */
  readonly expiresAtMs: number;
  /** 0 = it admits any number. */
  readonly usesMax: number;
  useCount: number;
}

export const INVITES: TableDefinition<InviteRow> = {
  tag: 11,
  name: "invites",
  key: ["id"],
  columns: [
    "id",
    "room_id",
    "account_id",
    "secret_hash",
    "created_at_ms",
    "expires_at_ms",
    "uses_max",
    "use_count",
  ],
  values: (row) => [
    row.id,
    row.roomId,
    row.accountId,
    row.secretHash,
    row.createdAtMs,
    row.expiresAtMs,
    row.usesMax,
    row.useCount,
  ],
  row: (values) => ({
    ...fresh,
    id: values[0] as number,
    roomId: values[1] as number,
    accountId: values[2] as number,
    secretHash: values[3] as string,
    createdAtMs: values[4] as number,
    expiresAtMs: values[5] as number,
    usesMax: values[6] as number,
    useCount: values[7] as number,
  }),
};

export interface MessageRow {
  /** The revision that created it. */
  readonly id: number;
  readonly roomId: number;
  readonly seq: number;
  readonly authorId: number;
  readonly clientMessageId: string;
  /** Empty once deleted. */
  readonly body: string;
  readonly sentAtMs: number;
  readonly replyToSeq: number;
  readonly deleted: boolean;
  /** The revision of the latest change; 0 = as it was sent. */
  readonly changedRevision: number;
  /** Of room, body, reply and thread: tells a retry from a reused id after the body is gone (P2). */
  readonly contentHash: number;
  /** The author's how-manieth message in the room, and the sequence number of the one before it. */
  readonly authorSeq: number;
  readonly authorPrevSeq: number;
  /** How often it was edited, and when last. */
  readonly version: number;
  readonly editedAtMs: number;
  /** What it shows of its reactions, an encoded ReactionList; null = it has none. */
  readonly reactions: Uint8Array | null;
  /** The revision that pinned it; 0 = it is not pinned. */
  readonly pinnedRevision: number;
  /** Whom it mentioned, an encoded MentionList; null = nobody. */
  readonly mentions: Uint8Array | null;
  /** The message to whose thread it belongs; 0 = it stands in the room itself. */
  readonly threadRootSeq: number;
  /** The thread's how-manieth reply, and its author's how-manieth there; 0 = it is none. */
  readonly threadSeq: number;
  readonly authorThreadSeq: number;
  /** How many of the room's messages up to this one are replies, and of its author's: what is unread is counted with them. */
  readonly repliesSoFar: number;
  readonly authorRepliesSoFar: number;
  /** What it shows of the thread under it, an encoded ThreadSummary; null = nobody replied. */
  readonly thread: Uint8Array | null;
  /** Its files, an encoded AttachmentList; null = it has none. */
  readonly attachments: Uint8Array | null;
}

export const MESSAGES: TableDefinition<MessageRow> = {
  tag: 5,
  name: "messages",
  key: ["id"],
  columns: [
    "id",
    "room_id",
    "seq",
    "author_id",
    "client_message_id",
    "body",
    "sent_at_ms",
    "reply_to_seq",
    "deleted",
    "changed_revision",
    "content_hash",
    "author_seq",
    "author_prev_seq",
    "version",
    "edited_at_ms",
    "reactions",
    "pinned_revision",
    "mentions",
    "thread_root_seq",
    "thread_seq",
    "author_thread_seq",
    "replies_so_far",
    "author_replies_so_far",
    "thread",
    "attachments",
  ],
  added: [0, 0, null, 0, null, 0, 0, 0, 0, 0, null, null],
  values: (row) => [
    row.id,
    row.roomId,
    row.seq,
    row.authorId,
    row.clientMessageId,
    row.body,
    row.sentAtMs,
    row.replyToSeq,
    row.deleted ? 1 : 0,
    row.changedRevision,
    row.contentHash,
    row.authorSeq,
    row.authorPrevSeq,
    row.version,
    row.editedAtMs,
    row.reactions,
    row.pinnedRevision,
    row.mentions,
    row.threadRootSeq,
    row.threadSeq,
    row.authorThreadSeq,
    row.repliesSoFar,
    row.authorRepliesSoFar,
    row.thread,
    row.attachments,
  ],
  row: (values) => ({
    id: values[0] as number,
    roomId: values[1] as number,
    seq: values[2] as number,
    authorId: values[3] as number,
    clientMessageId: values[4] as string,
    body: values[5] as string,
    sentAtMs: values[6] as number,
    replyToSeq: values[7] as number,
    deleted: values[8] === 1,
    changedRevision: values[9] as number,
    contentHash: values[10] as number,
    authorSeq: values[11] as number,
    authorPrevSeq: values[12] as number,
    version: values[13] as number,
    editedAtMs: values[14] as number,
    reactions: values[15] as Uint8Array | null,
    pinnedRevision: values[16] as number,
    mentions: values[17] as Uint8Array | null,
    threadRootSeq: values[18] as number,
    threadSeq: values[19] as number,
    authorThreadSeq: values[20] as number,
    repliesSoFar: values[21] as number,
    authorRepliesSoFar: values[22] as number,
    thread: values[23] as Uint8Array | null,
    attachments: values[24] as Uint8Array | null,
  }),
};

export interface MentionRow {
  /** 0 = everybody in the room, or who follows the thread; then there is no other row of the message. */
  readonly accountId: number;
  readonly roomId: number;
  readonly seq: number;
  readonly messageId: number;
  /** As the message's. */
  readonly threadRootSeq: number;
}

export const MENTIONS: TableDefinition<MentionRow> = {
  tag: 9,
  name: "mentions",
  key: ["account_id", "room_id", "seq"],
  columns: ["account_id", "room_id", "seq", "message_id", "thread_root_seq"],
  added: [0],
  values: (row) => [row.accountId, row.roomId, row.seq, row.messageId, row.threadRootSeq],
  row: (values) => ({
    accountId: values[0] as number,
    roomId: values[1] as number,
    seq: values[2] as number,
    messageId: values[3] as number,
    threadRootSeq: values[4] as number,
  }),
};

/**
 * Somebody's place in a thread. Good for the membership in which it was written: a row that is older than the latest joining says
 * nothing, so that leaving and joining need not look at it.
 */
export interface FollowRow {
  readonly accountId: number;
  readonly roomId: number;
  readonly threadRootSeq: number;
  /** False: they do not want to; what remains keeps the thread's author from following it again, and tells other devices. */
  readonly following: boolean;
  /** Replies up to it count as read. */
  readonly readSeq: number;
  /** The revision that changed it last. */
  readonly changedRevision: number;
}

export const FOLLOWS: TableDefinition<FollowRow> = {
  tag: 10,
  name: "follows",
  key: ["account_id", "room_id", "thread_root_seq"],
  columns: [
    "account_id",
    "room_id",
    "thread_root_seq",
    "following",
    "read_seq",
    "changed_revision",
  ],
  values: (row) => [
    row.accountId,
    row.roomId,
    row.threadRootSeq,
    row.following ? 1 : 0,
    row.readSeq,
    row.changedRevision,
  ],
  row: (values) => ({
    accountId: values[0] as number,
    roomId: values[1] as number,
    threadRootSeq: values[2] as number,
    following: values[3] === 1,
    readSeq: values[4] as number,
    changedRevision: values[5] as number,
  }),
};

export interface ReactionRow {
  /** The revision that gave it. */
  readonly id: number;
  readonly messageId: number;
  readonly emoji: string;
  readonly accountId: number;
}

export const REACTIONS: TableDefinition<ReactionRow> = {
  tag: 8,
  name: "reactions",
  key: ["id"],
  columns: ["id", "message_id", "emoji", "account_id"],
  values: (row) => [row.id, row.messageId, row.emoji, row.accountId],
  row: (values) => ({
    id: values[0] as number,
    messageId: values[1] as number,
    emoji: values[2] as string,
    accountId: values[3] as number,
  }),
};

export interface RequestRow {
  /** The revision that answered it. */
  readonly id: number;
  /** 0 for Register. */
  readonly accountId: number;
  readonly requestId: string;
  readonly recordedAtMs: number;
  readonly operation: string;
  readonly contentHash: number;
  readonly response: Uint8Array;
}

export const REQUESTS: TableDefinition<RequestRow> = {
  tag: 6,
  name: "requests",
  key: ["id"],
  columns: [
    "id",
    "account_id",
    "request_id",
    "recorded_at_ms",
    "operation",
    "content_hash",
    "response",
  ],
  values: (row) => [
    row.id,
    row.accountId,
    row.requestId,
    row.recordedAtMs,
    row.operation,
    row.contentHash,
    row.response,
  ],
  row: (values) => ({
    id: values[0] as number,
    accountId: values[1] as number,
    requestId: values[2] as string,
    recordedAtMs: values[3] as number,
    operation: values[4] as string,
    contentHash: values[5] as number,
    response: values[6] as Uint8Array,
  }),
};
