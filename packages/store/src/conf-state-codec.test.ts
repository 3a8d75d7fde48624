import type { Membership } from "@parley/node/ports";
import { describe, expect, test } from "vitest";
import { decodeConfState, encodeConfState } from "./conf-state-codec.ts";

const SERVER = {
  nodeId: 3,
  raftId: 7,
  serverUuid: "0f8b3c1e-0000-4000-8000-000000000007",
  address: "10.0.0.3:7400",
  httpAddress: "",
  role: 1,
} as const;

const JOINT: Membership = {
  voters: [1, 2, Number.MAX_SAFE_INTEGER],
  votersOutgoing: [1, 2, 3],
  learners: [4],
  learnersNext: [3],
  autoLeave: true,
  servers: [SERVER, { ...SERVER, nodeId: 4, raftId: 8, httpAddress: "10.0.0.3:8400", role: 2 }],
  nextRaftId: 9,
  lastChangeId: "a change",
};

describe("the stored membership", () => {
  test.each<Membership>([
    JOINT,
    { ...JOINT, votersOutgoing: [], learnersNext: [], autoLeave: false },
    { ...JOINT, voters: [], learners: [], servers: [], nextRaftId: 1, lastChangeId: "" },
  ])("survives the way to the disk and back", (state) => {
    expect(decodeConfState(encodeConfState(state))).toEqual(state);
  });

  test("any flipped bit, missing byte or foreign bytes are noticed", () => {
    const bytes = encodeConfState(JOINT);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decodeConfState(damaged), `bit ${bit}`).toThrow(TypeError);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeConfState(bytes.subarray(0, length))).toThrow();
    }
  });
});
