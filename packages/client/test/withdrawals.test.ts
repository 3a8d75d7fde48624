// What was taken back is deleted a few at a time, all of it, and without haste where ids do not count.
import { ParleyError } from "@parley/protocol";
import { expect, test } from "vitest";
import type { Entry } from "../src/room-queue.ts";
import { DELETIONS_AT_ONCE, Withdrawals } from "../src/withdrawals.ts";
import { VirtualClock } from "./virtual-world.ts";

function world(count: number, answer: (seq: number) => Promise<unknown>) {
  const clock = new VirtualClock();
  const entries = new Set<Entry>();
  for (let seq = 1; seq <= count; seq += 1) {
    const item = { roomId: 1, withdrawal: { seq, requestId: "" } };
    entries.add({ item, attempts: 0, state: "deleting" } as unknown as Entry);
  }
  const asked: string[] = [];
  const refused: string[] = [];
  let ids = 0;
  const withdrawals = new Withdrawals({
    clock,
    random: { int: () => 0 },
    newRequestId: () => {
      ids += 1;
      return `id ${ids}`;
    },
    save: async () => {},
    deleteMessage: (_, seq, requestId) => {
      asked.push(requestId);
      return answer(seq);
    },
    due: () => [...entries].filter(({ state }) => state === "deleting"),
    onDone: (entry) => entries.delete(entry),
    onRefused: (entry, { reason }) => {
      entry.state = "failed";
      refused.push(reason);
    },
  });
  return { clock, entries, asked, refused, withdrawals };
}

test("P11: however many were taken back, a few are asked for at once, and all in the end, also beside one that is refused", async () => {
  let [running, most] = [0, 0];
  const { clock, entries, asked, refused, withdrawals } = world(100, async (seq) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => clock.after(10, resolve));
    running -= 1;
    if (seq === 3) throw new ParleyError("NOT_A_MEMBER", "gone");
  });
  withdrawals.wake();
  await clock.advance(1_000);
  expect(most).toBe(DELETIONS_AT_ONCE);
  expect(new Set(asked).size).toBe(100);
  expect(refused).toEqual(["NOT_A_MEMBER"]);
  expect(entries.size).toBe(1);
});

test("a request id that has expired is replaced, after a pause that grows", async () => {
  const { clock, asked, withdrawals } = world(1, async () => {
    throw new ParleyError("ID_EXPIRED", "too old");
  });
  withdrawals.wake();
  await clock.advance(60_000);
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.length).toBeLessThan(200);
  expect(new Set(asked).size).toBe(asked.length);
  withdrawals.stop();
});
