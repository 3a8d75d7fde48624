// The small bounds (P11): rate of sends, throttle of logins, password hashing, tables.
import type { ParleyError } from "@parley/protocol";
import { expect, test } from "vitest";
import { DEFAULT_TUNING } from "../config.ts";
import { BoundedTable } from "./bounded-table.ts";
import { LoginThrottle, remoteHost } from "./login-throttle.ts";
import { Passwords } from "./passwords.ts";
import { SendRate } from "./send-rate.ts";
import { drain, VirtualClock } from "./testing/virtual-clock.test.support.ts";

function failureOf(action: () => void): ParleyError | undefined {
  try {
    action();
  } catch (cause) {
    return cause as ParleyError;
  }
  return undefined;
}

test("a bounded table forgets what was used least recently", () => {
  const table = new BoundedTable<string, number>(2);
  table.set("a", 1);
  table.set("b", 2);
  table.get("a");
  table.set("c", 3);
  expect([table.get("a"), table.get("b"), table.get("c")]).toEqual([1, undefined, 3]);
  table.set("c", 4);
  expect(table.size).toBe(2);
});

test("sends are limited for each account: a burst, then the sustained rate, with a true delay", async () => {
  const clock = new VirtualClock();
  const rate = new SendRate(clock, { ...DEFAULT_TUNING, sendsPerSecond: 10, sendsBurst: 3 });
  for (let i = 0; i < 3; i += 1) rate.take(1);
  const refused = failureOf(() => rate.take(1));
  expect(refused?.reason).toBe("RATE_LIMITED");
  expect(refused?.retryAfterMs).toBe(100);
  rate.take(2);
  await clock.advance(99);
  expect(failureOf(() => rate.take(1))?.reason).toBe("RATE_LIMITED");
  await clock.advance(1);
  rate.take(1);
  await clock.advance(60_000);
  for (let i = 0; i < 3; i += 1) rate.take(1);
  expect(failureOf(() => rate.take(1))?.reason).toBe("RATE_LIMITED");
});

test("after enough failures a name must pause, whether or not anybody has it", async () => {
  const clock = new VirtualClock();
  const tuning = { ...DEFAULT_TUNING, loginFailuresMax: 3, loginPauseMs: 1_000 };
  const throttle = new LoginThrottle(clock, tuning);
  for (let i = 0; i < 3; i += 1) {
    throttle.check("ann", "10.0.0.1:1");
    throttle.failed("ann", "10.0.0.1:1");
  }
  const refused = failureOf(() => throttle.check("ann", "10.0.0.9:1"));
  expect(refused?.reason).toBe("RATE_LIMITED");
  expect(refused?.retryAfterMs).toBe(1_000);
  throttle.check("bob", "10.0.0.1:1");
  await clock.advance(1_000);
  throttle.check("ann", "10.0.0.1:1");
});

test("an address that tries many names must pause too, from whichever port", () => {
  const clock = new VirtualClock();
  const tuning = { ...DEFAULT_TUNING, loginFailuresMax: 1 };
  const throttle = new LoginThrottle(clock, tuning);
  for (let i = 0; i < 10; i += 1) throttle.failed(`name-${i}`, `10.0.0.1:${i}`);
  expect(failureOf(() => throttle.check("other", "10.0.0.1:77"))?.reason).toBe("RATE_LIMITED");
  throttle.check("other", "10.0.0.2:77");
});

test("an address is the same from whichever port", () => {
  expect(remoteHost("10.0.0.1:99")).toBe("10.0.0.1");
  expect(remoteHost("10.0.0.1")).toBe("10.0.0.1");
  expect(remoteHost("[fe80::1]:99")).toBe("[fe80::1]");
  expect(remoteHost("fe80::1")).toBe("fe80::1");
});

test("password hashing runs four at a time and refuses more than may wait", async () => {
  let running = 0;
  let runningMost = 0;
  const releases: (() => void)[] = [];
  const passwords = new Passwords({
    hash: async () => "dummy",
    verify: () => {
      running += 1;
      runningMost = Math.max(runningMost, running);
      return new Promise((resolve) => {
        releases.push(() => {
          running -= 1;
          resolve(true);
        });
      });
    },
  });
  const results = Array.from({ length: 4 + 256 }, () => passwords.verify("x", "phc"));
  await expect(passwords.verify("x", "phc")).rejects.toMatchObject({ reason: "OVERLOADED" });
  for (let i = 0; i < results.length; i += 1) {
    await drain();
    releases.shift()?.();
  }
  expect(await Promise.all(results)).toHaveLength(260);
  expect(runningMost).toBe(4);
});

test("verifying against no account does the work of a real one and says no", async () => {
  const verified: string[] = [];
  const passwords = new Passwords({
    hash: async () => "dummy",
    verify: async (_password, phc) => {
      verified.push(phc);
      return true;
    },
  });
  expect(await passwords.verify("x", "")).toBe(false);
  expect(verified).toEqual(["dummy"]);
});
