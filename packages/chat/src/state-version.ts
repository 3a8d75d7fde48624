// Rolling upgrades: which program may apply which command. Each version of the program knows the commands of all state
// versions up to its own. The version that the replicated state has reached is replicated itself, and rises only when every
// member knows the next one (DESIGN section 5); until then no command that came later is put into the log. So no node ever
// meets an entry that it can't apply, and the program on a node may go back to the older one until the version has risen.
import type { Command } from "@parley/protocol";

export type Op = NonNullable<Command["op"]>;
export type OpName = Op["$case"];

/** The newest state version that this program knows. */
export const STATE_VERSION = 16;
/** What a new state has, and what a program knows that says nothing of it. */
export const STATE_VERSION_FIRST = 1;

/** Messages may have files from this state version on. */
export const FILES_SINCE = 14;

/** Files may have previews from this state version on. */
export const PREVIEWS_SINCE = 15;

/** From this state version on nobody gets a username that looks like another one. */
export const LOOK_ALIKES_SINCE = 16;

/** The state version that an operation came with; what is not listed was there from the first. */
const SINCE: { readonly [N in OpName]?: number } = {
  edit: 2,
  react: 3,
  pin: 4,
  setRegistration: 6,
  followThread: 7,
  createInvite: 8,
  revokeInvite: 8,
  createPasswordLink: 9,
  usePasswordLink: 9,
  block: 10,
  setRoomPreference: 11,
  setReadReceipts: 12,
  muteMember: 13,
  upload: FILES_SINCE,
};

/** Messages know whom they mention, and rooms how much is unread, from this state version on. */
export const MENTIONS_SINCE = 5;
/** Who may register is a matter of the state from this version on; before it everybody may. */
export const REGISTRATION_SINCE = 6;
/** Messages may be replies in threads from this state version on. */
export const THREADS_SINCE = 7;
/** There are invites from this version on. */
const INVITES_SINCE = 8;

/** The state version that an operation needs. */
export function versionOf(op: Op): number {
  if (op.$case === "send" && op.value.clientFileIds.length > 0) return FILES_SINCE;
  if (op.$case === "upload" && op.value.preview.length > 0) return PREVIEWS_SINCE;
  const isThread = op.$case === "send" || op.$case === "markRead";
  if (isThread && op.value.threadRootSeq > 0) return THREADS_SINCE;
  if (op.$case === "send" && (op.value.mentionIds.length > 0 || op.value.mentionsRoom)) {
    return MENTIONS_SINCE;
  }
  const isInvited = op.$case === "register" || op.$case === "joinRoom";
  if (isInvited && op.value.inviteHash.length > 0) return INVITES_SINCE;
  if (op.$case === "register" && op.value.inviteOnlyByDefault) return REGISTRATION_SINCE;
  return SINCE[op.$case] ?? STATE_VERSION_FIRST;
}

/** The state version that an encoded command needs, without decoding it; 0 = it is no command. */
export function versionNeeded(command: Uint8Array): number {
  // The version stands first in every encoded command, and takes one byte.
  const version = command[0] === 0x08 ? (command[1] ?? 0) : 0;
  return version < 0x80 ? version : 0;
}
