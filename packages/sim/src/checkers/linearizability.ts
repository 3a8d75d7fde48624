// Linearizability: sends and linearizable reads of a room behave as if each had taken effect at one
// moment between its call and its return (P1, P2 and P4 seen together, and more: no client is answered
// before what another client had been answered earlier). Rooms are independent of each other, so each
// is checked by itself. An operation without an answer may have happened at any time, or never.

import { type RoomOperation, roomHistory, type Shown } from "../linearizability/room-model.ts";
import { checkLinearizable, type TimedOperation } from "../linearizability/wing-gong.ts";
import type { Checker, FinalState, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "linearizability";

/** Bounds the search in one room; one that succeeds takes about two steps for each operation. */
const STEPS_MAX = 500_000;

interface Recorded {
  readonly operation: Operation;
  outcome: Outcome | undefined;
  returnedAt: number;
}

export class Linearizability implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #stepsMax: number;
  readonly #rooms = new Map<number, Recorded[]>();
  readonly #open = new Map<Operation, Recorded>();
  /** Rooms, and operations in them, that were shown to be linearizable. */
  rooms = 0;
  operations = 0;

  /** `stepsMax`: of the search in one room; one that takes more is a failure, as nothing is shown then. */
  constructor(report: Report, stepsMax = STEPS_MAX) {
    this.#report = report;
    this.#stepsMax = stepsMax;
  }

  onInvoke(operation: Operation): void {
    const { kind } = operation;
    if (kind.kind !== "send" && !(kind.kind === "history" && kind.linearizable)) return;
    const recorded: Recorded = { operation, outcome: undefined, returnedAt: 0 };
    this.#open.set(operation, recorded);
    const others = this.#rooms.get(kind.roomId);
    if (others === undefined) this.#rooms.set(kind.roomId, [recorded]);
    else others.push(recorded);
  }

  onOutcome(operation: Operation, outcome: Outcome, at: number): void {
    const recorded = this.#open.get(operation);
    if (recorded === undefined) return;
    this.#open.delete(operation);
    recorded.outcome = outcome;
    recorded.returnedAt = at;
  }

  atEnd(end: FinalState): void {
    // Whether the nodes agree is what others check.
    const rooms = end.nodes[0]?.rooms;
    for (const [roomId, recorded] of this.#rooms) {
      this.#check(roomId, recorded, rooms === undefined ? undefined : (rooms.get(roomId) ?? []));
    }
  }

  #check(roomId: number, recorded: readonly Recorded[], whole: readonly Shown[] | undefined): void {
    const history = roomHistory(recorded.flatMap(timed), whole);
    if (history.kind === "contradiction") {
      this.#fail(roomId, history.detail);
      return;
    }
    const verdict = checkLinearizable(history.model, history.operations, this.#stepsMax);
    switch (verdict.kind) {
      case "linearizable":
        this.rooms += 1;
        this.operations += history.operations.length;
        return;
      case "undecided":
        this.#fail(roomId, `the search was given up after ${this.#stepsMax} steps`);
        return;
      case "violated":
        this.#fail(roomId, `no order explains ${describe(verdict.operation)}`);
        return;
      default:
        verdict satisfies never;
    }
  }

  #fail(roomId: number, detail: string): void {
    this.#report({ property: PROPERTY, detail: `room ${roomId}: ${detail}` });
  }
}

/** What the operation says of the room; nothing for a read without an answer. */
function timed({ operation, outcome, returnedAt }: Recorded): TimedOperation<RoomOperation>[] {
  const { kind, invokedAt: calledAt } = operation;
  if (kind.kind === "send") {
    const { clientMessageId } = kind;
    const sent = outcome?.kind === "sent" ? outcome.message : undefined;
    return [
      {
        operation: { kind: "send", clientMessageId, seq: sent?.seq },
        calledAt,
        returnedAt: sent === undefined ? undefined : returnedAt,
      },
    ];
  }
  if (outcome?.kind !== "read") return [];
  const { lastSeq, messages: shown } = outcome;
  return [{ operation: { kind: "read", lastSeq, shown }, calledAt, returnedAt }];
}

function describe({ operation, calledAt, returnedAt }: TimedOperation<RoomOperation>): string {
  const what =
    operation.kind === "send"
      ? `the send of ${operation.clientMessageId} as seq ${operation.seq}`
      : `a read that saw ${operation.lastSeq} messages`;
  return `${what} (called at ${calledAt}, returned at ${returnedAt})`;
}
