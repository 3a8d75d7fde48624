// The checkers of what a member promises to its peers, and of what a leader does by itself, on histories written by hand.
import {
  type ConfChangeSingle,
  EMPTY_CONF_STATE,
  type Entry,
  encodeConfChange,
  type HardState,
} from "@parley/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { Autopilot } from "../src/checkers/autopilot.ts";
import { CommitRule } from "../src/checkers/commit-rule.ts";
import { DurablePromises, type DurableState } from "../src/checkers/durable-promises.ts";
import { LeadershipTransfer } from "../src/checkers/leadership-transfer.ts";

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

  test("allows a leader that learns of a later term before it has written its commit index", () => {
    const checker = leaderOfTerm3();
    checker.onLogWrite(1, { hardState: hard(4, 2, 3), entries: [] });
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

describe("leadership transfer", () => {
  function twoLogs(): LeadershipTransfer {
    const checker = new LeadershipTransfer(report);
    checker.onLogWrite(1, { hardState: undefined, entries: [entry(1, 1), entry(2, 2)] });
    checker.onLogWrite(2, { hardState: undefined, entries: [entry(1, 1)] });
    return checker;
  }

  test("allows it to somebody who has the whole log, or got it with a copy", () => {
    const checker = twoLogs();
    checker.onLogWrite(2, { hardState: undefined, entries: [entry(2, 2)] });
    checker.onRaftMessageSent(message(1, 2, "MsgTimeoutNow", 2));
    checker.onInstalled(3, [entry(1, 1), entry(2, 2)]);
    checker.onRaftMessageSent(message(1, 3, "MsgTimeoutNow", 2));
    expect(found).toEqual([]);
  });

  test("allows it to somebody whose disk has just been lost", () => {
    const checker = twoLogs();
    checker.onRestart(2, []);
    checker.onWiped(2);
    checker.onRaftMessageSent(message(1, 2, "MsgTimeoutNow", 2));
    expect(found).toEqual([]);
  });

  test("catches one to somebody who lacks an entry, has another one, or has forgotten it", () => {
    const checker = twoLogs();
    checker.onRaftMessageSent(message(1, 2, "MsgTimeoutNow", 2));
    checker.onLogWrite(2, { hardState: undefined, entries: [entry(2, 1)] });
    checker.onRaftMessageSent(message(1, 2, "MsgTimeoutNow", 2));
    checker.onLogWrite(2, { hardState: undefined, entries: [entry(2, 2)] });
    checker.onRestart(2, [entry(1, 1)]);
    checker.onRaftMessageSent(message(1, 2, "MsgTimeoutNow", 2));
    expect(found).toHaveLength(3);
    expect(found[0]).toBe("r1 tells r2 to take over in term 2, whose log ends at 1 and lacks 2");
  });
});

describe("autopilot", () => {
  let nowUs = 0;
  let index = 0;

  function pilot(deadMs: number, voters = 3, durable = 9_000): Autopilot {
    nowUs = 0;
    const membership = {
      ...EMPTY_CONF_STATE,
      voters: Array.from({ length: voters }, (_, i) => i + 1),
      servers: [],
      nextRaftId: 9,
      lastChangeId: "",
    };
    const checker = new Autopilot(
      report,
      { deadMs, votersMin: 3 },
      () => nowUs,
      () => membership,
      () => durable,
    );
    checker.onApplied(1, { appliedIndex: 10_000, entries: [] });
    checker.onRaftMessage(message(3, 1, "MsgHeartbeatResp", 2));
    nowUs = 3_000_000;
    return checker;
  }

  function written(...changes: ConfChangeSingle[]) {
    index += 1;
    const change = { version: 2, transition: "auto", changes, context: new Uint8Array(0) } as const;
    const data = encodeConfChange(change);
    return {
      hardState: undefined,
      entries: [{ type: "EntryConfChangeV2", index, term: 2, data }] as const,
    };
  }

  const exchange = () =>
    written({ kind: "add-learner", nodeId: 3 }, { kind: "add-voter", nodeId: 4 });

  test("allows a spare that has caught up the vote of somebody who was silent for long enough", () => {
    pilot(3_000).onLogWrite(1, exchange());
    expect(found).toEqual([]);
  });

  test("leaves what operators ask for alone", () => {
    const checker = pilot(0);
    checker.onLogWrite(1, written({ kind: "add-learner", nodeId: 3 }));
    checker.onLogWrite(1, written({ kind: "remove", nodeId: 3 }, { kind: "add-voter", nodeId: 4 }));
    expect(found).toEqual([]);
  });

  test("catches a vote that is taken too early, or where it is not to be taken, and tells it once", () => {
    const early = exchange();
    const checker = pilot(5_000);
    checker.onLogWrite(1, early);
    checker.onLogWrite(2, early);
    pilot(0).onLogWrite(1, exchange());
    expect(found).toHaveLength(2);
    expect(found[0]).toContain("heard of it 3000 ms ago");
  });

  test("catches too few voters, and a spare that lacks too much", () => {
    pilot(3_000, 2).onLogWrite(1, exchange());
    pilot(3_000, 3, 8_000).onLogWrite(1, exchange());
    pilot(3_000, 3, 0).onLogWrite(1, exchange());
    expect(found).toHaveLength(3);
    expect(found[0]).toContain("with 2 voters");
    expect(found[1]).toContain("whose log ends at 8000 of 10000");
  });
});
