// What somebody searches for, out of what they typed. Words go to FTS5 as quoted strings, so nothing of its own language can be
// typed; see SearchRequest for ours.
import { LIMITS, ParleyError, type ParleyErrorDetails } from "@parley/protocol";
import { LINES, lineProblem } from "../text.ts";

export const HAS = ["link", "file", "mention", "reaction", "pin"] as const;
export type Has = (typeof HAS)[number];

export interface SearchQuery {
  /** Words and phrases as strings of FTS5, all of which must be in the body. */
  readonly words: readonly string[];
  /** Usernames as they were typed, without the `@`. */
  readonly from: readonly string[];
  /** Rooms and people as they were typed. */
  readonly in: readonly string[];
  /** Sent at or after the first, and before the second; milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  readonly beforeMs: number;
  readonly has: ReadonlySet<Has>;
}

/** A filter with its value, a phrase, or a word. */
const TERM = /(from|in|before|after|has):(?:"([^"]*)"|(\S*))|"([^"]*)"(\*?)|(\S+)/giy;
const SPACE = /\s*/y;
/** What FTS5 finds words in: they are made of letters, digits and private characters. */
const SEARCHABLE = /[\p{L}\p{N}\p{Co}]/u;
const WORD = /[\p{L}\p{M}\p{N}\p{Co}]+/gu;
/** Scripts without spaces, in which one character says as much as a word. */
const IDEOGRAPHIC = /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u;
const PREFIX_LENGTH_MIN = 2;
const DAY_MS = 86_400_000;

type Part = "word" | "star" | "stars" | "filter" | "has" | "day" | "quote";

/** `part`: of the query, "" = all of it. */
function refused(part: Part | "", sentence: string, details?: ParleyErrorDetails): ParleyError {
  const subject = part === "" ? "search" : (`search_${part}` as const);
  return new ParleyError("INVALID_ARGUMENT", sentence, { ...details, subject });
}

/** Reads a query. Throws a ParleyError whose sentence says what is wrong with it. */
export function parseSearch(query: string): SearchQuery {
  const problem = lineProblem(LINES.search, query, 0, LIMITS.searchQueryBytesMax);
  if (problem !== undefined) throw problem;
  const draft = new Draft();
  let count = 0;
  for (const term of termsOf(query)) {
    count += 1;
    if (count > LIMITS.searchTermsMax) {
      const { searchTermsMax: limit } = LIMITS;
      throw refused("", `A search has at most ${limit} words and filters.`, { limit });
    }
    draft.add(term);
  }
  if (count === 0)
    throw refused("", "Say what to search for: words, or filters such as from:@name.", {
      limit: LIMITS.searchTermsMax,
    });
  return draft;
}

type Term =
  | { readonly kind: "filter"; readonly name: string; readonly value: string }
  | { readonly kind: "words"; readonly text: string; readonly isPrefix: boolean };

function* termsOf(query: string): Generator<Term> {
  for (let at = 0; ; at = TERM.lastIndex) {
    SPACE.lastIndex = at;
    SPACE.test(query);
    TERM.lastIndex = SPACE.lastIndex;
    const match = TERM.exec(query);
    if (match === null) return;
    const [, name, quotedValue, bareValue, phrase, star, word] = match;
    const bare = bareValue ?? word ?? "";
    if (bare.startsWith('"')) throw refused("quote", "A quotation mark has no partner.");
    if (name !== undefined) {
      yield { kind: "filter", name: name.toLowerCase(), value: quotedValue ?? bare };
    } else if (phrase !== undefined) {
      yield { kind: "words", text: phrase, isPrefix: star === "*" };
    } else {
      const text = bare.replace(/\*+$/, "");
      yield { kind: "words", text, isPrefix: text !== bare };
    }
  }
}

class Draft implements SearchQuery {
  readonly words: string[] = [];
  readonly from: string[] = [];
  readonly in: string[] = [];
  readonly has = new Set<Has>();
  sinceMs = 0;
  beforeMs = Number.MAX_SAFE_INTEGER;
  #prefixes = 0;

  add(term: Term): void {
    if (term.kind === "words") this.#addWords(term.text, term.isPrefix);
    else this.#addFilter(term.name, term.value);
  }

  #addWords(text: string, isPrefix: boolean): void {
    if (!SEARCHABLE.test(text)) {
      throw refused("word", `There is no letter or digit to search for in “${text}”.`, {
        named: text,
      });
    }
    if (isPrefix) this.#checkPrefix(text);
    this.words.push(`"${text.replaceAll('"', '""')}"${isPrefix ? " *" : ""}`);
  }

  /** The words that begin so are all looked up: bounded by how many such beginnings there are, and by their length. */
  #checkPrefix(text: string): void {
    this.#prefixes += 1;
    if (this.#prefixes > LIMITS.searchPrefixesMax) {
      const { searchPrefixesMax: limit } = LIMITS;
      throw refused("stars", `At most ${limit} words of a search end in *.`, { limit });
    }
    const last = text.match(WORD)?.findLast((word) => SEARCHABLE.test(word)) ?? "";
    const letters = [...last.normalize("NFD").replace(/\p{M}/gu, "")].length;
    if (letters < PREFIX_LENGTH_MIN && !IDEOGRAPHIC.test(last)) {
      throw refused("star", `Before * there must be ${PREFIX_LENGTH_MIN} letters or digits.`, {
        limit: PREFIX_LENGTH_MIN,
      });
    }
  }

  #addFilter(name: string, value: string): void {
    if (value === "")
      throw refused("filter", `After ${name}: something must follow, without a space.`, {
        named: name,
      });
    switch (name) {
      case "from":
        this.from.push(value.replace(/^@/, ""));
        return;
      case "in":
        this.in.push(value);
        return;
      case "before":
        this.beforeMs = Math.min(this.beforeMs, dayStartMs(name, value));
        return;
      case "after":
        this.sinceMs = Math.max(this.sinceMs, dayStartMs(name, value) + DAY_MS);
        return;
      default:
        this.has.add(hasOf(value.toLowerCase()));
    }
  }
}

function hasOf(value: string): Has {
  const has = HAS.find((one) => one === value);
  if (has !== undefined) return has;
  const named = HAS.join(", ");
  throw refused("has", `After has: one of ${named} must follow.`, { named });
}

/** When a day of the Gregorian calendar begins in UTC. Reckoned here, because nothing in this package may ask a clock. */
function dayStartMs(filter: string, text: string): number {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  const [year, month, day] = (match ?? []).slice(1).map(Number);
  if (year === undefined || month === undefined || day === undefined) {
    throw refused("day", `After ${filter}: a day must follow, such as 2026-01-31.`);
  }
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  const length = lengths[month - 1] ?? 0;
  if (year < 1970 || day < 1 || day > length)
    throw refused("day", `There is no day ${text} to search by.`);
  const leapDays = (before: number) =>
    Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
  const days =
    (year - 1970) * 365 +
    (leapDays(year - 1) - leapDays(1969)) +
    lengths.slice(0, month - 1).reduce((sum, one) => sum + one, 0) +
    day -
    1;
  return days * DAY_MS;
}
