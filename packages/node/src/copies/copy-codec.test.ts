// P11: an offer of a copy that contradicts itself is none.
import { CopyFrame } from "@parley/protocol";
import { type ConfState, makeMessage } from "@parley/raft";
import { expect, test } from "vitest";
import { encodeBeginFrame, offerFromWire } from "./copy-codec.ts";

const CONF_STATE: ConfState = {
  voters: [1, 2, 3],
  votersOutgoing: [],
  learners: [4],
  learnersNext: [],
  autoLeave: false,
};

function received(told: { readonly index: number; readonly confState: ConfState }) {
  const head = {
    copyId: "a-copy",
    index: 9,
    term: 2,
    confState: CONF_STATE,
    bytes: 4_096,
    sha256: new Uint8Array(32).fill(7),
    stateHash: "",
  };
  const snapshot = { ...told, term: 2, data: new Uint8Array(0) };
  const message = makeMessage({ type: "MsgSnap", from: 1, to: 4, term: 2, snapshot });
  const { begin } = CopyFrame.decode(encodeBeginFrame({ head, message }));
  return begin === undefined ? undefined : offerFromWire(begin, 1, 4);
}

test("what the core is told must be what the copy is", () => {
  const offer = received({ index: 9, confState: CONF_STATE });
  expect(offer?.head.confState).toEqual(CONF_STATE);
  expect(offer?.message?.snapshot?.confState).toEqual(CONF_STATE);
  expect(received({ index: 8, confState: CONF_STATE })).toBeUndefined();
  for (const confState of [
    { ...CONF_STATE, voters: [1, 2, 4] },
    { ...CONF_STATE, learners: [] },
    { ...CONF_STATE, votersOutgoing: [1, 2], autoLeave: true },
  ]) {
    expect(received({ index: 9, confState })).toBeUndefined();
  }
});
