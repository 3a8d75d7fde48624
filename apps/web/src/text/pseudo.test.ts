import { expect, test } from "vitest";
import { accented, pseudo } from "./pseudo.ts";

test("every letter is accented, and one letter has one accent", () => {
  const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const seen = new Set(letters.map((letter) => accented(letter)));
  expect(seen.size).toBe(letters.length);
  for (const accent of seen) expect(accent).not.toMatch(/[a-z]/i);
});

test("a sentence grows by three tenths at least, a label by more, and its words stay apart", () => {
  const sentence = "Messages with all the words, the newest first.";
  expect(accented(sentence).length).toBeGreaterThan(sentence.length * 1.3);
  expect(accented(sentence).split(" ").length).toBe(sentence.split(" ").length);
  expect(accented("Save").length).toBeGreaterThanOrEqual("Save".length * 1.8);
});

test("what was filled in stays as it is, between brackets", () => {
  expect(pseudo([accented("Members of "), "#lobby"])).toMatch(/^⟦.* #lobby⟧$/);
});
