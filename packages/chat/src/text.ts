// Text from outside: what names, bodies and ids may be, and the forms in which names are compared.
// Two kinds of check live here. `…Problem` functions look at lengths and fixed code points only and
// give the same answer under every version of Unicode: apply uses them. `validate…` and `normalise…`
// functions use Unicode tables, run once before a command is proposed, and their result travels in it.
import { LIMITS, ParleyError, type Subject } from "@parley/protocol";
import { mixesLookAlikes, stacksMarks, withoutNeededJoiners } from "./look-alikes.ts";

/** Bytes of the text in UTF-8. Unpaired surrogates count as three, as their replacement would. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) {
      bytes += 1;
      continue;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next <= 0xdfff) {
        // Two units became four bytes.
        bytes += 2;
        i += 1;
        continue;
      }
    }
    bytes += 2;
  }
  return bytes;
}

function longerThan(text: string, bytesMax: number): boolean {
  if (text.length > bytesMax) return true;
  return text.length * 3 > bytesMax && utf8Length(text) > bytesMax;
}

/** C0, C1, DEL, line and paragraph separators: never in a name, a topic or an id. */
function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0) || unit === 0x2028 || unit === 0x2029) {
      return true;
    }
  }
  return false;
}

/** Bidirectional controls, zero-width and other invisible characters that make names look alike. */
const DECEPTIVE = new RegExp(
  [
    "\\u00ad|\\u034f|\\u061c|\\u115f|\\u1160|\\u17b4|\\u17b5|[\\u180b-\\u180f]|[\\u200b-\\u200f]",
    "[\\u202a-\\u202e]|[\\u2060-\\u206f]|\\u3164|[\\ufe00-\\ufe0f]|\\ufeff|\\uffa0",
    "[\\ufff0-\\ufffb]|[\\u{e0000}-\\u{e0fff}]",
  ].join("|"),
  "u",
);
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

/** A kind of line: as sentences call it, and as the subject of an error. */
export interface Line {
  readonly what: string;
  readonly subject: Subject;
}
export const LINES = {
  username: { what: "The username", subject: "username" },
  displayName: { what: "The display name", subject: "name" },
  roomName: { what: "The room's name", subject: "name" },
  topic: { what: "The topic", subject: "name" },
  device: { what: "The device's name", subject: "name" },
  fileName: { what: "The file's name", subject: "name" },
  emoji: { what: "The emoji", subject: "emoji" },
  search: { what: "The search", subject: "search" },
} as const satisfies Record<string, Line>;

/**
 * Why `text` can't be a line of `bytesMin`–`bytesMax` bytes without control characters, as a
 * sentence; undefined when it can. The same under every version of Unicode.
 */
export function lineProblem(
  { what, subject }: { readonly what: string; readonly subject?: Subject },
  text: string,
  bytesMin: number,
  bytesMax: number,
): ParleyError | undefined {
  if (!text.isWellFormed())
    return new ParleyError("MALFORMED", `${what} is not well-formed text.`, { subject });
  if (text.length < bytesMin) {
    return new ParleyError("INVALID_ARGUMENT", `${what} must not be empty.`, { subject });
  }
  if (longerThan(text, bytesMax)) {
    const message = `${what} is longer than ${bytesMax} bytes.`;
    return new ParleyError("TOO_LARGE", message, { subject, limit: bytesMax });
  }
  if (hasControl(text)) {
    return new ParleyError("INVALID_ARGUMENT", `${what} contains a control character.`, {
      subject,
    });
  }
  return undefined;
}

/** Why `body` can't be stored, by length and well-formedness; undefined when it can. */
export function bodyProblem(body: string): ParleyError | undefined {
  if (!body.isWellFormed()) {
    return new ParleyError("MALFORMED", "The message is not well-formed text.");
  }
  const subject = "message";
  if (body.length === 0) {
    return new ParleyError("INVALID_ARGUMENT", "The message is empty.", { subject });
  }
  if (longerThan(body, LIMITS.bodyBytesMax)) {
    const { bodyBytesMax: limit } = LIMITS;
    return new ParleyError("TOO_LARGE", `The message is longer than ${limit} bytes.`, {
      subject,
      limit,
    });
  }
  if (body.includes("\0")) {
    return new ParleyError("INVALID_ARGUMENT", "The message contains a NUL character.", {
      subject,
    });
  }
  return undefined;
}

function check(problem: ParleyError | undefined): void {
  if (problem !== undefined) throw problem;
}

/** Case folding as near as JavaScript's tables come to it: equal for names that read the same. */
function fold(text: string): string {
  return text.normalize("NFKC").toUpperCase().toLowerCase().replaceAll("ς", "σ").normalize("NFKC");
}

/** NFKC and case folding, twice: the first round can make room for the second. Never throws. */
export function foldName(text: string): string {
  return fold(fold(text));
}

/**
 * A username as it is shown: NFKC, letters, digits, `.`, `_` and `-`, 1–64 bytes.
 * Throws a ParleyError whose message says what is wrong.
 */
export function validateUsername(username: string): string {
  check(lineProblem(LINES.username, username, 1, LIMITS.usernameBytesMax));
  const shown = username.normalize("NFKC");
  check(lineProblem(LINES.username, shown, 1, LIMITS.usernameBytesMax));
  check(lineProblem(LINES.username, foldName(shown), 1, LIMITS.usernameBytesMax));
  if (DECEPTIVE.test(shown) || !/^[\p{L}\p{M}\p{N}._-]+$/u.test(shown)) {
    throw new ParleyError(
      "INVALID_ARGUMENT",
      "A username consists of letters, digits, dots, underscores and hyphens.",
      { subject: "username" },
    );
  }
  if (!/[\p{L}\p{N}]/u.test(shown)) {
    throw new ParleyError("INVALID_ARGUMENT", "A username needs a letter or a digit.", {
      subject: "username",
    });
  }
  checkLook(LINES.username, shown);
  return shown;
}

/** The form of a username that must be unique. Never throws, so that any text can be looked up. */
export function normaliseUsername(username: string): string {
  return foldName(username);
}

/** Refuses what could pass for another name. */
function checkLook({ what }: Line, shown: string): void {
  if (mixesLookAlikes(shown)) {
    const why = "mixes letters of alphabets that look alike";
    throw new ParleyError("INVALID_ARGUMENT", `${what} ${why}: each word needs to be of one.`, {
      subject: "look_alikes",
    });
  }
  if (stacksMarks(shown)) {
    throw new ParleyError("INVALID_ARGUMENT", `${what} has too many marks on one letter.`, {
      subject: "marks",
    });
  }
}

function validateShown(line: Line, text: string, bytesMin: number, bytesMax: number): string {
  const { what, subject } = line;
  check(lineProblem(line, text, 0, bytesMax));
  const shown = text.normalize("NFC").trim();
  check(lineProblem(line, shown, bytesMin, bytesMax));
  if (shown === "") return shown;
  if (DECEPTIVE.test(withoutNeededJoiners(shown))) {
    throw new ParleyError("INVALID_ARGUMENT", `${what} contains an invisible character.`, {
      subject: "invisible",
    });
  }
  if (!VISIBLE.test(shown)) {
    throw new ParleyError("INVALID_ARGUMENT", `${what} needs a visible character.`, { subject });
  }
  return shown;
}

/** The display name, trimmed; an empty one becomes the username. Throws a ParleyError. */
export function validateDisplayName(displayName: string, username: string): string {
  const shown = validateShown(LINES.displayName, displayName, 0, LIMITS.displayNameBytesMax);
  checkLook(LINES.displayName, shown);
  return shown === "" ? username : shown;
}

/** A room's name, trimmed: visible text of 1–128 bytes. Throws a ParleyError. */
export function validateRoomName(name: string): string {
  const shown = validateShown(LINES.roomName, name, 1, LIMITS.roomNameBytesMax);
  checkLook(LINES.roomName, shown);
  check(lineProblem(LINES.roomName, foldName(shown), 1, LIMITS.roomNameBytesMax));
  return shown;
}

/** The form of a public room's name that must be unique. Never throws. */
export function normaliseRoomName(name: string): string {
  return foldName(name);
}

/** A topic, trimmed; may be empty. Throws a ParleyError. */
export function validateTopic(topic: string): string {
  return validateShown(LINES.topic, topic, 0, LIMITS.topicBytesMax);
}

/** What a list of sessions shows of a device; may be empty. Throws a ParleyError. */
export function validateDevice(device: string): string {
  return validateShown(LINES.device, device, 0, LIMITS.deviceBytesMax);
}

/** A file's name, trimmed: visible text of 1–255 bytes that is no path. Throws a ParleyError. */
export function validateFileName(name: string): string {
  const shown = validateShown(LINES.fileName, name, 1, LIMITS.fileNameBytesMax);
  if (/[/\\]/.test(shown)) {
    throw new ParleyError("INVALID_ARGUMENT", "A file's name is no path.", { subject: "name" });
  }
  return shown;
}

/** A message of 1–16,384 bytes with something to see in it, unchanged. Throws a ParleyError. */
export function validateBody(body: string): string {
  check(bodyProblem(body));
  if (!VISIBLE.test(body)) {
    throw new ParleyError("INVALID_ARGUMENT", "The message has nothing to see in it.", {
      subject: "message",
    });
  }
  return body;
}

/**
 * An emoji, as it was given: 1–32 bytes with something to see in them and without spaces. Which characters are emoji is not looked
 * at: there are new ones every year. Throws a ParleyError.
 */
export function validateEmoji(emoji: string): string {
  check(lineProblem(LINES.emoji, emoji, 1, LIMITS.emojiBytesMax));
  if (/\s/u.test(emoji) || !VISIBLE.test(emoji)) {
    throw new ParleyError("INVALID_ARGUMENT", "An emoji is something to see, without spaces.", {
      subject: "emoji",
    });
  }
  return emoji;
}

function tooLongPassword(): ParleyError {
  const { passwordBytesMax: limit } = LIMITS;
  return new ParleyError("TOO_LARGE", `A password has at most ${limit} bytes.`, {
    subject: "password",
    limit,
  });
}

/**
 * A password of 8–1,024 bytes in NFKC (so that it can be typed on any keyboard), to be hashed.
 * Throws a ParleyError.
 */
export function validatePassword(password: string): string {
  if (!password.isWellFormed()) {
    throw new ParleyError("MALFORMED", "The password is not well-formed text.");
  }
  if (longerThan(password, LIMITS.passwordBytesMax)) {
    throw tooLongPassword();
  }
  const typed = password.normalize("NFKC");
  if (utf8Length(typed) < LIMITS.passwordBytesMin) {
    throw new ParleyError(
      "INVALID_ARGUMENT",
      `A password has at least ${LIMITS.passwordBytesMin} bytes.`,
      { subject: "password", limit: LIMITS.passwordBytesMin },
    );
  }
  if (longerThan(typed, LIMITS.passwordBytesMax)) {
    throw tooLongPassword();
  }
  return typed;
}

/**
 * The form in which a password is hashed and compared. Never throws; the caller bounds the length
 * (a password longer than the limit is wrong without hashing it).
 */
export function normalisePassword(password: string): string {
  return password.normalize("NFKC");
}

const SECRET = /^[A-Za-z0-9_-]+$/;

/** The secret of a link, as its client made it: random bytes as base64url. */
export function validateSecret(secret: string): string {
  const { secretCharactersMin: min, secretCharactersMax: max } = LIMITS;
  if (secret.length >= min && secret.length <= max && SECRET.test(secret)) return secret;
  throw new ParleyError("INVALID_ARGUMENT", `A secret has ${min}–${max} characters of base64url.`);
}
