import { afterEach, expect, test, vi } from "vitest";
import { eventually } from "./eventually.ts";

afterEach(() => vi.useRealTimers());

test("a part that can't be had is asked for until it can, and fails never", async () => {
  vi.useFakeTimers();
  let asked = 0;
  const part = eventually(async () => {
    asked += 1;
    if (asked < 4) throw new TypeError("Failed to fetch dynamically imported module");
    return "the part";
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(asked).toBe(1);
  await vi.runAllTimersAsync();
  expect(await part).toBe("the part");
  expect(asked).toBe(4);
});
