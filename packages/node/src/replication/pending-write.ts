// One write on its way, and those of one caller by its signal.
import type { AppliedEntry } from "@parley/chat";
import { ParleyError } from "@parley/protocol";
import type { Waiting } from "../deadlines.ts";

/** Where a write stands. */
export type WriteStage =
  /** Nobody was asked to take it (any more): a leader is awaited. */
  | "waiting"
  /** The leader's node was asked and has not answered yet. */
  | "forwarded"
  /** It stands in a leader's log, in `placedTerm`. */
  | "placed";

export class PendingWrite implements Waiting {
  readonly id: number;
  readonly command: Uint8Array;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (entry: AppliedEntry) => void;
  readonly reject: (error: ParleyError) => void;
  readonly onExpire: (write: PendingWrite) => void;
  stage: WriteStage = "waiting";
  forwardedTo = 0;
  forwardedMs = 0;
  placedTerm = 0;
  /** An earlier attempt may stand in a log somewhere: "nothing was written" can't be said any more. */
  maybePlaced = false;
  /** Indices where it may be applied, oldest first; usually one. */
  readonly indices: number[] = [];

  constructor(
    id: number,
    command: Uint8Array,
    deadlineMs: number,
    signal: AbortSignal | undefined,
    resolve: (entry: AppliedEntry) => void,
    reject: (error: ParleyError) => void,
    onExpire: (write: PendingWrite) => void,
  ) {
    this.id = id;
    this.command = command;
    this.deadlineMs = deadlineMs;
    this.signal = signal;
    this.resolve = resolve;
    this.reject = reject;
    this.onExpire = onExpire;
  }

  expire(): void {
    this.onExpire(this);
  }

  /** What its caller is told when time is up. */
  overdueError(): ParleyError {
    if (this.maybePlaced || this.stage !== "waiting") {
      return new ParleyError(
        "OUTCOME_UNKNOWN",
        "the write was not confirmed in time; retry it with the same id",
        { retryAfterMs: 50 },
      );
    }
    return new ParleyError("NO_QUORUM", "no leader was found in time; nothing was written", {
      retryAfterMs: 200,
    });
  }
}

/**
 * The writes behind each signal. A session has one signal for all its writes, for as long as it lives:
 * a listener for each write would hold every write that the session ever made, and adding one gets
 * slower with each.
 */
export class WritesBySignal {
  readonly #writes = new WeakMap<AbortSignal, Set<PendingWrite>>();
  readonly #onAborted: (write: PendingWrite) => void;

  constructor(onAborted: (write: PendingWrite) => void) {
    this.#onAborted = onAborted;
  }

  add(write: PendingWrite): void {
    const { signal } = write;
    if (signal === undefined) return;
    const known = this.#writes.get(signal);
    if (known !== undefined) {
      known.add(write);
      return;
    }
    const writes = new Set([write]);
    this.#writes.set(signal, writes);
    signal.addEventListener(
      "abort",
      () => {
        for (const one of [...writes]) this.#onAborted(one);
      },
      { once: true },
    );
  }

  delete(write: PendingWrite): void {
    if (write.signal !== undefined) this.#writes.get(write.signal)?.delete(write);
  }
}
