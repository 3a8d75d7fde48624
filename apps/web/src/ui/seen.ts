// Up to where the others have read: under the last message that each of them has.
import type { Message, Reader } from "@parley/client/browser";

const NAMES_MAX = 3;

/**
 * By sequence number, whose last message read it is. Nobody stands under their own message, which says it already, nor anywhere when
 * what they have read last is not among `messages`, which are ascending; `atEnd`: nothing follows them.
 */
export function seenBy(
  messages: readonly Message[],
  readers: readonly Reader[],
  atEnd: boolean,
): ReadonlyMap<number, readonly string[]> {
  const seen = new Map<number, string[]>();
  const newest = messages.at(-1)?.seq ?? 0;
  for (const { accountId, username, seq } of readers) {
    if (!atEnd && seq > newest) continue;
    // Whoever writes has read what stands above.
    const last = messages.findLast((one) => one.seq <= seq || one.authorId === accountId);
    if (last === undefined || last.authorId === accountId) continue;
    const names = seen.get(last.seq);
    if (names === undefined) seen.set(last.seq, [username]);
    else names.push(username);
  }
  return seen;
}

/** "Seen by ann, bob"; in a conversation of two the name says nothing. */
export function seenText(names: readonly string[], isDirect: boolean): string {
  if (isDirect) return t("list.seen");
  const others = names.length - NAMES_MAX;
  const shown = names.slice(0, NAMES_MAX).join(", ");
  if (others <= 0) return t("list.seenBy", { names: shown });
  return t("list.seenByMore", { names: shown, count: others });
}

import { t } from "../text/t.ts";
