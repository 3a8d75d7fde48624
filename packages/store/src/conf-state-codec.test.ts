import type { ConfState } from "@parley/raft";
import { describe, expect, test } from "vitest";
import { decodeConfState, encodeConfState } from "./conf-state-codec.ts";

const JOINT: ConfState = {
  voters: [1, 2, Number.MAX_SAFE_INTEGER],
  votersOutgoing: [1, 2, 3],
  learners: [4],
  learnersNext: [3],
  autoLeave: true,
};

describe("the stored membership", () => {
  test.each<ConfState>([
    JOINT,
    { ...JOINT, votersOutgoing: [], learnersNext: [], autoLeave: false },
    { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
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
