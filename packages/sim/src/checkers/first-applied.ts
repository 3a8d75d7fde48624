// The commands of the log as their first applier answers them. State machine safety makes every node's answer the same, so that one
// speaks for all.
import type { AppliedBatch, AppliedEntry, CommittedEntry } from "@parley/chat";
import { Command } from "@parley/protocol";

export interface AppliedCommand {
  readonly command: Command;
  readonly applied: AppliedEntry;
}

/** Several checkers look at the same bytes. */
const decoded = new WeakMap<Uint8Array, Command>();

function commandOf(bytes: Uint8Array): Command {
  const known = decoded.get(bytes);
  if (known !== undefined) return known;
  const command = Command.decode(bytes);
  decoded.set(bytes, command);
  return command;
}

/** Each checker has one of its own. */
export class FirstApplied {
  #index = 0;

  /** Those of the batch that nobody has applied before, in the order of the log; empty entries are left out. Nobody may change them. */
  *of(batch: AppliedBatch, entries: readonly CommittedEntry[]): Generator<AppliedCommand> {
    for (const [at, { index, command }] of entries.entries()) {
      const applied = batch.entries[at];
      if (applied === undefined || index <= this.#index) continue;
      this.#index = index;
      if (command.length > 0) yield { command: commandOf(command), applied };
    }
  }
}
