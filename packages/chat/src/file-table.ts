// The files of messages, and those that wait for one. Their bytes are part of the state: what keeps messages safe and the same on all
// nodes (the log, copies, backups, verification) keeps files so, and a message never names a file that a majority does not have. Never
// cached; SQLite finds them by index.
import { LIMITS } from "@parley/protocol";
import { type ChatDatabase, prepare, prepareArrays, type Statement } from "./database.ts";
import { FILE_CHUNKS, FILES, type FileChunkRow, type FileRow } from "./file-rows.ts";
import type { HashSum, RowHasher, SqlValue } from "./hash.ts";
import type { TableDefinition } from "./rows.ts";
import { allArrays, columnsOf, firstArray } from "./schema.ts";

/** What a file counts for in the bounds: as a whole piece at least, so that they bound how many there are. */
export function chargeOf(size: number): number {
  return Math.max(size, LIMITS.fileChunkBytesMax);
}

/** The same, of a row. */
const CHARGE = `max(size, ${LIMITS.fileChunkBytesMax})`;

/** What the files of an account count for. */
export const BYTES_OF_ACCOUNT: string = `SELECT ifnull(sum(${CHARGE}), 0) FROM files WHERE account_id = ? AND dropped = 0`;

type Hashed = Pick<TableDefinition<unknown>, "tag" | "added">;

/** So many chunks of dropped files go with one command: whatever was deleted, no command takes long. */
const SWEPT_CHUNKS = 8;

export class FileTable {
  readonly #sum: HashSum;
  readonly #hasher: RowHasher;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly #delete: Statement;
  readonly #byClientId: Statement;
  readonly #ofMessage: Statement;
  readonly #ofRoom: Statement;
  readonly #unsent: Statement;
  readonly #bytesOf: Statement;
  readonly #insertChunk: Statement;
  readonly #deleteChunk: Statement;
  readonly #chunks: Statement;
  readonly #firstDropped: Statement;
  /** What all files count for, without those that were dropped. */
  #bytesInAll: number;
  #dropped: number;

  constructor(db: ChatDatabase, sum: HashSum, hasher: RowHasher) {
    this.#sum = sum;
    this.#hasher = hasher;
    const marks = (table: TableDefinition<unknown>) => table.columns.map(() => "?").join(", ");
    const files = `SELECT ${columnsOf(FILES)} FROM files WHERE`;
    this.#insert = prepare(
      db,
      `INSERT INTO files (${columnsOf(FILES)}) VALUES (${marks(FILES as TableDefinition<unknown>)})`,
    );
    this.#update = prepare(
      db,
      "UPDATE files SET received = ?, room_id = ?, message_id = ?, dropped = ?, preview = ? WHERE id = ?",
    );
    this.#delete = prepare(db, "DELETE FROM files WHERE id = ?");
    this.#byClientId = prepareArrays(db, `${files} account_id = ? AND client_file_id = ?`);
    this.#ofMessage = prepareArrays(
      db,
      `${files} message_id > 0 AND room_id = ? AND message_id = ? ORDER BY id`,
    );
    this.#ofRoom = prepareArrays(db, `${files} message_id > 0 AND room_id = ? ORDER BY id`);
    this.#unsent = prepareArrays(
      db,
      `${files} message_id = 0 AND dropped = 0 AND account_id = ? ORDER BY id`,
    );
    this.#bytesOf = prepareArrays(db, BYTES_OF_ACCOUNT);
    this.#insertChunk = prepare(
      db,
      `INSERT INTO file_chunks (${columnsOf(FILE_CHUNKS)}) VALUES (${marks(FILE_CHUNKS as TableDefinition<unknown>)})`,
    );
    this.#deleteChunk = prepare(db, "DELETE FROM file_chunks WHERE id = ?");
    this.#chunks = prepareArrays(
      db,
      `SELECT ${columnsOf(FILE_CHUNKS)} FROM file_chunks WHERE file_id = ? ORDER BY at LIMIT ?`,
    );
    this.#firstDropped = prepareArrays(db, `${files} dropped = 1 ORDER BY id LIMIT 1`);
    const [bytes, dropped] = firstArray(
      prepareArrays(
        db,
        `SELECT ifnull(sum(${CHARGE}) FILTER (WHERE dropped = 0), 0), count(*) FILTER (WHERE dropped = 1) FROM files`,
      ),
    ) as number[];
    this.#bytesInAll = bytes ?? 0;
    this.#dropped = dropped ?? 0;
  }

  get bytesInAll(): number {
    return this.#bytesInAll;
  }

  /** Also one that was dropped and still has bytes. */
  byClientId(accountId: number, clientFileId: string): FileRow | undefined {
    const values = firstArray(this.#byClientId, accountId, clientFileId);
    return values === undefined ? undefined : FILES.row(values);
  }

  /** Those of an account that no message names yet, the oldest first. */
  unsentOf(accountId: number): FileRow[] {
    return allArrays(this.#unsent, accountId).map((values) => FILES.row(values));
  }

  bytesOf(accountId: number): number {
    return firstArray(this.#bytesOf, accountId)?.[0] as number;
  }

  add(file: FileRow): void {
    const values = FILES.values(file);
    this.#insert.run(...values);
    this.#add(FILES, values);
    this.#bytesInAll += chargeOf(file.size);
  }

  /** The next bytes of `file`, with the last of them its preview; `revision` brought them. Returns the row with them. */
  append(
    file: FileRow,
    revision: number,
    data: Uint8Array,
    preview: Uint8Array | null = null,
  ): FileRow {
    const chunk: FileChunkRow = { id: revision, fileId: file.id, at: file.received, data };
    const values = FILE_CHUNKS.values(chunk);
    this.#insertChunk.run(...values);
    this.#add(FILE_CHUNKS, values);
    return this.#replace(file, { ...file, received: file.received + data.length, preview });
  }

  give(file: FileRow, roomId: number, messageId: number): void {
    this.#replace(file, { ...file, roomId, messageId });
  }

  drop(file: FileRow): void {
    if (file.dropped) return;
    this.#replace(file, { ...file, dropped: true });
    this.#bytesInAll -= chargeOf(file.size);
    this.#dropped += 1;
  }

  dropOfMessage(roomId: number, messageId: number): void {
    for (const values of allArrays(this.#ofMessage, roomId, messageId))
      this.drop(FILES.row(values));
  }

  dropOfRoom(roomId: number): void {
    for (const values of allArrays(this.#ofRoom, roomId)) this.drop(FILES.row(values));
  }

  dropUnsentOf(accountId: number): void {
    for (const file of this.unsentOf(accountId)) this.drop(file);
  }

  /** Some of what was dropped goes for good: the same with the same command on every node. */
  sweep(): void {
    if (this.#dropped === 0) return;
    const values = firstArray(this.#firstDropped);
    if (values === undefined) return;
    const file = FILES.row(values);
    const chunks = allArrays(this.#chunks, file.id, SWEPT_CHUNKS);
    for (const chunk of chunks) {
      this.#deleteChunk.run(chunk[0] as number);
      this.#subtract(FILE_CHUNKS, chunk);
    }
    if (chunks.length === SWEPT_CHUNKS) return;
    this.#delete.run(file.id);
    this.#subtract(FILES, values);
    this.#dropped -= 1;
  }

  #replace(before: FileRow, after: FileRow): FileRow {
    this.#subtract(FILES, FILES.values(before));
    this.#add(FILES, FILES.values(after));
    const { received, roomId, messageId, dropped, preview, id } = after;
    this.#update.run(received, roomId, messageId, dropped ? 1 : 0, preview, id);
    return after;
  }

  #add({ tag, added }: Hashed, values: readonly SqlValue[]): void {
    this.#hasher.hash(tag, values, added);
    this.#sum.add(this.#hasher.a, this.#hasher.b);
  }

  #subtract({ tag, added }: Hashed, values: readonly SqlValue[]): void {
    this.#hasher.hash(tag, values, added);
    this.#sum.subtract(this.#hasher.a, this.#hasher.b);
  }
}
