// Who can go on alone while the membership changes: what one of them may not know of yet counts, and what one of them has in its log.
import type { Membership } from "@parley/node";
import { MemberRole } from "@parley/protocol";
import { encodeConfChange } from "@parley/raft";
import { expect, test } from "vitest";
import { canGoOnAlone, type Growth, smallestSet } from "../src/faults/quorum.ts";

const FOUNDERS = 5;

interface Made {
  readonly votersOutgoing?: readonly number[];
  /** Learners that are meant to vote. */
  readonly meant?: readonly number[];
  /** Learners that are not. */
  readonly spares?: readonly number[];
}

function made(
  voters: readonly number[],
  { votersOutgoing = [], meant = [], spares = [] }: Made = {},
) {
  const servers = [...voters, ...votersOutgoing, ...meant, ...spares].map((raftId) => ({
    ...{ raftId, nodeId: raftId },
    role: spares.includes(raftId) ? MemberRole.MEMBER_ROLE_LEARNER : MemberRole.MEMBER_ROLE_VOTER,
  }));
  const learners = [...meant, ...spares];
  return { voters, votersOutgoing, learners, servers } as unknown as Membership;
}

function growth(...history: readonly (readonly [index: number, membership: Membership])[]): Growth {
  const all = history.map(([index, membership]) => ({ index, membership }));
  return {
    founders: FOUNDERS,
    from: (index) => {
      const at = all.findLastIndex((one) => one.index <= index);
      return all.slice(Math.max(0, at));
    },
  };
}

const WITNESSES = [4, 5];

/** Servers that know up to `commit`, and have these changes after index 10. */
function servers(ids: readonly number[], commit = 10, changes: readonly Uint8Array[] = []) {
  const log = Array.from({ length: 10 }, () => ({ type: "EntryNormal", data: new Uint8Array(0) }));
  const last = changes.map((data) => ({ type: "EntryConfChangeV2", data }));
  const whole = [...log, ...last].map((entry, at) => ({ ...entry, term: 1, index: at + 1 }));
  return ids.map((id) => ({
    ...{ id, raftId: id, isWitness: WITNESSES.includes(id) },
    logDisk: { durableHardState: { commit }, wholeLog: () => whole as never },
  }));
}

test("a majority of the newest membership, with somebody who has the chat", () => {
  const still = growth([0, made([1, 2, 3, 4, 5])]);
  expect(canGoOnAlone(servers([1, 4, 5]), still)).toBe(true);
  expect(canGoOnAlone(servers([1, 2]), still)).toBe(false);
  expect(canGoOnAlone(servers([4, 5]), growth([0, made([1, 4, 5])]))).toBe(false);
});

test("a majority of each half while it is joint", () => {
  const joint = growth([0, made([1, 2, 3])], [8, made([1, 2, 6], { votersOutgoing: [1, 2, 3] })]);
  expect(canGoOnAlone(servers([1, 6]), joint)).toBe(false);
  expect(canGoOnAlone(servers([1, 2]), joint)).toBe(true);
  expect(canGoOnAlone(servers([1, 3, 6]), joint)).toBe(true);
});

test("whoever does not know of the newest one has to elect somebody by the one before", () => {
  const shrunk = growth([0, made([1, 2, 3, 4, 5])], [8, made([1, 2, 3])]);
  expect(canGoOnAlone(servers([1, 2], 8), shrunk)).toBe(true);
  expect(canGoOnAlone(servers([1, 2], 7), shrunk)).toBe(false);
  expect(canGoOnAlone(servers([1, 2, 4], 7), shrunk)).toBe(false);
  expect(canGoOnAlone(servers([1, 2, 3], 7), shrunk)).toBe(true);
});

test("what stands in a log may come to pass, and who is about to vote may be taken for alive", () => {
  const add = encodeConfChange({
    ...{ version: 2, transition: "auto", context: new Uint8Array(0) },
    changes: [{ kind: "add-voter", nodeId: 6 }],
  } as never);
  const still = growth([0, made([1, 2, 3], { spares: [6] })]);
  expect(canGoOnAlone(servers([1, 2], 10, [add]), still)).toBe(false);
  expect(canGoOnAlone(servers([1, 2, 6], 10, [add]), still)).toBe(true);
  const about = growth([0, made([1, 2, 3], { meant: [6] })]);
  expect(canGoOnAlone(servers([1, 2]), about)).toBe(false);
  expect(canGoOnAlone(servers([1, 2, 3]), about)).toBe(true);
  expect(canGoOnAlone(servers([1, 2, 6]), about)).toBe(true);
});

test("one of the first with the chat is among them, as clients know no others", () => {
  const moved = growth([0, made([1, 6, 7])]);
  expect(canGoOnAlone(servers([6, 7]), moved)).toBe(false);
  expect(canGoOnAlone(servers([1, 6]), moved)).toBe(true);
});

test("the smallest set has nobody who is not needed", () => {
  const isEnough = (some: readonly number[]) => some.includes(3) && some.length >= 2;
  expect(smallestSet([1, 2, 3, 4], isEnough)).toEqual([2, 3]);
  expect(smallestSet([3, 4, 1], isEnough)).toEqual([3, 4]);
  expect(smallestSet([1, 2, 4], isEnough)).toBeUndefined();
});
