// Files on this machine: given to messages, and saved from them.
import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, stat, writeFile } from "node:fs/promises";
import { join, parse } from "node:path";
import { type Attachment, fileNameOf, type OutboxFile, type ParleyClient } from "@parley/client";
import { downloadFile, type TransferOptions, uploadFile } from "@parley/client/files";
import { LIMITS, ParleyError } from "@parley/protocol";
import { messageOf } from "./rooms.ts";

/** So many files of one name are told apart by a number. */
const NAMESAKES_MAX = 1_000;

/** Uploads a file of this machine. Rejects with INVALID_ARGUMENT when it can't be read, or as `uploadFile` does. */
export async function uploadPath(
  client: ParleyClient,
  path: string,
  options?: TransferOptions,
): Promise<OutboxFile> {
  // Looked at first: nobody wants a film read into memory to be told that it is too large.
  const { size } = await readable(stat(path), path);
  if (size > LIMITS.fileBytesMax) {
    const mebibytes = LIMITS.fileBytesMax / 1024 / 1024;
    throw new ParleyError("TOO_LARGE", `${path} has more than ${mebibytes} MiB`);
  }
  const bytes = new Uint8Array(await readable(readFile(path), path));
  return uploadFile(client, { clientFileId: randomUUID(), name: path, bytes }, options);
}

async function readable<T>(reading: Promise<T>, path: string): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    const { code = String(cause) } = cause as NodeJS.ErrnoException;
    throw new ParleyError("INVALID_ARGUMENT", `${path} can't be read (${code})`);
  }
}

/** Rejects with FILE_NOT_FOUND where the message has none, or there is no such message. */
export async function filesOf(
  client: ParleyClient,
  roomId: number,
  seq: number,
  deadlineMs?: number,
): Promise<readonly Attachment[]> {
  const message = await messageOf(client, roomId, seq, deadlineMs);
  if (message !== undefined && message.attachments.length > 0) return message.attachments;
  throw new ParleyError("FILE_NOT_FOUND", `Message ${seq} has no files.`);
}

/**
 * Saves a message's file into a folder, which is made if need be. Never over another one: "name (1).txt". Resolves with its path. Rejects as
 * `downloadFile` does, or with INVALID_ARGUMENT when it can't be written.
 */
export async function saveFile(
  client: ParleyClient,
  attachment: Attachment,
  folder: string,
  options?: TransferOptions,
): Promise<string> {
  const bytes = await downloadFile(client, attachment, options);
  try {
    await mkdir(folder, { recursive: true });
    // The name was somebody else's choice, and never leads out of the folder.
    const path = await freePath(folder, fileNameOf(attachment.name));
    await writeFile(path, bytes);
    return path;
  } catch (cause) {
    throw new ParleyError("INVALID_ARGUMENT", `can't write to ${folder}: ${String(cause)}`);
  }
}

async function freePath(folder: string, wanted: string): Promise<string> {
  const { name, ext } = parse(wanted === "." || wanted === ".." ? "file" : wanted);
  for (let at = 0; at < NAMESAKES_MAX; at += 1) {
    const path = join(folder, at === 0 ? `${name}${ext}` : `${name} (${at})${ext}`);
    try {
      const file = await open(path, "wx");
      await file.close();
      return path;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    }
  }
  throw new Error(`there are ${NAMESAKES_MAX} files of that name`);
}
