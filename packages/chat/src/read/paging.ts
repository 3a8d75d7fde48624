// Pages: how many rows, and where the next one starts.
import { LIMITS, ParleyError } from "@parley/protocol";
import { RowHasher, type SqlValue } from "../hash.ts";

/**
 * The size of a page: `asked`, or `preset` for 0. A size over the maximum is refused, not cut, so that
 * nobody takes a cut page for the last one. Throws a ParleyError.
 */
export function pageSize(asked: number, preset: number, max: number): number {
  if (asked === 0) return preset;
  if (asked > max) throw new ParleyError("INVALID_ARGUMENT", `A page has at most ${max} entries.`);
  return asked;
}

/** Which list a page is of: its name, and what it is filtered by. */
export type ListKey = readonly SqlValue[];

const SUM_LENGTH = 16;
const hasher = new RowHasher();

/** What a page token carries before its position: whether it was made here, and for which list. */
function sumOf(list: ListKey, position: string): string {
  hasher.hash(0, [...list, position]);
  const lanes = [hasher.a, hasher.b];
  return lanes.map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
}

/** A token for the page after `position`, which is not empty; good for this list alone. */
export function pageToken(list: ListKey, position: string): string {
  return sumOf(list, position) + position;
}

/**
 * The position after which a page starts; empty for an empty token, the first page. A token that was not
 * given out for this very list is refused: whoever mixes them up would take a page out of the middle, or an empty one, for
 * the answer. Throws a ParleyError.
 */
export function positionOf(list: ListKey, token: string): string {
  if (token === "") return "";
  const position = token.slice(SUM_LENGTH);
  const isOurs =
    token.length <= LIMITS.pageTokenBytesMax &&
    position !== "" &&
    pageToken(list, position) === token;
  if (isOurs) return position;
  throw new ParleyError("INVALID_ARGUMENT", "The page token is not one that this list gave out.");
}

/** A glob, bounded. Throws a ParleyError. */
export function boundedPattern(pattern: string): string {
  if (pattern.length > LIMITS.patternBytesMax) {
    throw new ParleyError("TOO_LARGE", `A pattern has at most ${LIMITS.patternBytesMax} bytes.`);
  }
  return pattern;
}
