// Each checker catches the defect that it is named after. The worlds of `src/mutants` plant such defects
// into running nodes; here the histories are written by hand.
import type { AppliedBatch, AppliedEntry, CommittedEntry } from "@parley/chat";
import type { Membership } from "@parley/node";
import {
  Command,
  Event,
  LIMITS,
  MemberRole,
  Message,
  OpenDirectResponse,
  Room,
  RoomMember,
  Error as WireError,
} from "@parley/protocol";
import type { Entry } from "@parley/raft";
import { beforeEach, describe, expect, test } from "vitest";
import { Blocking } from "../src/checkers/blocking.ts";
import { ElectionSafety } from "../src/checkers/election-safety.ts";
import { Files } from "../src/checkers/files.ts";
import { LeaderCompleteness } from "../src/checkers/leader-completeness.ts";
import { LogMatching } from "../src/checkers/log-matching.ts";
import { Muting } from "../src/checkers/muting.ts";
import { P1Durable } from "../src/checkers/p1-durable.ts";
import { P2Once } from "../src/checkers/p2-once.ts";
import { P3Order } from "../src/checkers/p3-order.ts";
import { P4NoGoingBack } from "../src/checkers/p4-no-going-back.ts";
import { P5Subscriptions } from "../src/checkers/p5-subscriptions.ts";
import { P7NoErrors } from "../src/checkers/p7-no-errors.ts";
import { majoritiesOverlap, P8SafeGrowth } from "../src/checkers/p8-safe-growth.ts";
import { P9Wiped } from "../src/checkers/p9-wiped.ts";
import { P11Bounded } from "../src/checkers/p11-bounded.ts";
import { PasswordLinks } from "../src/checkers/password-links.ts";
import { ReadReceiptsChecker } from "../src/checkers/read-receipts.ts";
import { Search } from "../src/checkers/search.ts";
import { StateMachineSafety } from "../src/checkers/state-machine-safety.ts";
import { TypingForMembers } from "../src/checkers/typing.ts";
import { UnreadCounts } from "../src/checkers/unread-counts.ts";
import { Coverage } from "../src/coverage.ts";
import type { FinalState, Operation, OperationKind, Outcome } from "../src/observer.ts";

let found: string[] = [];
const report = ({ detail }: { detail: string }): void => {
  found.push(detail);
};
beforeEach(() => {
  found = [];
});

// ---- Material ----------------------------------------------------------------------------------

const text = new TextEncoder();

function raftMessage(from: number, to: number, type: string, term: number, reject = false) {
  return { from, to, type, term, reject, index: 0, commit: 0 };
}

function entry(index: number, term: number, payload = ""): Entry {
  return { type: "EntryNormal", index, term, data: text.encode(payload) };
}

function write(...entries: Entry[]) {
  return { hardState: undefined, entries };
}

function committed(index: number, term: number, payload = ""): CommittedEntry {
  return { index, term, command: text.encode(payload) };
}

function batch(...entries: Partial<AppliedEntry>[]): AppliedBatch {
  const full = entries.map((one) => ({
    index: one.index ?? 0,
    term: one.term ?? 1,
    outcome: one.outcome ?? ({ kind: "empty" } as const),
    changes: one.changes ?? [],
    deliveries: one.deliveries ?? [],
  }));
  return { appliedIndex: full.at(-1)?.index ?? 0, entries: full };
}

function message(seq: number, fields: Partial<Message> = {}): Message {
  return Message.fromPartial({
    id: 100 + seq,
    roomId: 7,
    seq,
    authorId: 1,
    clientMessageId: `m${seq}`,
    body: `body ${seq}`,
    ...fields,
  });
}

const TWO = "2 unread, 1 mentions";

function final(...rooms: Message[][]): FinalState {
  return {
    nodes: rooms.map((messages, i) => ({
      nodeId: i + 1,
      appliedIndex: 200,
      hash: "h",
      rooms: new Map([[7, messages]]),
      files: new Map(),
      memberships: new Map([[1, new Map([[7, { starred: false, muted: false }]])]]),
      unread: new Map([[1, new Map([[7, { counted: TWO, told: TWO }]])]]),
    })),
  };
}

let nextOperation = 0;
function operation(kind: OperationKind, fields: Partial<Operation> = {}): Operation {
  nextOperation += 1;
  return {
    id: nextOperation,
    client: "c1",
    accountId: 1,
    kind,
    invokedAt: 10,
    invokedUs: 0,
    seenRevision: 0,
    ...fields,
  };
}

function sending(
  clientMessageId: string,
  client = "c1",
  files: readonly Uint8Array[] = [],
): Operation {
  return operation(
    { kind: "send", roomId: 7, clientMessageId, body: "", files, ordered: true },
    { client },
  );
}

function sent(of: Message): Outcome {
  return { kind: "sent", message: of, replicas: 2 };
}

// ---- Raft --------------------------------------------------------------------------------------

describe("Election Safety", () => {
  test("allows one leader a term, and the next one in the next term", () => {
    const checker = new ElectionSafety(report);
    checker.onRaftMessage(raftMessage(1, 2, "MsgHeartbeat", 3));
    checker.onRaftMessage(raftMessage(1, 3, "MsgApp", 3));
    checker.onRaftMessage(raftMessage(2, 3, "MsgApp", 4));
    checker.onRaftMessage(raftMessage(1, 3, "MsgApp", 3));
    expect(found).toEqual([]);
  });

  test("catches two leaders of one term", () => {
    const checker = new ElectionSafety(report);
    checker.onRaftMessage(raftMessage(1, 2, "MsgApp", 3));
    checker.onRaftMessage(raftMessage(2, 3, "MsgHeartbeat", 3));
    expect(found).toEqual(["nodes 1 and 2 both lead term 3"]);
  });

  test("catches a member that votes twice in a term", () => {
    const checker = new ElectionSafety(report);
    checker.onRaftMessage(raftMessage(3, 1, "MsgVoteResp", 5));
    checker.onRaftMessage(raftMessage(3, 1, "MsgVoteResp", 5));
    checker.onRaftMessage(raftMessage(3, 2, "MsgVoteResp", 5, true));
    checker.onRaftMessage(raftMessage(3, 2, "MsgPreVoteResp", 5));
    expect(found).toEqual([]);
    checker.onRaftMessage(raftMessage(3, 2, "MsgVoteResp", 5));
    expect(found).toEqual(["node 3 voted for 1 and for 2 in term 5"]);
  });
});

describe("Log Matching", () => {
  test("allows logs that differ in terms, and one that is overwritten", () => {
    const checker = new LogMatching(report);
    checker.onLogWrite(1, write(entry(1, 1, "a"), entry(2, 1, "b")));
    checker.onLogWrite(2, write(entry(1, 1, "a"), entry(2, 2, "c")));
    checker.onLogWrite(1, write(entry(2, 2, "c"), entry(3, 2, "d")));
    checker.onLogWrite(2, write(entry(3, 2, "d")));
    expect(found).toEqual([]);
  });

  test("catches another payload at the same index and term", () => {
    const checker = new LogMatching(report);
    checker.onLogWrite(1, write(entry(1, 1, "a")));
    checker.onLogWrite(2, write(entry(1, 1, "b")));
    expect(found[0]).toContain("another payload at index 1 of term 1");
  });

  test("catches another past before the same entry", () => {
    const checker = new LogMatching(report);
    checker.onLogWrite(1, write(entry(1, 1, "a"), entry(2, 3, "c")));
    checker.onLogWrite(2, write(entry(1, 2, "b"), entry(2, 3, "c")));
    expect(found[0]).toContain("term 2 before index 2 of term 3");
  });

  test("catches a hole, also after a crash took the tail away", () => {
    const checker = new LogMatching(report);
    checker.onLogWrite(1, write(entry(1, 1), entry(2, 1), entry(3, 1)));
    checker.onRestart(1, [entry(1, 1)]);
    checker.onLogWrite(1, write(entry(3, 1)));
    expect(found[0]).toContain("a hole");
  });
});

describe("Leader Completeness", () => {
  test("catches a leader without a committed entry", () => {
    const checker = new LeaderCompleteness(report);
    checker.onLogWrite(1, write(entry(1, 1), entry(2, 1)));
    checker.onLogWrite(2, write(entry(1, 1)));
    checker.onApplied(1, batch({ index: 2 }), [committed(1, 1), committed(2, 1)]);
    checker.onRaftMessage(raftMessage(1, 2, "MsgApp", 2));
    expect(found).toEqual([]);
    checker.onRaftMessage(raftMessage(2, 1, "MsgApp", 3));
    expect(found[0]).toContain("node 2 leads term 3 with nothing at index 2");
  });

  test("catches an older entry that is committed behind the leader's back", () => {
    const checker = new LeaderCompleteness(report);
    checker.onLogWrite(1, write(entry(1, 1), entry(2, 1)));
    checker.onLogWrite(2, write(entry(1, 1), entry(2, 2)));
    checker.onRaftMessage(raftMessage(2, 1, "MsgApp", 2));
    checker.onApplied(1, batch({ index: 2 }), [committed(1, 1), committed(2, 1)]);
    expect(found[0]).toContain("node 2 leads term 2 with an entry of term 2 at index 2");
  });

  test("does not mistake a late frame of a leader that has crashed for leadership", () => {
    const checker = new LeaderCompleteness(report);
    checker.onLogWrite(1, {
      hardState: { term: 2, vote: 1, commit: 0 },
      entries: [entry(1, 1), entry(2, 1)],
    });
    checker.onApplied(2, batch({ index: 2 }), [committed(1, 1), committed(2, 1)]);
    checker.onRestart(1, [entry(1, 1)]);
    checker.onRaftMessage(raftMessage(1, 2, "MsgApp", 2));
    expect(found).toEqual([]);
  });
});

describe("State Machine Safety", () => {
  test("catches another command at the same index", () => {
    const checker = new StateMachineSafety(report);
    checker.onApplied(1, batch({ index: 1 }), [committed(1, 1, "a")], "x");
    checker.onApplied(2, batch({ index: 1 }), [committed(1, 1, "b")], "x");
    expect(found[0]).toContain("another command at index 1");
  });

  test("catches another state after the same commands", () => {
    const checker = new StateMachineSafety(report);
    checker.onApplied(1, batch({ index: 1 }), [committed(1, 1, "a")], "x");
    checker.onApplied(2, batch({ index: 1 }), [committed(1, 1, "a")], "y");
    expect(found[0]).toContain("another state at index 1");
  });

  test("catches an index that is skipped or applied again, but for a rolled back file", () => {
    const checker = new StateMachineSafety(report);
    checker.onApplied(1, batch({ index: 2 }), [committed(1, 1), committed(2, 1)], "x");
    checker.reopened(1, 1);
    checker.onApplied(1, batch({ index: 2 }), [committed(2, 1)], "x");
    expect(found).toEqual([]);
    checker.onApplied(1, batch({ index: 4 }), [committed(4, 1)], "z");
    expect(found[0]).toContain("applied index 4 after 2");
  });
});

// ---- The promises ------------------------------------------------------------------------------

describe("P1 durable", () => {
  test("catches an acknowledgement before a majority has it on disk", () => {
    const copies = new Map([
      [101, 2],
      [102, 1],
    ]);
    const copiesOf = (index: number) => ({ copies: copies.get(index) ?? 0, needed: 2 });
    const checker = new P1Durable(report, copiesOf, () => 3);
    checker.onOutcome(sending("m1"), sent(message(1)));
    expect(found).toEqual([]);
    checker.onOutcome(sending("m2"), sent(message(2)));
    expect(found[0]).toContain("message 102 was acknowledged to c1 with 1 durable copies of 2");
  });

  test("catches ticks that tell of more disks than there are", () => {
    const copiesOf = () => ({ copies: 2, needed: 2 });
    const checker = new P1Durable(report, copiesOf, (index) => (index === 101 ? 3 : 2));
    checker.onSpread("c1", 101, 3);
    checker.onSpread("c1", 102, 2);
    expect(found).toEqual([]);
    checker.onSpread("c1", 102, 3);
    expect(found[0]).toContain("c1 shows message 102 on 3 disks, and it is on 2");
  });

  test("catches a lost message on any node, and one that moved", () => {
    for (const lost of [[message(1)], [message(1), message(2, { clientMessageId: "other" })]]) {
      found = [];
      const checker = new P1Durable(
        report,
        () => ({ copies: 3, needed: 2 }),
        () => 3,
      );
      checker.onOutcome(sending("m2"), sent(message(2)));
      checker.atEnd(final([message(1), message(2)], lost));
      expect(found[0]).toContain("acknowledged as room 7 seq 2, is not there on node 2");
    }
  });
});

describe("P2 once", () => {
  const response = text.encode("first");
  function command(requestId: string): Uint8Array {
    return Command.encode(
      Command.fromPartial({
        version: 1,
        accountId: 1,
        requestId,
        op: { $case: "joinRoom", value: { roomId: 7 } },
      }),
    ).finish();
  }
  const delivery = {
    audience: { kind: "everyone" } as const,
    event: new Uint8Array(0),
  };

  test("allows a retry that does nothing and gets the first result", () => {
    const checker = new P2Once(report);
    const entries = [1, 2].map((index) => ({ index, term: 1, command: command("r") }));
    checker.onApplied(
      1,
      batch(
        { index: 1, outcome: { kind: "ok", response }, deliveries: [delivery] },
        { index: 2, outcome: { kind: "ok", response } },
      ),
      entries,
    );
    expect(found).toEqual([]);
    expect(checker.repeated).toBe(1);
  });

  test("catches a request that is executed twice", () => {
    const checker = new P2Once(report);
    const entries = [1, 2].map((index) => ({ index, term: 1, command: command("r") }));
    checker.onApplied(
      1,
      batch(
        { index: 1, outcome: { kind: "ok", response }, deliveries: [delivery] },
        { index: 2, outcome: { kind: "ok", response }, deliveries: [delivery] },
      ),
      entries,
    );
    expect(found[0]).toContain("was executed at index 1 and again at 2");
  });

  test("catches a retry with another result", () => {
    const checker = new P2Once(report);
    const entries = [1, 2].map((index) => ({ index, term: 1, command: command("r") }));
    checker.onApplied(
      1,
      batch(
        { index: 1, outcome: { kind: "ok", response } },
        { index: 2, outcome: { kind: "ok", response: text.encode("second") } },
      ),
      entries,
    );
    expect(found[0]).toContain("got another result");
  });

  test("catches an id that is answered with two messages", () => {
    const checker = new P2Once(report);
    checker.onOutcome(sending("m"), sent(message(1, { clientMessageId: "m" })));
    checker.onOutcome(sending("m", "intruder"), sent(message(2, { clientMessageId: "m" })));
    expect(found[0]).toContain("was answered with");
  });

  test("catches an id that is stored twice", () => {
    const checker = new P2Once(report);
    checker.atEnd(
      final([message(1, { clientMessageId: "m" }), message(2, { clientMessageId: "m" })]),
    );
    expect(found[0]).toContain("stores 1 m twice");
  });
});

describe("P3 order", () => {
  test("catches a gap in a room", () => {
    new P3Order(report).atEnd(final([message(1), message(3)]));
    expect(found[0]).toContain("has seq 3 where 2 is due");
  });

  test("catches another order on another node", () => {
    const swapped = [message(1, { id: 102 }), message(2, { id: 101 })];
    new P3Order(report).atEnd(final([message(1), message(2)], swapped));
    expect(found[0]).toContain("in another order on node 2");
  });

  test("catches a sender's messages in the wrong order, leaving out what was refused", () => {
    const stored = [message(1), message(2), message(3)];
    const right = new P3Order(report);
    for (const id of ["m1", "gone", "m2", "m3"]) right.onInvoke(sending(id));
    right.atEnd(final(stored));
    expect(found).toEqual([]);
    const wrong = new P3Order(report);
    for (const id of ["m1", "m3", "m2"]) wrong.onInvoke(sending(id));
    wrong.atEnd(final(stored));
    expect(found[0]).toContain("message m2 stands at seq 2, before an earlier one at 3");
  });

  test("asks no order of a message that its sender has lost", () => {
    const checker = new P3Order(report);
    const lost = sending("m2");
    checker.onInvoke(lost);
    checker.onOutcome(lost, { kind: "unknown", reason: "the client was killed" });
    checker.onInvoke(sending("m1"));
    checker.atEnd(final([message(1), message(2)]));
    expect(found).toEqual([]);
  });
});

describe("P4 no going back", () => {
  const history = (linearizable: boolean): OperationKind => ({
    kind: "history",
    roomId: 7,
    linearizable,
  });
  function shown(revision: number, lastSeq: number, messages: Message[] = []): Outcome {
    return { kind: "read", revision, stale: false, messages, lastSeq };
  }

  test("catches a read that is older than what the client has seen, unless it is marked", () => {
    const checker = new P4NoGoingBack(report);
    const asked = operation(history(false), { seenRevision: 50 });
    checker.onOutcome(asked, shown(50, 1), 20);
    checker.onOutcome(asked, { ...shown(49, 1), kind: "read", stale: true } as Outcome, 21);
    expect(found).toEqual([]);
    checker.onOutcome(asked, shown(49, 1), 22);
    expect(found[0]).toContain("had seen revision 50 and was shown 49");
  });

  test("catches a linearizable read that misses what was acknowledged before it began", () => {
    const checker = new P4NoGoingBack(report);
    checker.onOutcome(sending("m1"), sent(message(1)), 5);
    const before = operation(history(true), { invokedAt: 4 });
    checker.onOutcome(before, shown(90, 0), 9);
    expect(found).toEqual([]);
    const after = operation(history(true), { invokedAt: 6 });
    checker.onOutcome(after, shown(100, 1), 9);
    expect(found[0]).toContain("saw revision 100, but 101 had been acknowledged");
    found = [];
    checker.onOutcome(after, shown(101, 0), 9);
    expect(found[0]).toContain("up to seq 0, but 1 had been acknowledged");
  });

  test("catches two messages in one place, and a page with a gap", () => {
    const checker = new P4NoGoingBack(report);
    const asked = operation(history(false));
    checker.onOutcome(asked, shown(110, 2, [message(1), message(2)]), 20);
    checker.onOutcome(asked, shown(111, 2, [message(2, { id: 999 })]), 21);
    expect(found[0]).toContain("was shown as 102 m2 and as 999 m2");
    found = [];
    checker.onOutcome(asked, shown(112, 4, [message(3), message(5)]), 22);
    expect(found[0]).toContain("goes from seq 3 to 5");
  });
});

describe("unread counts", () => {
  const counts = (counted: string, told: string): FinalState => ({
    nodes: final([]).nodes.map((node) => ({
      ...node,
      unread: new Map([[1, new Map([[7, { counted, told }]])]]),
    })),
  });
  const said = (seq: number, fields: Partial<Message>): Event["event"] => ({
    $case: "message",
    value: message(seq, { authorId: 2, ...fields }),
  });
  function subscribed(...events: Event["event"][]): UnreadCounts {
    const checker = new UnreadCounts(report, new Coverage());
    const room = Room.fromPartial({ id: 7 });
    const all = [{ $case: "roomReset", value: { room } } as const, ...events];
    for (const [i, event] of all.entries()) {
      checker.onSubscription("c1", 1, { kind: "event", event: { revision: 100 + i, event } });
    }
    return checker;
  }

  test("allows what adds up, a reply in a thread only for who follows it", () => {
    const thread = { threadRootSeq: 1, readSeq: 1, unreadCount: 0, mentionCount: 0 };
    const marker = {
      $case: "threadMarker",
      value: { roomId: 7, following: true, thread },
    } as const;
    const reply = said(2, { threadRootSeq: 1, mentions: [1] });
    subscribed(said(1, {}), marker, reply).atEnd(counts(TWO, TWO));
    const one = "1 unread, 0 mentions";
    subscribed(said(1, {}), reply).atEnd(counts(one, one));
    expect(found).toEqual([]);
  });

  test("catches a node that counts otherwise than its tables, and events that do not add up", () => {
    subscribed(said(1, {}), said(2, { mentions: [1] })).atEnd(counts(TWO, "3 unread, 1 mentions"));
    expect(found[0]).toContain("tells account 1 of 3 unread");
    found = [];
    subscribed(said(1, {})).atEnd(counts(TWO, TWO));
    expect(found[0]).toContain("add up to 1 unread, 0 mentions in room 7");
  });
});

describe("P5 no gap", () => {
  function told(checker: P5Subscriptions, event: Event["event"], revision: number): void {
    checker.onSubscription("c1", 1, { kind: "event", event: { revision, event } });
  }
  function delivered(checker: P5Subscriptions, of: Message): void {
    told(checker, { $case: "message", value: of }, of.id);
  }
  const all = [message(1), message(2), message(3)];
  /** A subscriber who has been in the room since before its first message. */
  function joined(): P5Subscriptions {
    const checker = new P5Subscriptions(report);
    told(checker, { $case: "roomReset", value: { room: Room.fromPartial({ id: 7 }) } }, 100);
    return checker;
  }

  test("allows a whole subscription, and one that begins by joining", () => {
    const whole = joined();
    for (const one of all) delivered(whole, one);
    whole.atEnd(final(all));
    const late = new P5Subscriptions(report);
    told(late, { $case: "roomReset", value: { room: Room.fromPartial({ id: 7 }) } }, 102);
    delivered(late, message(3));
    late.atEnd(final(all));
    expect(found).toEqual([]);
  });

  test("catches a message that is missed, or delivered twice", () => {
    const gap = joined();
    delivered(gap, message(1));
    delivered(gap, message(3));
    expect(found[0]).toContain("after a gap");
    found = [];
    const twice = joined();
    delivered(twice, message(1));
    delivered(twice, message(1));
    expect(found.join()).toContain("again or late");
  });

  test("catches a subscription that begins too late or ends too soon", () => {
    const late = joined();
    for (const one of all.slice(1)) delivered(late, one);
    late.atEnd(final(all));
    expect(found[0]).toContain("seq 1 was never delivered");
    found = [];
    const soon = joined();
    delivered(soon, message(1));
    soon.atEnd(final(all));
    expect(found[0]).toContain("seq 2 was never delivered");
  });

  test("catches a change that never came", () => {
    const checker = joined();
    for (const one of all) delivered(checker, one);
    checker.atEnd(final([message(1), message(2, { deleted: true, body: "" }), message(3)]));
    expect(found[0]).toContain("seq 2 is not what history shows");
  });

  test("catches a room that one may not see, one that is missing, and one that stays", () => {
    delivered(new P5Subscriptions(report), message(1));
    expect(found[0]).toContain("which is not in the list");
    found = [];
    const other = new P5Subscriptions(report);
    told(other, { $case: "roomReset", value: { room: Room.fromPartial({ id: 8 }) } }, 1);
    other.atEnd(final([]));
    expect(found.join()).toContain("room 8 was never taken from the list");
    expect(found.join()).toContain("room 7 never appeared");
  });

  test("catches revisions that go back", () => {
    const checker = joined();
    delivered(checker, message(2));
    told(
      checker,
      { $case: "readMarker", value: { roomId: 7, seq: 1, unreadCount: 0, mentionCount: 0 } },
      50,
    );
    expect(found[0]).toContain("revision 50 after 102");
  });
});

test("P7 catches an error of the cluster that another attempt could cure, while it could be served", () => {
  let servedSince = 0;
  const checker = new P7NoErrors(
    report,
    (client) => client === "c1",
    () => servedSince,
    () => 30_000_000,
  );
  const write = operation({ kind: "write", name: "joinRoom", requestId: "r", fields: {} });
  checker.onOutcome(write, { kind: "refused", reason: "BANNED", detail: "" });
  servedSince = 29_000_000;
  checker.onOutcome(write, { kind: "refused", reason: "NO_QUORUM", detail: "" });
  checker.onOutcome(write, { kind: "unknown", reason: "DEADLINE_EXCEEDED" });
  expect(found).toEqual([]);
  servedSince = 0;
  checker.onOutcome(write, { kind: "refused", reason: "NO_QUORUM", detail: "" });
  checker.onOutcome(write, { kind: "unknown", reason: "DEADLINE_EXCEEDED" });
  expect(found).toHaveLength(2);
  servedSince = 29_000_000;
  checker.onOutcome(sending("m"), { kind: "refused", reason: "OUTCOME_UNKNOWN", detail: "" });
  expect(found).toHaveLength(3);
});

test("P11 catches a queue beyond its bound", () => {
  const checker = new P11Bounded(report);
  checker.sample(LIMITS.sessionBacklogBytesMax);
  expect(found).toEqual([]);
  checker.sample(LIMITS.sessionBacklogBytesMax + 2 * LIMITS.serverFrameBytesMax);
  expect(found[0]).toContain("bytes wait for a client");
});

describe("P8 safe growth", () => {
  function membership(voters: readonly number[], changes: Partial<Membership> = {}): Membership {
    const ids = [...voters, ...(changes.votersOutgoing ?? []), ...(changes.learners ?? [])];
    const servers = [...new Set(ids)].map((raftId) => ({
      nodeId: raftId,
      raftId,
      serverUuid: `disk ${raftId}`,
      address: `n${raftId}:7001`,
      httpAddress: "",
      role: MemberRole.MEMBER_ROLE_VOTER,
    }));
    return {
      voters,
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
      autoLeave: false,
      servers,
      nextRaftId: Math.max(...ids) + 1,
      lastChangeId: "",
      ...changes,
    };
  }

  test("takes growing by one, and a joint change on its way in and out", () => {
    const checker = new P8SafeGrowth(report, new Coverage());
    checker.onMembership(0, 0, membership([1, 2, 3]));
    checker.onMembership(1, 5, membership([1, 2, 3], { learners: [4] }));
    checker.onMembership(2, 5, membership([1, 2, 3], { learners: [4] }));
    checker.onMembership(1, 9, membership([1, 2, 3, 4]));
    checker.onMembership(1, 12, membership([1, 5, 6], { votersOutgoing: [1, 2, 3, 4] }));
    checker.onMembership(1, 13, membership([1, 5, 6]));
    expect(found).toEqual([]);
    expect(checker.candidates(12)).toHaveLength(2);
  });

  test("catches nodes that disagree, and a change that only one of them made", () => {
    const checker = new P8SafeGrowth(report, new Coverage());
    checker.onMembership(0, 0, membership([1, 2, 3]));
    checker.onMembership(1, 5, membership([1, 2, 3, 4]));
    checker.onMembership(2, 5, membership([1, 2, 3], { learners: [4] }));
    checker.onMembership(2, 4, membership([1, 2, 3]));
    expect(found[0]).toContain("node 2 has another membership as of index 5");
    expect(found[1]).toContain("at index 4, where others did not");
  });

  test("catches two voters exchanged at once, and a raft id that comes back", () => {
    const checker = new P8SafeGrowth(report, new Coverage());
    checker.onMembership(0, 0, membership([1, 2, 3]));
    checker.onMembership(1, 5, membership([1, 4, 5]));
    expect(found[0]).toContain("need not overlap");
    checker.onMembership(1, 6, membership([1, 4, 5], { learners: [2], nextRaftId: 6 }));
    expect(found[1]).toContain("raft id 2 comes back");
  });

  test("catches a vote for a server that has not caught up", () => {
    const durable = new Map([
      [4, 2_900],
      [5, 0],
    ]);
    const promoting = (raftId: number) => {
      const checker = new P8SafeGrowth(
        report,
        new Coverage(),
        () => 0,
        (id) => durable.get(id),
      );
      checker.onMembership(1, 10, membership([1, 2, 3], { learners: [raftId] }));
      checker.onMembership(1, 3_000, membership([1, 2, 3, raftId]));
    };
    promoting(4);
    expect(found).toEqual([]);
    promoting(5);
    expect(found[0]).toContain("r5 was promoted at index 3000 with a log that ends at 0");
    durable.set(4, 900);
    promoting(4);
    expect(found[1]).toContain("r4 was promoted at index 3000 with a log that ends at 900");
  });

  test("catches a copy that is offered with another membership than that of its index", () => {
    const checker = new P8SafeGrowth(report, new Coverage());
    const grown = membership([1, 2, 3], { learners: [4] });
    checker.onMembership(1, 0, membership([1, 2, 3]));
    checker.onMembership(1, 10, grown);
    checker.onMembership(1, 20, membership([1, 2, 3, 4]));
    checker.onCopyOffered({ from: "n1", index: 9, configurations: [membership([1, 2, 3])] });
    checker.onCopyOffered({ from: "n1", index: 19, configurations: [grown, grown] });
    expect(found).toEqual([]);
    const ahead = [grown, membership([1, 2, 3, 4])];
    checker.onCopyOffered({ from: "n1", index: 19, configurations: ahead });
    expect(found).toEqual([
      "n1 offers a copy as of index 19 with voters 1 2 3 4, not voters 1 2 3, learners 4",
    ]);
  });

  test("catches a leader that leads on after its removal, not one that says farewell", () => {
    const checker = new P8SafeGrowth(report, new Coverage());
    checker.onMembership(4, 0, membership([1, 2, 3, 4]));
    checker.onMembership(5, 0, membership([1, 2, 3, 4]));
    const beat = (from: number, times: number) => {
      for (let i = 0; i < times; i++) {
        checker.onRaftMessageSent(raftMessage(from, 1, "MsgHeartbeat", 2));
      }
    };
    beat(4, 100);
    // Not added yet when it applies this.
    beat(5, 100);
    checker.onMembership(4, 7, membership([1, 2, 3], { nextRaftId: 6 }));
    beat(4, 20);
    expect(found).toEqual([]);
    beat(4, 1);
    expect(found[0]).toContain("r4 leads on after its removal");
  });

  test("knows when majorities overlap", () => {
    const overlap = (a: number[], b: number[]) => majoritiesOverlap(new Set(a), new Set(b));
    expect(overlap([1, 2, 3], [1, 2, 3, 4])).toBe(true);
    expect(overlap([1, 2, 3], [1, 2])).toBe(true);
    expect(overlap([1, 2, 3, 4, 5], [1, 2, 3])).toBe(false);
    expect(overlap([1, 2, 3], [1, 2, 3, 4, 5])).toBe(false);
    expect(overlap([1], [2])).toBe(false);
  });
});

describe("P9 a wiped disk is a new server", () => {
  test("catches a word under a raft id whose disk was lost", () => {
    const checker = new P9Wiped(report);
    checker.onAdopted(3, "old disk");
    checker.onRaftMessageSent(raftMessage(3, 1, "MsgVoteResp", 4));
    checker.onWiped(3);
    checker.onAdopted(7, "new disk");
    checker.onRaftMessageSent(raftMessage(7, 1, "MsgVoteResp", 4));
    expect(found).toEqual([]);
    checker.onRaftMessageSent(raftMessage(3, 1, "MsgVoteResp", 4));
    expect(found[0]).toContain("MsgVoteResp of term 4 goes out under raft id 3");
  });

  test("catches a disk that takes up the raft id of another one", () => {
    const checker = new P9Wiped(report);
    checker.onAdopted(3, "old disk");
    checker.onWiped(3);
    checker.onAdopted(3, "new disk");
    expect(found[0]).toContain("takes up raft id 3");
  });
});

describe("typing is for members", () => {
  const ROOM = 7;
  const joins = (accountId: number, index: number) => {
    const member = {
      kind: "member",
      roomId: ROOM,
      accountId,
      role: 1,
      writeForbiddenUntilMs: 0,
    } as const;
    return { index, changes: [{ ...member, joinedRevision: index }] };
  };
  const leaves = (accountId: number, index: number) => ({
    index,
    changes: [{ kind: "member-removed", roomId: ROOM, accountId } as const],
  });
  /** Accounts 1 and 2 are in the room from revision 10 on; 2 leaves at 20. Both type, and so does 3, who is never in it. */
  function room(): TypingForMembers {
    const checker = new TypingForMembers(report, new Coverage());
    checker.onApplied(1, batch(joins(1, 10), joins(2, 11)));
    checker.onApplied(2, batch(joins(1, 10), joins(2, 11)));
    checker.onApplied(2, batch(leaves(2, 20)));
    // Of a node that is behind, this is not news.
    checker.onApplied(1, batch(leaves(2, 20)));
    for (const accountId of [1, 2, 3]) checker.onTypes(accountId, ROOM);
    return checker;
  }

  test("allows what a node may say that has not applied yet who left", () => {
    const checker = room();
    checker.onTypist("c1", 1, ROOM, 2, 15);
    checker.onTypist("c2", 2, ROOM, 1, 19);
    expect(found).toEqual([]);
  });

  test("catches a typist, and a subscriber, who had left before, or were never there", () => {
    const cases = [
      [1, 2, 20],
      [2, 1, 20],
      [1, 3, 0],
      [3, 1, 0],
    ] as const;
    for (const [accountId, typistId, seen] of cases) {
      found = [];
      room().onTypist("c", accountId, ROOM, typistId, seen);
      expect(found, `${accountId} of ${typistId}`).toHaveLength(1);
    }
  });

  test("catches what is told of two one of whom has blocked the other, either way about, until that is taken back", () => {
    const block = (index: number, blockedIds: readonly number[]) => ({
      index,
      changes: [{ kind: "blocked", accountId: 2, blockedIds } as const],
    });
    const checker = room();
    checker.onApplied(1, batch(joins(2, 30), block(40, [9, 1])));
    // A node that has not applied it yet.
    checker.onTypist("c1", 1, ROOM, 2, 35);
    expect(found).toEqual([]);
    checker.onTypist("c1", 1, ROOM, 2, 40);
    checker.onTypist("c2", 2, ROOM, 1, 45);
    expect(found).toHaveLength(2);
    checker.onApplied(1, batch(block(50, [9])));
    checker.onTypist("c1", 1, ROOM, 2, 45);
    checker.onTypist("c1", 1, ROOM, 2, 50);
    expect(found).toHaveLength(2);
  });

  test("catches a name that did not type, or one's own", () => {
    const silent = new TypingForMembers(report, new Coverage());
    silent.onApplied(1, batch(joins(1, 10), joins(2, 11)));
    silent.onTypes(2, ROOM + 1);
    silent.onTypist("c1", 1, ROOM, 2, 15);
    expect(found).toHaveLength(1);
    found = [];
    room().onTypist("c1", 1, ROOM, 1, 15);
    expect(found).toHaveLength(1);
  });
});

describe("read receipts", () => {
  const account = (index: number, accountId: number, readsHidden: boolean) => {
    const names = { username: "", usernameKey: "", displayName: "" };
    const rest = { owner: false, deleted: false, lastSeenMs: 0, credentialsRevision: 0 };
    return {
      index,
      changes: [{ kind: "account", accountId, readsHidden, ...names, ...rest } as const],
    };
  };
  const joins = (index: number, accountId: number) => {
    const member = { kind: "member", roomId: 7, accountId, role: 1 } as const;
    return { index, changes: [{ ...member, joinedRevision: index, writeForbiddenUntilMs: 0 }] };
  };
  /** Accounts 1 and 2 are in room 7; 2 has read up to 5, hides it from revision 20 on, and shows it again from 30 on. */
  function room(): ReadReceiptsChecker {
    const checker = new ReadReceiptsChecker(report, new Coverage());
    checker.onApplied(1, batch(joins(10, 1), joins(11, 2)));
    checker.onApplied(1, batch(account(20, 2, true), account(30, 2, false)));
    const kind = { kind: "write", name: "markRead", requestId: "" } as const;
    checker.onInvoke(operation({ ...kind, fields: { roomId: 7, seq: 5 } }, { accountId: 2 }));
    return checker;
  }
  const receipt = (seq: number, readerId = 2, roomId = 7) => ({ roomId, readerId, seq });

  test("allows what a node may tell that has not applied the choice yet, or its end already", () => {
    const checker = room();
    checker.onReceipt("c1", 1, receipt(5), 15);
    checker.onReceipt("c1", 1, receipt(5), 25);
    checker.onApplied(1, batch(account(40, 2, true)));
    checker.onReceipt("c1", 1, receipt(5), 39);
    expect(found).toEqual([]);
  });

  test("catches what is told of who hides it, to who hides it, of strangers, and further than was said", () => {
    const checker = room();
    checker.onApplied(1, batch(account(40, 2, true)));
    checker.onReceipt("c1", 1, receipt(5), 40);
    expect(found.splice(0)).toHaveLength(1);
    room().onReceipt("c1", 1, receipt(6), 31);
    expect(found.splice(0)).toHaveLength(1);
    const toHider = room();
    toHider.onApplied(1, batch(account(40, 1, true)));
    toHider.onReceipt("c1", 1, receipt(5), 40);
    expect(found.splice(0)).toHaveLength(1);
    room().onReceipt("c3", 3, receipt(5), 31);
    expect(found).toHaveLength(1);
  });

  test("catches what is told between two one of whom has blocked the other", () => {
    const blocks = (index: number, blockedIds: number[]) => {
      return { index, changes: [{ kind: "blocked", accountId: 2, blockedIds } as const] };
    };
    const checker = room();
    checker.onApplied(1, batch(blocks(40, [1, 3]), blocks(50, [3]), blocks(60, [1, 3])));
    const two = [RoomMember.fromPartial({ account: { id: 2 }, readSeq: 5 })];
    checker.onReceipt("c1", 1, receipt(5), 45);
    checker.onMembers("c1", 1, 7, 55, two);
    expect(found).toEqual([]);
    checker.onReceipt("c1", 1, receipt(5), 60);
    checker.onMembers("c1", 1, 7, 45, two);
    expect(found).toHaveLength(2);
  });

  test("judges a list by the state that it is of", () => {
    const checker = room();
    const two = [RoomMember.fromPartial({ account: { id: 2 }, readSeq: 5 })];
    checker.onMembers("c1", 1, 7, 19, two);
    checker.onMembers("c1", 1, 7, 30, two);
    checker.onMembers("c2", 2, 7, 25, two);
    expect(found).toEqual([]);
    checker.onMembers("c1", 1, 7, 25, two);
    expect(found).toHaveLength(1);
  });
});

describe("muting", () => {
  const NOW_MS = 1_000_000;
  let index = 0;
  const apply = (
    checker: Muting,
    accountId: number,
    op: NonNullable<Command["op"]>,
    options: { atMs?: number; reason?: string; requestId?: string; role?: 1 | 2 } = {},
  ) => {
    index += 1;
    const { atMs = NOW_MS, reason, requestId = `r${index}`, role } = options;
    const command = Command.fromPartial({ accountId, stampMs: atMs, requestId, op });
    const error = WireError.fromPartial({ code: 7, reason: reason ?? "" });
    const outcome =
      reason === undefined
        ? ({ kind: "ok", response: new Uint8Array(0) } as const)
        : ({ kind: "refused", error } as const);
    const member = { kind: "member", roomId: 7, accountId: 2, joinedRevision: 1 } as const;
    const changes = role === undefined ? [] : [{ ...member, role, writeForbiddenUntilMs: 0 }];
    const entries = [{ index, term: 1, command: Command.encode(command).finish() }];
    checker.onApplied(1, batch({ index, outcome, changes }), entries);
  };
  const mute = (durationMs: number, muted = true) =>
    ({ $case: "muteMember", value: { roomId: 7, accountId: 2, muted, durationMs } }) as const;
  const send = (clientMessageId: string) => {
    const { op } = Command.fromPartial({
      op: { $case: "send", value: { roomId: 7, clientMessageId, body: "words" } },
    });
    if (op === undefined) throw new Error("no operation");
    return op;
  };
  let checker: Muting;
  beforeEach(() => {
    index = 0;
    checker = new Muting(report, new Coverage());
  });

  test("allows what is right: refused while muted, accepted before and after, retries at any time", () => {
    apply(checker, 2, send("early"));
    apply(checker, 1, mute(500), { requestId: "mute" });
    apply(checker, 2, send("early"));
    apply(checker, 2, send("late"), { reason: "MUTED" });
    apply(checker, 2, send("late"), { atMs: NOW_MS + 500 });
    // The retry of what was done mutes nobody anew.
    apply(checker, 1, mute(500), { requestId: "mute", atMs: NOW_MS + 600 });
    apply(checker, 2, send("later"), { atMs: NOW_MS + 700 });
    apply(checker, 1, mute(0), { atMs: NOW_MS + 800 });
    apply(
      checker,
      1,
      { $case: "setRole", value: { roomId: 7, accountId: 2, role: 2 } },
      { role: 2 },
    );
    apply(checker, 2, send("last"));
    expect(found).toEqual([]);
  });

  test("catches a muted member's message, an admin's too, and a refusal of who is not muted", () => {
    apply(checker, 1, mute(0), { role: 2 });
    apply(checker, 2, send("words"));
    expect(found.splice(0)).toEqual(["account 2 in room 7 at index 2 writes, and is muted"]);
    apply(checker, 1, mute(0, false));
    apply(checker, 2, send("more"), { reason: "MUTED" });
    expect(found).toEqual(["account 2 in room 7 at index 4 is refused as muted, and is not"]);
  });
});

describe("password links", () => {
  let index = 0;
  let checker: PasswordLinks;
  const secret = (byte: number) => new Uint8Array(32).fill(byte);
  const apply = (
    accountId: number,
    fields: Parameters<typeof Command.fromPartial>[0]["op"],
    options: { atMs?: number; reason?: string; requestId?: string; owner?: boolean } = {},
  ) => {
    index += 1;
    const { atMs = 1_000, reason, requestId = `r${index}`, owner } = options;
    const command = Command.fromPartial({ accountId, stampMs: atMs, requestId, op: fields });
    const error = WireError.fromPartial({ code: 5, reason: reason ?? "" });
    const outcome =
      reason === undefined
        ? ({ kind: "ok", response: new Uint8Array(0) } as const)
        : ({ kind: "refused", error } as const);
    const account = { kind: "account", accountId, username: "ann", credentialsRevision: 1 };
    const changes = owner === true ? [{ ...account, owner, deleted: false } as never] : [];
    const entries = [{ index, term: 1, command: Command.encode(command).finish() }];
    checker.onApplied(1, batch({ index, outcome, changes }), entries);
  };
  const make = (accountId: number, byte: number, ttlMs = 500) =>
    ({
      $case: "createPasswordLink",
      value: { accountId, secretHash: secret(byte), ttlMs },
    }) as const;
  const use = (byte: number) =>
    ({
      $case: "usePasswordLink",
      value: { secretHash: secret(byte), passwordHash: "phc" },
    }) as const;
  const NOT_FOUND = { reason: "PASSWORD_LINK_NOT_FOUND" };
  beforeEach(() => {
    index = 0;
    checker = new PasswordLinks(report, new Coverage());
    apply(1, { $case: "register", value: { username: "ann" } }, { owner: true });
  });

  test("allows what is right: once, in time, the newest alone; retries at any time", () => {
    apply(1, make(2, 7), { requestId: "make" });
    apply(0, use(7), { requestId: "use" });
    apply(1, make(2, 7), { requestId: "make" });
    apply(0, use(7), { requestId: "use" });
    apply(0, use(7), NOT_FOUND);
    apply(1, make(2, 8));
    apply(1, make(2, 9));
    apply(0, use(8), NOT_FOUND);
    apply(0, use(9), { ...NOT_FOUND, atMs: 1_500 });
    apply(1, make(2, 10));
    apply(2, { $case: "setPassword", value: { passwordHash: "phc" } });
    apply(0, use(10), NOT_FOUND);
    expect(found).toEqual([]);
  });

  test("catches one that counts twice, late or though another was made; one that counts and is refused; and who may make none", () => {
    apply(1, make(2, 7));
    apply(0, use(7));
    apply(0, use(7));
    apply(1, make(2, 8));
    apply(1, make(2, 9));
    apply(0, use(8));
    apply(0, use(9), NOT_FOUND);
    apply(0, use(9), { atMs: 1_500 });
    apply(2, make(3, 11), { atMs: 1_500 });
    expect(found).toEqual([
      "a link that does not count is used at index 4",
      "a link that does not count is used at index 7",
      "a link that counts is refused at index 8",
      "a link that does not count is used at index 9",
      "account 2, not the owner, makes a link at index 10",
    ]);
  });
});

describe("blocking", () => {
  let index = 0;
  let checker: Blocking;
  const apply = (
    accountId: number,
    op: NonNullable<Command["op"]>,
    options: { reason?: string; requestId?: string; response?: Uint8Array<ArrayBuffer> } = {},
  ) => {
    index += 1;
    const { reason, requestId = `r${index}`, response = new Uint8Array(0) } = options;
    const command = Command.fromPartial({ accountId, requestId, op });
    const error = WireError.fromPartial({ code: 7, reason: reason ?? "" });
    const outcome =
      reason === undefined
        ? ({ kind: "ok", response } as const)
        : ({ kind: "refused", error } as const);
    const entries = [{ index, term: 1, command: Command.encode(command).finish() }];
    checker.onApplied(1, batch({ index, outcome }), entries);
  };
  const block = (accountId: number, blocked = true) =>
    ({ $case: "block", value: { accountId, blocked } }) as const;
  const open = (accountId: number) => ({ $case: "openDirect", value: { accountId } }) as const;
  const inRoom7 = OpenDirectResponse.encode(
    OpenDirectResponse.fromPartial({ room: { id: 7 } }),
  ).finish() as Uint8Array<ArrayBuffer>;
  const send = (clientMessageId: string, roomId = 7) => {
    const { op } = Command.fromPartial({
      op: { $case: "send", value: { roomId, clientMessageId, body: "words" } },
    });
    if (op === undefined) throw new Error("no operation");
    return op;
  };
  beforeEach(() => {
    index = 0;
    checker = new Blocking(report, new Coverage());
    apply(1, open(2), { response: inRoom7 });
  });

  test("allows what is right: refused while blocked, accepted before, after and elsewhere, retries at any time", () => {
    apply(2, send("early"));
    apply(1, block(2), { requestId: "block" });
    apply(2, send("early"));
    apply(2, send("elsewhere", 8));
    apply(1, send("to who is blocked"));
    apply(2, send("late"), { reason: "BLOCKED" });
    apply(2, open(1), { reason: "BLOCKED" });
    apply(1, block(2, false));
    // The retry of what was done blocks nobody anew.
    apply(1, block(2), { requestId: "block" });
    apply(2, send("late"));
    apply(2, open(1), { response: inRoom7 });
    expect(found).toEqual([]);
  });

  test("catches what comes through from who is blocked, and a refusal of who is not", () => {
    apply(1, block(2));
    apply(2, send("words"));
    apply(2, { $case: "react", value: { roomId: 7, seq: 1, emoji: "👍", add: true } });
    apply(2, open(1), { response: inRoom7 });
    expect(found.splice(0)).toHaveLength(3);
    apply(1, send("more"), { reason: "BLOCKED" });
    expect(found).toEqual(["account 1 to account 2 at index 6 is refused as blocked, and is not"]);
  });
});

describe("files", () => {
  const hash = (byte: number) => new Uint8Array(32).fill(byte);
  const withFile = (seq: number, byte: number, fileId = 50, fields: Partial<Message> = {}) =>
    message(seq, {
      attachments: [{ fileId, name: "a", size: 1, sha256: hash(byte), previewSize: 0 }],
      ...fields,
    });
  const holding = (messages: Message[], said: number, actual: number): FinalState => ({
    nodes: final(messages).nodes.map((node) => ({
      ...node,
      files: new Map([[50, { sha256: hash(said), actual: hash(actual) }]]),
    })),
  });

  test("allows what was sent, where it is", () => {
    const checker = new Files(report, new Coverage(), () => true);
    checker.onOutcome(sending("m1", "c1", [hash(1)]), sent(withFile(1, 1)));
    checker.onOutcome(sending("m2", "c1", [hash(1)]), sent(message(2, { deleted: true })));
    checker.onDownload("c1", 50, "", "file");
    checker.onDownload("c1", 51, "FILE_NOT_FOUND", "preview");
    checker.atEnd(holding([withFile(1, 1)], 1, 1));
    expect(found).toEqual([]);
  });

  test("catches other files, other bytes, files that are missing, and a deleted message's", () => {
    const checker = new Files(report, new Coverage(), () => true);
    checker.onOutcome(sending("m1", "c1", [hash(1)]), sent(withFile(1, 2)));
    checker.onOutcome(sending("m2", "c1", [hash(1)]), sent(message(2)));
    checker.onDownload("c1", 50, "CORRUPT", "file");
    checker.atEnd(holding([withFile(1, 1)], 1, 2));
    checker.atEnd(holding([withFile(1, 1, 51)], 1, 1));
    checker.atEnd(holding([withFile(1, 1, 50, { deleted: true })], 1, 1));
    expect(found).toHaveLength(6);
  });
});

describe("search", () => {
  const said = (index: number, fields: Partial<Message>, isNew = true): Partial<AppliedEntry> => {
    const value = message(index, { id: index, ...fields });
    const event: Event = {
      revision: index,
      event: { $case: isNew ? "message" : "messageChanged", value },
    };
    const audience = { kind: "room", roomId: 7, exceptAccountId: 0 } as const;
    return { index, deliveries: [{ audience, event: Event.encode(event).finish() }] };
  };
  const member = (index: number, accountId: number, isMember: boolean): Partial<AppliedEntry> => {
    const change = { roomId: 7, accountId };
    const joined = {
      kind: "member",
      ...change,
      role: 1,
      joinedRevision: index,
      writeForbiddenUntilMs: 0,
    } as const;
    return {
      index,
      changes: [isMember ? joined : { kind: "member-removed", ...change }],
    };
  };
  const searching = (words: readonly string[], accountId = 1) =>
    operation(
      {
        kind: "search",
        linearizable: false,
        query: words.join(" "),
        sought: { words, authorId: 0, pageSize: 2 },
      },
      { accountId },
    );
  const answer = (revision: number, ...messages: Message[]): Outcome => ({
    kind: "read",
    revision,
    stale: false,
    messages,
    lastSeq: 0,
  });
  const hit = (id: number, body: string, version = 0) => message(id, { id, body, version });
  let checker: Search;
  beforeEach(() => {
    checker = new Search(report);
    checker.onApplied(
      1,
      batch(
        member(1, 1, true),
        said(2, { body: "one fish" }),
        said(3, { body: "two fish" }),
        said(4, { body: "red fish" }),
        { index: 5 },
        { ...said(2, { id: 2, seq: 2, body: "blue", version: 1 }, false), index: 6 },
        member(7, 1, false),
      ),
    );
  });

  test("allows what may be seen as of the answer, the newest first, a page of it", () => {
    checker.onOutcome(searching(["fish"]), answer(5, hit(4, "red fish"), hit(3, "two fish")));
    checker.onOutcome(searching(["one"]), answer(5, hit(2, "one fish")));
    checker.onOutcome(searching(["one"]), answer(6));
    checker.onOutcome(searching(["blue"]), answer(6, hit(2, "blue", 1)));
    checker.onOutcome(searching(["fish"]), answer(7));
    checker.onOutcome(searching(["fish"], 2), answer(5));
    expect(found).toEqual([]);
    expect(checker.withHits).toBe(3);
    expect(checker.withHidden).toBeGreaterThan(1);
  });

  test("catches what may not be seen, what was edited away, what is missing, and another order", () => {
    checker.onOutcome(searching(["red"], 2), answer(5, hit(4, "red fish")));
    checker.onOutcome(searching(["red"]), answer(7, hit(4, "red fish")));
    checker.onOutcome(searching(["one"]), answer(6, hit(2, "one fish")));
    checker.onOutcome(searching(["blue"]), answer(6));
    checker.onOutcome(searching(["fish"]), answer(6, hit(3, "two fish"), hit(4, "red fish")));
    checker.onOutcome(searching(["fish"]), answer(9));
    expect(found).toHaveLength(6);
    expect(found[3]).toContain("lacks 2 (room 7 seq 2");
    expect(found[5]).toContain("nobody has applied");
  });
});
