import { expect, test } from "vitest";
import { durationMs } from "./arguments.ts";

const DAY_MS = 86_400_000;

test("a time is minutes, hours or days, within its bound", () => {
  expect(durationMs("90m", DAY_MS)).toBe(5_400_000);
  expect(durationMs("2h", DAY_MS)).toBe(7_200_000);
  expect(durationMs("1d", DAY_MS)).toBe(DAY_MS);
  for (const text of ["", "0h", "25h", "1.5h", "h", "2 h", "2w", "-1h", "1d1h", "9999999m"]) {
    expect(durationMs(text, DAY_MS)).toBeUndefined();
  }
});
