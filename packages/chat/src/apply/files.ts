// Uploading files, and giving them to messages.
import {
  type Attachment,
  AttachmentList,
  LIMITS,
  type ParleyError,
  type UploadCommand,
  UploadResponse,
} from "@parley/protocol";
import type { FileRow } from "../file-rows.ts";
import { chargeOf } from "../file-table.ts";
import type { AccountRow } from "../rows.ts";
import { type ApplyContext, type Result, refuse } from "./context.ts";

/** The next bytes of a file; what is there already changes nothing, and the answer says where to go on. */
export function upload(context: ApplyContext, account: AccountRow, command: UploadCommand): Result {
  const { state, revision } = context;
  const found = state.files.byClientId(account.id, command.clientFileId);
  if (found !== undefined && !isSameFile(found, command)) {
    return refuse("ID_REUSED", "The file's id was used for another file.");
  }
  if (found?.dropped === true) return refuse("FILE_NOT_FOUND", "The file was deleted.");
  if (found === undefined && command.offset > 0) {
    return refuse("FILE_NOT_FOUND", "The upload is gone; begin it anew.");
  }
  const file = found ?? begin(context, account, command);
  if (!("received" in file)) return file;
  const isNext = command.offset === file.received && file.received < file.size;
  const preview = command.preview.length > 0 ? command.preview : null;
  const after = isNext ? state.files.append(file, revision, command.data, preview) : file;
  return UploadResponse.encode({ received: after.received, revision }).finish();
}

function isSameFile(file: FileRow, { name, size, sha256 }: UploadCommand): boolean {
  const isSameHash = file.sha256.every((byte, at) => byte === sha256[at]);
  return file.name === name && file.size === size && isSameHash;
}

function begin(
  { state, revision, stampMs }: ApplyContext,
  account: AccountRow,
  command: UploadCommand,
): FileRow | ParleyError {
  const { files } = state;
  const charge = chargeOf(command.size);
  for (const old of files.unsentOf(account.id)) {
    if (old.createdAtMs + LIMITS.unsentFileTtlMs < stampMs) files.drop(old);
  }
  if (files.unsentOf(account.id).length >= LIMITS.unsentFilesPerAccountMax) {
    return refuse(
      "LIMIT_REACHED",
      `At most ${LIMITS.unsentFilesPerAccountMax} files wait to be sent.`,
      { subject: "unsent_files", limit: LIMITS.unsentFilesPerAccountMax },
    );
  }
  if (files.bytesOf(account.id) + charge > LIMITS.fileBytesPerAccountMax) {
    const mebibytes = LIMITS.fileBytesPerAccountMax / 1024 / 1024;
    return refuse(
      "LIMIT_REACHED",
      `Your files would take more than ${mebibytes} MiB: delete messages with files first.`,
      { subject: "own_files", limit: LIMITS.fileBytesPerAccountMax },
    );
  }
  if (files.bytesInAll + charge > LIMITS.fileBytesInAllMax) {
    return refuse("LIMIT_REACHED", "There is no room left for files here.", {
      subject: "all_files",
      limit: LIMITS.fileBytesInAllMax,
    });
  }
  const file: FileRow = {
    id: revision,
    accountId: account.id,
    clientFileId: command.clientFileId,
    name: command.name,
    size: command.size,
    sha256: command.sha256,
    createdAtMs: stampMs,
    received: 0,
    roomId: 0,
    messageId: 0,
    dropped: false,
    preview: null,
  };
  files.add(file);
  return file;
}

/** Those that a new message is to have, in its order: the author's own, whole, and given to none before. */
export function filesToGive(
  { state }: ApplyContext,
  account: AccountRow,
  clientFileIds: readonly string[],
): FileRow[] | ParleyError {
  const files: FileRow[] = [];
  for (const id of clientFileIds) {
    const file = state.files.byClientId(account.id, id);
    const isFree = file?.messageId === 0 && !file.dropped && file.received === file.size;
    if (!isFree) return refuse("FILE_NOT_FOUND", "A file of the message is not here whole.");
    files.push(file);
  }
  return files;
}

/** What the message's row says of them; null = there are none. */
export function attachmentsOf(files: readonly FileRow[]): Uint8Array | null {
  if (files.length === 0) return null;
  const attachments = files.map(
    ({ id, name, size, sha256, preview }): Attachment => ({
      fileId: id,
      name,
      size,
      sha256,
      previewSize: preview?.length ?? 0,
    }),
  );
  return AttachmentList.encode({ attachments }).finish();
}
