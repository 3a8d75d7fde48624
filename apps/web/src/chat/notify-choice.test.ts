// How long "do not disturb" lasts, and who hears that it begins and ends.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  chooseNotify,
  keepQuiet,
  notifyChoice,
  QUIET_ALWAYS,
  quietEndMs,
  quietUntil,
} from "./notify-choice.ts";

const at = (text: string) => new Date(text).getTime();

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  vi.stubGlobal("window", new EventTarget());
  vi.useFakeTimers({ now: at("2026-03-02T22:00:00") });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test.each([
  ["hour", "2026-03-02T22:00:00", "2026-03-02T23:00:00"],
  ["morning", "2026-03-02T22:00:00", "2026-03-03T08:00:00"],
  ["morning", "2026-03-02T07:00:00", "2026-03-03T08:00:00"],
  ["morning", "2026-02-28T12:00:00", "2026-03-01T08:00:00"],
  // At night the morning that comes is meant.
  ["morning", "2026-03-03T02:00:00", "2026-03-03T08:00:00"],
] as const)("%s, from %s on, ends %s", (choice, from, end) => {
  expect(quietEndMs(choice, at(from))).toBe(at(end));
});

test("it ends by itself, and who shows it is told", () => {
  const shown: number[] = [];
  const stop = quietUntil.subscribe(() => shown.push(quietUntil.getSnapshot()));
  keepQuiet("hour");
  expect(quietUntil.getSnapshot()).toBe(at("2026-03-02T23:00:00"));
  vi.advanceTimersByTime(61 * 60_000);
  expect(quietUntil.getSnapshot()).toBe(0);
  expect(shown).toEqual([0, at("2026-03-02T23:00:00"), 0]);
  keepQuiet("always");
  vi.advanceTimersByTime(100 * 24 * 60 * 60_000);
  expect(quietUntil.getSnapshot()).toBe(QUIET_ALWAYS);
  keepQuiet(undefined);
  expect(quietUntil.getSnapshot()).toBe(0);
  stop();
});

test("without the browser's leave the choice is nothing", async () => {
  vi.stubGlobal("isSecureContext", true);
  const ask = vi.fn(async () => "denied");
  vi.stubGlobal("Notification", { requestPermission: ask });
  expect(await chooseNotify("all")).toBe("none");
  ask.mockResolvedValue("granted");
  expect(await chooseNotify("all")).toBe("all");
  expect(notifyChoice()).toBe("all");
});
