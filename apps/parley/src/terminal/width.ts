// How many columns text takes on a terminal.
import { stripVTControlCharacters } from "node:util";

/** East Asian wide and fullwidth blocks (Unicode UAX #11), and emoji that are shown as pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const ZERO = /^(?:\p{Mark}|[\u200b\u200c\u200d])/u;

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** What a reader takes for one character each. */
export function* graphemes(text: string): Generator<string> {
  for (const { segment } of segmenter.segment(text)) yield segment;
}

export function graphemeWidth(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** Colours count nothing. */
export function textWidth(text: string): number {
  let width = 0;
  for (const one of graphemes(stripVTControlCharacters(text))) width += graphemeWidth(one);
  return width;
}

/** Rows that `text` fills on a terminal of that many columns, its line breaks counted. */
export function rowsOf(text: string, columns: number): number {
  let rows = 0;
  for (const line of text.split("\n")) rows += Math.floor(textWidth(line) / columns) + 1;
  return rows;
}

/** Cut to fit; only for text without colours. */
export function truncate(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let cut = "";
  let width = 0;
  for (const one of graphemes(text)) {
    width += graphemeWidth(one);
    if (width > columns - 1) break;
    cut += one;
  }
  return `${cut}…`;
}
