// Files and their bytes, as rows (rows.ts).
import type { TableDefinition } from "./rows.ts";

export interface FileRow {
  /** The revision that began it. */
  readonly id: number;
  readonly accountId: number;
  /** Made by whoever uploads it; unique for the account. */
  readonly clientFileId: string;
  readonly name: string;
  readonly size: number;
  /** As the uploader said. */
  readonly sha256: Uint8Array;
  readonly createdAtMs: number;
  /** So many of its first bytes are there. */
  readonly received: number;
  /** The message that it belongs to, and its room; 0 = none yet. */
  readonly roomId: number;
  readonly messageId: number;
  /** Nobody may have it any more; its bytes go little by little. */
  readonly dropped: boolean;
  /** A small picture of what it shows, as its uploader made it; null = none. Goes with the row, so before the bytes. */
  readonly preview: Uint8Array | null;
}

export const FILES: TableDefinition<FileRow> = {
  tag: 12,
  name: "files",
  key: ["id"],
  columns: [
    "id",
    "account_id",
    "client_file_id",
    "name",
    "size",
    "sha256",
    "created_at_ms",
    "received",
    "room_id",
    "message_id",
    "dropped",
    "preview",
  ],
  added: [null],
  values: (row) => [
    row.id,
    row.accountId,
    row.clientFileId,
    row.name,
    row.size,
    row.sha256,
    row.createdAtMs,
    row.received,
    row.roomId,
    row.messageId,
    row.dropped ? 1 : 0,
    row.preview,
  ],
  row: (values) => ({
    id: values[0] as number,
    accountId: values[1] as number,
    clientFileId: values[2] as string,
    name: values[3] as string,
    size: values[4] as number,
    sha256: values[5] as Uint8Array,
    createdAtMs: values[6] as number,
    received: values[7] as number,
    roomId: values[8] as number,
    messageId: values[9] as number,
    dropped: values[10] === 1,
    preview: values[11] as Uint8Array | null,
  }),
};

export interface FileChunkRow {
  /** The revision that brought it. */
  readonly id: number;
  readonly fileId: number;
  /** Offset of its first byte in the file. */
  readonly at: number;
  readonly data: Uint8Array;
}

export const FILE_CHUNKS: TableDefinition<FileChunkRow> = {
  tag: 13,
  name: "file_chunks",
  key: ["id"],
  columns: ["id", "file_id", "at", "data"],
  values: (row) => [row.id, row.fileId, row.at, row.data],
  row: (values) => ({
    id: values[0] as number,
    fileId: values[1] as number,
    at: values[2] as number,
    data: values[3] as Uint8Array,
  }),
};
