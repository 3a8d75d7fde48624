import { describe, expect, it } from "vitest";
import type { JointConfig } from "./quorum/joint.ts";
import type { ConfirmedRead } from "./read-rounds.ts";
import { decodeRound, encodeRound, ReadRounds } from "./read-rounds.ts";

const VOTERS: JointConfig = { incoming: [1, 2, 3, 4, 5], outgoing: [] };

function request(name: number): { from: number; context: Uint8Array } {
  return { from: 1, context: Uint8Array.of(name) };
}

/** `from` acknowledges `round`; returns what that confirms. */
function acknowledge(
  reads: ReadRounds,
  from: number,
  round: number,
  voters = VOTERS,
): readonly ConfirmedRead[] {
  reads.acknowledge(from, round);
  return reads.takeConfirmed(voters);
}

function names(reads: readonly { request: { context: Uint8Array } }[]): (number | undefined)[] {
  return reads.map((read) => read.request.context[0]);
}

describe("read rounds (thesis, 6.4)", () => {
  it("are confirmed by a quorum, the leader included", () => {
    const reads = new ReadRounds();
    const round = reads.open(1, 7, request(1));
    expect(acknowledge(reads, 2, round)).toEqual([]);
    const confirmed = acknowledge(reads, 3, round);
    expect(confirmed.map(({ index }) => index)).toEqual([7]);
    expect(reads.pendingCount).toBe(0);
  });

  it("confirm all before them, in order, and none after", () => {
    const reads = new ReadRounds();
    reads.open(1, 7, request(1));
    const second = reads.open(1, 8, request(2));
    reads.open(1, 9, request(3));
    acknowledge(reads, 2, second);
    expect(names(acknowledge(reads, 3, second))).toEqual([1, 2]);
    expect(reads.newestPending()).toBe(3);
  });

  it("are not confirmed by answers to older rounds", () => {
    const reads = new ReadRounds();
    const first = reads.open(1, 7, request(1));
    reads.open(1, 8, request(1));
    acknowledge(reads, 2, first);
    expect(names(acknowledge(reads, 3, first))).toEqual([1]);
    expect(acknowledge(reads, 4, first)).toEqual([]);
    expect(acknowledge(reads, 5, first)).toEqual([]);
    expect(reads.pendingCount).toBe(1);
  });

  it("need both majorities of a joint configuration", () => {
    const joint = { incoming: [1, 2, 3], outgoing: [1, 4, 5] };
    const reads = new ReadRounds();
    const round = reads.open(1, 7, request(1));
    expect(acknowledge(reads, 2, round, joint)).toEqual([]);
    expect(acknowledge(reads, 3, round, joint)).toEqual([]);
    expect(names(acknowledge(reads, 4, round, joint))).toEqual([1]);
  });

  it("ignore rounds that were never opened, and answers of those who don't vote", () => {
    const reads = new ReadRounds();
    const round = reads.open(1, 7, request(1));
    expect(acknowledge(reads, 2, round + 1)).toEqual([]);
    expect(acknowledge(reads, 8, round)).toEqual([]);
    expect(acknowledge(reads, 9, round)).toEqual([]);
    expect(reads.pendingCount).toBe(1);
  });
});

describe("a new configuration", () => {
  it("may confirm with what has been acknowledged before", () => {
    const reads = new ReadRounds();
    const round = reads.open(1, 7, request(1));
    expect(acknowledge(reads, 2, round)).toEqual([]);
    expect(names(reads.takeConfirmed({ incoming: [1, 2, 3], outgoing: [] }))).toEqual([1]);
    expect(reads.acknowledge(2, round)).toBe(false);
  });
});

describe("a round's context", () => {
  it.each([1, 255, 2 ** 32, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER])("carries %i", (round) => {
    expect(decodeRound(encodeRound(round))).toBe(round);
  });

  it("is none for anything else", () => {
    expect(encodeRound(0)).toHaveLength(0);
    for (const bytes of [[], [1], [0, 0, 0, 0, 0, 0, 0, 0, 1], Array(8).fill(255)]) {
      expect(decodeRound(Uint8Array.from(bytes))).toBe(0);
    }
  });
});
