import { expect, test } from "vitest";
import { parseSearch } from "./query.ts";

const END = Number.MAX_SAFE_INTEGER;

function refusal(query: string): string {
  try {
    parseSearch(query);
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "";
}

test("words, phrases and beginnings become strings of FTS5, and nothing of its language gets through", () => {
  expect(parseSearch('hello "two words" hel* "one tw"*').words).toEqual([
    '"hello"',
    '"two words"',
    '"hel" *',
    '"one tw" *',
  ]);
  expect(parseSearch('a AND NOT (b) ^c {body}:d e+f NEAR(g,2) x"y').words).toEqual([
    '"a"',
    '"AND"',
    '"NOT"',
    '"(b)"',
    '"^c"',
    '"{body}:d"',
    '"e+f"',
    '"NEAR(g,2)"',
    '"x""y"',
  ]);
  expect(parseSearch("https://example.org/a?b=c").words).toEqual(['"https://example.org/a?b=c"']);
});

test("filters stand anywhere among the words, in any letter case, with quotes where a name has spaces", () => {
  const found = parseSearch('FROM:@ann lunch in:"the attic" in:#bench Has:link from:bob has:PIN');
  expect(found.words).toEqual(['"lunch"']);
  expect(found.from).toEqual(["ann", "bob"]);
  expect(found.in).toEqual(["the attic", "#bench"]);
  expect([...found.has]).toEqual(["link", "pin"]);
});

test("days are those of UTC: before one means before it began, after one means after it had ended", () => {
  const { sinceMs, beforeMs } = parseSearch("after:2024-02-28 before:2024-03-01");
  expect(new Date(sinceMs).toISOString()).toBe("2024-02-29T00:00:00.000Z");
  expect(new Date(beforeMs).toISOString()).toBe("2024-03-01T00:00:00.000Z");
  expect(parseSearch("x")).toMatchObject({ sinceMs: 0, beforeMs: END });
  for (const day of ["1970-01-01", "1999-12-31", "2000-02-29", "2026-11-27", "2100-03-01"]) {
    expect(parseSearch(`before:${day}`).beforeMs).toBe(Date.parse(`${day}T00:00:00Z`));
  }
  expect(
    parseSearch("before:2026-01-01 before:2025-01-01 after:2020-01-01 after:2021-01-01"),
  ).toEqual(parseSearch("before:2025-01-01 after:2021-01-01"));
});

test("what makes no sense is refused with a sentence that says why", () => {
  expect(refusal("")).toContain("Say what to search for");
  expect(refusal("   ")).toContain("Say what to search for");
  expect(refusal('say "hello')).toContain("no partner");
  expect(refusal('from:"ann')).toContain("no partner");
  expect(refusal("👍")).toContain("no letter or digit");
  expect(refusal("*")).toContain("no letter or digit");
  expect(refusal('""')).toContain("no letter or digit");
  expect(refusal("from:")).toContain("After from:");
  expect(refusal("from: ann")).toContain("After from:");
  expect(refusal("before:yesterday")).toContain("2026-01-31");
  expect(refusal("before:2026-02-29")).toContain("no day 2026-02-29");
  expect(refusal("after:2026-13-01")).toContain("no day");
  expect(refusal("has:fire")).toContain("one of");
  expect(refusal("has:cake")).toContain("link, file, mention, reaction, pin");
  expect(refusal("a\u0000b")).toContain("control character");
  expect(refusal("\ud800")).toContain("well-formed");
});

test("P11: a query has a length, a number of terms, and beginnings that are not too short", () => {
  expect(refusal("é".repeat(257))).toContain("512 bytes");
  expect(refusal("a ".repeat(17))).toContain("at most 16");
  expect(refusal("aa* bb* cc*")).toContain("At most 2");
  expect(refusal("a*")).toContain("2 letters");
  expect(refusal("é*")).toContain("2 letters");
  expect(refusal("e\u0301*")).toContain("2 letters");
  expect(refusal("foo-b*")).toContain("2 letters");
  expect(parseSearch("foo-* 東*").words).toEqual(['"foo-" *', '"東" *']);
});
