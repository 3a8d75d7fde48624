// P11 on the peer stream: strangers, and a peer that has greeted and then sends what no correct one does.
// Lies that a member could tell within the rules' bounds (a vote twice, a second leader) are not among
// them: Raft tolerates members that crash, not members that lie.
import {
  BootstrapRecord,
  BootstrapState,
  ForwardReply,
  ForwardRequest,
  LIMITS,
  lengthDelimitedField,
  NodeReport,
  type OperationName,
  PeerFrame,
  type PeerHello,
  PROTOCOL_VERSION,
  PresenceReport,
  RaftMessage,
  RegisterRequest,
  type StatusResponse,
  TypingReport,
} from "@parley/protocol";
import { MemoryChatDisk, MemoryLogDisk, MemoryLogStore } from "@parley/store";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LocalCluster } from "./local-cluster.ts";

let cluster: LocalCluster;
/** Node 2's disk, for its identity. */
let disk: MemoryLogDisk;
let sent = 0;

beforeEach(async () => {
  cluster = new LocalCluster(3);
  disk = new MemoryLogDisk();
  cluster.disks.set(2, { log: new MemoryLogStore(disk), chatDisk: new MemoryChatDisk() });
  await Promise.all(cluster.configured.map((node) => cluster.start(node.id)));
  await cluster.leader();
});

afterEach(async () => {
  await unharmed();
  await cluster.close();
});

/** All nodes run, in a later term than the first: that somebody else leads the first is no lie that could be told from the truth. */
async function termOneIsOver(): Promise<void> {
  const first = await cluster.leader();
  await cluster.kill(first);
  await cluster.leader();
  await cluster.start(first);
}

/** Every node takes a write, and none has stopped. */
async function unharmed(): Promise<void> {
  for (const { id } of cluster.configured) {
    sent += 1;
    const request = { username: `user-${sent}`, password: "correct horse" };
    const bytes = RegisterRequest.encode(RegisterRequest.fromPartial(request)).finish();
    await call(id, "register", bytes);
  }
  expect(cluster.fatal).toEqual([]);
}

function call(id: number, operation: OperationName, request: Uint8Array) {
  return cluster.services(id).chat.call(operation, request, {
    token: "",
    remote: "test",
    deadlineMs: performance.now() + 50_000,
    signal: undefined,
  });
}

/** A link to node 1 from somewhere, and what was heard on it. */
interface Caller {
  readonly answers: readonly PeerFrame[];
  readonly hasEnded: boolean;
  send(bytes: Uint8Array): void;
}

function dial(): Promise<Caller> {
  const answers: PeerFrame[] = [];
  let hasEnded = false;
  return new Promise((resolve) => {
    const link = cluster.network.transport("stranger").dial(
      "node-1:1",
      {
        onOpen: () =>
          resolve({
            answers,
            get hasEnded() {
              return hasEnded;
            },
            send: (bytes) => void link.send(bytes),
          }),
        onFrame: (bytes) => answers.push(PeerFrame.decode(bytes)),
        onEnd: () => {
          hasEnded = true;
        },
        onDrain: () => {},
      },
      1,
    );
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

function helloOf2(): Uint8Array {
  const record = BootstrapRecord.decode(disk.identity?.bootstrap ?? new Uint8Array());
  const hello: PeerHello = {
    protocolVersion: PROTOCOL_VERSION,
    clusterId: record.clusterId,
    nodeId: 2,
    raftId: 2,
    serverUuid: disk.identity?.serverUuid ?? "",
    toNodeId: 1,
    toServerUuid: "",
    bootstrapState: BootstrapState.BOOTSTRAP_STATE_MEMBER,
    configHash: record.configHash,
    address: "node-2:1",
    httpAddress: "",
    witness: false,
    stateVersion: 1,
  };
  return PeerFrame.encode(PeerFrame.fromPartial({ hello })).finish();
}

/** A link on which node 1 takes the caller for node 2. */
async function greeted(): Promise<Caller> {
  const caller = await dial();
  caller.send(helloOf2());
  await until(() => caller.answers.length > 0 || caller.hasEnded);
  expect(caller.answers[0]?.hello?.nodeId).toBe(1);
  return caller;
}

/** What a greeted peer is told about these bytes, once the real node 2 does not take its place back before. */
async function refusalOf(bytes: Uint8Array): Promise<string> {
  for (;;) {
    const peer = await greeted();
    peer.send(bytes);
    await until(() => peer.hasEnded);
    const error = peer.answers.at(-1)?.error;
    if (error !== undefined) return error.reason;
  }
}

test("a greeted peer that sends garbage is told so, and its link ends", async () => {
  const genuine = helloOf2();
  const empty = Uint8Array.of(0x42, 0);
  const entries = lengthDelimitedField(2, new Uint8Array(Buffer.alloc(3_000_000, empty)));
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [new Uint8Array(100).fill(0xff), "MALFORMED"],
    [genuine.slice(0, -1), "MALFORMED"],
    [Uint8Array.of(0x12, 0xff, 0xff, 0xff, 0xff, 0x0f), "MALFORMED"],
    [new Uint8Array(100_000).fill(0x7b), "MALFORMED"],
    // Somebody else's server uuid that is no UTF-8; a node id above 2^53; a zero where a field must be.
    [lengthDelimitedField(1, lengthDelimitedField(5, Uint8Array.of(0xff))), "MALFORMED"],
    [lengthDelimitedField(1, Uint8Array.of(0x18, ...Array(9).fill(0xff), 1)), "MALFORMED"],
    [Uint8Array.of(0, 1, 2), "MALFORMED"],
    [new Uint8Array(LIMITS.peerFrameBytesMax + 1), "TOO_LARGE"],
    [entries, "TOO_LARGE"],
  ];
  for (const [bytes, reason] of cases) {
    expect(await refusalOf(bytes)).toBe(reason);
  }
});

test("who has not greeted gets little of the node's time, and no uuid", async () => {
  const large = await dial();
  large.send(
    PeerFrame.encode(PeerFrame.fromPartial({ hello: { clusterId: "x".repeat(20_000) } })).finish(),
  );
  await until(() => large.hasEnded);
  expect(large.answers.at(-1)?.error?.reason).toBe("TOO_LARGE");

  const curious = await dial();
  const { hello } = PeerFrame.decode(helloOf2());
  const wrong = { ...hello, toServerUuid: "who are you?" };
  curious.send(PeerFrame.encode(PeerFrame.fromPartial({ hello: wrong })).finish());
  await until(() => curious.hasEnded);
  const error = curious.answers.at(-1)?.error;
  expect(error?.reason).toBe("WRONG_CLUSTER");
  const record = BootstrapRecord.decode(disk.identity?.bootstrap ?? new Uint8Array());
  for (const { serverUuid } of record.members) expect(error?.message).not.toContain(serverUuid);
});

test("strangers that hold links in silence don't keep a peer out", async () => {
  const silent = await Promise.all(Array.from({ length: 400 }, () => dial()));
  await until(() => silent.some((one) => one.answers.length > 0));
  expect(silent[0]?.answers[0]?.error?.reason).toBe("OVERLOADED");
  await greeted();
});

const absurd = fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2 ** 48, Number.MAX_SAFE_INTEGER);
const bytes = fc.uint8Array({ maxLength: 40 });
/** Of a term that is long over, of none, or of one that no cluster ever reaches. */
const message = fc.record({
  type: fc.oneof(
    fc.nat(20),
    absurd.filter((type) => type < 2 ** 32),
  ),
  term: fc.constantFrom(0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER),
  from: fc.constantFrom(2, 2, 2, 1, 3, Number.MAX_SAFE_INTEGER),
  to: fc.constantFrom(1, 1, 1, 2, Number.MAX_SAFE_INTEGER),
  logTerm: absurd,
  index: absurd,
  commit: absurd,
  reject: fc.boolean(),
  rejectHint: absurd,
  vote: absurd,
  context: bytes,
  // A change of the membership is believed like any entry: it may well remove the node.
  entries: fc.array(
    fc.record({ term: absurd, index: absurd, type: fc.constantFrom(0, 3, 4), data: bytes }),
    {
      maxLength: 3,
    },
  ),
});
const part = fc.oneof(
  message.map((fields) =>
    lengthDelimitedField(2, RaftMessage.encode(RaftMessage.fromPartial(fields)).finish()),
  ),
  bytes.map((command) =>
    lengthDelimitedField(3, ForwardRequest.encode({ id: 1, command }).finish()),
  ),
  fc
    .record({ id: fc.constantFrom(0, Number.MAX_SAFE_INTEGER), term: absurd, index: absurd })
    .map((fields) =>
      lengthDelimitedField(4, ForwardReply.encode(ForwardReply.fromPartial(fields)).finish()),
    ),
  fc
    .record({
      raftId: fc.constantFrom(2, 1, 0, Number.MAX_SAFE_INTEGER),
      state: absurd.filter((state) => state < 2 ** 32),
      matches: fc.array(fc.record({ raftId: absurd, matchIndex: absurd }), { maxLength: 5 }),
    })
    .map((fields) =>
      lengthDelimitedField(5, NodeReport.encode(NodeReport.fromPartial(fields)).finish()),
    ),
  fc
    .record({ full: fc.boolean(), onlineAccountIds: fc.array(absurd, { maxLength: 50 }) })
    .map((fields) =>
      lengthDelimitedField(6, PresenceReport.encode(PresenceReport.fromPartial(fields)).finish()),
    ),
  fc
    .record({ roomId: absurd, accountId: absurd })
    .map((fields) => lengthDelimitedField(13, TypingReport.encode(fields).finish())),
  bytes.map((clusterId) =>
    lengthDelimitedField(
      7,
      lengthDelimitedField(
        2,
        clusterId.map((byte) => byte & 0x7f),
      ),
    ),
  ),
  bytes,
);

test("no frame of a greeted peer stops the node, or makes its status unreadable", async () => {
  await termOneIsOver();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(part, { maxLength: 4 }), { maxLength: 6 }),
      async (frames) => {
        const peer = await greeted();
        for (const parts of frames) peer.send(Buffer.concat(parts));
        // The node has handled them when it has ended the link for this.
        peer.send(new Uint8Array(8).fill(0xff));
        await until(() => peer.hasEnded);
        expect(cluster.fatal).toEqual([]);
      },
    ),
    { numRuns: 150 },
  );
  const status = cluster.nodes.get(1)?.replica?.status() as StatusResponse;
  for (const { state, matchIndex } of status.members) {
    expect(state).toBeLessThanOrEqual(3);
    expect(matchIndex).toBeLessThan(2 ** 31);
  }
});
