import { Message, type SearchHit, SearchResponse } from "@parley/protocol";
import { expect, test } from "vitest";
import { searchOn, snippetOf } from "./search.ts";

function hit(body: string, ...matches: readonly string[]): SearchHit {
  const ranges = matches.map((match) => {
    const start = body.indexOf(match);
    return { start, end: start + match.length };
  });
  return { message: Message.fromPartial({ body }), ranges };
}

function shown(one: SearchHit, length?: number): string {
  return snippetOf(one, length)
    .map(({ text, isMatch }) => (isMatch ? `[${text}]` : text))
    .join("");
}

test("a snippet marks what was matched", () => {
  expect(shown(hit("to be or not", "be", "not"))).toBe("to [be] or [not]");
  expect(shown(hit("one\ntwo", "two"))).toBe("one [two]");
  expect(shown(hit("no match"))).toBe("no match");
  expect(shown(hit(""))).toBe("");
});

test("of a long text it is the part around the first match, without torn characters", () => {
  const text = `${"word ".repeat(40)}needle ${"word ".repeat(80)}`;
  const snippet = shown(hit(text, "needle"));
  expect(snippet).toMatch(/^…(word )+\[needle\] (word )+wor…$/);
  expect(snippet.length).toBeLessThan(210);
  expect(shown(hit("👍👍👍👍 needle", "needle"), 5).isWellFormed()).toBe(true);
  expect(shown(hit("x".repeat(500), "x".repeat(300)))).toContain(`[${"x".repeat(300)}]`);
});

test("pages that end early without a hit are followed, up to a bound", async () => {
  const asked: string[] = [];
  const page = (fields: Partial<SearchResponse>) => ({
    ...SearchResponse.fromPartial(fields),
    stale: false,
  });
  const found = await searchOn(
    async ({ pageToken }) => {
      asked.push(pageToken);
      if (asked.length < 3) return page({ nextPageToken: `t${asked.length}` });
      return page({ hits: [hit("x")], nextPageToken: "t3" });
    },
    { query: "x" },
  );
  expect(asked).toEqual(["", "t1", "t2"]);
  expect(found.hits).toHaveLength(1);
  let calls = 0;
  const endless = async () => {
    calls += 1;
    return page({ nextPageToken: "more" });
  };
  expect(await searchOn(endless, { query: "x" })).toMatchObject({
    hits: [],
    nextPageToken: "more",
  });
  expect(calls).toBe(100);
});
