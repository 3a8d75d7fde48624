import { Member } from "@parley/protocol";
import { expect, test } from "vitest";
import { CatchUp } from "./catch-up-progress.ts";

const MIB = 1024 * 1024;

function learner(fields: Partial<Member>): Member {
  return Member.fromPartial({ id: 4, healthy: true, ...fields });
}

test("a server that nobody has reached is not said to be catching up", () => {
  const progress = new CatchUp();
  expect(progress.describe(learner({ healthy: false }), 5_000, 0)).toBe(
    "server 4: not in contact with the leader yet",
  );
  expect(progress.isCaughtUp).toBe(false);
});

test("while a copy is on its way, its bytes tell how fast it goes", () => {
  const progress = new CatchUp();
  const at = (bytesToGo: number, ms: number) =>
    progress.describe(learner({ bytesToGo }), 5_000, ms);
  expect(at(40 * MIB, 0)).toBe("server 4: 5000 of 5000 entries (40.0 MiB) to go, 0 KiB a second");
  expect(at(32 * MIB, 1_000)).toBe(
    "server 4: 5000 of 5000 entries (32.0 MiB) to go, 8.0 MiB a second, 4 s left",
  );
  // A moment without progress does not make the time left leap.
  expect(at(32 * MIB, 2_000)).toContain("5.6 MiB a second, 6 s left");
});

test("an answer that does not know the bytes is no progress", () => {
  const progress = new CatchUp();
  const at = (bytesToGo: number, ms: number) =>
    progress.describe(learner({ bytesToGo }), 5_000, ms);
  at(40 * MIB, 0);
  at(32 * MIB, 1_000);
  expect(at(0, 1_500)).toBe("server 4: 5000 of 5000 entries to go, 0 a second");
  expect(at(24 * MIB, 2_000)).toContain("8.0 MiB a second, 3 s left");
});

test("a leader that tells no bytes is judged by entries", () => {
  const progress = new CatchUp();
  progress.describe(learner({ matchIndex: 1_000 }), 5_000, 0);
  expect(progress.describe(learner({ matchIndex: 2_000 }), 5_000, 500)).toBe(
    "server 4: 3000 of 5000 entries to go, 2000 a second, 2 s left",
  );
});

test("what is added meanwhile does not make the rate negative, and close is close enough", () => {
  const progress = new CatchUp();
  progress.describe(learner({ matchIndex: 1_000, bytesToGo: MIB }), 5_000, 0);
  const text = progress.describe(learner({ matchIndex: 1_000, bytesToGo: 2 * MIB }), 9_000, 1_000);
  expect(text).toBe("server 4: 8000 of 9000 entries (2.0 MiB) to go, 0 KiB a second");
  expect(progress.describe(learner({ matchIndex: 8_950, bytesToGo: 900 }), 9_000, 2_000)).toBe(
    "server 4: has caught up (50 entries behind)",
  );
  expect(progress.isCaughtUp).toBe(true);
});
