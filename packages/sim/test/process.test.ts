import { expect, test } from "vitest";
import { MachineClock, ProcessClock } from "../src/world/clock.ts";
import { Prng } from "../src/world/prng.ts";
import { VirtualProcess } from "../src/world/process.ts";
import { Scheduler } from "../src/world/scheduler.ts";

function machine() {
  const scheduler = new Scheduler();
  const process = new VirtualProcess("p", scheduler);
  const clock = new MachineClock(scheduler, new Prng(1), { driftPpmMax: 500, wallSkewMsMax: 0 });
  return { scheduler, process, clock, port: new ProcessClock(clock, scheduler, process) };
}

test("a dead process hears nothing more", async () => {
  const { scheduler, process, port } = machine();
  let fired = false;
  port.after(5, () => {
    fired = true;
  });
  process.kill();
  await scheduler.run(100_000);
  expect(fired).toBe(false);
});

test("a paused process hears everything when it goes on, in order, then what is new", async () => {
  const { scheduler, process } = machine();
  const seen: number[] = [];
  process.pause();
  for (const n of [1, 2, 3]) scheduler.at(n * 10, () => process.deliver(() => seen.push(n)));
  await scheduler.run(100);
  expect(seen).toEqual([]);
  expect(process.backlog).toBe(3);
  process.resume();
  process.deliver(() => seen.push(4));
  await scheduler.run(200);
  expect(seen).toEqual([1, 2, 3, 4]);
});

test("a slow process takes its time for each callback", async () => {
  const { scheduler, process } = machine();
  const times: number[] = [];
  process.slowDown(1_000);
  for (let i = 0; i < 3; i++) process.deliver(() => times.push(scheduler.nowUs));
  await scheduler.run(10_000);
  expect(times).toEqual([1_000, 2_000, 3_000]);
});

test("timers never fire early on the process's own clock, asleep or not", async () => {
  const { scheduler, process, clock, port } = machine();
  const begun = port.monotonicMs();
  let firedAt = 0;
  port.after(100, () => {
    firedAt = port.monotonicMs();
  });
  await scheduler.run(20_000);
  clock.suspend();
  process.pause();
  await scheduler.run(5_000_000);
  clock.wake();
  process.resume();
  await scheduler.run(5_050_000);
  expect(firedAt).toBe(0);
  await scheduler.run(5_200_000);
  expect(firedAt - begun).toBeGreaterThanOrEqual(99.98);
});

test("the wall clock jumps, the monotonic one does not", async () => {
  const { scheduler, clock } = machine();
  await scheduler.run(1_000_000);
  const wall = clock.wallMs();
  const monotonic = clock.monotonicMs();
  clock.jumpWall(-3_600_000);
  expect(clock.wallMs()).toBe(wall - 3_600_000);
  expect(clock.monotonicMs()).toBe(monotonic);
});
