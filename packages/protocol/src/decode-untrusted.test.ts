import {
  CLIENT_FRAME_BOUNDS,
  ClientFrame,
  type Decodable,
  DeleteRequest,
  decodeUntrusted,
  LIMITS,
  lengthDelimitedField,
  ParleyError,
  PeerFrame,
  SendRequest,
} from "@parley/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";

const NONE = new Uint8Array(0);

function failure(
  codec: Decodable<unknown>,
  bytes: Uint8Array,
  bounds: Parameters<typeof decodeUntrusted>[2] = CLIENT_FRAME_BOUNDS,
): ParleyError {
  try {
    decodeUntrusted(codec, bytes, bounds);
  } catch (cause) {
    if (cause instanceof ParleyError) return cause;
    throw cause;
  }
  throw new Error("it was decoded");
}

/** `count` times the same bytes. */
function repeated(count: number, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.alloc(count * bytes.length, bytes));
}

test("gives what the codec gives", () => {
  const frame = ClientFrame.fromPartial({
    hello: { protocolVersion: 1, token: "t", afterRevision: Number.MAX_SAFE_INTEGER },
    requests: [{ id: 7, op: { $case: "send", value: SendRequest.fromPartial({ body: "ä" }) } }],
  });
  const bytes = ClientFrame.encode(frame).finish();
  expect(decodeUntrusted(ClientFrame, bytes, CLIENT_FRAME_BOUNDS)).toEqual(frame);
});

test("P11: the fullest frame that is allowed is within the bounds", () => {
  const seqs = Array.from({ length: LIMITS.deleteSeqsMax }, (_, at) => 1_000 + at);
  const value = DeleteRequest.fromPartial({ roomId: 1_000_000, seqs, requestId: "x".repeat(36) });
  const requests = Array.from({ length: LIMITS.requestsPerFrameMax }, (_, at) => ({
    id: at + 1,
    timeoutMs: 1_000,
    op: { $case: "delete" as const, value },
  }));
  const bytes = ClientFrame.encode(ClientFrame.fromPartial({ requests })).finish();
  const frame = decodeUntrusted(ClientFrame, bytes, CLIENT_FRAME_BOUNDS);
  expect(frame.requests).toHaveLength(LIMITS.requestsPerFrameMax);
});

test("P11: too many bytes, or too many parts at any depth, are TOO_LARGE", () => {
  const { bytesMax, partsMax } = CLIENT_FRAME_BOUNDS;
  expect(failure(ClientFrame, new Uint8Array(bytesMax + 1)).reason).toBe("TOO_LARGE");
  const half = Math.floor(bytesMax / 2) - 16;
  // Half a million empty requests; as many hellos, of which the last would count; fields that nobody knows.
  for (const pair of [Uint8Array.of(0x12, 0), Uint8Array.of(0x0a, 0), Uint8Array.of(0x78, 0)]) {
    expect(failure(ClientFrame, repeated(half, pair)).reason).toBe("TOO_LARGE");
  }
  // Packed numbers, in a request to delete, in a frame.
  const seqs = lengthDelimitedField(2, new Uint8Array(partsMax + 1).fill(1));
  expect(failure(DeleteRequest, seqs).reason).toBe("TOO_LARGE");
  const frame = lengthDelimitedField(2, lengthDelimitedField(33, seqs));
  expect(failure(ClientFrame, frame).reason).toBe("TOO_LARGE");
  // A message of the core with millions of empty entries.
  const entries = lengthDelimitedField(2, repeated(2 * 1024 * 1024, Uint8Array.of(0x42, 0)));
  const peers = { bytesMax: LIMITS.peerFrameBytesMax, partsMax: LIMITS.peerFramePartsMax };
  expect(failure(PeerFrame, entries, peers).reason).toBe("TOO_LARGE");
});

test("P11: what is no message is MALFORMED, whatever it is", () => {
  const malformed = [
    Uint8Array.of(0x0a),
    Uint8Array.of(0x0a, 5),
    Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f),
    // A varint that never ends, a field 0, the wire types that do not exist, a group that never ends.
    new Uint8Array(20).fill(0xff),
    Uint8Array.of(0x00, 0x01),
    Uint8Array.of(0x0e),
    Uint8Array.of(0x0f),
    Uint8Array.of(0x7b),
    // Groups in groups: the depth is bounded too.
    new Uint8Array(100_000).fill(0x7b),
    // No UTF-8, and numbers above 2^53.
    lengthDelimitedField(1, lengthDelimitedField(2, Uint8Array.of(0xc3, 0x28))),
    lengthDelimitedField(3, Uint8Array.of(0x08, ...new Uint8Array(9).fill(0xff), 0x01)),
  ];
  for (const bytes of malformed) {
    expect(failure(ClientFrame, bytes).reason, Buffer.from(bytes).toString("hex", 0, 32)).toBe(
      "MALFORMED",
    );
  }
});

test("P11: no bytes make it throw anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(40), (bytes, partsMax) => {
      for (const codec of [ClientFrame, PeerFrame, DeleteRequest]) {
        try {
          decodeUntrusted<unknown>(codec, bytes, { bytesMax: 150, partsMax });
        } catch (cause) {
          expect(cause).toBeInstanceOf(ParleyError);
        }
      }
    }),
  );
  expect(decodeUntrusted(ClientFrame, NONE, { bytesMax: 0, partsMax: 0 }).requests).toEqual([]);
});
