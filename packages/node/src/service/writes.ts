// The one way into the log: checked in memory, bounded, proposed, and answered with what applying
// gave (P1, P2).
import type { AppliedEntry } from "@parley/chat";
import { type Command, ParleyError } from "@parley/protocol";
import type { NodeTuning } from "../config.ts";
import type { Replica } from "../replica.ts";
import type { Caller } from "./context.ts";

const RETRY_AFTER_MS = 100;

/** A command that was applied, and the encoded response that it gave. */
export interface Written {
  readonly revision: number;
  readonly response: Uint8Array;
}

export class Writes {
  readonly #replica: Replica;
  readonly #pendingMax: number;
  #pending = 0;

  constructor(replica: Replica, tuning: NodeTuning) {
    this.#replica = replica;
    this.#pendingMax = tuning.pendingWritesMax;
  }

  get pending(): number {
    return this.#pending;
  }

  /**
   * Proposes at once, so that calls in one turn keep their order (P3). Throws or rejects with a
   * ParleyError. What the tables only suspect is proposed all the same: the node may be behind, or
   * the request be the retry of one that succeeded, and apply knows.
   */
  submit(command: Command, caller: Caller): Promise<Written> {
    const checked = this.#replica.admission.precheck(command);
    if (checked.kind === "refuse") throw checked.error;
    if (this.#pending >= this.#pendingMax) {
      throw new ParleyError("OVERLOADED", "too many writes are waiting on this node", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    this.#pending += 1;
    return this.#replica
      .propose(command, { deadlineMs: caller.deadlineMs, signal: caller.signal })
      .then(
        (entry) => {
          this.#pending -= 1;
          return resultOf(entry);
        },
        (cause: unknown) => {
          this.#pending -= 1;
          throw ParleyError.from(cause);
        },
      );
  }
}

function resultOf(entry: AppliedEntry): Written {
  const { outcome } = entry;
  switch (outcome.kind) {
    case "ok":
      return { revision: entry.index, response: outcome.response };
    case "refused":
      throw ParleyError.fromWire(outcome.error);
    case "empty":
      throw new ParleyError("INTERNAL", "a command was applied as an empty entry");
  }
}
