// What is being typed before the cursor and can be completed: `@na` to a member of the room, `:ta` to an emoji.

export interface Completable {
  readonly kind: "member" | "emoji";
  /** Where the `@` or the `:` is. */
  readonly from: number;
  /** The cursor. */
  readonly to: number;
  /** What stands after it, lower case. */
  readonly begun: string;
}

const MEMBER = /(?:^|[\s(])@([\p{L}\p{N}_.-]{0,64})$/u;
/** Two letters at least: `:)`, `:D` and `at 10:30` are what they are. */
const EMOJI = /(?:^|[\s(]):([\p{L}\p{N}_+-]{2,32})$/u;
/** Characters before the cursor: more than any of the two can be long. */
const LOOKED_AT = 80;

/** Undefined where nothing is begun. */
export function completableAt(text: string, cursor: number): Completable | undefined {
  const before = text.slice(Math.max(0, cursor - LOOKED_AT), cursor);
  const member = MEMBER.exec(before)?.[1];
  const begun = member ?? EMOJI.exec(before)?.[1];
  if (begun === undefined) return undefined;
  return {
    kind: member === undefined ? "emoji" : "member",
    from: cursor - begun.length - 1,
    to: cursor,
    begun: begun.toLowerCase(),
  };
}

export interface Completed {
  readonly text: string;
  readonly cursor: number;
}

/** The text with `word` (`@name`, or an emoji) and a space in the place of what was begun. */
export function completed(text: string, { from, to }: Completable, word: string): Completed {
  const put = `${word} `;
  const rest = text.slice(to).replace(/^ /, "");
  return { text: text.slice(0, from) + put + rest, cursor: from + put.length };
}

const SHOWN_MAX = 8;

/** Names that begin so come first, then those that have it elsewhere. */
export function candidates(names: readonly string[], begun: string): readonly string[] {
  const starts = names.filter((name) => name.toLowerCase().startsWith(begun));
  const others = names.filter(
    (name) => !starts.includes(name) && name.toLowerCase().includes(begun),
  );
  return [...starts, ...others].slice(0, SHOWN_MAX);
}
