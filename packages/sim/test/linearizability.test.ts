// The linearizability checker, on histories known to be good and bad, and against an oracle that tries
// every order.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Linearizability } from "../src/checkers/linearizability.ts";
import { type RoomOperation, roomHistory } from "../src/linearizability/room-model.ts";
import {
  checkLinearizable,
  type Model,
  type TimedOperation,
} from "../src/linearizability/wing-gong.ts";
import type { FinalState, Operation, OperationKind, Outcome } from "../src/observer.ts";

const STEPS_MAX = 1_000_000;

type Register =
  | { readonly kind: "write"; readonly value: number }
  | { readonly kind: "read"; readonly value: number };

const REGISTER: Model<number, Register> = {
  initial: 0,
  step: (state, operation) => {
    if (operation.kind === "write") return operation.value;
    return operation.value === state ? state : undefined;
  },
  isIdle: (state, operation) => operation.kind === "read" && operation.value === state,
  key: (state) => state,
};

function write(value: number, calledAt: number, returnedAt?: number): TimedOperation<Register> {
  return { operation: { kind: "write", value }, calledAt, returnedAt };
}

function read(value: number, calledAt: number, returnedAt: number): TimedOperation<Register> {
  return { operation: { kind: "read", value }, calledAt, returnedAt };
}

function verdict(...history: TimedOperation<Register>[]): string {
  return checkLinearizable(REGISTER, history, STEPS_MAX).kind;
}

describe("Wing and Gong's search, on a register", () => {
  test("nothing, and one thing after another, is linearizable", () => {
    expect(verdict()).toBe("linearizable");
    expect(verdict(write(1, 1, 2), read(1, 3, 4), write(2, 5, 6), read(2, 7, 8))).toBe(
      "linearizable",
    );
  });

  test("a write may take effect at any moment between its call and its return", () => {
    expect(verdict(write(1, 1, 10), read(0, 2, 3), read(1, 4, 5))).toBe("linearizable");
    expect(verdict(write(1, 1, 10), read(1, 2, 3), read(0, 4, 5))).toBe("violated");
  });

  test("a value may not be read before it is written, nor after it was overwritten", () => {
    expect(verdict(read(1, 1, 2), write(1, 3, 4))).toBe("violated");
    expect(verdict(write(1, 1, 2), write(2, 3, 4), read(1, 5, 6))).toBe("violated");
  });

  test("two writes at once may have happened in either order, but in one for everybody", () => {
    const writes = [write(1, 1, 10), write(2, 2, 11)];
    expect(verdict(...writes, read(1, 12, 13), read(1, 14, 15))).toBe("linearizable");
    expect(verdict(...writes, read(2, 12, 13), read(2, 14, 15))).toBe("linearizable");
    expect(verdict(...writes, read(1, 12, 13), read(2, 14, 15))).toBe("violated");
  });

  test("a write without an answer may have happened late, or never, but only once", () => {
    expect(verdict(write(1, 1), read(0, 2, 3), read(1, 4, 5))).toBe("linearizable");
    expect(verdict(write(1, 1), read(0, 2, 3), read(0, 4, 5))).toBe("linearizable");
    expect(verdict(write(1, 1), read(1, 2, 3), read(0, 4, 5))).toBe("violated");
    expect(verdict(write(1, 1), read(1, 2, 3), write(2, 4, 5), read(1, 6, 7))).toBe("violated");
  });

  test("the operation that nothing explains is named", () => {
    const bad = read(1, 5, 6);
    const history = [write(1, 1, 2), write(2, 3, 4), bad, read(2, 7, 8)];
    expect(checkLinearizable(REGISTER, history, STEPS_MAX)).toEqual({
      kind: "violated",
      operation: bad,
    });
  });

  test("the search is bounded", () => {
    expect(checkLinearizable(REGISTER, [write(1, 1, 2), write(2, 3, 4)], 1).kind).toBe("undecided");
  });

  test("a hundred unanswered writes do not make it slow", () => {
    const history = [
      ...Array.from({ length: 100 }, (_, i) => write(i + 1, i + 1)),
      ...Array.from({ length: 100 }, (_, i) => read(i + 1, 1_000 + 2 * i, 1_001 + 2 * i)),
    ];
    expect(checkLinearizable(REGISTER, history, 20_000).kind).toBe("linearizable");
  });
});

/** Tries every order that keeps to the times, with every choice of unanswered operations left out. */
function oracle<S, O>(model: Model<S, O>, history: readonly TimedOperation<O>[]): boolean {
  const search = (state: S, left: readonly TimedOperation<O>[]): boolean => {
    if (left.every((one) => one.returnedAt === undefined)) return true;
    const firstReturn = Math.min(...left.map((one) => one.returnedAt ?? Number.POSITIVE_INFINITY));
    return left.some((one) => {
      if (one.calledAt > firstReturn) return false;
      const next = model.step(state, one.operation);
      return (
        next !== undefined &&
        search(
          next,
          left.filter((other) => other !== one),
        )
      );
    });
  };
  return search(model.initial, history);
}

/** Calls and returns at random moments, all different. */
function timedBy<O>(operations: readonly O[], order: readonly number[]): TimedOperation<O>[] {
  return operations.map((operation, i) => {
    const [a, b] = [order[2 * i] ?? 0, order[2 * i + 1] ?? 0];
    return { operation, calledAt: Math.min(a, b), returnedAt: Math.max(a, b) };
  });
}

const anyRegisterHistory = fc.integer({ min: 0, max: 6 }).chain((count) =>
  fc
    .tuple(
      fc.array(
        fc.record({
          kind: fc.constantFrom("write" as const, "read" as const),
          value: fc.integer({ min: 0, max: 2 }),
        }),
        { minLength: count, maxLength: count },
      ),
      fc.shuffledSubarray(
        Array.from({ length: 2 * count }, (_, i) => i),
        { minLength: 2 * count, maxLength: 2 * count },
      ),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: count, maxLength: count }),
    )
    .map(([operations, order, answers]) =>
      timedBy<Register>(operations, order).map((one, i) =>
        // A read without an answer says nothing.
        one.operation.kind === "write" && answers[i] === 0
          ? { ...one, returnedAt: undefined }
          : one,
      ),
    ),
);

test("the search agrees with an oracle that tries every order", () => {
  let good = 0;
  fc.assert(
    fc.property(anyRegisterHistory, (history) => {
      const expected = oracle(REGISTER, history);
      if (expected) good += 1;
      expect(verdict(...history)).toBe(expected ? "linearizable" : "violated");
    }),
    { numRuns: 3_000 },
  );
  expect(good).toBeGreaterThan(100);
  expect(good).toBeLessThan(2_900);
});

// ---- Rooms -------------------------------------------------------------------------------------

function sends(id: string, seq: number | undefined, calledAt: number, returnedAt?: number) {
  const operation: RoomOperation = { kind: "send", clientMessageId: id, seq };
  return { operation, calledAt, returnedAt };
}

function reads(ids: string, calledAt: number, returnedAt: number) {
  const shown = [...ids].map((clientMessageId, i) => ({ clientMessageId, seq: i + 1 }));
  const operation: RoomOperation = { kind: "read", lastSeq: ids.length, shown };
  return { operation, calledAt, returnedAt };
}

function roomVerdict(whole: string | undefined, ...operations: TimedOperation<RoomOperation>[]) {
  const list = whole && [...whole].map((clientMessageId, i) => ({ clientMessageId, seq: i + 1 }));
  const history = roomHistory(operations, whole === undefined ? undefined : list || []);
  if (history.kind === "contradiction") return history.kind;
  return checkLinearizable(history.model, history.operations, STEPS_MAX).kind;
}

describe("a room", () => {
  test("allows sends at once in either order, and reads between them", () => {
    const both = [sends("a", 2, 1, 10), sends("b", 1, 2, 11)];
    expect(roomVerdict("ba", ...both, reads("", 3, 4), reads("b", 5, 6), reads("ba", 7, 8))).toBe(
      "linearizable",
    );
  });

  test("catches a message that stands before one that was acknowledged before it was sent", () => {
    expect(roomVerdict("ba", sends("a", 2, 1, 2), sends("b", 1, 3, 4))).toBe("violated");
  });

  test("catches a read that goes back behind what another client has read", () => {
    const history = [sends("a", 1, 1, 20), reads("a", 2, 3), reads("", 4, 5)];
    expect(roomVerdict("a", ...history)).toBe("violated");
  });

  test("catches a read that misses what was acknowledged, or sees what was not sent yet", () => {
    expect(roomVerdict("a", sends("a", 1, 1, 2), reads("", 3, 4))).toBe("violated");
    expect(roomVerdict("a", reads("a", 1, 2), sends("a", 1, 3, 4))).toBe("violated");
  });

  test("an unanswered send may stand where nobody looked, appear late, or never", () => {
    const lost = sends("a", undefined, 1);
    expect(roomVerdict("", lost, reads("", 2, 3))).toBe("linearizable");
    expect(roomVerdict("a", lost, reads("", 2, 3))).toBe("linearizable");
    expect(roomVerdict(undefined, lost, sends("b", 2, 2, 3))).toBe("linearizable");
    expect(roomVerdict("b", lost, sends("b", 2, 2, 3))).toBe("contradiction");
  });

  test("a repeat of a send gets its first number and changes nothing", () => {
    const repeated = [sends("a", 1, 1, 2), sends("b", 2, 3, 4), sends("a", 1, 5, 6)];
    expect(roomVerdict("ab", ...repeated, reads("ab", 7, 8))).toBe("linearizable");
    expect(roomVerdict("ab", sends("a", 1, 1, 2), sends("a", 2, 3, 4))).toBe("contradiction");
  });

  test("many sends at once, and unanswered repeats of some, do not make the search long", () => {
    const ids = Array.from({ length: 40 }, (_, i) => String.fromCodePoint(0x4e00 + i));
    const operations = [
      ...ids.map((id, i) => sends(id, i + 1, i, 300 - i)),
      ...ids.map((id, i) => sends(id, undefined, 100 + i)),
    ];
    const list = ids.map((clientMessageId, i) => ({ clientMessageId, seq: i + 1 }));
    const history = roomHistory(operations, list);
    if (history.kind !== "consistent") throw new Error(history.detail);
    expect(checkLinearizable(history.model, operations, 2_000).kind).toBe("linearizable");
  });

  test("answered repeats and reads among many sends do not make the search long either", () => {
    const ids = Array.from({ length: 60 }, (_, i) => String.fromCodePoint(0x4e00 + i));
    const list = ids.map((clientMessageId, i) => ({ clientMessageId, seq: i + 1 }));
    const operations = [
      ...ids.map((id, i) => sends(id, i + 1, i, 300 + i)),
      ...ids.map((id, i) => sends(id, i + 1, 100 + i, 400 + i)),
      ...ids.map((_, i) => reads(ids.slice(0, i + 1).join(""), 200 + i, 500 + i)),
    ];
    const history = roomHistory(operations, list);
    if (history.kind !== "consistent") throw new Error(history.detail);
    expect(checkLinearizable(history.model, operations, 5_000).kind).toBe("linearizable");
  });

  test("catches a number that stands for two messages", () => {
    expect(roomVerdict(undefined, sends("a", 1, 1, 2), sends("b", 1, 3, 4))).toBe("contradiction");
  });

  test("every history of an honest room is allowed, and a lost acknowledged message never is", () => {
    // Each operation takes effect at `effects[i]`; its call and return lie around it.
    const honest = fc.array(
      fc.record({
        isSend: fc.boolean(),
        before: fc.integer({ min: 1, max: 400 }),
        after: fc.integer({ min: 1, max: 400 }),
        answered: fc.boolean(),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(honest, (plan) => {
        let list = "";
        const operations = plan.map(({ isSend, before, after, answered }, i) => {
          // Fractions keep all moments apart.
          const calledAt = 100 * i - before + i / 1_000;
          const returnedAt = 100 * i + after + i / 1_000 + 0.5;
          if (!isSend) return reads(list, calledAt, returnedAt);
          const id = String.fromCodePoint(0x4e00 + i);
          list += id;
          return answered
            ? sends(id, list.length, calledAt, returnedAt)
            : sends(id, undefined, calledAt);
        });
        expect(roomVerdict(list, ...operations)).toBe("linearizable");
        const end = 100 * plan.length + 1_000;
        const isAnySend = operations.some(
          ({ operation, returnedAt }) => operation.kind === "send" && returnedAt !== undefined,
        );
        if (!isAnySend) return;
        expect(roomVerdict(list, ...operations, reads("", end, end + 1))).toBe("violated");
      }),
      { numRuns: 300 },
    );
  });
});

describe("the checker", () => {
  function run(...steps: [OperationKind, Outcome | undefined][]): string[] {
    return runWithin(undefined, steps);
  }

  function runWithin(
    stepsMax: number | undefined,
    steps: readonly [OperationKind, Outcome | undefined][],
  ): string[] {
    const found: string[] = [];
    const checker = new Linearizability(({ detail }) => found.push(detail), stepsMax);
    let at = 0;
    for (const [kind, outcome] of steps) {
      at += 2;
      const base = { id: at, client: "c1", accountId: 1, invokedUs: 0, seenRevision: 0 };
      const operation: Operation = { ...base, kind, invokedAt: at };
      checker.onInvoke(operation);
      if (outcome !== undefined) checker.onOutcome(operation, outcome, at + 1);
    }
    checker.atEnd({ nodes: [] } satisfies FinalState);
    return found;
  }

  function history(linearizable: boolean): OperationKind {
    return { kind: "history", roomId: 7, linearizable };
  }

  function saw(lastSeq: number): Outcome {
    return { kind: "read", revision: 9, stale: false, messages: [], lastSeq };
  }

  test("looks at linearizable reads only, each room by itself", () => {
    expect(run([history(true), saw(0)], [history(false), saw(9)])).toEqual([]);
    expect(run([history(true), saw(1)])).toEqual([
      "room 7: no order explains a read that saw 1 messages (called at 2, returned at 3)",
    ]);
  });

  const send: OperationKind = {
    kind: "send",
    roomId: 7,
    clientMessageId: "a",
    body: "",
    files: [],
    ordered: true,
  };

  test("fails where its search is given up", () => {
    const steps: [OperationKind, Outcome | undefined][] = [
      [send, undefined],
      [history(true), saw(1)],
    ];
    expect(runWithin(100, steps)).toEqual([]);
    expect(runWithin(1, steps)).toEqual(["room 7: the search was given up after 1 steps"]);
  });

  test("takes a send that failed, or is still open, for one that may have happened", () => {
    expect(run([send, { kind: "unknown", reason: "killed" }], [history(true), saw(1)])).toEqual([]);
    expect(run([send, undefined], [history(true), saw(0)], [history(true), saw(1)])).toEqual([]);
    expect(run([send, undefined], [history(true), saw(1)], [history(true), saw(0)])).toHaveLength(
      1,
    );
  });
});
