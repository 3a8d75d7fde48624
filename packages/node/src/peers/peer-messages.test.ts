// P11: what a peer says is bounded before it moves the core.
import { RaftMessage } from "@parley/protocol";
import { expect, test } from "vitest";
import { judgePeerMessage } from "./peer-messages.ts";

const PEER = 2;
const SELF = 1;
const follower = { term: 5, state: "StateFollower", lastIndex: 100 } as const;
const leader = { ...follower, state: "StateLeader" } as const;

/** Wire numbers of the types (raft-codec.ts). */
const TYPE = { prop: 0, append: 1, ack: 2, vote: 3, snapshot: 7, heartbeat: 8, readIndex: 12 };

function judge(
  fields: Partial<RaftMessage>,
  raft: Parameters<typeof judgePeerMessage>[3] = follower,
) {
  const wire = RaftMessage.fromPartial({ from: PEER, to: SELF, term: 5, ...fields });
  // As it comes off the wire.
  const message = RaftMessage.decode(RaftMessage.encode(wire).finish());
  const judged = judgePeerMessage(message, PEER, SELF, raft);
  if (judged.kind === "ignored") return "ignored";
  return judged.kind === "message" ? judged.message.type : judged.problem;
}

const entry = (index: number, term = 5) => ({ index, term, type: 0, data: new Uint8Array(1) });

test("what correct peers send reaches the core, late and early", () => {
  expect(judge({ type: TYPE.append, index: 100, logTerm: 5, entries: [entry(101)] })).toBe(
    "MsgApp",
  );
  expect(judge({ type: TYPE.heartbeat, commit: 100 })).toBe("MsgHeartbeat");
  expect(judge({ type: TYPE.vote, term: 6, index: 90, logTerm: 5 })).toBe("MsgVote");
  expect(judge({ type: TYPE.heartbeat, term: 1 })).toBe("MsgHeartbeat");
  expect(judge({ type: TYPE.heartbeat, term: 5_000_000 })).toBe("MsgHeartbeat");
  expect(judge({ type: TYPE.readIndex, term: 0 }, leader)).toBe("MsgReadIndex");
  expect(judge({ type: TYPE.ack, index: 100 }, leader)).toBe("MsgAppResp");
  // A rejection names what was asked for, which may be gone by now; so may another term's acknowledgement.
  expect(judge({ type: TYPE.ack, index: 200, reject: true }, leader)).toBe("MsgAppResp");
  expect(judge({ type: TYPE.ack, index: 200, term: 4 }, leader)).toBe("MsgAppResp");
  expect(judge({ type: TYPE.ack, index: 200 }, follower)).toBe("MsgAppResp");
});

test("a read that comes to a follower ends there, and is no fault of who asked", () => {
  expect(judge({ type: TYPE.readIndex, term: 0 })).toBe("ignored");
  expect(judge({ type: TYPE.readIndex, term: 0, from: 3 })).toContain("from 3");
});

test("what nobody sends does not", () => {
  expect(judge({ type: 99 })).toContain("malformed");
  expect(judge({ type: 0xffff_ffff })).toContain("malformed");
  expect(judge({ type: TYPE.heartbeat, from: 3 })).toContain("from 3");
  expect(judge({ type: TYPE.heartbeat, to: 3 })).toContain("to 3");
  expect(judge({ type: TYPE.prop, term: 0, entries: [entry(0)] })).toContain("proposal");
  const snapshot = { index: 9, term: 1, confState: { voters: [1, 2, 3] } };
  expect(judge(RaftMessage.fromPartial({ type: TYPE.snapshot, snapshot }))).not.toBe("MsgSnap");
  expect(judge({ type: TYPE.ack, index: 101 }, leader)).toContain("after the leader's last");
  // Entries with a hole, and of a term above the sender's.
  for (const entries of [[entry(102)], [entry(101), entry(103)], [entry(101, 6)]]) {
    expect(judge({ type: TYPE.append, index: 100, logTerm: 5, entries })).toContain("malformed");
  }
});

test("numbers that no cluster reaches are refused: nothing leads back from the last term", () => {
  const absurd = [2 ** 32 + 106, 2 ** 48, Number.MAX_SAFE_INTEGER];
  for (const term of absurd) {
    for (const type of Object.values(TYPE)) {
      if (type === TYPE.prop || type === TYPE.snapshot) continue;
      expect(judge({ type, term }), `${type} of ${term}`).toContain(`of term ${term}`);
    }
  }
  for (const commit of absurd) {
    expect(judge({ type: TYPE.heartbeat, commit })).toContain(`commit index ${commit}`);
    expect(judge({ type: TYPE.append, index: 100, logTerm: 5, commit })).toContain("commit index");
  }
});
