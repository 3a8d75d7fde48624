// What an application keeps of the chat, to paint at once and to go on from a cursor instead of
// loading everything anew ("Sync" of the GUI design). Pure: how a room's row follows the events. Stores
// apply it inside the transaction that also moves the cursor, so that rows and cursor agree (P5).
import type { Account, Event, FollowedThread, Message, Room } from "@parley/protocol";
import { type SeqRanges, withRange } from "./seq-ranges.ts";

/** A room as it was at a revision, and which of its messages are at hand. */
export interface CachedRoom {
  readonly room: Room;
  /** What the row is as new as; an older event says nothing new of it. */
  readonly revision: number;
  readonly ranges: SeqRanges;
  /** What its messages take, roughly. */
  readonly bytes: number;
  /** When it was last opened (wall clock); the least recently used are dropped first. */
  readonly usedAtMs: number;
}

export interface CacheContents {
  /** Everything up to here is in the rows; 0 = nothing is. */
  readonly cursor: number;
  readonly rooms: readonly CachedRoom[];
}

/** All events after one cursor up to another, in the order of their revisions. */
export interface EventBatch {
  readonly after: number;
  readonly events: readonly Event[];
  readonly cursor: number;
}

export interface HistoryPage {
  readonly roomId: number;
  /** Without a gap, ascending. */
  readonly messages: readonly Message[];
  /** The page is as of this revision. */
  readonly revision: number;
}

/**
 * Where the cache is. Several tabs may use one: what the store has already is skipped, what does not
 * join on to it or is older than it is not kept. A cache may fail at any time; nothing depends on it.
 */
export interface ChatCacheStore {
  open(): Promise<CacheContents>;
  /** Rows and cursor in one transaction. */
  apply(batch: EventBatch): Promise<void>;
  /** The cursor was too old, or there was none: these rooms are all there is, as of the cursor. */
  replace(contents: CacheContents): Promise<void>;
  keep(page: HistoryPage): Promise<void>;
  /** Up to `limit` messages below `beforeSeq` without a gap, ascending; empty = not at hand. */
  messages(roomId: number, beforeSeq: number, limit: number): Promise<readonly Message[]>;
  /** Everything is forgotten: the account signed out. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

export function newCachedRoom(room: Room, revision: number): CachedRoom {
  return { room, revision, ranges: [], bytes: 0, usedAtMs: 0 };
}

/** The room that an event is about; 0 = none. */
export function roomOf(event: Event): number {
  const change = event.event;
  switch (change?.$case) {
    case "message":
    case "messageChanged":
    case "roomRemoved":
    case "membershipChanged":
    case "readMarker":
    case "threadMarker":
    case "roomPreference":
    case "roomWriting":
      return change.value.roomId;
    case "roomChanged":
      return change.value.id;
    case "roomReset":
      return change.value.room?.id ?? 0;
    case "accountChanged":
    case "blocked":
    case undefined:
      return 0;
  }
}

/** The message that an event brings, new or changed. */
export function messageOf(event: Event): Message | undefined {
  const change = event.event;
  return change?.$case === "message" || change?.$case === "messageChanged"
    ? change.value
    : undefined;
}

/** The account that an event gives a new profile, or takes away. */
export function accountOf(event: Event): Account | undefined {
  return event.event?.$case === "accountChanged" ? event.event.value : undefined;
}

/** A direct room is shown by the name of whom it is with. The same object when it is with others. */
export function withAccount(row: CachedRoom, account: Account): CachedRoom {
  if (row.room.peer?.id !== account.id) return row;
  return { ...row, room: { ...row.room, peer: account } };
}

/** Whether an event takes away what is at hand of its room's messages. */
export function forgetsMessages(row: CachedRoom | undefined, event: Event): boolean {
  const change = event.event?.$case;
  if (change !== "roomReset" && change !== "roomRemoved") return false;
  return row === undefined || event.revision > row.revision;
}

/** Whether a message is for the account in particular. */
export function mentionsAccount(message: Message, accountId: number): boolean {
  return message.mentionsRoom || message.mentions.includes(accountId);
}

/** What is unread of a room: in the room itself and in the threads of it that the account follows. */
export function unreadOf(room: Room): { readonly unread: number; readonly mentions: number } {
  let [unread, mentions] = [room.unreadCount, room.mentionCount];
  for (const { unreadCount, mentionCount } of room.threads) {
    unread += unreadCount;
    mentions += mentionCount;
  }
  return { unread, mentions };
}

/** Whether an admin has forbidden it to write, `nowMs` being the servers' time (Unix epoch). */
export function mayNotWrite(
  {
    writeForbidden,
    writeForbiddenUntilMs: untilMs,
  }: Pick<Room, "writeForbidden" | "writeForbiddenUntilMs">,
  nowMs: number,
): boolean {
  return writeForbidden && (untilMs === 0 || nowMs < untilMs);
}

/** The account's place in a thread; undefined = it does not follow it, and nothing there is unread for it. */
export function followedThread(room: Room, threadRootSeq: number): FollowedThread | undefined {
  return room.threads.find((thread) => thread.threadRootSeq === threadRootSeq);
}

/**
 * With one unread message more or less, where a reply counts in its thread if the account follows that. A marker of one's own devices
 * brings the servers' counts.
 */
function counted(room: Room, message: Message, accountId: number, by: 1 | -1): Room {
  const { seq, threadRootSeq } = message;
  if (threadRootSeq === 0) return { ...room, ...countedIn(room, message, accountId, by) };
  const place = followedThread(room, threadRootSeq);
  if (place === undefined || seq <= place.readSeq) return room;
  return withThread(room, { ...place, ...countedIn(place, message, accountId, by) });
}

type Counts = Pick<Room, "unreadCount" | "mentionCount">;

function countedIn(
  { unreadCount, mentionCount }: Counts,
  message: Message,
  accountId: number,
  by: 1 | -1,
): Counts {
  return {
    unreadCount: Math.max(0, unreadCount + by),
    mentionCount: Math.max(0, mentionCount + (mentionsAccount(message, accountId) ? by : 0)),
  };
}

function withThread(room: Room, thread: FollowedThread): Room {
  const others = withoutThread(room, thread.threadRootSeq).threads;
  return { ...room, threads: [...others, thread] };
}

function withoutThread(room: Room, threadRootSeq: number): Room {
  return {
    ...room,
    threads: room.threads.filter((thread) => thread.threadRootSeq !== threadRootSeq),
  };
}

/** The room's row after an event; undefined = the room is not in the account's list. */
export function afterEvent(
  row: CachedRoom | undefined,
  event: Event,
  accountId: number,
): CachedRoom | undefined {
  const change = event.event;
  const { revision } = event;
  if (change?.$case === "roomReset" && change.value.room !== undefined) {
    if (row !== undefined && revision <= row.revision) return row;
    return newCachedRoom(change.value.room, revision);
  }
  if (row === undefined) return undefined;
  const { room } = row;
  const newer = revision > row.revision;
  switch (change?.$case) {
    case "message": {
      const { seq } = change.value;
      const lastSeq = Math.max(room.lastSeq, seq);
      // What the row has counted already is not new. What has been deleted since counts until that is told at its own revision.
      const isUnread = seq > room.lastSeq && change.value.authorId !== accountId;
      const after = isUnread ? counted(room, change.value, accountId, 1) : room;
      return {
        ...row,
        room: { ...after, lastSeq },
        ranges: withRange(row.ranges, { from: seq, to: seq }),
      };
    }
    case "readMarker": {
      if (!newer || change.value.seq < room.readSeq) return row;
      const { seq: readSeq, unreadCount, mentionCount } = change.value;
      return { ...row, room: { ...room, readSeq, unreadCount, mentionCount } };
    }
    case "roomPreference": {
      if (!newer) return row;
      const { starred, muted } = change.value;
      return { ...row, room: { ...room, starred, muted } };
    }
    case "roomWriting": {
      if (!newer) return row;
      const { forbidden: writeForbidden, untilMs: writeForbiddenUntilMs } = change.value;
      return { ...row, room: { ...room, writeForbidden, writeForbiddenUntilMs } };
    }
    case "messageChanged": {
      const { seq, deleted, authorId, threadRootSeq } = change.value;
      const isAfter = threadRootSeq > 0 || seq > room.readSeq;
      const wasUnread = newer && deleted && isAfter && authorId !== accountId;
      return wasUnread ? { ...row, room: counted(room, change.value, accountId, -1) } : row;
    }
    case "threadMarker": {
      const { following, thread } = change.value;
      if (!newer || thread === undefined) return row;
      const after = following
        ? withThread(room, thread)
        : withoutThread(room, thread.threadRootSeq);
      return { ...row, room: after };
    }
    case "roomRemoved":
      return newer ? undefined : row;
    case "roomChanged": {
      if (!newer) return row;
      const { name, topic, visibility, deleted } = change.value;
      return { ...row, revision, room: { ...room, name, topic, visibility, deleted } };
    }
    case "membershipChanged": {
      if (!newer) return row;
      const { account, role, memberCount } = change.value;
      const own = account?.id === accountId ? role : room.role;
      return { ...row, revision, room: { ...room, memberCount, role: own } };
    }
    case "roomReset":
    case "accountChanged":
    case "blocked":
    case undefined:
      return row;
  }
}
