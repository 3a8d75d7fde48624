import { expect, test } from "vitest";
import { Scheduler } from "../src/world/scheduler.ts";

test("events run in the order of time, then of scheduling", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  scheduler.after(20, () => seen.push("c"));
  scheduler.after(10, () => seen.push("a"));
  scheduler.after(10, () => {
    seen.push("b");
    scheduler.after(0, () => seen.push("b, at once"));
  });
  await scheduler.run(15);
  expect(seen).toEqual(["a", "b", "b, at once"]);
  expect(scheduler.nowUs).toBe(15);
  await scheduler.run(100);
  expect(seen).toEqual(["a", "b", "b, at once", "c"]);
});

test("every continuation of an event has run before the next event", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  const chain = async (name: string): Promise<void> => {
    for (let i = 0; i < 50; i++) await Promise.resolve();
    await new Promise<void>((resolve) => queueMicrotask(resolve));
    seen.push(`${name} done`);
  };
  // At one instant, so that only the draining keeps them apart.
  for (const name of ["first", "second", "third"]) {
    scheduler.at(5, () => {
      seen.push(name);
      chain(name);
    });
  }
  await scheduler.run(10);
  expect(seen).toEqual(["first", "first done", "second", "second done", "third", "third done"]);
});

test("a cancelled event does not run, and does not move the time", async () => {
  const scheduler = new Scheduler();
  let ran = false;
  const event = scheduler.after(10, () => {
    ran = true;
  });
  event.cancel();
  await scheduler.run(5);
  expect(ran).toBe(false);
  expect(scheduler.nowUs).toBe(5);
});

test("a run ends when it is told to, and goes on later", async () => {
  const scheduler = new Scheduler();
  let count = 0;
  const tick = (): void => {
    count += 1;
    scheduler.after(1, tick);
  };
  tick();
  await scheduler.run(1_000, () => count === 10);
  expect(count).toBe(10);
  await scheduler.run(scheduler.nowUs + 5);
  expect(count).toBe(15);
});

test("what an event throws ends the run", async () => {
  const scheduler = new Scheduler();
  scheduler.after(1, () => {
    throw new Error("broken");
  });
  await expect(scheduler.run(10)).rejects.toThrow("broken");
});

test("a heap of many events stays in order", async () => {
  const scheduler = new Scheduler();
  const times: number[] = [];
  for (let i = 0; i < 2_000; i++) {
    const time = (i * 7_919) % 2_003;
    scheduler.at(time, () => times.push(scheduler.nowUs));
  }
  await scheduler.run(10_000);
  expect(times).toHaveLength(2_000);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});
