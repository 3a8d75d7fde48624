// Links that let somebody in. They name no node, so that they work on every one; their secret stands behind the #, which no browser sends
// to a server, so that it is in no log.
import { LIMITS } from "@parley/protocol";
import { platformRandom } from "./platform.ts";
import type { Random } from "./ports.ts";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** 192 bits, and no rest in base64url. */
const SECRET_BYTES = 24;

/** A secret that nobody can guess, for a link. */
export function newSecret(random: Random = platformRandom): string {
  const bytes = random.bytes(SECRET_BYTES);
  let secret = "";
  for (let at = 0; at < SECRET_BYTES; at += 3) {
    const three = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let shift = 18; shift >= 0; shift -= 6) secret += BASE64URL.charAt((three >> shift) & 63);
  }
  return secret;
}

/** What follows a node's address in the link of an invite. */
export function invitePath(secret: string): string {
  return `/join#${secret}`;
}

/** The same for a link that sets a forgotten password. */
export function passwordPath(secret: string): string {
  return `/password#${secret}`;
}

/** The secret in a password link, as in that of an invite. */
export function passwordSecretIn(link: string): string | undefined {
  return secretAfter("/password", link);
}

/** The secret in an invite's link, or in the part of it that follows the address; undefined when it is none. */
export function inviteSecretIn(link: string): string | undefined {
  return secretAfter("/join", link);
}

function secretAfter(path: string, link: string): string | undefined {
  const { secretCharactersMin: min, secretCharactersMax: max } = LIMITS;
  const match = /^(?:https?:\/\/[^/#]*)?(\/[a-z-]+)\/?#([A-Za-z0-9_-]+)$/.exec(link.trim());
  const secret = match?.[1] === path ? (match[2] ?? "") : "";
  return secret.length >= min && secret.length <= max ? secret : undefined;
}
