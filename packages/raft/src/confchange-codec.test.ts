import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CONF_CHANGE_CONTEXT_MAX,
  CONF_CHANGES_MAX,
  decodeConfChange,
  encodeConfChange,
} from "./confchange-codec.ts";
import { describeChanges, describeConfChange, parseChanges } from "./confchange-text.ts";
import { InvariantViolation } from "./invariant.ts";
import type { ConfChange } from "./types.ts";

const single = fc.record({
  kind: fc.constantFrom("add-voter", "add-learner", "remove", "update"),
  nodeId: fc.maxSafeNat(),
});
const context = fc.uint8Array({ maxLength: 300 });
const change: fc.Arbitrary<ConfChange> = fc.oneof(
  fc.record({ version: fc.constant(1 as const), change: single, context }),
  fc.record({
    version: fc.constant(2 as const),
    transition: fc.constantFrom("auto", "joint-implicit", "joint-explicit"),
    changes: fc.array(single, { maxLength: 5 }),
    context,
  }),
);

describe("the encoding of configuration changes", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(change, (original) => {
        expect(decodeConfChange(encodeConfChange(original))).toEqual({
          ok: true,
          change: original,
        });
      }),
    );
  });

  it("has no bytes for leaving a joint configuration", () => {
    const leave: ConfChange = {
      version: 2,
      transition: "auto",
      changes: [],
      context: new Uint8Array(0),
    };
    expect(encodeConfChange(leave)).toHaveLength(0);
  });

  it("is decoded or refused, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = decodeConfChange(bytes);
        if (!decoded.ok) expect(decoded.detail).not.toBe("");
      }),
    );
  });

  it("is refused if a byte is missing, added, or makes no sense", () => {
    fc.assert(
      fc.property(change, (original) => {
        const bytes = encodeConfChange(original);
        if (bytes.length === 0) return;
        expect(decodeConfChange(bytes.slice(0, -1)).ok).toBe(false);
        expect(decodeConfChange(Uint8Array.of(...bytes, 0)).ok).toBe(false);
        expect(decodeConfChange(Uint8Array.of(9, ...bytes.slice(1)))).toEqual({
          ok: false,
          detail: "unknown format",
        });
      }),
    );
  });

  it.each([
    ["an unknown version", [1, 3, 0, 0, 0]],
    ["an unknown transition", [1, 2, 3, 0, 0]],
    ["an unknown kind", [1, 2, 0, 1, 7, 1, 0]],
    ["version 1 without a change", [1, 1, 0, 0, 0]],
    ["version 1 with two changes", [1, 1, 0, 2, 0, 1, 0, 2, 0]],
    ["version 1 with a transition", [1, 1, 1, 1, 0, 1, 0]],
    ["an id beyond the safe integers", [1, 2, 0, 1, 0, 255, 255, 255, 255, 255, 255, 255, 127, 0]],
    ["more changes than allowed", [1, 2, 0, 0x81, 0x08]],
  ])("refuses %s", (_what, bytes) => {
    expect(decodeConfChange(Uint8Array.from(bytes)).ok).toBe(false);
  });

  it("does not encode what it would not decode", () => {
    const changes = Array.from({ length: CONF_CHANGES_MAX + 1 }, () => ({
      kind: "update" as const,
      nodeId: 1,
    }));
    const large = new Uint8Array(CONF_CHANGE_CONTEXT_MAX + 1);
    const rest = { version: 2, transition: "auto" } as const;
    expect(() => encodeConfChange({ ...rest, changes, context: new Uint8Array(0) })).toThrow(
      InvariantViolation,
    );
    expect(() => encodeConfChange({ ...rest, changes: [], context: large })).toThrow(
      InvariantViolation,
    );
  });
});

describe("configuration changes as text", () => {
  it("can be read back", () => {
    const changes = parseChanges(" v3 l4\n r5  u6 ");
    expect(changes).toEqual([
      { kind: "add-voter", nodeId: 3 },
      { kind: "add-learner", nodeId: 4 },
      { kind: "remove", nodeId: 5 },
      { kind: "update", nodeId: 6 },
    ]);
    expect(describeChanges(changes ?? [])).toBe("v3 l4 r5 u6");
    expect([parseChanges(""), parseChanges("x1"), parseChanges("v")]).toEqual([[], null, null]);
  });

  it("are told in full in the log", () => {
    const none = new Uint8Array(0);
    const remove = { kind: "remove", nodeId: 3 } as const;
    expect(describeConfChange({ version: 1, change: remove, context: none })).toBe(
      "type:ConfChangeRemoveNode node_id:3",
    );
    expect(
      describeConfChange({
        version: 2,
        transition: "joint-explicit",
        changes: [remove],
        context: none,
      }),
    ).toBe(
      "transition:ConfChangeTransitionJointExplicit changes:{type:ConfChangeRemoveNode node_id:3}",
    );
  });
});
