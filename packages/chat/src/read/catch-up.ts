// Catching up (P5): the events that lead a subscriber from revision R to the state that is read, made
// from the rows. Every message created after R appears once as new, with its current content; every
// older one that changed since appears as changed; what somebody may not see any more is not there.
// A deletion is always told at its own revision, also when the message came as new as the tombstone that it is
// now: so whoever adds up what is unread needs to know nothing of pages, which are read at different revisions.
//
// In each room the account sees what came after base = max(R, the revision of joining): joining gives
// a RoomReset, and History shows the rest. Of a room it is no longer in, only the removal remains.
import { encode, Message } from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import {
  ACCOUNTS,
  type AccountRow,
  FOLLOWS,
  MEMBERS,
  type MemberRow,
  ROOMS,
  type RoomRow,
} from "../rows.ts";
import { allArrays, columnsOf, firstArray } from "../schema.ts";
import type { Counts } from "../unread-counts.ts";
import {
  accountChangedEvent,
  blockedEvent,
  membershipChangedEvent,
  messageChangedEvent,
  messageEvent,
  peerIdOf,
  readMarkerEvent,
  roomChangedEvent,
  roomPreferenceEvent,
  roomRemovedEvent,
  roomResetEvent,
  roomWritingEvent,
  threadMarkerEvent,
} from "../views.ts";
import { MESSAGE_COLUMNS, messageOf } from "./history.ts";
import { merge, type Pending, type Source } from "./merge.ts";
import type { RowSource } from "./rows-of.ts";
import type { UnreadReads } from "./unread.ts";

/** Within a revision: first the room, then who is in it, then what is said in it. */
const RANK = {
  account: 0,
  blocked: 0,
  reset: 1,
  room: 2,
  member: 3,
  removed: 4,
  message: 5,
  changed: 6,
  read: 7,
  thread: 8,
  preference: 9,
  writing: 10,
};
/** Rows that a source reads at once: few at first, because most pages take few of each room. */
const CHUNK_MIN = 4;
const CHUNK_MAX = 128;

export interface CatchUpEvent {
  readonly revision: number;
  readonly event: Uint8Array;
}
export interface CatchUp {
  readonly events: readonly CatchUpEvent[];
  readonly upToRevision: number;
}

export class CatchUpReads {
  readonly #rows: RowSource;
  readonly #unread: UnreadReads;
  readonly #memberships: Statement;
  readonly #idAt: Statement;
  readonly #messages: Statement;
  readonly #changes: Statement;
  readonly #members: Statement;
  readonly #accounts: Statement;
  readonly #follows: Statement;

  constructor(db: ChatDatabase, rows: RowSource, unread: UnreadReads) {
    this.#rows = rows;
    this.#unread = unread;
    this.#memberships = prepareArrays(
      db,
      `SELECT ${columnsOf(MEMBERS, "m")}, ${columnsOf(ROOMS, "r")}
       FROM members m JOIN rooms r ON r.id = m.room_id
       WHERE m.account_id = ?1
         AND (m.changed_revision > ?2 OR m.read_revision > ?2 OR m.preference_revision > ?2
              OR m.write_forbidden_revision > ?2
              OR (m.role <> 0 AND r.activity_revision > ?2))
       ORDER BY m.room_id`,
    );
    this.#idAt = prepareArrays(db, "SELECT id FROM messages WHERE room_id = ? AND seq = ?");
    const messages = `SELECT ${MESSAGE_COLUMNS} FROM messages m JOIN accounts a ON a.id = m.author_id`;
    this.#messages = prepareArrays(
      db,
      `${messages} WHERE m.room_id = ? AND m.seq > ? ORDER BY m.seq LIMIT ?`,
    );
    this.#changes = prepareArrays(
      db,
      `${messages} WHERE m.room_id = ?1 AND m.changed_revision > 0
         AND (m.changed_revision, m.id) > (?2, ?3) AND (m.id <= ?4 OR m.deleted = 1)
       ORDER BY m.changed_revision, m.id LIMIT ?5`,
    );
    this.#members = prepareArrays(
      db,
      `SELECT ${columnsOf(MEMBERS, "m")}, ${columnsOf(ACCOUNTS, "a")}
       FROM members m JOIN accounts a ON a.id = m.account_id
       WHERE m.room_id = ? AND (m.changed_revision, m.account_id) > (?, ?)
       ORDER BY m.changed_revision, m.account_id LIMIT ?`,
    );
    this.#accounts = prepareArrays(
      db,
      `SELECT ${columnsOf(ACCOUNTS)} FROM accounts
       WHERE changed_revision > 0 AND (changed_revision, id) > (?, ?)
       ORDER BY changed_revision, id LIMIT ?`,
    );
    this.#follows = prepareArrays(
      db,
      `SELECT ${columnsOf(FOLLOWS, "f")}, ${columnsOf(ROOMS, "r")} FROM follows f
       JOIN members m ON m.room_id = f.room_id AND m.account_id = f.account_id
       JOIN rooms r ON r.id = f.room_id
       WHERE f.account_id = ? AND (f.changed_revision, f.room_id, f.thread_root_seq) > (?, ?, ?)
         AND m.role <> 0 AND f.changed_revision > m.joined_revision
       ORDER BY f.changed_revision, f.room_id, f.thread_root_seq LIMIT ?`,
    );
  }

  /** One page: whole revisions, ending with the first that reaches `bytesMax`, at least one. */
  page(accountId: number, afterRevision: number, revision: number, bytesMax: number): CatchUp {
    const events: CatchUpEvent[] = [];
    let bytes = 0;
    let last = afterRevision;
    for (const pending of merge(this.#sources(accountId, afterRevision))) {
      if (bytes >= bytesMax && pending.revision !== last) return { events, upToRevision: last };
      const event = pending.encode();
      events.push({ revision: pending.revision, event });
      bytes += event.length;
      last = pending.revision;
    }
    return { events, upToRevision: Math.max(revision, afterRevision) };
  }

  /** How many events all pages together have, counted up to `countMax`. */
  count(accountId: number, afterRevision: number, countMax: number): number {
    let count = 0;
    const events = merge(this.#sources(accountId, afterRevision));
    while (count < countMax && events.next().done !== true) count += 1;
    return count;
  }

  #sources(accountId: number, after: number): Source[] {
    const sources: Source[] = [this.#accountSource(after), this.#threadSource(accountId, after)];
    const own = this.#rows.account(accountId);
    if (own !== undefined && own.blockedRevision > after) {
      sources.push(
        single(
          pendingAt(own.blockedRevision, RANK.blocked, (revision) =>
            blockedEvent(revision, own.blocked),
          ),
        ),
      );
    }
    for (const values of allArrays(this.#memberships, accountId, after)) {
      const member = MEMBERS.row(values);
      const room = ROOMS.row(values.slice(MEMBERS.columns.length));
      const singles = this.#singles(member, room, after);
      for (const pending of singles) sources.push(single(pending));
      const base = Math.max(after, member.joinedRevision);
      if (member.role === 0 || room.activityRevision <= base) continue;
      sources.push(this.#messageSource(room, base), this.#changeSource(room.id, base));
      sources.push(this.#memberSource(room, base));
    }
    return sources;
  }

  /** What there is at most one of in a room. */
  #singles(member: MemberRow, room: RoomRow, after: number): Pending[] {
    if (member.role === 0) {
      const { removalReason, removedBy } = member;
      if (member.joinedRevision === 0 || member.changedRevision <= after) return [];
      return [
        pendingAt(member.changedRevision, RANK.removed, (revision) =>
          roomRemovedEvent(revision, room.id, removalReason, removedBy),
        ),
      ];
    }
    const singles: Pending[] = [];
    if (member.joinedRevision > after) {
      singles.push(
        pendingAt(member.joinedRevision, RANK.reset, (revision) =>
          this.#reset(revision, room, member),
        ),
      );
    }
    const base = Math.max(after, member.joinedRevision);
    if (room.infoRevision > base) {
      singles.push(
        pendingAt(room.infoRevision, RANK.room, (revision) => roomChangedEvent(revision, room)),
      );
    }
    if (member.readRevision > base) {
      singles.push(
        pendingAt(member.readRevision, RANK.read, (revision) =>
          readMarkerEvent(revision, room.id, member.readSeq, this.#unreadAt(room, member)),
        ),
      );
    }
    if (member.preferenceRevision > base) {
      singles.push(
        pendingAt(member.preferenceRevision, RANK.preference, (revision) =>
          roomPreferenceEvent(revision, room.id, member),
        ),
      );
    }
    if (member.writeForbiddenRevision > base) {
      singles.push(
        pendingAt(member.writeForbiddenRevision, RANK.writing, (revision) =>
          roomWritingEvent(revision, member),
        ),
      );
    }
    return singles;
  }

  /**
   * The room as far as it went when the account joined: the messages that follow, on this page or a later one, count from there on.
   * Where its read position went since, a marker says.
   */
  #reset(revision: number, room: RoomRow, member: MemberRow): Uint8Array {
    const lastSeq = this.#lastSeqUpTo(room, revision);
    const counts = this.#unread.asOf(member, lastSeq, revision);
    return roomResetEvent(
      revision,
      { ...room, lastSeq },
      { ...member, readSeq: Math.min(member.readSeq, lastSeq) },
      this.#peer(room, member.accountId),
      counts,
    );
  }

  /** What was unread when the read position was moved: the events that follow lead to what is unread now. */
  #unreadAt(room: RoomRow, member: MemberRow): Counts {
    const lastSeq = this.#lastSeqUpTo(room, member.readRevision);
    return this.#unread.asOf(member, lastSeq, member.readRevision);
  }

  #peer(room: RoomRow, accountId: number): AccountRow | undefined {
    return room.directLow === 0 ? undefined : this.#rows.account(peerIdOf(room, accountId));
  }

  /** Messages created after `base`. */
  #messageSource(room: RoomRow, base: number): Source {
    let seq = this.#lastSeqUpTo(room, base);
    return chunked((limit) => {
      const found = seq >= room.lastSeq ? [] : allArrays(this.#messages, room.id, seq, limit);
      seq += found.length;
      return found.map((values) => {
        const message = messageOf(values);
        return pendingAt(message.id, RANK.message, (revision) =>
          messageEvent(revision, encode(Message, message)),
        );
      });
    });
  }

  /**
   * The sequence number of the room's newest message created at or before `revision`; 0 = none.
   * Galloping back from the end: sequences have no gaps (P3) and most catch-ups are short.
   */
  #lastSeqUpTo(room: RoomRow, revision: number): number {
    const isOld = (seq: number): boolean => this.#idOf(room.id, seq) <= revision;
    let high = room.lastSeq + 1;
    let step = 1;
    let low = high - step;
    while (low > 0 && !isOld(low)) {
      high = low;
      step *= 2;
      low = high - step;
    }
    if (low <= 0) low = 0;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (isOld(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  #idOf(roomId: number, seq: number): number {
    return firstArray(this.#idAt, roomId, seq)?.[0] as number;
  }

  /** Messages created at or before `base` and changed after it; and all that were deleted after it. */
  #changeSource(roomId: number, base: number): Source {
    let after: [number, number] = [base, Number.MAX_SAFE_INTEGER];
    return chunked((limit) => {
      const found = allArrays(this.#changes, roomId, ...after, base, limit);
      return found.map((values) => {
        const message = messageOf(values);
        after = [message.revision, message.id];
        return pendingAt(message.revision, RANK.changed, (revision) =>
          messageChangedEvent(revision, encode(Message, message)),
        );
      });
    });
  }

  /** Who joined, left or changed role after `base`; oneself too, if one's role changed since. */
  #memberSource(room: RoomRow, base: number): Source {
    let after: [number, number] = [base, Number.MAX_SAFE_INTEGER];
    return chunked((limit) =>
      allArrays(this.#members, room.id, ...after, limit).map((values) => {
        const member = MEMBERS.row(values);
        after = [member.changedRevision, member.accountId];
        const account = ACCOUNTS.row(values.slice(MEMBERS.columns.length));
        return pendingAt(member.changedRevision, RANK.member, (revision) =>
          membershipChangedEvent(revision, room, account, member.role),
        );
      }),
    );
  }

  /** Threads that the account follows, has read, or does not follow any more since. */
  #threadSource(accountId: number, base: number): Source {
    let after: [number, number, number] = [base, Number.MAX_SAFE_INTEGER, 0];
    return chunked((limit) =>
      allArrays(this.#follows, accountId, ...after, limit).map((values) => {
        const row = FOLLOWS.row(values);
        after = [row.changedRevision, row.roomId, row.threadRootSeq];
        const room = ROOMS.row(values.slice(FOLLOWS.columns.length));
        return pendingAt(row.changedRevision, RANK.thread, (revision) => {
          // As with the room's own read position.
          const lastSeq = this.#lastSeqUpTo(room, revision);
          const counts = this.#unread.inThread(row, lastSeq, revision);
          return threadMarkerEvent(revision, row, counts);
        });
      }),
    );
  }

  #accountSource(afterRevision: number): Source {
    let after: [number, number] = [afterRevision, Number.MAX_SAFE_INTEGER];
    return chunked((limit) =>
      allArrays(this.#accounts, ...after, limit).map((values) => {
        const account = ACCOUNTS.row(values);
        after = [account.changedRevision, account.id];
        return pendingAt(account.changedRevision, RANK.account, (revision) =>
          accountChangedEvent(revision, account),
        );
      }),
    );
  }
}

function pendingAt(
  revision: number,
  rank: number,
  encode: (revision: number) => Uint8Array,
): Pending {
  return { revision, rank, encode: () => encode(revision) };
}

function single(pending: Pending): Source {
  let isTaken = false;
  return () => {
    if (isTaken) return undefined;
    isTaken = true;
    return pending;
  };
}

/** Reads chunk after chunk, each twice as large, until one is empty. */
function chunked(read: (limit: number) => Pending[]): Source {
  let limit = CHUNK_MIN;
  let chunk: Pending[] = [];
  let at = 0;
  let isEnded = false;
  return () => {
    if (at >= chunk.length && !isEnded) {
      chunk = read(limit);
      at = 0;
      isEnded = chunk.length === 0;
      limit = Math.min(limit * 2, CHUNK_MAX);
    }
    const pending = chunk[at];
    at += 1;
    return pending;
  };
}
