import { describe, expect, test } from "vitest";
import { encode } from "./encode.ts";
import { ForwardRequest, PeerFrame } from "./index.ts";
import { allocate } from "./slab.ts";

function forward(id: number, bytes: number) {
  return { id, command: new Uint8Array(bytes).fill(id) };
}

describe("encode", () => {
  test("gives what the library gives, message after message, whatever their size", () => {
    for (const bytes of [0, 1, 100, 127, 128, 300, 70_000, 5, 2_048, 2_049, 40]) {
      const message = PeerFrame.fromPartial({ forwards: [forward(7, bytes), forward(8, bytes)] });
      expect(encode(PeerFrame, message)).toEqual(PeerFrame.encode(message).finish());
    }
  });

  test("a message that can't be encoded leaves nothing behind", () => {
    const broken = { id: Number.NaN, command: new Uint8Array(3) };
    expect(() => encode(ForwardRequest, broken)).toThrow();
    const whole = forward(3, 3);
    expect(encode(ForwardRequest, whole)).toEqual(ForwardRequest.encode(whole).finish());
  });

  test("what was encoded before stays as it was", () => {
    const all = Array.from({ length: 1_000 }, (_, id) => encode(ForwardRequest, forward(id, 90)));
    for (const [id, bytes] of all.entries()) {
      expect(ForwardRequest.decode(bytes)).toEqual(forward(id, 90));
    }
  });
});

test("pieces are zero and do not overlap", () => {
  const pieces = Array.from({ length: 500 }, (_, at) => allocate(at * 5));
  for (const [at, piece] of pieces.entries()) {
    expect(piece.length).toBe(at * 5);
    expect(piece.every((byte) => byte === 0)).toBe(true);
    piece.fill(at);
  }
  for (const [at, piece] of pieces.entries()) {
    expect(piece.every((byte) => byte === at % 256)).toBe(true);
  }
});
