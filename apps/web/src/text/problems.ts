// From the reason of an error, and what it is about, to a text in the page's language. Loaded after the page is shown: see problem-text.ts.
import type { Reason, Subject } from "@parley/client/browser";
import { englishProblems } from "./english-problems.ts";
import { dateFormat } from "./locale.ts";
import type { Plural } from "./t.ts";

export type ProblemKey = keyof typeof englishProblems;

/** What an error says of itself, also one that was kept with a message or came from a newer server. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
  readonly subject?: string | undefined;
  readonly limit?: number | undefined;
  readonly named?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** Nobody meets them in the page: they are for operators, between servers, or the SDK's to mend. */
export const BEYOND_THE_PAGE = [
  "TOO_OLD",
  "WIPED_DISK",
  "REMOVED",
  "ID_IN_USE",
  "ID_EXISTS",
  "ADDRESS_EXISTS",
  "SERVER_NOT_FOUND",
  "SERVER_UNREACHABLE",
  "NOT_ADMITTED",
  "NOT_CAUGHT_UP",
  "CHANGE_IN_PROGRESS",
  "LAST_VOTER",
  "WOULD_LOSE_QUORUM",
  "CERTIFICATE_REFUSED",
  "PREDECESSOR_MISSING",
  "SLOW_SUBSCRIBER",
] as const satisfies readonly Reason[];

type BySubject = Readonly<Partial<Record<Subject, ProblemKey>> & { other: ProblemKey }>;

/** `other`: about anything else, or by a server that does not say. */
export const PROBLEMS: Readonly<
  Record<Exclude<Reason, (typeof BEYOND_THE_PAGE)[number]>, ProblemKey | BySubject>
> = {
  MALFORMED: "reload",
  INVALID_ARGUMENT: {
    other: "invalid",
    username: "username",
    password: "password",
    name: "name",
    look_alikes: "lookAlikes",
    marks: "marks",
    invisible: "invisible",
    message: "message",
    emoji: "emoji",
    file: "emptyFile",
    clock: "clock",
    search: "search",
    search_quote: "searchQuote",
    search_word: "searchWord",
    search_star: "searchStar",
    search_stars: "searchStars",
    search_filter: "searchFilter",
    search_has: "searchHas",
    search_day: "searchDay",
  },
  TOO_LARGE: {
    other: "tooLarge",
    username: "tooLong",
    password: "tooLong",
    name: "tooLong",
    message: "tooLong",
    emoji: "tooLong",
    search: "tooLong",
    file: "largeFile",
    files: "manyFiles",
  },
  UNKNOWN_OPERATION: "notYet",
  PROTOCOL_VERSION: "otherVersion",
  WRONG_CLUSTER: "otherCluster",
  NOT_YET_SUPPORTED: "notYet",
  UNAUTHENTICATED: "signedOut",
  WRONG_CREDENTIALS: "wrongPassword",
  PERMISSION_DENIED: {
    other: "forbidden",
    room: "forRoomAdmins",
    private_room: "privateRoom",
    role: "lowerRole",
    instance: "forInstanceOwner",
  },
  SETUP_TOKEN_REQUIRED: "setupToken",
  REGISTRATION_CLOSED: "registrationClosed",
  INVITE_REQUIRED: "inviteRequired",
  INVITE_NOT_FOUND: "badInvite",
  PASSWORD_LINK_NOT_FOUND: "badPasswordLink",
  NOT_A_MEMBER: { other: "notIn", account: "isNotIn" },
  BLOCKED: "blocked",
  BANNED: { other: "banned", account: "isBanned" },
  MUTED: { other: "muted", until: "mutedUntil" },
  ACCOUNT_NOT_FOUND: { other: "noAccount", account: "nobody", search: "nobody", peer: "peerGone" },
  ROOM_NOT_FOUND: { other: "roomGone", search: "noRoom" },
  MESSAGE_NOT_FOUND: "messageGone",
  FILE_NOT_FOUND: "fileGone",
  VERSION_CONFLICT: "edited",
  SESSION_NOT_FOUND: "sessionGone",
  USERNAME_TAKEN: { other: "usernameTaken", look_alikes: "usernameLikeAnother" },
  ROOM_NAME_TAKEN: "roomNameTaken",
  ALREADY_A_MEMBER: { other: "areIn", account: "isIn" },
  LAST_OWNER: { other: "lastOwner", instance: "lastInstanceOwner" },
  DIRECT_ROOM: "direct",
  LIMIT_REACHED: {
    other: "limit",
    pins: "pins",
    emoji: "manyEmoji",
    reactions: "reactions",
    unsent_files: "unsentFiles",
    own_files: "ownFiles",
    all_files: "allFiles",
    rooms: "rooms",
    members: "members",
    invites: "invites",
    blocks: "blocks",
    outbox: "outbox",
  },
  ID_REUSED: "notAgain",
  ID_EXPIRED: "notAgain",
  CREDENTIALS_CHANGED: "passwordChanged",
  NOT_LEADER: "busy",
  NO_QUORUM: "noQuorum",
  BEHIND: "busy",
  OUTCOME_UNKNOWN: "notKnown",
  SHUTTING_DOWN: "busy",
  NOT_READY: "busy",
  RATE_LIMITED: "tooOften",
  OVERLOADED: "busy",
  CORRUPT: "damagedFile",
  DISK_FULL: "diskFull",
  WITNESS_LOG_FULL: "serverMissing",
  WITNESS: "busy",
  STORAGE_FULL: "browserFull",
  STORAGE_UNAVAILABLE: "browserForbids",
  DEADLINE_EXCEEDED: { other: "noAnswer", write: "notKnown" },
  CANCELLED: "givenUp",
  INTERNAL: "wentWrong",
};

/** So `ParleyError.fromWire` marks a reason that this page does not know. */
const UNKNOWN_REASON = /^[A-Z]+(?:_[A-Z]+)*: /;
const moment = dateFormat({ dateStyle: "medium", timeStyle: "short" });
const MEBIBYTE = 1024 * 1024;

/** Of what a `Date` can hold. */
const LATEST_MS = 8.64e15;

/** A text with what is to be filled in. */
export interface Saying {
  readonly text: string | Plural;
  readonly values: Readonly<Record<string, string | number>>;
}

/** Undefined: the page has no text for it. */
export function sayingOf(problem: Problem): Saying | undefined {
  const { reason, message, subject = "", limit = 0, named = "", retryAfterMs = 0 } = problem;
  if (reason === "INTERNAL" && UNKNOWN_REASON.test(message)) return undefined;
  const found = own(PROBLEMS, reason);
  if (found === undefined) return undefined;
  const choice: BySubject = typeof found === "string" ? { other: found } : found;
  const values = {
    message,
    ...(named !== "" && { named }),
    ...(limit > 0 && { limit, mebibytes: limit / MEBIBYTE }),
    ...(subject === "until" && limit > 0 && limit <= LATEST_MS && { when: moment(limit) }),
    count: Math.max(1, Math.ceil(retryAfterMs / 1000)),
  };
  const text = englishProblems[own(choice, subject) ?? choice.other];
  // An older server's errors carry no values.
  return { text: canFill(text, values) ? text : englishProblems[choice.other], values };
}

function canFill(text: string | Plural, values: Saying["values"]): boolean {
  const pattern = typeof text === "string" ? text : text.other;
  return [...pattern.matchAll(/\{(\w+)\}/g)].every(([, slot = ""]) => slot in values);
}

function own<Value>(values: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(values, key) ? values[key] : undefined;
}
