// The checkers of what a member promises to its peers, on histories written by hand.
import type { Entry, HardState } from "@parley/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { CommitRule } from "../src/checkers/commit-rule.ts";
import { DurablePromises, type DurableState } from "../src/checkers/durable-promises.ts";

let found: string[] = [];
const report = ({ detail }: { detail: string }): void => {
  found.push(detail);
};
beforeEach(() => {
  found = [];
});

function message(from: number, to: number, type: string, term: number, index = 0, commit = 0) {
  return { from, to, type, term, reject: false, index, commit };
}

function hard(term: number, vote: number, commit = 0): HardState {
  return { term, vote, commit };
}

function entry(index: number, term: number): Entry {
  return { type: "EntryNormal", index, term, data: new Uint8Array(0) };
}

describe("durable promises", () => {
  function checkerOf(hardState: HardState, lastIndex = 0): DurablePromises {
    const disk: DurableState = { hardState, lastIndex };
    return new DurablePromises(report, () => disk);
  }

  test("allows a vote and an acknowledgement that are on disk, and refusals of anything", () => {
    const checker = checkerOf(hard(3, 1), 8);
    checker.onRaftMessage(message(2, 1, "MsgVoteResp", 3));
    checker.onRaftMessage(message(2, 1, "MsgAppResp", 3, 8));
    checker.onRaftMessage({ ...message(2, 3, "MsgVoteResp", 3), reject: true });
    checker.onRaftMessage({ ...message(2, 3, "MsgAppResp", 3, 99), reject: true });
    expect(found).toEqual([]);
  });

  test("allows answers of an earlier term, whatever the disk holds now", () => {
    const checker = checkerOf(hard(5, 3), 2);
    checker.onRaftMessage(message(2, 1, "MsgVoteResp", 4));
    checker.onRaftMessage(message(2, 1, "MsgAppResp", 4, 9));
    expect(found).toEqual([]);
  });

  test("catches a vote that is not on disk, or is another one there", () => {
    checkerOf(hard(2, 1)).onRaftMessage(message(2, 1, "MsgVoteResp", 3));
    checkerOf(hard(3, 0)).onRaftMessage(message(2, 1, "MsgVoteResp", 3));
    checkerOf(hard(3, 3)).onRaftMessage(message(2, 1, "MsgVoteResp", 3));
    expect(found).toHaveLength(3);
  });

  test("catches an acknowledgement of what is not on disk", () => {
    checkerOf(hard(3, 1), 7).onRaftMessage(message(2, 1, "MsgAppResp", 3, 8));
    expect(found).toEqual([
      "node 2 acknowledged index 8 to 1 in term 3, but its disk ends at 7 in term 3",
    ]);
  });

  test("catches a vote, a term and a commit index that are taken back", () => {
    for (const [before, after] of [
      [hard(3, 1), hard(3, 2)],
      [hard(3, 1), hard(3, 0)],
      [hard(3, 1), hard(2, 1)],
      [hard(3, 1, 5), hard(3, 1, 4)],
    ] as const) {
      found = [];
      const checker = checkerOf(hard(0, 0));
      checker.onLogWrite(2, { hardState: before, entries: [] });
      expect(found).toEqual([]);
      checker.onLogWrite(2, { hardState: after, entries: [] });
      expect(found).toHaveLength(1);
    }
  });

  test("a restarted member goes on from what was durable, not from what it had written", () => {
    const checker = checkerOf(hard(3, 1, 5));
    checker.onLogWrite(2, { hardState: hard(4, 2, 9), entries: [] });
    checker.onRestart(2);
    checker.onLogWrite(2, { hardState: hard(3, 1, 6), entries: [] });
    expect(found).toEqual([]);
    checker.onRestart(2);
    checker.onLogWrite(2, { hardState: hard(3, 1, 4), entries: [] });
    expect(found).toEqual(["node 2 goes back from commit index 5 to 4"]);
  });
});

describe("commit rule", () => {
  function leaderOfTerm3(): CommitRule {
    const checker = new CommitRule(report);
    const entries = [entry(1, 1), entry(2, 2), entry(3, 3)];
    checker.onLogWrite(1, { hardState: hard(3, 1, 0), entries });
    return checker;
  }

  test("allows older entries to be committed along with one of the leader's term", () => {
    const checker = leaderOfTerm3();
    checker.onRaftMessage(message(1, 2, "MsgApp", 3, 3, 3));
    // A follower that is still behind commits part of it.
    checker.onLogWrite(2, { hardState: hard(3, 1, 1), entries: [entry(1, 1)] });
    expect(found).toEqual([]);
  });

  test("catches an older entry that is committed by counting", () => {
    leaderOfTerm3().onRaftMessage(message(1, 2, "MsgApp", 3, 3, 2));
    leaderOfTerm3().onLogWrite(1, { hardState: hard(3, 1, 2), entries: [] });
    expect(found).toEqual([
      "node 1 committed index 2 in term 3, where it has an entry of term 2",
      "node 1 committed index 2 in term 3, where it has an entry of term 2",
    ]);
  });

  test("allows a heartbeat whose commit index stops where the follower matches", () => {
    const checker = leaderOfTerm3();
    checker.onRaftMessage(message(1, 2, "MsgHeartbeat", 3, 0, 2));
    checker.onLogWrite(2, { hardState: hard(3, 1, 2), entries: [entry(1, 1), entry(2, 2)] });
    expect(found).toEqual([]);
  });
});
