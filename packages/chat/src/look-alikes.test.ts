import { expect, test } from "vitest";
import { validateDisplayName, validateRoomName, validateTopic, validateUsername } from "./text.ts";

test.each([
  ["\u0430nn", "a Cyrillic a"],
  ["pay\u0440al", "a Cyrillic r"],
  ["\u039Anna", "a Greek kappa"],
  ["g\u03BFogle", "a Greek omicron"],
])("a username that looks like another is refused: %s, %s", (name) => {
  expect(() => validateUsername(name)).toThrow("alphabets that look alike");
  expect(() => validateDisplayName(name, "mallory")).toThrow("alphabets that look alike");
  expect(() => validateRoomName(`the ${name}`)).toThrow("alphabets that look alike");
});

test.each([
  "яна",
  "Команда Frontend",
  "дизайн-team",
  "Ωmega ΔT",
  "Σίσυφος",
  "李小龍 Bruce",
  "Ångström",
  "مرحبا world",
  "Việt Nam",
])("words of one alphabet each, and letters that look like no other, are welcome: %s", (name) => {
  expect(validateRoomName(name)).toBe(name.normalize("NFC"));
  expect(validateDisplayName(name, "x")).toBe(name.normalize("NFC"));
});

test.each([
  "ann\u200d",
  "a\u200dnn",
  "\u200d🎉",
  "🎉\u200d",
  "ann\ufe0f",
  "ann1\ufe0f",
  "🎉\ufe0f",
  "❤\ufe0e",
  "ann\u200b",
  "\u2066ann",
])("a joiner or selector that nobody sees is refused: %j", (name) => {
  for (const validate of [validateRoomName, validateTopic]) {
    expect(() => validate(name)).toThrow("invisible");
  }
  expect(() => validateDisplayName(name, "x")).toThrow("invisible");
});

test.each([
  "👩‍👩‍👧 family",
  "❤️‍🔥",
  "👁️‍🗨️",
  "👩🏽‍💻",
  "🏳️‍🌈",
  "1️⃣",
  "☎️ phone",
  "ශ්‍රී ලංකා",
  "क्‍ष",
  "🎉\ufe0e",
])("what an emoji or a ligature needs is kept: %s", (name) => {
  expect(validateRoomName(name)).toBe(name.normalize("NFC"));
});

test("marks that reach over the neighbours are refused; those that languages have are not", () => {
  expect(() => validateRoomName(`z${"\u0336".repeat(9)}`)).toThrow("too many marks");
  expect(() => validateUsername(`z${"\u0301".repeat(9)}`)).toThrow("too many marks");
  expect(validateRoomName("ǖ Ṩ ệ บื้อ שָׁלוֹם")).toBe("ǖ Ṩ ệ บื้อ שָׁלוֹם".normalize("NFC"));
});
