// Files of messages: uploaded in pieces before the message is sent, and read in pieces by whoever may read it. The client does both on
// whichever node it is connected to, and goes on where it was when that one dies.
import { sha256 } from "@noble/hashes/sha2.js";
import { type Attachment, LIMITS, ParleyError } from "@parley/protocol";
import type { ParleyClient } from "./client.ts";
import { fileNameOf } from "./file-name.ts";
import type { OutboxFile } from "./ports.ts";

export interface FileProgress {
  /** Bytes so far, and in all. */
  readonly done: number;
  readonly size: number;
}

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FileProgress) => void) | undefined;
}

export interface FileToUpload {
  /** 1–64 bytes, unique for the account; the same again goes on with an upload that broke off. */
  readonly clientFileId: string;
  readonly name: string;
  readonly bytes: Uint8Array;
  /** A small picture of what it shows; left out where it is larger than servers take. */
  readonly preview?: Uint8Array | undefined;
}

const NO_PREVIEW = new Uint8Array(0);

type Calls = Pick<ParleyClient, "call">;

/**
 * Uploads a file whole; what it resolves with goes into `SendOptions.files`. Rejects with TOO_LARGE, LIMIT_REACHED (the account's files, or
 * all there are, take too much room), INVALID_ARGUMENT (it is empty), as `call` does, or with CANCELLED. Done again it goes on where it was.
 */
export async function uploadFile(
  client: Calls,
  { clientFileId, name, bytes, preview = NO_PREVIEW }: FileToUpload,
  { signal, onProgress }: TransferOptions = {},
): Promise<OutboxFile> {
  const size = bytes.length;
  if (size === 0)
    throw new ParleyError("INVALID_ARGUMENT", "an empty file can't be sent", { subject: "file" });
  if (size > LIMITS.fileBytesMax) {
    const mebibytes = LIMITS.fileBytesMax / 1024 / 1024;
    throw new ParleyError("TOO_LARGE", `a file has at most ${mebibytes} MiB`, {
      subject: "file",
      limit: LIMITS.fileBytesMax,
    });
  }
  const file = { clientFileId, name: fileNameOf(name), size, sha256: sha256(bytes) };
  const shown = preview.length <= LIMITS.filePreviewBytesMax ? preview : NO_PREVIEW;
  for (let offset = 0; offset < size; ) {
    const data = bytes.subarray(offset, offset + LIMITS.fileChunkBytesMax);
    const isLast = offset + data.length === size;
    const part = { ...file, offset, data, preview: isLast ? shown : NO_PREVIEW };
    const { received } = await client.call("upload", part, { signal });
    if (received <= offset) throw new ParleyError("INTERNAL", "the node takes nothing of the file");
    offset = received;
    onProgress?.({ done: offset, size });
  }
  return { clientFileId, name: file.name, size };
}

/**
 * A file's bytes. Rejects with FILE_NOT_FOUND when its message was deleted, CORRUPT when they are not what was promised (whoever sent it
 * lied, as what is stored is checked), or as `call` does.
 */
export async function downloadFile(
  client: Calls,
  { fileId, size, sha256: expected }: Pick<Attachment, "fileId" | "size" | "sha256">,
  { signal, onProgress }: TransferOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (size > LIMITS.fileBytesMax) throw new ParleyError("TOO_LARGE", "the file is too large");
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; ) {
    const { data } = await client.call("download", { fileId, offset }, { signal });
    if (data.length === 0 || offset + data.length > size) throw corrupt();
    bytes.set(data, offset);
    offset += data.length;
    onProgress?.({ done: offset, size });
  }
  const actual = sha256(bytes);
  if (!actual.every((byte, at) => byte === expected[at])) throw corrupt();
  return bytes;
}

/** The small picture of a file that has one (`previewSize` > 0), as its uploader made it. Rejects as `downloadFile` does. */
export async function downloadPreview(
  client: Calls,
  { fileId, previewSize }: Pick<Attachment, "fileId" | "previewSize">,
  { signal }: Pick<TransferOptions, "signal"> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { data } = await client.call("download", { fileId, preview: true }, { signal });
  if (data.length !== previewSize) throw corrupt();
  return new Uint8Array(data);
}

function corrupt(): ParleyError {
  return new ParleyError("CORRUPT", "the file is not what was promised");
}
