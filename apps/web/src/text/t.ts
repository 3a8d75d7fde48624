// All that the page says comes from here: `t` where a string is wanted, `rich` where elements stand among the words.
import { english } from "./english.ts";
import { formatNumber, isPseudo, pluralOf } from "./locale.ts";
import { accented, CLOSE, OPEN } from "./pseudo.ts";

/** What is counted is the slot `count`. */
export interface Plural {
  readonly one: string;
  readonly other: string;
}

type Catalogue = typeof english;
export type TextKey = keyof Catalogue;

/** The names in braces: "Members of {room}" has the slot `room`. */
type SlotsIn<Pattern> = Pattern extends `${string}{${infer Slot}}${infer Rest}`
  ? Slot | SlotsIn<Rest>
  : never;
/** The slots of a text of a catalogue. */
export type SlotsOf<Message> = Message extends Plural
  ? "count" | SlotsIn<Message["one"]> | SlotsIn<Message["other"]>
  : SlotsIn<Message>;
export type Values<Key extends TextKey, Value> = [SlotsOf<Catalogue[Key]>] extends [never]
  ? []
  : [values: Readonly<Record<SlotsOf<Catalogue[Key]>, Value>>];
/** The texts that need nothing filled in. */
export type PlainKey = {
  [Key in TextKey]: [SlotsOf<Catalogue[Key]>] extends [never] ? Key : never;
}[TextKey];

const SLOT = /\{(\w+)\}/;

/** Words and the values of slots, in turn. */
export function piecesOf<Value>(
  message: string | Plural,
  values: Readonly<Record<string, Value>>,
): (Value | string)[] {
  const pattern =
    typeof message === "string"
      ? message
      : message[pluralOf(Number(values.count)) === "one" ? "one" : "other"];
  const pieces = pattern.split(SLOT).map((piece, at) => {
    if (at % 2 === 0) return isPseudo ? accented(piece) : piece;
    const value = values[piece];
    if (value === undefined) throw new Error(`"${pattern}" has no value for {${piece}}`);
    return typeof value === "number" ? formatNumber(value) : value;
  });
  return isPseudo ? [OPEN, ...pieces, CLOSE] : pieces;
}

/** Letters that are written from right to left. */
const RIGHT_TO_LEFT =
  /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** In FIRST STRONG ISOLATE … POP DIRECTIONAL ISOLATE a text has its own direction, and does not turn the words, numbers and marks beside it. */
function isolated(value: string | number): string | number {
  return typeof value === "string" && RIGHT_TO_LEFT.test(value) ? `\u2068${value}\u2069` : value;
}

/** A text of any catalogue; numbers are written as the language writes them, and names from right to left are isolated. */
export function filledIn(
  message: string | Plural,
  values: Readonly<Record<string, string | number>>,
): string {
  const isolates = Object.entries(values).map(([slot, value]) => [slot, isolated(value)] as const);
  return piecesOf<string | number>(message, Object.fromEntries(isolates)).join("");
}

/** A text of the catalogue, filled in. */
export function t<Key extends TextKey>(
  key: Key,
  ...[values]: Values<Key, string | number>
): string {
  return filledIn(english[key], values ?? {});
}
