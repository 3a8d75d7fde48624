// The full-text index over the messages. Derived: it is in the chat file, so that copies carry it, but in no hash, and nothing that is
// applied ever depends on it. Written in slices between the batches: a segment of FTS5 for every few messages would cost more than
// applying them. What the index does not cover yet is known exactly, and a search looks through that part itself:
//
//   messages up to `indexed`, except those in `search_changed`   are in the index as they are
//   messages in `search_changed`                                 are in the index as they were, which that table says
//   messages after `indexed`                                     are not in it
//
// FTS5 keeps no texts here (`content=''`), so taking a message out needs the text that was put in; with `secure-delete` its words then
// leave the file, as bodies do.
import { MentionList } from "@parley/protocol";
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "../database.ts";
import type { MessageRow } from "../rows.ts";
import { allArrays, firstArray } from "../schema.ts";

/** Messages and bytes of text in one slice: milliseconds for whoever waits behind it. */
const SLICE_MESSAGES = 256;
const SLICE_CHARACTERS = 256 * 1024;
/** Taking a message out looks for each of its words. */
const SLICE_CHANGES = 8;

const LINK = /https?:\/\/\S/i;

/** What of a message is indexed beside its body. */
export type Tagged = Pick<MessageRow, "roomId" | "authorId" | "body" | "mentions">;

/**
 * The words of the second column, by which messages are filtered: room, author, whom it mentions, whether it has a link. Another
 * choice of them needs a table of another name: messages are taken out of this one by them.
 */
export function tagsOf({ roomId, authorId, body, mentions }: Tagged): string {
  const tags = [`r${roomId}`, `a${authorId}`];
  if (LINK.test(body)) tags.push("link");
  if (mentions !== null) {
    const { accountIds, room } = MentionList.decode(mentions);
    for (const accountId of accountIds) tags.push(`m${accountId}`);
    if (room) tags.push("m0");
  }
  return tags.join(" ");
}

/** Where the index stands, as the meta row has it. */
export interface SearchPosition {
  /** Messages up to this revision are in the index. */
  readonly indexed: number;
  /** The applied index up to which changes were noted; another one than the state's: a program without this index has applied. */
  readonly followed: number;
}

const NOTHING_FOLLOWED = -1;

/** The writing side; the transactions are the machine's. */
export class SearchIndex {
  readonly #noteChanged: Statement;
  readonly #changed: Statement;
  readonly #forgetChanged: Statement;
  readonly #forgetAllChanged: Statement;
  readonly #after: Statement;
  readonly #byId: Statement;
  readonly #countAfter: Statement;
  readonly #put: Statement;
  readonly #take: Statement;
  readonly #takeAll: Statement;
  #indexed: number;
  /** Nothing that is in the index counts. */
  #mustStartOver: boolean;
  #changes: number;
  /** Messages after `indexed`, counted up to a slice of them. */
  #waiting: number;

  constructor(db: ChatDatabase, { indexed, followed }: SearchPosition, appliedIndex: number) {
    this.#noteChanged = prepare(
      db,
      "INSERT OR IGNORE INTO search_changed (id, body, tags) VALUES (?, ?, ?)",
    );
    this.#changed = prepareArrays(db, "SELECT id, body, tags FROM search_changed LIMIT ?");
    this.#forgetChanged = prepare(db, "DELETE FROM search_changed WHERE id = ?");
    this.#forgetAllChanged = prepare(db, "DELETE FROM search_changed");
    const columns = "SELECT id, room_id, author_id, body, mentions, deleted FROM messages";
    this.#after = prepareArrays(db, `${columns} WHERE id > ? ORDER BY id LIMIT ?`);
    this.#byId = prepareArrays(db, `${columns} WHERE id = ?`);
    this.#countAfter = prepareArrays(
      db,
      "SELECT count(*) FROM (SELECT 1 FROM messages WHERE id > ? LIMIT ?)",
    );
    this.#put = prepare(db, "INSERT INTO search_index (rowid, body, tags) VALUES (?, ?, ?)");
    this.#take = prepare(
      db,
      "INSERT INTO search_index (search_index, rowid, body, tags) VALUES ('delete', ?, ?, ?)",
    );
    this.#takeAll = prepare(db, "INSERT INTO search_index (search_index) VALUES ('delete-all')");
    this.#mustStartOver = followed !== appliedIndex;
    this.#indexed = this.#mustStartOver ? 0 : indexed;
    const changes = firstArray(prepareArrays(db, "SELECT count(*) FROM search_changed"));
    this.#changes = this.#mustStartOver ? 0 : (changes?.[0] as number);
    this.#waiting = this.#count();
  }

  /** To be stored with the state as of `appliedIndex`. */
  position(appliedIndex: number): SearchPosition {
    return {
      indexed: this.#indexed,
      followed: this.#mustStartOver ? NOTHING_FOLLOWED : appliedIndex,
    };
  }

  /** Whether enough waits for a slice. What was deleted never waits. */
  get isDue(): boolean {
    return this.#changes > 0 || this.#waiting >= SLICE_MESSAGES;
  }

  /** A message was appended. */
  appended(): void {
    this.#waiting += 1;
  }

  /** The message `before` has become another one. */
  replaced(before: MessageRow, after: MessageRow): void {
    if (before.id > this.#indexed) return;
    if (before.body === after.body && before.deleted === after.deleted) return;
    // As it is in the index: a second change before the next slice is none of it.
    const { changes } = this.#noteChanged.run(before.id, before.body, tagsOf(before));
    this.#changes += Number(changes);
  }

  /** One slice: changes first, then messages in their order. `appliedIndex`: that of the state. */
  advance(appliedIndex: number): void {
    if (this.#mustStartOver) {
      this.#takeAll.run();
      this.#forgetAllChanged.run();
      this.#mustStartOver = false;
    }
    for (const [id, body, tags] of allArrays(this.#changed, SLICE_CHANGES)) {
      this.#take.run(id as number, body as string, tags as string);
      const now = firstArray(this.#byId, id as number);
      if (now !== undefined) this.#putRow(now);
      this.#forgetChanged.run(id as number);
      this.#changes -= 1;
    }
    const rows = allArrays(this.#after, this.#indexed, SLICE_MESSAGES);
    let characters = 0;
    let taken = 0;
    for (const row of rows) {
      characters += (row[3] as string).length;
      if (taken > 0 && characters > SLICE_CHARACTERS) break;
      this.#putRow(row);
      this.#indexed = row[0] as number;
      taken += 1;
    }
    if (taken === rows.length && rows.length < SLICE_MESSAGES) this.#indexed = appliedIndex;
    this.#waiting = this.#count();
  }

  #putRow(row: readonly unknown[]): void {
    const [id, roomId, authorId, body, mentions, isDeleted] = row as [
      number,
      number,
      number,
      string,
      Uint8Array | null,
      number,
    ];
    if (isDeleted !== 0) return;
    this.#put.run(id, body, tagsOf({ roomId, authorId, body, mentions }));
  }

  #count(): number {
    return firstArray(this.#countAfter, this.#indexed, SLICE_MESSAGES)?.[0] as number;
  }
}
