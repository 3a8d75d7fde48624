// Searching: pages that are found, and what of a hit is shown.
import type { SearchHit } from "@parley/protocol";
import type { CallResult } from "./calls.ts";

export interface SearchFields {
  /** Words and filters; see SearchRequest. */
  readonly query: string;
  /** Hits at the most: 1–50; left out = 20. */
  readonly pageSize?: number | undefined;
  /** Of the page before; left out = the newest. */
  readonly pageToken?: string | undefined;
}

/** Pages without a hit that are followed: a node ends a page when it has looked through so much. */
const EMPTY_PAGES_MAX = 100;

/** A page with hits in it, or the last one; after many empty ones an empty one, with a token to go on. */
export async function searchOn(
  ask: (
    fields: SearchFields & { pageSize: number; pageToken: string },
  ) => Promise<CallResult<"search">>,
  { query, pageSize = 0, pageToken = "" }: SearchFields,
): Promise<CallResult<"search">> {
  let page = await ask({ query, pageSize, pageToken });
  for (let pages = 1; pages < EMPTY_PAGES_MAX; pages += 1) {
    if (page.hits.length > 0 || page.nextPageToken === "") break;
    page = await ask({ query, pageSize, pageToken: page.nextPageToken });
  }
  return page;
}

export interface SnippetPart {
  readonly text: string;
  readonly isMatch: boolean;
}

/** Of a long text before the first match, in UTF-16 code units. */
const LEAD = 40;
const LENGTH = 200;

/** One line of a hit, around what was matched first: `…` stands for what is left out. Whole code points, spaces for line breaks. */
export function snippetOf({ message, ranges }: SearchHit, length = LENGTH): readonly SnippetPart[] {
  const body = message?.body ?? "";
  const first = ranges[0]?.start ?? 0;
  const start = first <= LEAD ? 0 : whole(body, wordStart(body, first - LEAD, first));
  const end = whole(body, Math.max(start + length, ranges[0]?.end ?? 0));
  const parts: SnippetPart[] = [];
  const add = (from: number, to: number, isMatch: boolean) => {
    const text = body.slice(from, to).replace(/[\r\n]/g, " ");
    if (text !== "") parts.push({ text, isMatch });
  };
  if (start > 0) parts.push({ text: "…", isMatch: false });
  let at = start;
  for (const range of ranges) {
    if (range.start < at || range.end > end) continue;
    add(at, range.start, false);
    add(range.start, range.end, true);
    at = range.end;
  }
  add(at, end, false);
  if (end < body.length) parts.push({ text: "…", isMatch: false });
  return parts;
}

/** The place, or where the character begins that it is within; at most the end. */
function whole(body: string, at: number): number {
  if (at >= body.length) return body.length;
  return at > 0 && /[\udc00-\udfff]/.test(body.charAt(at)) ? at - 1 : at;
}

/** The first word that begins between the two places, or else the first of them. */
function wordStart(body: string, from: number, to: number): number {
  const space = body.slice(from, to).search(/\s/);
  return space === -1 ? from : from + space + 1;
}
