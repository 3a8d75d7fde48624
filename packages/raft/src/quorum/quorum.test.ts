/** Majority and joint quorums against brute force over all sets of voters. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JointConfig } from "./joint.ts";
import { describeJoint, isVoter, jointCommitted, jointVote, jointVoters } from "./joint.ts";
import type { VoteResult } from "./majority.ts";
import { EVERYTHING, majorityCommitted, majorityOf, majorityVote } from "./majority.ts";

const voters = fc
  .uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 })
  .map((ids) => ids.sort((a, b) => a - b));
const acks = fc.array(fc.nat(6), { minLength: 10, maxLength: 10 });
const votes = fc.array(fc.option(fc.boolean(), { nil: undefined }), {
  minLength: 10,
  maxLength: 10,
});

/** The highest index that more than half of the voters reach, by trying all. */
function committedBruteForce(ids: readonly number[], ack: (id: number) => number): number {
  if (ids.length === 0) return EVERYTHING;
  for (let index = 6; index > 0; index--) {
    if (2 * ids.filter((id) => ack(id) >= index).length > ids.length) return index;
  }
  return 0;
}

/** What every completion of the missing votes comes to, if they agree. */
function voteBruteForce(
  config: JointConfig,
  vote: (id: number) => boolean | undefined,
): VoteResult {
  const missing = jointVoters(config).filter((id) => vote(id) === undefined);
  const outcomes = new Set<boolean>();
  for (let mask = 0; mask < 2 ** missing.length; mask++) {
    const granted = (id: number): boolean => vote(id) ?? (mask & (1 << missing.indexOf(id))) !== 0;
    const wins = (ids: readonly number[]): boolean =>
      ids.length === 0 || 2 * ids.filter(granted).length > ids.length;
    outcomes.add(wins(config.incoming) && wins(config.outgoing));
  }
  if (outcomes.size === 2) return "pending";
  return outcomes.has(true) ? "won" : "lost";
}

describe("a majority", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 4],
  ])("of %i is %i", (n, majority) => {
    expect(majorityOf(n)).toBe(majority);
  });

  it("commits what more than half of it has", () => {
    fc.assert(
      fc.property(voters, acks, (ids, indices) => {
        const ack = (id: number): number => indices[id] ?? 0;
        expect(majorityCommitted(ids, ack)).toBe(committedBruteForce(ids, ack));
      }),
    );
  });

  it("agrees to all when nobody is in it", () => {
    expect(majorityVote([], () => undefined)).toBe("won");
    expect(majorityCommitted([], () => 0)).toBe(EVERYTHING);
  });

  it.each([
    [[true, true, undefined], "won"],
    [[true, false, undefined], "pending"],
    [[true, undefined, undefined], "pending"],
    [[false, false, undefined], "lost"],
    [[true, true, false, false], "lost"],
    [[true, true, false, undefined], "pending"],
  ] as const)("%j: %s", (answers, expected) => {
    const ids = answers.map((_, i) => i + 1);
    expect(majorityVote(ids, (id) => answers[id - 1])).toBe(expected);
  });
});

describe("a joint quorum (thesis, 4.3)", () => {
  it("commits what both majorities have", () => {
    fc.assert(
      fc.property(voters, voters, acks, (incoming, outgoing, indices) => {
        const ack = (id: number): number => indices[id] ?? 0;
        expect(jointCommitted({ incoming, outgoing }, ack)).toBe(
          Math.min(committedBruteForce(incoming, ack), committedBruteForce(outgoing, ack)),
        );
      }),
    );
  });

  it("never commits less when somebody acknowledges more", () => {
    fc.assert(
      fc.property(voters, voters, acks, fc.nat(9), (incoming, outgoing, indices, who) => {
        const config = { incoming, outgoing };
        const before = jointCommitted(config, (id) => indices[id] ?? 0);
        const after = jointCommitted(config, (id) => (indices[id] ?? 0) + (id === who ? 1 : 0));
        expect(after).toBeGreaterThanOrEqual(before);
      }),
    );
  });

  it("is won, lost or open as all completions of the vote agree or not", () => {
    fc.assert(
      fc.property(voters, voters, votes, (incoming, outgoing, answers) => {
        const config = { incoming, outgoing };
        const vote = (id: number): boolean | undefined => answers[id];
        const expected = voteBruteForce(config, vote);
        const actual = jointVote(config, vote);
        // Two halves that depend on the same vote in different ways may be decided together and still be
        // reported as open, never the other way round.
        if (actual === "pending") expect(["pending", "lost"]).toContain(expected);
        else expect(actual).toBe(expected);
      }),
    );
  });

  it("names its voters once, in order", () => {
    const config = { incoming: [2, 3, 10], outgoing: [1, 2] };
    expect(jointVoters(config)).toEqual([1, 2, 3, 10]);
    expect([isVoter(config, 1), isVoter(config, 10), isVoter(config, 4)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(describeJoint(config)).toBe("(2 3 10)&&(1 2)");
    expect(describeJoint({ incoming: [1], outgoing: [] })).toBe("(1)");
  });
});
