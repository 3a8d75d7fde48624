// P9: how a server that belongs to no cluster yet is taken in, at the edges that a running cluster rarely meets.
import {
  type BootstrapRecord,
  BootstrapState,
  MemberRole,
  PeerFrame,
  type PeerHello,
  PROTOCOL_VERSION,
  type ServerRecord,
} from "@parley/protocol";
import { expect, test } from "vitest";
import { DEFAULT_TUNING, type NodeConfig } from "../config.ts";
import type { NodePorts, OutgoingLinkEvents } from "../ports.ts";
import { type Adoption, Bootstrap, LISTENING_MS } from "./bootstrap.ts";

const UUID = "0e3d8a52-6f5b-4f0c-9a53-2f4d1c7b8e90";
const SELF: ServerRecord = {
  nodeId: 7,
  raftId: 12,
  serverUuid: UUID,
  address: "node-7:7400",
  httpAddress: "",
  role: MemberRole.MEMBER_ROLE_LEARNER,
};
const RECORD: BootstrapRecord = {
  clusterId: "cluster",
  configHash: "hash",
  members: [{ ...SELF, nodeId: 1, raftId: 1, serverUuid: "another", address: "node-1:7400" }],
  self: SELF,
  setupTokenHash: new Uint8Array(0),
};
const MEMBER: PeerHello = {
  protocolVersion: PROTOCOL_VERSION,
  clusterId: "cluster",
  nodeId: 1,
  raftId: 1,
  serverUuid: "another",
  bootstrapState: BootstrapState.BOOTSTRAP_STATE_MEMBER,
  configHash: "hash",
  address: "node-1:7400",
  httpAddress: "",
  witness: false,
  stateVersion: 1,
  toNodeId: 7,
  toServerUuid: UUID,
};

type Configured = Pick<NodeConfig, "nodes" | "join">;

/** A server without a disk, and the member that it asks: `say` sends it a frame of that member's; `wait` lets its timers run out. */
function emptyServer(config: Configured, listen: (address: string) => Promise<string>) {
  let nowMs = 0;
  let timers: { readonly dueMs: number; readonly action: () => void }[] = [];
  const after = (delayMs: number, action: () => void) => {
    const timer = { dueMs: nowMs + delayMs, action };
    timers.push(timer);
    return {
      cancel() {
        timers = timers.filter((one) => one !== timer);
      },
    };
  };
  const wait = async (ms: number) => {
    nowMs += ms;
    const due = timers.filter(({ dueMs }) => dueMs <= nowMs);
    timers = timers.filter(({ dueMs }) => dueMs > nowMs);
    for (const { action } of due) action();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const dialled: string[] = [];
  let member: OutgoingLinkEvents | undefined;
  const stored: Uint8Array[] = [];
  const ports = {
    clock: { monotonicMs: () => nowMs, wallMs: () => nowMs, after },
    random: { int: () => 0, bytes: (length: number) => new Uint8Array(length) },
    sha256: () => new Uint8Array(32),
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    transport: {
      dial(address: string, events: OutgoingLinkEvents) {
        dialled.push(address);
        member = events;
        queueMicrotask(() => events.onOpen());
        return { send: () => true, close() {} };
      },
    },
    logStore: {
      async setIdentity({ bootstrap }: { readonly bootstrap: Uint8Array | undefined }) {
        if (bootstrap !== undefined) stored.push(bootstrap);
      },
    },
    listen,
  } as unknown as NodePorts;
  const settled = Promise.withResolvers<Adoption>();
  const bootstrap = new Bootstrap(
    {
      nodeId: 7,
      ...config,
      tuning: DEFAULT_TUNING,
      statusRequiresLogin: false,
    },
    { serverUuid: UUID, bootstrap: undefined },
    { index: 0, term: 0 },
    ports,
    { onMember: settled.resolve, onFatal: settled.reject },
  );
  const say = (frame: Partial<PeerFrame>) =>
    member?.onFrame(PeerFrame.encode(PeerFrame.fromPartial(frame)).finish());
  return { bootstrap, say, wait, dialled, adopted: settled.promise, stored };
}

function joining(listen: (address: string) => Promise<string>) {
  return emptyServer({ nodes: [], join: ["node-1:7400"] }, listen);
}

/** Its file lists nobody else. */
function alone() {
  const self = { id: 7, address: "node-7:7400", httpAddress: "" };
  return emptyServer({ nodes: [self], join: [] }, async () => "");
}

const ADMITTED = { admission: { record: RECORD, address: "", refusal: undefined } };

test("P9: one that is a member already, and was never told where to listen, listens before it is one", async () => {
  const heard: string[] = [];
  const { bootstrap, say, adopted } = joining(async (address) => {
    heard.push(address);
    expect(bootstrap.adoption).toBeUndefined();
    return "node-7:8400";
  });
  await bootstrap.begin();
  say({ hello: MEMBER });
  say(ADMITTED);
  expect((await adopted).self.raftId).toBe(12);
  expect(heard).toEqual(["node-7:7400"]);
  // Whoever is behind finds this node by what it says of itself.
  expect(bootstrap.hello()).toMatchObject({ address: "node-7:7400", httpAddress: "node-7:8400" });
});

test("P9: one that cannot listen where its cluster has it stops, and is no member", async () => {
  const { bootstrap, say, adopted, stored } = joining(async () => {
    throw new Error("address in use");
  });
  await bootstrap.begin();
  say({ hello: MEMBER });
  say(ADMITTED);
  await expect(adopted).rejects.toThrow("address in use");
  expect(stored).toEqual([]);
});

test("P9: one that is alone in its file makes a cluster when nobody has called for a moment", async () => {
  const { bootstrap, wait, adopted, stored } = alone();
  await bootstrap.begin();
  await wait(LISTENING_MS - 1);
  expect(stored).toEqual([]);
  await wait(1);
  const { record, self } = await adopted;
  expect(record.members).toEqual([self]);
  expect(self).toMatchObject({ nodeId: 7, raftId: 7, serverUuid: UUID });
  expect(stored).toHaveLength(1);
});

test("P9: one that is alone in its file and is called by members makes no cluster: it asks them", async () => {
  const { bootstrap, wait, say, dialled, adopted } = alone();
  await bootstrap.begin();
  await wait(LISTENING_MS - 1);
  bootstrap.calledByMember(MEMBER);
  await wait(LISTENING_MS);
  expect(bootstrap.adoption).toBeUndefined();
  expect(dialled).toEqual(["node-1:7400"]);
  say({ hello: MEMBER });
  say(ADMITTED);
  expect((await adopted).self.raftId).toBe(12);
});

test("one that is stopped while it listens makes no cluster", async () => {
  const { bootstrap, wait, stored } = alone();
  await bootstrap.begin();
  bootstrap.close();
  await wait(LISTENING_MS);
  expect(stored).toEqual([]);
});
