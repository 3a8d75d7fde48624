// What is being typed before the cursor and can be completed: `@na` to a member of the room.

export interface Completable {
  /** Where the `@` is. */
  readonly from: number;
  /** The cursor. */
  readonly to: number;
  /** What stands after the `@`, lower case. */
  readonly begun: string;
}

const BEGUN = /(?:^|[\s(])@([\p{L}\p{N}_.-]{0,64})$/u;

/** Undefined where nothing is begun. */
export function completableAt(text: string, cursor: number): Completable | undefined {
  const match = BEGUN.exec(text.slice(0, cursor));
  if (match === null) return undefined;
  const [, begun = ""] = match;
  return { from: cursor - begun.length - 1, to: cursor, begun: begun.toLowerCase() };
}

export interface Completed {
  readonly text: string;
  readonly cursor: number;
}

/** The text with `@name ` in the place of what was begun. */
export function completed(text: string, { from, to }: Completable, name: string): Completed {
  const put = `@${name} `;
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
