// Whether bytes are a command that may stand in the log. Asked twice: before a command is proposed
// (`checkCommand`, with everything), and by apply (`commandProblem`, only what gives the same answer
// under every version of Unicode), so that apply is total and two Node versions cannot differ.
import {
  Command,
  type CreateInviteCommand,
  joinBytes,
  LIMITS,
  ParleyError,
  type Subject,
  type UploadCommand,
  varintField,
} from "@parley/protocol";
import { isUuidV7 } from "./request-id.ts";
import { type Op, type OpName, STATE_VERSION, versionNeeded, versionOf } from "./state-version.ts";
import {
  bodyProblem,
  LINES,
  lineProblem,
  normaliseRoomName,
  normaliseUsername,
  validateBody,
  validateDisplayName,
  validateEmoji,
  validateFileName,
  validateRoomName,
  validateTopic,
  validateUsername,
} from "./text.ts";

/** The year 2248: a stamp beyond it can only be an error, and would end every session for good. */
export const STAMP_MS_MAX = 2 ** 43;
/** Longest life of a token that a command may ask for. */
export const TOKEN_TTL_MS_MAX = 10 * 365 * 24 * 60 * 60 * 1000;
const PASSWORD_HASH_BYTES_MAX = 512;
const TOKEN_HASH_BYTES = 32;
/** Nothing legitimate is larger: a piece of a file, and room for what stands beside it. */
export const COMMAND_BYTES_MAX: number = LIMITS.fileChunkBytesMax + 32 * 1024;

/** The command in `bytes`, or why there is none. `newer-version`: only a newer program can apply it. */
export type DecodedCommand =
  | { readonly kind: "command"; readonly command: Command }
  | { readonly kind: "malformed"; readonly error: ParleyError }
  | { readonly kind: "newer-version"; readonly version: number };

/** Never throws. */
export function decodeCommand(bytes: Uint8Array): DecodedCommand {
  let command: Command;
  try {
    command = Command.decode(bytes);
  } catch {
    // What follows the version may be beyond this program.
    const version = versionNeeded(bytes);
    if (version > STATE_VERSION) return { kind: "newer-version", version };
    return {
      kind: "malformed",
      error: new ParleyError("MALFORMED", "The command is not readable."),
    };
  }
  const { op } = command;
  const raised = op?.$case === "raiseStateVersion" ? op.value.stateVersion : 0;
  const version = Math.max(command.version, raised);
  return version > STATE_VERSION
    ? { kind: "newer-version", version }
    : { kind: "command", command };
}

/**
 * The encoded command with the leader's stamp: a field that stands twice counts as its last, so the
 * stamp is appended without decoding. `stampMs`: replicated time, milliseconds since the Unix epoch.
 */
export function stampCommand(command: Uint8Array, stampMs: number): Uint8Array {
  return joinBytes([command, varintField(2, stampMs)]);
}

/**
 * Why a command must not be proposed; undefined when it may be. Static: looks at nothing but the
 * command (version, bounds, lengths, normalised forms, ids). Never throws.
 */
export function checkCommand(command: Uint8Array | Command): ParleyError | undefined {
  if (!(command instanceof Uint8Array)) return commandProblem(command) ?? formsProblem(command);
  if (command.length > COMMAND_BYTES_MAX) {
    return new ParleyError("TOO_LARGE", `A command has at most ${COMMAND_BYTES_MAX} bytes.`);
  }
  const decoded = decodeCommand(command);
  switch (decoded.kind) {
    case "malformed":
      return decoded.error;
    case "newer-version":
      return new ParleyError(
        "NOT_YET_SUPPORTED",
        "The server that leads runs an older version of Parley: this can be done once all servers have been upgraded.",
      );
    case "command":
      return commandProblem(decoded.command) ?? formsProblem(decoded.command);
  }
}

/** The part of `checkCommand` that apply repeats. */
export function commandProblem(command: Command): ParleyError | undefined {
  const { op } = command;
  if (op === undefined) {
    return new ParleyError("UNKNOWN_OPERATION", "The command names no known operation.");
  }
  if (command.version !== versionOf(op)) return versionProblem(command.version);
  if (!(isWhole(command.stampMs) && command.stampMs <= STAMP_MS_MAX)) {
    return invalid("The command's time stamp is out of bounds.");
  }
  return actorProblem(command, op.$case) ?? opProblem(op);
}

function versionProblem(version: number): ParleyError {
  return new ParleyError(
    "PROTOCOL_VERSION",
    `This command is not known here in version ${version}.`,
  );
}

function invalid(message: string, subject?: Subject): ParleyError {
  return new ParleyError("INVALID_ARGUMENT", message, { subject });
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isId(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}

/** Send has its own id (P2), Upload says where its bytes belong; MarkRead and raising the version are harmless however often they are done. */
export function needsRequestId(op: OpName): boolean {
  return op !== "send" && op !== "upload" && op !== "markRead" && op !== "raiseStateVersion";
}

/** Who is nobody yet, and what the leader does by itself. */
export function needsActor(op: OpName): boolean {
  return op !== "register" && op !== "usePasswordLink" && op !== "raiseStateVersion";
}

function actorProblem(command: Command, op: OpName): ParleyError | undefined {
  if (needsActor(op) ? !isId(command.accountId) : command.accountId !== 0) {
    return invalid("The command names no account, or one where none belongs.");
  }
  if (!isWhole(command.sessionId)) return invalid("The session's id is out of bounds.");
  if (needsRequestId(op) ? !isUuidV7(command.requestId) : command.requestId.length > 64) {
    return invalid("A request id is a UUID of version 7 in lower case.");
  }
  return undefined;
}

function roomProblem(roomId: number): ParleyError | undefined {
  return isId(roomId) ? undefined : invalid("A room's id is a positive number.");
}

function accountProblem(accountId: number): ParleyError | undefined {
  return isId(accountId) ? undefined : invalid("An account's id is a positive number.");
}

function tokenProblem(tokenHash: Uint8Array, ttlMs: number): ParleyError | undefined {
  if (tokenHash.length !== TOKEN_HASH_BYTES) return invalid("A token's hash has 32 bytes.");
  if (!(isId(ttlMs) && ttlMs <= TOKEN_TTL_MS_MAX))
    return invalid("A token's life is out of bounds.");
  return undefined;
}

function messageIdProblem(id: string, bytesMin: number): ParleyError | undefined {
  return lineProblem(
    { what: "A message's client id" },
    id,
    bytesMin,
    LIMITS.clientMessageIdBytesMax,
  );
}

function passwordHashProblem(hash: string): ParleyError | undefined {
  return lineProblem({ what: "The password's hash" }, hash, 1, PASSWORD_HASH_BYTES_MAX);
}

function opProblem(op: Op): ParleyError | undefined {
  switch (op.$case) {
    case "register":
      return (
        lineProblem(LINES.username, op.value.username, 1, LIMITS.usernameBytesMax) ??
        lineProblem(LINES.username, op.value.usernameKey, 1, LIMITS.usernameBytesMax) ??
        lineProblem(LINES.displayName, op.value.displayName, 1, LIMITS.displayNameBytesMax) ??
        passwordHashProblem(op.value.passwordHash) ??
        tokenProblem(op.value.tokenHash, op.value.tokenTtlMs) ??
        inviteHashProblem(op.value.inviteHash) ??
        lineProblem(LINES.device, op.value.device, 0, LIMITS.deviceBytesMax)
      );
    case "setRegistration":
      return op.value.mode === 1 || op.value.mode === 2 || op.value.mode === 3
        ? undefined
        : invalid("Registration is open, invite-only or closed.");
    case "createSession":
      return (
        tokenProblem(op.value.tokenHash, op.value.tokenTtlMs) ??
        lineProblem(LINES.device, op.value.device, 0, LIMITS.deviceBytesMax) ??
        (isId(op.value.credentialsRevision) ? undefined : invalid("No credentials revision."))
      );
    case "endSession":
      return isId(op.value.sessionId) ? undefined : invalid("A session's id is a positive number.");
    case "setPassword":
      return (
        passwordHashProblem(op.value.passwordHash) ??
        (isWhole(op.value.keepSessionId) &&
        isWhole(op.value.credentialsRevision) &&
        isWhole(op.value.targetAccountId)
          ? undefined
          : invalid("An id is out of bounds."))
      );
    case "createPasswordLink":
      return (
        accountProblem(op.value.accountId) ??
        secretHashProblem(op.value.secretHash) ??
        (isId(op.value.ttlMs) && op.value.ttlMs <= LIMITS.passwordLinkTtlMsMax
          ? undefined
          : invalid("A password link counts for at most 7 days."))
      );
    case "usePasswordLink":
      return secretHashProblem(op.value.secretHash) ?? passwordHashProblem(op.value.passwordHash);
    case "deleteAccount":
      return isId(op.value.credentialsRevision) ? undefined : invalid("No credentials revision.");
    case "updateProfile":
      return lineProblem(LINES.displayName, op.value.displayName, 1, LIMITS.displayNameBytesMax);
    case "createRoom":
      return (
        lineProblem(LINES.roomName, op.value.name, 1, LIMITS.roomNameBytesMax) ??
        lineProblem(LINES.roomName, op.value.nameKey, 1, LIMITS.roomNameBytesMax) ??
        lineProblem(LINES.topic, op.value.topic, 0, LIMITS.topicBytesMax) ??
        (op.value.visibility === 1 || op.value.visibility === 2
          ? undefined
          : invalid("A room is public or private."))
      );
    case "updateRoom":
      return (
        roomProblem(op.value.roomId) ??
        lineProblem(LINES.roomName, op.value.name, 0, LIMITS.roomNameBytesMax) ??
        lineProblem(LINES.roomName, op.value.nameKey, 0, LIMITS.roomNameBytesMax) ??
        lineProblem(LINES.topic, op.value.topic, 0, LIMITS.topicBytesMax) ??
        ((op.value.name === "") === (op.value.nameKey === "")
          ? undefined
          : invalid("The room's name and its normalised form go together.")) ??
        (op.value.visibility === 0 || op.value.visibility === 1 || op.value.visibility === 2
          ? undefined
          : invalid("A room is public or private."))
      );
    case "joinRoom":
      if (op.value.inviteHash.length === 0) return roomProblem(op.value.roomId);
      return (
        inviteHashProblem(op.value.inviteHash) ??
        (isWhole(op.value.roomId) ? undefined : invalid("A room's id is out of bounds."))
      );
    case "createInvite":
      return createInviteProblem(op.value);
    case "revokeInvite":
      return isId(op.value.inviteId) ? undefined : invalid("An invite's id is a positive number.");
    case "deleteRoom":
    case "leaveRoom":
      return roomProblem(op.value.roomId);
    case "inviteMember":
    case "removeMember":
      return roomProblem(op.value.roomId) ?? accountProblem(op.value.accountId);
    case "muteMember":
      return (
        roomProblem(op.value.roomId) ??
        accountProblem(op.value.accountId) ??
        (isWhole(op.value.durationMs) && op.value.durationMs <= LIMITS.muteMsMax
          ? undefined
          : invalid("A member is muted for at most 365 days, or until that is lifted."))
      );
    case "setRole":
      return (
        roomProblem(op.value.roomId) ??
        accountProblem(op.value.accountId) ??
        (op.value.role === 1 || op.value.role === 2 || op.value.role === 3
          ? undefined
          : invalid("A role is member, admin or owner."))
      );
    case "block":
    case "openDirect":
      return accountProblem(op.value.accountId);
    case "send":
      return (
        roomProblem(op.value.roomId) ??
        messageIdProblem(op.value.clientMessageId, 1) ??
        messageIdProblem(op.value.afterClientMessageId, 0) ??
        (op.value.clientFileIds.length > 0 && op.value.body === ""
          ? undefined
          : bodyProblem(op.value.body)) ??
        clientFileIdsProblem(op.value.clientFileIds) ??
        (isWhole(op.value.replyToSeq) && isWhole(op.value.threadRootSeq)
          ? undefined
          : invalid("A sequence number is out of bounds.")) ??
        (op.value.mentionIds.length <= LIMITS.mentionsMax && op.value.mentionIds.every(isId)
          ? undefined
          : invalid("A mention is out of bounds."))
      );
    case "upload":
      return uploadProblem(op.value);
    case "delete":
      return roomProblem(op.value.roomId) ?? seqsProblem(op.value.seqs);
    case "edit":
      return (
        roomProblem(op.value.roomId) ??
        bodyProblem(op.value.body) ??
        (isId(op.value.seq) && isWhole(op.value.expectedVersion)
          ? undefined
          : invalid("A sequence number or version is out of bounds."))
      );
    case "react":
      return (
        roomProblem(op.value.roomId) ??
        (isId(op.value.seq) ? undefined : invalid("A sequence number is out of bounds.")) ??
        lineProblem(LINES.emoji, op.value.emoji, 1, LIMITS.emojiBytesMax)
      );
    case "pin":
    case "followThread":
      return (
        roomProblem(op.value.roomId) ??
        (isId(op.value.seq) ? undefined : invalid("A sequence number is out of bounds."))
      );
    case "setReadReceipts":
      return undefined;
    case "setRoomPreference":
      return roomProblem(op.value.roomId);
    case "raiseStateVersion":
      return isId(op.value.stateVersion) ? undefined : invalid("A version is a positive number.");
    case "markRead":
      return (
        roomProblem(op.value.roomId) ??
        (isWhole(op.value.seq) && isWhole(op.value.threadRootSeq)
          ? undefined
          : invalid("A sequence number is out of bounds."))
      );
    default:
      op satisfies never;
      return new ParleyError("UNKNOWN_OPERATION", "The command names no known operation.");
  }
}

function clientFileIdsProblem(ids: readonly string[]): ParleyError | undefined {
  if (ids.length > LIMITS.filesPerMessageMax) {
    const { filesPerMessageMax: limit } = LIMITS;
    const message = `At most ${limit} files in a message.`;
    return new ParleyError("TOO_LARGE", message, { subject: "files", limit });
  }
  if (new Set(ids).size < ids.length) return invalid("A file is named twice.");
  for (const id of ids) {
    const problem = fileIdProblem(id);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function fileIdProblem(id: string): ParleyError | undefined {
  return lineProblem({ what: "A file's client id" }, id, 1, LIMITS.clientMessageIdBytesMax);
}

function uploadProblem(value: UploadCommand): ParleyError | undefined {
  const { clientFileId, name, size, sha256, offset, data, preview } = value;
  const problem =
    fileIdProblem(clientFileId) ?? lineProblem(LINES.fileName, name, 1, LIMITS.fileNameBytesMax);
  if (problem !== undefined) return problem;
  if (sha256.length !== TOKEN_HASH_BYTES) return invalid("A file's SHA-256 has 32 bytes.");
  if (!isId(size)) return invalid("An empty file can't be sent.", "file");
  if (size > LIMITS.fileBytesMax) {
    const mebibytes = LIMITS.fileBytesMax / 1024 / 1024;
    return new ParleyError("TOO_LARGE", `A file has at most ${mebibytes} MiB.`, {
      subject: "file",
      limit: LIMITS.fileBytesMax,
    });
  }
  if (data.length > LIMITS.fileChunkBytesMax) {
    return new ParleyError("TOO_LARGE", `At most ${LIMITS.fileChunkBytesMax} bytes at once.`);
  }
  const isInside = isWhole(offset) && data.length > 0 && offset + data.length <= size;
  if (!isInside) return invalid("The bytes are not of the file.");
  if (preview.length > LIMITS.filePreviewBytesMax) {
    return new ParleyError(
      "TOO_LARGE",
      `A preview has at most ${LIMITS.filePreviewBytesMax} bytes.`,
    );
  }
  const isLast = offset + data.length === size;
  return preview.length === 0 || isLast
    ? undefined
    : invalid("A preview comes with the last bytes of its file.");
}

/** An empty one stands for no invite. */
function inviteHashProblem(hash: Uint8Array): ParleyError | undefined {
  return hash.length === 0 ? undefined : secretHashProblem(hash);
}

function secretHashProblem(hash: Uint8Array): ParleyError | undefined {
  return hash.length === TOKEN_HASH_BYTES ? undefined : invalid("A secret's hash has 32 bytes.");
}

function createInviteProblem(value: CreateInviteCommand): ParleyError | undefined {
  const problem = secretHashProblem(value.secretHash);
  if (problem !== undefined) return problem;
  if (!isWhole(value.roomId)) return invalid("A room's id is out of bounds.");
  if (!(isWhole(value.ttlMs) && value.ttlMs <= LIMITS.inviteTtlMsMax)) {
    return invalid("An invite counts for at most 365 days.");
  }
  if (!(isWhole(value.usesMax) && value.usesMax <= LIMITS.inviteUsesMax)) {
    return invalid(`An invite admits at most ${LIMITS.inviteUsesMax}.`);
  }
  return undefined;
}

function seqsProblem(seqs: readonly number[]): ParleyError | undefined {
  if (seqs.length === 0) return invalid("Name at least one message.");
  if (seqs.length > LIMITS.deleteSeqsMax) {
    return new ParleyError("TOO_LARGE", `At most ${LIMITS.deleteSeqsMax} messages at once.`);
  }
  return seqs.every(isId) ? undefined : invalid("A sequence number is out of bounds.");
}

/** Whether names are what normalising them gives, by this program's Unicode tables. */
function formsProblem(command: Command): ParleyError | undefined {
  const { op } = command;
  try {
    switch (op?.$case) {
      case "register": {
        const username = validateUsername(op.value.username);
        const shown = validateDisplayName(op.value.displayName, username);
        const same =
          username === op.value.username &&
          shown === op.value.displayName &&
          normaliseUsername(username) === op.value.usernameKey;
        return same ? undefined : invalid("The username is not in its normalised form.");
      }
      case "updateProfile": {
        const shown = validateDisplayName(op.value.displayName, "");
        return shown === op.value.displayName
          ? undefined
          : invalid("The display name is not in its normalised form.");
      }
      case "createRoom":
        return roomFormsProblem(op.value);
      case "updateRoom":
        return roomFormsProblem(op.value);
      case "send":
        if (op.value.body !== "" || op.value.clientFileIds.length === 0) {
          validateBody(op.value.body);
        }
        return undefined;
      case "edit":
        validateBody(op.value.body);
        return undefined;
      case "upload":
        return validateFileName(op.value.name) === op.value.name
          ? undefined
          : invalid("The file's name is not in its normalised form.");
      case "react":
        validateEmoji(op.value.emoji);
        return undefined;
      default:
        return undefined;
    }
  } catch (cause) {
    return ParleyError.from(cause);
  }
}

function roomFormsProblem(room: {
  readonly name: string;
  readonly nameKey: string;
  readonly topic: string;
}): ParleyError | undefined {
  const same =
    (room.name === "" ||
      (validateRoomName(room.name) === room.name &&
        normaliseRoomName(room.name) === room.nameKey)) &&
    validateTopic(room.topic) === room.topic;
  return same ? undefined : invalid("The room's name is not in its normalised form.");
}
