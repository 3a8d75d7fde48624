import { LIMITS } from "@parley/client/browser";
import { expect, test } from "vitest";
import { emojiCandidates, emojiTable } from "./emoji.ts";

test("emoji are found by their name, by a part of it, and by another word", async () => {
  const { named } = await emojiTable();
  const found = (begun: string) => emojiCandidates(named, begun).map(({ emoji }) => emoji);
  expect(found("tada")[0]).toBe("🎉");
  expect(found("+1")[0]).toBe("👍");
  expect(found("party")).toContain("🎉");
  expect(found("smile")[0]).toBe("😄");
  expect(found("no such thing")).toEqual([]);
  expect(found("e")).toHaveLength(8);
});

test("P11: every emoji that is offered is one that a message takes as a reaction", async () => {
  const { data } = await emojiTable();
  expect(data.emojis.length).toBeGreaterThan(1_500);
  for (const { emoji, skins } of data.emojis) {
    for (const one of [emoji, ...Object.values(skins ?? {})]) {
      expect(Buffer.byteLength(one), one).toBeLessThanOrEqual(LIMITS.emojiBytesMax);
      expect(one).not.toMatch(/\s/u);
    }
  }
  const categories = new Set(data.categories.map(({ index }) => index));
  expect(data.emojis.every(({ category }) => categories.has(category))).toBe(true);
});

test("one load serves all", () => {
  expect(emojiTable()).toBe(emojiTable());
});
