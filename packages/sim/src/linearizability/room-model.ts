// One room as a sequential object: a list of messages that only grows. A send gets the number that its
// message has in the list, a read the length of the list and some of the messages in it.
//
// Everybody is shown the same message at the same number, or the room is no list at all; that is
// checked first. Then what a message's number was is known even of a send whose outcome is not, as
// soon as anybody has been shown it, and the state of the room is the length of its list.
import type { Model, TimedOperation } from "./wing-gong.ts";

export type RoomOperation =
  /** `seq` is undefined for a send without a known outcome. */
  | { readonly kind: "send"; readonly clientMessageId: string; readonly seq: number | undefined }
  | { readonly kind: "read"; readonly lastSeq: number; readonly shown: readonly Shown[] };

export interface Shown {
  readonly seq: number;
  readonly clientMessageId: string;
}

export type RoomHistory =
  | {
      readonly kind: "consistent";
      readonly model: Model<number, RoomOperation>;
      readonly operations: readonly TimedOperation<RoomOperation>[];
    }
  | { readonly kind: "contradiction"; readonly detail: string };

/**
 * The model for these operations, or where they contradict each other. `whole` is the room's list at the
 * end of time, if that was read: then a send that is not in it never took effect.
 */
export function roomHistory(
  operations: readonly TimedOperation<RoomOperation>[],
  whole: readonly Shown[] | undefined,
): RoomHistory {
  const messages = new Map<number, string>();
  const seqs = new Map<string, number>();
  for (const { seq, clientMessageId } of everythingShown(operations, whole)) {
    const other = messages.get(seq) ?? clientMessageId;
    const otherSeq = seqs.get(clientMessageId) ?? seq;
    if (other !== clientMessageId || otherSeq !== seq) {
      const detail = `seq ${seq} is ${clientMessageId}, but ${other} was seen there, or it at seq ${otherSeq}`;
      return { kind: "contradiction", detail };
    }
    messages.set(seq, clientMessageId);
    seqs.set(clientMessageId, seq);
  }
  const relevant = operations.filter(
    ({ operation }) =>
      whole === undefined || operation.kind === "read" || seqs.has(operation.clientMessageId),
  );
  return { kind: "consistent", model: new RoomModel(messages, seqs), operations: relevant };
}

function* everythingShown(
  operations: readonly TimedOperation<RoomOperation>[],
  whole: readonly Shown[] | undefined,
): Generator<Shown> {
  for (const { operation } of operations) {
    if (operation.kind === "read") yield* operation.shown;
    else if (operation.seq !== undefined) {
      yield { seq: operation.seq, clientMessageId: operation.clientMessageId };
    }
  }
  yield* whole ?? [];
}

class RoomModel implements Model<number, RoomOperation> {
  readonly initial = 0;
  readonly #messages: ReadonlyMap<number, string>;
  readonly #seqs: ReadonlyMap<string, number>;

  constructor(messages: ReadonlyMap<number, string>, seqs: ReadonlyMap<string, number>) {
    this.#messages = messages;
    this.#seqs = seqs;
  }

  step(length: number, operation: RoomOperation): number | undefined {
    if (operation.kind === "read") {
      const isWithin = operation.shown.every(({ seq }) => seq <= length);
      return operation.lastSeq === length && isWithin ? length : undefined;
    }
    const seq = this.#seqs.get(operation.clientMessageId);
    if (seq !== undefined) {
      // A repeat of a send that is there already gets its number and changes nothing (P2).
      return length >= seq - 1 ? Math.max(length, seq) : undefined;
    }
    // Nobody was shown it: it can only be where nobody was shown anything.
    return this.#messages.has(length + 1) ? undefined : length + 1;
  }

  key(length: number): number {
    return length;
  }
}
