// Full-text search: what of the rooms that somebody may read fits a query, the newest first. Exact at the revision of the answer: what
// the index does not have yet is looked through beside it (see ../search/index-table.ts), and every candidate, wherever it comes
// from, is matched as the message is now. Bounded: a page ends early when it has looked at so much, with a token to go on.
import {
  LIMITS,
  type Message,
  ParleyError,
  type SearchHit,
  type SearchRequest,
  SearchResponse,
} from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import type { SqlValue } from "../hash.ts";
import { MESSAGES } from "../rows.ts";
import { allArrays, firstArray } from "../schema.ts";
import { tagsOf } from "../search/index-table.ts";
import { parseSearch, type SearchQuery } from "../search/query.ts";
import { normaliseRoomName, normaliseUsername } from "../text.ts";
import { readableRoom } from "./access.ts";
import { MESSAGE_COLUMNS, messageOf } from "./history.ts";
import { pageSize, pageToken, positionOf } from "./paging.ts";
import type { RowSource } from "./rows-of.ts";
import { type Candidate, SearchMatcher } from "./search-matcher.ts";

/** Candidates looked at for one page, and characters of their texts that are matched. */
const LOOKED_AT_MAX = 5_000;
const CHARACTERS_MAX = 1024 * 1024;
/** Texts that are matched at once. */
const BLOCK = 64;
/** Up to so many rooms are part of what the index is asked; of more, each candidate's is looked at. */
const ROOMS_ASKED_MAX = 64;

/** A query whose names have been looked up. */
interface Search {
  readonly query: SearchQuery;
  readonly accountId: number;
  readonly roomIds: ReadonlySet<number>;
  /** In the language of FTS5; empty = every message is a candidate. */
  readonly expression: string;
  /** Ids of the messages in question: from the first up to, not including, the second. */
  readonly fromId: number;
  readonly beforeId: number;
}

interface Found {
  readonly message: Message;
  readonly candidate: Candidate;
}

export class SearchReads {
  readonly #rows: RowSource;
  readonly #matcher: SearchMatcher;
  readonly #position: Statement;
  readonly #ownRooms: Statement;
  readonly #publicRoom: Statement;
  readonly #firstFrom: Statement;
  readonly #inIndex: Statement;
  readonly #between: Statement;
  readonly #changed: Statement;
  readonly #look: Statement;
  readonly #message: Statement;

  constructor(db: ChatDatabase, rows: RowSource) {
    this.#rows = rows;
    this.#matcher = new SearchMatcher(db);
    this.#position = prepareArrays(
      db,
      "SELECT CASE search_followed WHEN applied_index THEN search_indexed ELSE 0 END FROM meta",
    );
    this.#ownRooms = prepareArrays(
      db,
      `SELECT r.id, r.name_key, r.direct_low, r.direct_high FROM members m JOIN rooms r ON r.id = m.room_id
       WHERE m.account_id = ? AND m.role <> 0 AND r.deleted = 0`,
    );
    this.#publicRoom = prepareArrays(
      db,
      "SELECT id FROM rooms WHERE visibility = 1 AND deleted = 0 AND name_key = ?",
    );
    this.#firstFrom = prepareArrays(
      db,
      "SELECT id, sent_at_ms FROM messages WHERE id >= ? ORDER BY id LIMIT 1",
    );
    this.#inIndex = prepareArrays(
      db,
      `SELECT rowid FROM search_index WHERE search_index MATCH ? AND rowid >= ? AND rowid < ?
       ORDER BY rowid DESC`,
    );
    const between = "WHERE id >= ? AND id < ? ORDER BY id DESC";
    this.#between = prepareArrays(db, `SELECT id FROM messages ${between}`);
    this.#changed = prepareArrays(db, `SELECT id FROM search_changed ${between}`);
    this.#look = prepareArrays(
      db,
      `SELECT room_id, sent_at_ms, reactions IS NOT NULL, pinned_revision, attachments IS NOT NULL FROM messages
       WHERE id = ? AND deleted = 0`,
    );
    this.#message = prepareArrays(
      db,
      `SELECT ${MESSAGE_COLUMNS} FROM messages m JOIN accounts a ON a.id = m.author_id WHERE m.id = ?`,
    );
  }

  /** An encoded SearchResponse. Throws a ParleyError for a query that makes no sense. */
  search(request: SearchRequest, accountId: number, revision: number): Uint8Array {
    const size = pageSize(request.pageSize, LIMITS.searchPageDefault, LIMITS.searchPageMax);
    const query = parseSearch(request.query);
    const list = ["search", accountId, request.query];
    const position = positionOf(list, request.pageToken);
    const beforeId = position === "" ? revision + 1 : Number(position);
    const page = this.#page(this.#lookUp(query, accountId, beforeId, revision), size);
    const { hits, nextBeforeId } = page;
    const nextPageToken = nextBeforeId === 0 ? "" : pageToken(list, String(nextBeforeId));
    return SearchResponse.encode({ hits, nextPageToken, revision, staleMs: 0 }).finish();
  }

  // ---- What is asked -----------------------------------------------------------------------------

  #lookUp(query: SearchQuery, accountId: number, beforeId: number, revision: number): Search {
    const authorIds = query.from.map((name) => this.#accountId(name));
    const roomIds = this.#roomIds(query, accountId);
    const parts: string[] = [];
    if (query.words.length > 0) parts.push(`{body} : (${query.words.join(" AND ")})`);
    const anyTag = (tags: readonly string[]) => {
      if (tags.length > 0) parts.push(`{tags} : (${tags.join(" OR ")})`);
    };
    anyTag(authorIds.map((id) => `a${id}`));
    if (roomIds.size <= ROOMS_ASKED_MAX) anyTag([...roomIds].map((id) => `r${id}`));
    if (query.has.has("link")) anyTag(["link"]);
    if (query.has.has("mention")) anyTag([`m${accountId}`, "m0"]);
    // Replicated time never goes back, so that days are ranges of revisions.
    const fromId = query.sinceMs === 0 ? 1 : this.#firstSince(query.sinceMs, revision);
    const endId =
      query.beforeMs === Number.MAX_SAFE_INTEGER
        ? beforeId
        : Math.min(beforeId, this.#firstSince(query.beforeMs, revision));
    const expression = parts.join(" AND ");
    return { query, accountId, roomIds, expression, fromId, beforeId: endId };
  }

  #accountId(name: string): number {
    const account =
      name.length <= LIMITS.usernameBytesMax
        ? this.#rows.accountByKey(normaliseUsername(name))
        : undefined;
    if (account !== undefined) return account.id;
    throw new ParleyError("ACCOUNT_NOT_FOUND", `There is no account ${name.slice(0, 64)}.`, {
      subject: "search",
      named: name.slice(0, 64),
    });
  }

  /** Those that are searched: one's own, or of them, and of the public ones, those that the query names. */
  #roomIds(query: SearchQuery, accountId: number): ReadonlySet<number> {
    const own = allArrays(this.#ownRooms, accountId) as [number, string, number, number][];
    if (query.in.length === 0) return new Set(own.map(([id]) => id));
    const roomIds = new Set<number>();
    for (const name of query.in) {
      const before = roomIds.size;
      if (name.startsWith("@")) {
        const peerId = this.#accountId(name.slice(1));
        const [low, high] = [Math.min(accountId, peerId), Math.max(accountId, peerId)];
        for (const [id, , directLow, directHigh] of own) {
          if (directLow === low && directHigh === high) roomIds.add(id);
        }
      } else {
        const keys = [name, name.replace(/^#/, "")].map(normaliseRoomName);
        for (const [id, key, directLow] of own) {
          if (directLow === 0 && keys.includes(key)) roomIds.add(id);
        }
        if (roomIds.size === before) this.#addPublicRoom(roomIds, keys, accountId);
      }
      if (roomIds.size > before) continue;
      throw new ParleyError("ROOM_NOT_FOUND", `You are in no room ${name.slice(0, 128)}.`, {
        subject: "search",
        named: name.slice(0, 128),
      });
    }
    return roomIds;
  }

  /** A public room's messages may be read before joining, as its history. */
  #addPublicRoom(roomIds: Set<number>, keys: readonly string[], accountId: number): void {
    for (const key of keys) {
      const found = firstArray(this.#publicRoom, key);
      if (found === undefined) continue;
      roomIds.add(readableRoom(this.#rows, found[0] as number, accountId).id);
    }
  }

  /** The first id of a message sent at that time or later. */
  #firstSince(ms: number, revision: number): number {
    let [low, high] = [1, revision + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const found = firstArray(this.#firstFrom, middle) as [number, number] | undefined;
      if (found === undefined || found[1] >= ms) high = middle;
      else low = found[0] + 1;
    }
    return low;
  }

  // ---- What is found -----------------------------------------------------------------------------

  /** `nextBeforeId`: the next page is of messages before it; 0 = there is none. */
  #page(search: Search, size: number): { hits: SearchHit[]; nextBeforeId: number } {
    const hits: SearchHit[] = [];
    let block: Found[] = [];
    let lookedAt = 0;
    let characters = 0;
    let lastId = search.beforeId;
    let isMore = false;
    const matchBlock = () => {
      hits.push(...this.#hitsAmong(block, search.expression));
      block = [];
    };
    if (search.roomIds.size > 0) {
      for (const id of this.#candidates(search)) {
        if (hits.length > size) break;
        if (lookedAt >= LOOKED_AT_MAX || characters >= CHARACTERS_MAX) {
          isMore = true;
          break;
        }
        lookedAt += 1;
        lastId = id;
        const found = this.#isEligible(id, search) ? this.#find(id) : undefined;
        if (found === undefined) continue;
        characters += found.candidate.body.length;
        block.push(found);
        // One more than asked for says that there is another page.
        if (block.length === Math.min(BLOCK, size + 1 - hits.length)) matchBlock();
      }
      matchBlock();
    }
    const page = hits.slice(0, size);
    if (hits.length > size) return { hits: page, nextBeforeId: page.at(-1)?.message?.id ?? 0 };
    return { hits: page, nextBeforeId: isMore ? lastId : 0 };
  }

  /** Ids in descending order, each once; of messages that may fit, and of all that do. */
  *#candidates({ expression, fromId, beforeId }: Search): Generator<number> {
    if (expression === "") {
      yield* idsOf(this.#between, fromId, beforeId);
      return;
    }
    const indexed = firstArray(this.#position)?.[0] as number;
    yield* idsOf(this.#between, Math.max(fromId, indexed + 1), beforeId);
    const last = Math.min(beforeId, indexed + 1);
    yield* mergeDescending(
      idsOf(this.#inIndex, expression, fromId, last),
      idsOf(this.#changed, fromId, last),
    );
  }

  /** What the rows say; it costs less than the text. Whoever is no member any more finds nothing. */
  #isEligible(id: number, { query, roomIds }: Search): boolean {
    const row = firstArray(this.#look, id) as [number, number, number, number, number] | undefined;
    if (row === undefined) return false;
    const [roomId, sentAtMs, hasReactions, pinnedRevision, hasFiles] = row;
    if (!roomIds.has(roomId)) return false;
    if (sentAtMs < query.sinceMs || sentAtMs >= query.beforeMs) return false;
    if (query.has.has("reaction") && hasReactions === 0) return false;
    if (query.has.has("file") && hasFiles === 0) return false;
    return !query.has.has("pin") || pinnedRevision > 0;
  }

  #find(id: number): Found | undefined {
    const values = firstArray(this.#message, id);
    if (values === undefined) return undefined;
    const row = MESSAGES.row(values);
    return { message: messageOf(values), candidate: { id, body: row.body, tags: tagsOf(row) } };
  }

  /** In the order of the block. */
  #hitsAmong(block: readonly Found[], expression: string): SearchHit[] {
    if (expression === "") return block.map(({ message }) => ({ message, ranges: [] }));
    const matched = this.#matcher.match(
      block.map(({ candidate }) => candidate),
      expression,
    );
    const hits: SearchHit[] = [];
    for (const { message } of block) {
      const ranges = matched.get(message.id);
      if (ranges !== undefined) hits.push({ message, ranges });
    }
    return hits;
  }
}

function* idsOf(statement: Statement, ...values: SqlValue[]): Generator<number> {
  for (const row of statement.iterate(...values)) yield (row as unknown as number[])[0] as number;
}

/** What is in either, each once; both descend. */
function* mergeDescending(a: Generator<number>, b: Generator<number>): Generator<number> {
  try {
    let [x, y] = [a.next(), b.next()];
    while (x.done !== true || y.done !== true) {
      const id = Math.max(x.done === true ? 0 : x.value, y.done === true ? 0 : y.value);
      yield id;
      if (x.done !== true && x.value === id) x = a.next();
      if (y.done !== true && y.value === id) y = b.next();
    }
  } finally {
    a.return(undefined);
    b.return(undefined);
  }
}
