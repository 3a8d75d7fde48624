// What of the members is told, and how often.
import { MemberRole } from "@parley/protocol";
import { expect, test } from "vitest";
import { HEARD_HOLD_MS, MemberViews } from "./member-views.ts";

const VOTER = MemberRole.MEMBER_ROLE_VOTER;
const member = (nodeId: number, heard: boolean, role: MemberRole = VOTER) => ({
  nodeId,
  role,
  heard,
});

test("a member that is first heard of is told of at once, and the list stays the same while nothing changes", () => {
  const views = new MemberViews();
  views.look([member(1, true), member(2, false)], 0);
  expect(views.now).toEqual([member(1, true), member(2, false)]);
  views.look([member(1, true), member(2, true)], 50);
  expect(views.now).toEqual([member(1, true), member(2, true)]);
  const { now } = views;
  views.look([member(1, true), member(2, true)], 100);
  expect(views.now).toBe(now);
});

test("one that comes and goes all the time is told of now and then, and as it is in the end", () => {
  const views = new MemberViews();
  let told = 0;
  let last = views.now;
  for (let nowMs = 0; nowMs < 10 * HEARD_HOLD_MS; nowMs += 50) {
    views.look([member(1, true), member(2, (nowMs / 50) % 2 === 0)], nowMs);
    if (views.now !== last) told += 1;
    last = views.now;
  }
  expect(told).toBeLessThanOrEqual(11);
  views.look([member(1, true), member(2, false)], 12 * HEARD_HOLD_MS);
  expect(views.now).toEqual([member(1, true), member(2, false)]);
});

test("a new role and a member that is gone are told at once", () => {
  const views = new MemberViews();
  views.look([member(1, true), member(2, true, MemberRole.MEMBER_ROLE_LEARNER)], 0);
  views.look([member(1, true), member(2, true)], 50);
  expect(views.now).toEqual([member(1, true), member(2, true)]);
  views.look([member(1, true)], 100);
  expect(views.now).toEqual([member(1, true)]);
});
