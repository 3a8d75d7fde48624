// The checkers of witnesses are shown to fail; that nothing fails them in a healthy world is what the seeds show.
import type { LogWrite, Membership } from "@parley/node";
import { MemberRole, ServerFrame } from "@parley/protocol";
import { expect, test } from "vitest";
import { DataFloor } from "../src/checkers/data-floor.ts";
import { WitnessesAppendNothing, WitnessServesNoChat } from "../src/checkers/witnesses.ts";
import type { ObservedRaftMessage } from "../src/observer.ts";
import { optionsOf } from "../src/options.ts";
import type { Server } from "../src/server.ts";

const server = (name: string, isWitness: boolean) =>
  ({ name, isWitness, refusedChat: () => {} }) as unknown as Server;
const frame = (fields: Parameters<typeof ServerFrame.fromPartial>[0]) =>
  ServerFrame.encode(ServerFrame.fromPartial(fields)).finish();

function judge(from: string, bytes: Uint8Array): readonly string[] {
  const found: string[] = [];
  const servers = [server("n1", false), server("n5", true)];
  const checker = new WitnessServesNoChat(servers, ({ detail }) => found.push(detail));
  checker.onDelivered(from, bytes);
  return found;
}

test("P6: a witness that gives a client anything of the chat is found out, a data node may", () => {
  const history = { id: 1, result: { $case: "history", value: { lastSeq: 3 } } } as const;
  const refusal = { id: 1, result: { $case: "error", value: { reason: "WITNESS" } } } as const;
  expect(judge("n5", frame({ replies: [history] }))).toEqual([
    "the witness n5 gave history to a client",
  ]);
  expect(judge("n5", frame({ events: [{ revision: 9 }] }))).toHaveLength(1);
  expect(judge("n5", frame({ welcome: { account: { id: 7 } } }))).toHaveLength(1);
  expect(judge("n5", frame({ replies: [refusal] }))).toEqual([]);
  expect(judge("n5", frame({ goAway: { reason: "WITNESS" } }))).toEqual([]);
  expect(judge("n1", frame({ replies: [history] }))).toEqual([]);
});

test("some of the seeds of every run have witnesses, with machines to grow by and without", () => {
  const seeds = Array.from({ length: 500 }, (_, at) => optionsOf(at + 1));
  const kinds = new Map<string, number>();
  for (const { nodes, spares, witnesses, isSpareWitness } of seeds) {
    if (witnesses === 0 && !isSpareWitness) continue;
    const kind = `${nodes - witnesses} + ${witnesses}${spares > 0 ? ", changing" : ""}${isSpareWitness ? ", a witness may join" : ""}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  expect([...kinds.keys()].sort()).toEqual([
    "2 + 1, changing",
    "2 + 1, changing, a witness may join",
    "3 + 2",
    "3 + 2, changing",
    "3 + 2, changing, a witness may join",
    "4 + 1, changing",
    "4 + 1, changing, a witness may join",
  ]);
  for (const count of kinds.values()) expect(count).toBeGreaterThanOrEqual(3);
});

const append = (entries: readonly object[]) => ({ entries }) as unknown as LogWrite;
const said = (from: number, type: string, term: number, index = 0): ObservedRaftMessage => ({
  ...{ from, to: 9, type, term, index },
  ...{ reject: false, commit: 0 },
});

test("P6: a witness that leads and takes what a client wants is found out, a change of the membership may be", () => {
  const found: string[] = [];
  const checker = new WitnessesAppendNothing(
    ({ detail }) => found.push(detail),
    (raftId) => raftId === 5,
  );
  const chat = { index: 8, term: 3, type: "EntryNormal", data: Uint8Array.of(1) };
  const none = { ...chat, data: new Uint8Array(0) };
  checker.onLogWrite(5, append([{ ...chat, term: 2 }]));
  for (const from of [1, 5]) checker.onRaftMessageSent(said(from, "MsgHeartbeat", 3));
  checker.onLogWrite(1, append([chat]));
  checker.onLogWrite(5, append([none, { ...chat, type: "EntryConfChangeV2" }]));
  checker.onLogWrite(5, append([{ ...chat, term: 2 }]));
  expect(found).toEqual([]);
  checker.onLogWrite(5, append([none, chat]));
  expect(found).toEqual(["the witness r5 leads term 3 and takes a proposal at index 8"]);
});

function floorOf(logs: Readonly<Record<number, readonly [begin: number, last: number]>>) {
  const found: string[] = [];
  const disks = Object.entries(logs).map(([raftId, [compactedIndex, durableLastIndex]]) => ({
    raftId: Number(raftId),
    logDisk: { compactedIndex, durableLastIndex },
  }));
  const role = (raftId: number) =>
    raftId === 3 ? MemberRole.MEMBER_ROLE_WITNESS : MemberRole.MEMBER_ROLE_VOTER;
  const membership = {
    ...{ voters: [1, 2, 3], votersOutgoing: [], learners: [4], learnersNext: [] },
    servers: [1, 2, 3, 4].map((raftId) => ({ raftId, role: role(raftId) })),
  } as unknown as Membership;
  const report = ({ detail }: { detail: string }) => found.push(detail);
  const checker = new DataFloor(report, disks, () => ({ index: 5, membership }));
  return { found, checker };
}

test("P6: a data voter who has not come to the floor is found out, a learner and a witness may be behind it", () => {
  const { found, checker } = floorOf({ 1: [0, 20], 2: [0, 12], 3: [0, 8], 4: [0, 3] });
  checker.onRaftMessageSent(said(1, "MsgHeartbeat", 3, 12));
  checker.onRaftMessageSent(said(1, "MsgApp", 3, 19));
  expect(found).toEqual([]);
  checker.onRaftMessageSent(said(1, "MsgHeartbeat", 3, 13));
  expect(found).toEqual(["the data voter r2 has the log up to 12, the floor is 13"]);
});

test("a floor of who knows of a later membership is judged when that is in force", () => {
  const { found, checker } = floorOf({ 1: [0, 20], 2: [0, 12], 3: [13, 18], 4: [0, 3] });
  const change = { index: 6, term: 3, type: "EntryConfChangeV2", data: new Uint8Array(0) };
  checker.onLogWrite(1, append([change]));
  checker.onRaftMessageSent(said(1, "MsgHeartbeat", 3, 13));
  checker.onMembership();
  expect(found).toEqual([]);
  checker.onLogWrite(1, append([{ ...change, index: 5 }]));
  checker.onRaftMessageSent(said(1, "MsgHeartbeat", 4, 14));
  expect(found).toEqual(["the data voter r2 has the log up to 12, the floor is 14"]);
});

test("P6: a witness that has forgotten what a data voter needs is found out, a data node may give a copy", () => {
  const fine = floorOf({ 1: [20, 20], 2: [0, 12], 3: [12, 18], 4: [0, 3] });
  fine.checker.sample();
  expect(fine.found).toEqual([]);
  const wrong = floorOf({ 1: [0, 20], 2: [0, 12], 3: [13, 18], 4: [0, 3] });
  wrong.checker.sample();
  expect(wrong.found).toEqual([
    "the witness r3 has forgotten its log up to 13, the data voter r2 has it up to 12",
  ]);
});
