// Reads about rooms and their members.
import {
  LIMITS,
  type ListMembersRequest,
  ListMembersResponse,
  type ListRoomsRequest,
  ListRoomsResponse,
  type Room,
} from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import { matchesGlob } from "../glob.ts";
import { ACCOUNTS, type AccountRow, blockedIds, MEMBERS, ROOMS } from "../rows.ts";
import { allArrays, columnsOf } from "../schema.ts";
import { normaliseRoomName } from "../text.ts";
import { accountView, peerIdOf, roomView, writingView } from "../views.ts";
import { readableRoom } from "./access.ts";
import { boundedPattern, pageSize, pageToken, positionOf } from "./paging.ts";
import type { RowSource } from "./rows-of.ts";
import type { UnreadReads } from "./unread.ts";

/** Names looked at for one page of the directory at the most. */
const SCANNED_MAX = 20_000;
const CHUNK = 500;

export class RoomReads {
  readonly #rows: RowSource;
  readonly #unread: UnreadReads;
  readonly #own: Statement;
  readonly #directory: Statement;
  readonly #members: Statement;

  constructor(db: ChatDatabase, rows: RowSource, unread: UnreadReads) {
    this.#rows = rows;
    this.#unread = unread;
    this.#own = prepareArrays(
      db,
      `SELECT ${columnsOf(MEMBERS, "m")}, ${columnsOf(ROOMS, "r")}
       FROM members m JOIN rooms r ON r.id = m.room_id
       WHERE m.account_id = ? AND m.room_id > ? AND m.role <> 0 ORDER BY m.room_id`,
    );
    this.#directory = prepareArrays(
      db,
      `SELECT ${columnsOf(ROOMS)} FROM rooms
       WHERE visibility = 1 AND deleted = 0 AND name_key > ? ORDER BY name_key LIMIT ?`,
    );
    this.#members = prepareArrays(
      db,
      `SELECT ${columnsOf(MEMBERS, "m")}, ${columnsOf(ACCOUNTS, "a")}
       FROM members m JOIN accounts a ON a.id = m.account_id
       WHERE m.room_id = ? AND m.account_id > ? AND m.role <> 0 ORDER BY m.account_id LIMIT ?`,
    );
  }

  list(request: ListRoomsRequest, accountId: number, revision: number): Uint8Array {
    const size = pageSize(request.pageSize, LIMITS.roomsPageDefault, LIMITS.roomsPageMax);
    const pattern = normaliseRoomName(boundedPattern(request.pattern));
    const page = request.public
      ? this.#publicPage(pattern, request.pageToken, size, accountId)
      : this.#ownPage(pattern, request.pageToken, size, accountId);
    return ListRoomsResponse.encode({ ...page, revision, staleMs: 0 }).finish();
  }

  /** In the order of ids. A direct room goes by its other member's name. */
  #ownPage(pattern: string, token: string, size: number, accountId: number) {
    const list = ["own rooms", accountId, pattern];
    const afterId = Number(positionOf(list, token));
    const rooms: Room[] = [];
    const threads = this.#unread.threads(accountId);
    for (const values of this.#own.iterate(accountId, afterId)) {
      const columns = values as unknown as number[];
      const member = MEMBERS.row(columns);
      const room = ROOMS.row(columns.slice(MEMBERS.columns.length));
      const isDirect = room.directLow !== 0;
      const peer = isDirect ? this.#rows.account(peerIdOf(room, accountId)) : undefined;
      const name = isDirect ? (peer?.usernameKey ?? "") : room.nameKey;
      if (pattern !== "" && !matchesGlob(pattern, name)) continue;
      // One more than asked for says that there is another page.
      if (rooms.length === size) {
        return { rooms, nextPageToken: pageToken(list, String(rooms[size - 1]?.id ?? 0)) };
      }
      const counts = this.#unread.of(room, member);
      rooms.push(roomView(room, member, peer, counts, threads.get(room.id)));
    }
    return { rooms, nextPageToken: "" };
  }

  /** Public rooms that the account is not in and not banned from, in the order of their names. */
  #publicPage(pattern: string, token: string, size: number, accountId: number) {
    const list = ["public rooms", pattern];
    const rooms: Room[] = [];
    let after = positionOf(list, token);
    let isMore = true;
    for (let scanned = 0; isMore && rooms.length < size && scanned < SCANNED_MAX; ) {
      const chunk = allArrays(this.#directory, after, CHUNK);
      isMore = chunk.length === CHUNK;
      for (const [i, values] of chunk.entries()) {
        const room = ROOMS.row(values);
        after = room.nameKey;
        scanned += 1;
        if (pattern !== "" && !matchesGlob(pattern, room.nameKey)) continue;
        const member = this.#rows.member(room.id, accountId);
        if (member !== undefined && (member.role !== 0 || member.banned)) continue;
        rooms.push(roomView(room, undefined, undefined));
        if (rooms.length < size) continue;
        isMore = isMore || i < chunk.length - 1;
        break;
      }
    }
    return { rooms, nextPageToken: isMore ? pageToken(list, after) : "" };
  }

  members(request: ListMembersRequest, accountId: number, revision: number): Uint8Array {
    const size = pageSize(request.pageSize, LIMITS.membersPageDefault, LIMITS.membersPageMax);
    const list = ["members", request.roomId];
    const afterId = Number(positionOf(list, request.pageToken));
    const room = readableRoom(this.#rows, request.roomId, accountId);
    const found = allArrays(this.#members, room.id, afterId, size + 1);
    const asker = this.#rows.account(accountId);
    const isTold = room.memberCount <= LIMITS.receiptMembersMax && asker?.readsHidden === false;
    const blocked = new Set(isTold ? blockedIds(asker) : []);
    const isApart = (account: AccountRow) =>
      blocked.has(account.id) || blockedIds(account).includes(accountId);
    const members = found.slice(0, size).map((values) => {
      const member = MEMBERS.row(values);
      const account = ACCOUNTS.row(values.slice(MEMBERS.columns.length));
      return {
        account: accountView(account),
        role: member.role as 1 | 2 | 3,
        joinedAtMs: member.joinedAtMs,
        readSeq:
          member.accountId === accountId || (isTold && !account.readsHidden && !isApart(account))
            ? member.readSeq
            : 0,
        ...writingView(member),
      };
    });
    const last = members.at(-1)?.account.id ?? 0;
    const nextPageToken = found.length > size ? pageToken(list, String(last)) : "";
    return ListMembersResponse.encode({ members, nextPageToken, revision, staleMs: 0 }).finish();
  }
}
