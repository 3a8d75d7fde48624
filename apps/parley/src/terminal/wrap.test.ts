import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { textWidth } from "./width.ts";
import { wrap } from "./wrap.ts";

describe("wrapping", () => {
  it.each([
    ["short", 30, "short"],
    ["one two three four five six seven", 24, "one two three four five\n  six seven"],
    ["exactly 24 columns wide!", 24, "exactly 24 columns wide!"],
    ["a\nb", 30, "a\nb"],
    ["漢字".repeat(7), 24, `${"漢字".repeat(6)}\n  漢字`],
    [`see ${"x".repeat(30)}`, 24, `see\n  ${"x".repeat(22)}\n  ${"x".repeat(8)}`],
    ["  indented", 30, "  indented"],
    // Too narrow for an indent.
    ["one two three", 8, "one two\nthree"],
  ])("%j in %i columns", (text, columns, expected) => {
    expect(wrap(text, columns, 2)).toBe(expected);
  });

  it("lets colours take no room", () => {
    const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
    expect(wrap(`${red("one two three")} four five six`, 24, 2)).toBe(
      `${red("one two three")} four five\n  six`,
    );
  });

  it("loses nothing but spaces, and no line is too long", () => {
    const words = fc.string({ unit: "grapheme", maxLength: 200 }).map(stripVTControlCharacters);
    fc.assert(
      fc.property(words, fc.integer({ min: 2, max: 60 }), (text, columns) => {
        const plain = text.replace(/[\p{Cc}]/gu, "");
        const wrapped = wrap(plain, columns, 8);
        expect(wrapped.replace(/[ \n]/g, "")).toBe(plain.replaceAll(" ", ""));
        for (const line of wrapped.split("\n"))
          expect(textWidth(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });
});
