import { expect, test } from "vitest";
import { dayKey, dayLeftMs, dayName, plainName, tooLongText } from "./format.ts";

const HOUR_MS = 60 * 60 * 1000;

test("a day ends where the next one begins, also where clocks are put forward or back", () => {
  for (let hour = 0; hour < 366 * 24; hour += 1) {
    const ms = Date.UTC(2026, 0, 1) + hour * HOUR_MS + 1_234;
    const nextMs = ms + dayLeftMs(ms);
    expect(dayKey(nextMs)).not.toBe(dayKey(ms));
    expect(dayKey(nextMs - 1)).toBe(dayKey(ms));
    expect(dayName(ms, nextMs)).toBe("Yesterday");
    expect(dayName(nextMs, nextMs)).toBe("Today");
  }
});

test("a text is too long by its bytes, not by its characters", () => {
  expect(tooLongText("x".repeat(16_384), 16_384)).toBe("");
  expect(tooLongText("🎉".repeat(4_096), 16_384)).toBe("");
  expect(tooLongText(`${"🎉".repeat(4_096)}!`, 16_384)).toContain("16,385 of at most 16,384 bytes");
});

test("a name loses what can't be seen or turns what follows, and keeps its pictures whole", () => {
  expect(plainName("a\u200bn\u202en\u200d")).toBe("ann");
  expect(plainName("\u2067\u200f")).toBe("(no name)");
  expect(plainName("👩‍👩‍👧 family")).toBe("👩‍👩‍👧 family");
});
