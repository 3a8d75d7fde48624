// Which copy is received when a second one comes while the first is about to be whole.
import { CopyFrame, type PeerHello, PeerHello as PeerHelloCodec } from "@parley/protocol";
import { afterEach, expect, test, vi } from "vitest";
import type { PeerMesh } from "../peers/peer-mesh.ts";
import type { IncomingLinkEvents } from "../ports.ts";
import { encodeBeginFrame, encodeHelloFrame } from "./copy-codec.ts";
import type { CopyHead, CopyStore } from "./copy-ports.ts";
import { CopyReceiver, type CopyTaker } from "./copy-receiver.ts";

const SENDER = 1;
const BYTES = new Uint8Array(64);
const HEAD: CopyHead = {
  copyId: "copy-1",
  index: 7,
  term: 2,
  confState: {
    voters: [1, 2],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  },
  bytes: BYTES.length,
  sha256: new Uint8Array(32),
  stateHash: "hash",
};

let receiver: CopyReceiver;
afterEach(() => receiver.close());

/** A store and a taker that say what they are asked, and wait where they are told to. */
function world() {
  const asked: string[] = [];
  const [written, installed] = [Promise.withResolvers<void>(), Promise.withResolvers<boolean>()];
  const copies: Partial<CopyStore> = {
    receive: async ({ copyId }) => {
      asked.push(`receive ${copyId}`);
      return 0;
    },
    write: async () => {
      asked.push("write");
      await written.promise;
    },
    finish: async () => {
      asked.push("finish");
    },
    discard: async () => {},
  };
  const taker: CopyTaker = {
    leads: () => true,
    refusal: async () => undefined,
    install: async () => {
      asked.push("install");
      return await installed.promise;
    },
  };
  const mesh = { raftId: 2, greet: (hello: PeerHello) => hello } as unknown as PeerMesh;
  const clock = {
    after: () => ({ cancel: () => {} }),
    monotonicMs: () => 0,
    wallMs: () => 0,
  };
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  receiver = new CopyReceiver(copies as CopyStore, mesh, { clock, logger });
  receiver.serve(taker);
  return { asked, written, installed };
}

function dial(head: CopyHead): IncomingLinkEvents {
  const events = receiver.accept({ remote: "sender", send: () => true, close: () => {} });
  events.onFrame(encodeHelloFrame(PeerHelloCodec.fromPartial({ nodeId: SENDER, raftId: SENDER })));
  events.onFrame(encodeBeginFrame({ head, message: undefined }));
  return events;
}

test("a copy that is whole is installed before another one takes its place", async () => {
  const { asked, written, installed } = world();
  const first = dial(HEAD);
  await vi.waitFor(() => expect(asked).toEqual(["receive copy-1"]));
  const chunk = { offset: 0, data: BYTES, crc32: 0 };
  first.onFrame(CopyFrame.encode(CopyFrame.fromPartial({ chunk })).finish());
  await vi.waitFor(() => expect(asked).toEqual(["receive copy-1", "write"]));

  dial({ ...HEAD, copyId: "copy-2" });
  written.resolve();
  await vi.waitFor(() => expect(asked).toContain("install"));
  // Everything that could go on has gone on.
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toEqual(["receive copy-1", "write", "finish", "install"]);
  installed.resolve(true);
  await vi.waitFor(() => expect(asked.at(-1)).toBe("receive copy-2"));
});
