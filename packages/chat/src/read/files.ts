// The bytes of files, for those who may read their messages.
import {
  type DownloadRequest,
  DownloadResponse,
  joinBytes,
  LIMITS,
  ParleyError,
} from "@parley/protocol";
import { type ChatDatabase, prepareArrays, type Statement } from "../database.ts";
import { allArrays, firstArray } from "../schema.ts";
import { readableRoom } from "./access.ts";
import type { RowSource } from "./rows-of.ts";

const CHUNKS_MAX = LIMITS.downloadBytesMax / LIMITS.fileChunkBytesMax;

export class FileReads {
  readonly #rows: RowSource;
  readonly #file: Statement;
  /** Apart from the file: nobody who wants its bytes reads them. */
  readonly #preview: Statement;
  readonly #chunks: Statement;

  constructor(db: ChatDatabase, rows: RowSource) {
    this.#rows = rows;
    const file = "FROM files WHERE id = ? AND message_id > 0 AND dropped = 0";
    this.#file = prepareArrays(db, `SELECT room_id, size ${file}`);
    this.#preview = prepareArrays(db, `SELECT preview ${file}`);
    this.#chunks = prepareArrays(
      db,
      `SELECT at, data FROM file_chunks WHERE file_id = ?1
       AND at >= (SELECT max(at) FROM file_chunks WHERE file_id = ?1 AND at <= ?2) ORDER BY at LIMIT ?3`,
    );
  }

  /** Chunks as they were uploaded, so that somebody who sent small ones is read in small ones. */
  download(request: DownloadRequest, accountId: number, revision: number): Uint8Array {
    const { fileId, offset } = request;
    const file = firstArray(this.#file, fileId);
    if (file === undefined) throw new ParleyError("FILE_NOT_FOUND", "There is no such file.");
    const [roomId, size] = file as [number, number];
    readableRoom(this.#rows, roomId, accountId);
    if (request.preview) {
      const [preview] = firstArray(this.#preview, fileId) ?? [];
      const all = preview instanceof Uint8Array ? preview : new Uint8Array(0);
      return encoded(all.subarray(offset), all.length, revision);
    }
    const rest: Uint8Array[] = [];
    if (offset < size) {
      for (const [at, data] of allArrays(this.#chunks, fileId, offset, CHUNKS_MAX)) {
        rest.push((data as Uint8Array).subarray(Math.max(0, offset - (at as number))));
      }
    }
    return encoded(joinBytes(rest), size, revision);
  }
}

function encoded(data: Uint8Array, size: number, revision: number): Uint8Array {
  return DownloadResponse.encode({ data, size, revision, staleMs: 0 }).finish();
}
