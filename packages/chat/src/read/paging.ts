// Pages: how many rows, and where the next one starts.
import { LIMITS, ParleyError } from "@parley/protocol";

/**
 * The size of a page: `asked`, or `preset` for 0. A size over the maximum is refused, not cut, so that
 * nobody takes a cut page for the last one. Throws a ParleyError.
 */
export function pageSize(asked: number, preset: number, max: number): number {
  if (asked === 0) return preset;
  if (asked > max) throw new ParleyError("INVALID_ARGUMENT", `A page has at most ${max} entries.`);
  return asked;
}

/** The id after which a page starts; 0 for an empty token. Throws a ParleyError. */
export function idToken(token: string): number {
  if (token === "") return 0;
  const id = /^[0-9]{1,16}$/.test(token) ? Number(token) : Number.NaN;
  if (!Number.isSafeInteger(id)) throw badToken();
  return id;
}

/** The name after which a page starts. Throws a ParleyError. */
export function nameToken(token: string): string {
  if (token.length > LIMITS.pageTokenBytesMax || !token.isWellFormed()) throw badToken();
  return token;
}

/** A glob, bounded. Throws a ParleyError. */
export function boundedPattern(pattern: string): string {
  if (pattern.length > LIMITS.patternBytesMax) {
    throw new ParleyError("TOO_LARGE", `A pattern has at most ${LIMITS.patternBytesMax} bytes.`);
  }
  return pattern;
}

function badToken(): ParleyError {
  return new ParleyError("INVALID_ARGUMENT", "The page token is not one that was given out.");
}
