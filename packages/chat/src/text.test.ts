import fc from "fast-check";
import { expect, test } from "vitest";
import { matchesGlob } from "./glob.ts";
import { isUuidV7, uuidV7TimeMs } from "./request-id.ts";
import {
  normaliseUsername,
  utf8Length,
  validateBody,
  validateDisplayName,
  validatePassword,
  validateRoomName,
  validateTopic,
  validateUsername,
} from "./text.ts";

test("UTF-8 is measured as it is encoded", () => {
  const encoder = new TextEncoder();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(utf8Length(text)).toBe(encoder.encode(text).length);
    }),
  );
});

test("usernames fold to one form, and folding again changes nothing", () => {
  const forms = ["Ángel", "ÁNGEL", "a\u0301ngel", "ángel"];
  expect(new Set(forms.map(normaliseUsername)).size).toBe(1);
  expect(normaliseUsername("ΣΊΣΥΦΟΣ")).toBe(normaliseUsername("σίσυφος"));
  expect(normaliseUsername("Straße")).toBe("strasse");
  expect(normaliseUsername("ﬁsh")).toBe("fish");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const folded = normaliseUsername(text);
      expect(normaliseUsername(folded)).toBe(folded);
    }),
    { numRuns: 500 },
  );
});

test.each([["anna"], ["Anna_B.2-x"], ["яна"], ["李小龍"], ["__proto__"], ["a".repeat(64)]])(
  "%s is a username",
  (username) => {
    expect(validateUsername(username)).toBe(username);
  },
);

test.each([
  ["", "empty"],
  [" anna", "letters"],
  ["anna ", "letters"],
  ["an na", "letters"],
  ["anna\n", "control"],
  ["a\u200bnna", "letters"],
  ["\u202eanna", "letters"],
  ["a*", "letters"],
  ["a\0", "control"],
  ["...", "a letter or a digit"],
  ["a".repeat(65), "64 bytes"],
  ["€".repeat(30), "64 bytes"],
  ["\ud800", "well-formed"],
])("%j is no username: %s", (username, why) => {
  expect(() => validateUsername(username)).toThrow(why);
});

test("shown names are trimmed, visible and without controls; emoji are welcome", () => {
  expect(validateRoomName("  Tea 🍵 ")).toBe("Tea 🍵");
  expect(validateRoomName("👩‍👩‍👧 family")).toBe("👩‍👩‍👧 family");
  expect(validateDisplayName("", "anna")).toBe("anna");
  expect(validateTopic("")).toBe("");
  for (const name of ["", "   ", "\u200b", "\u202ex", "a\nb", "\u00ad", "x".repeat(129)]) {
    expect(() => validateRoomName(name)).toThrow();
  }
});

test("a message needs something to see, and may have anything but NUL in it", () => {
  expect(validateBody(" line one\n\tline two ")).toBe(" line one\n\tline two ");
  expect(validateBody("👍")).toBe("👍");
  expect(validateBody("x".repeat(16_384))).toHaveLength(16_384);
  for (const body of ["", " \n\t", "\u200b\u200b", "a\0", "\udfff", "x".repeat(16_385)]) {
    expect(() => validateBody(body)).toThrow();
  }
});

test("a password has 8 to 1,024 bytes, in the form that every keyboard gives", () => {
  expect(validatePassword("correct horse")).toBe("correct horse");
  expect(validatePassword("pa\u0308sswort")).toBe("p\u00e4sswort");
  expect(() => validatePassword("seven77")).toThrow("at least 8");
  expect(() => validatePassword("x".repeat(1025))).toThrow("at most 1024");
});

test("request ids are UUIDs of version 7, which tell their time", () => {
  expect(isUuidV7("018f4e2a-7c00-7abc-9def-0123456789ab")).toBe(true);
  expect(uuidV7TimeMs("018f4e2a-7c00-7abc-9def-0123456789ab")).toBe(0x018f4e2a7c00);
  for (const id of [
    "",
    "018f4e2a-7c00-4abc-9def-0123456789ab",
    "018f4e2a-7c00-7abc-cdef-0123456789ab",
    "018F4E2A-7C00-7ABC-9DEF-0123456789AB",
    "018f4e2a-7c00-7abc-9def-0123456789ab\n",
  ]) {
    expect(isUuidV7(id)).toBe(false);
  }
});

test("globs match as the regular expression that they mean", () => {
  const piece = fc.constantFrom("a", "b", "*", "?", "[", "é", "👍");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), (p, t) => {
      const source = p
        .map((c) => (c === "*" ? ".*" : c === "?" ? "." : c === "[" ? "\\[" : c))
        .join("");
      const text = t.join("");
      expect(matchesGlob(p.join(""), text)).toBe(new RegExp(`^${source}$`, "su").test(text));
    }),
    { numRuns: 2000 },
  );
});
