// What a member promises it has on disk first (Raft paper, figure 2: "updated on stable storage before
// responding to RPCs"): a granted vote and an acknowledged entry are durable when the answer arrives.
// And what is on disk is never taken back: the term and the commit index never fall, and a vote, once
// given, stays the vote of its term.
import type { LogWrite } from "@parley/node";
import type { HardState } from "@parley/raft";
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";

const PROPERTY = "durable promises";

/** What a member's disk holds now; of a damaged disk, what it held before the damage. */
export interface DurableState {
  readonly hardState: HardState;
  readonly lastIndex: number;
}

export class DurablePromises implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #durable: (nodeId: number) => DurableState | undefined;
  /** The newest hard state that each member has written since it started. */
  readonly #written = new Map<number, HardState>();

  constructor(report: Report, durable: (nodeId: number) => DurableState | undefined) {
    this.#report = report;
    this.#durable = durable;
  }

  onRaftMessage(message: ObservedRaftMessage): void {
    if (message.reject) return;
    if (message.type === "MsgVoteResp") this.#checkVote(message);
    else if (message.type === "MsgAppResp" && message.index > 0) this.#checkAppend(message);
  }

  onLogWrite(nodeId: number, { hardState }: LogWrite): void {
    if (hardState === undefined) return;
    const before = this.#written.get(nodeId) ?? this.#durable(nodeId)?.hardState;
    this.#written.set(nodeId, hardState);
    if (before === undefined) return;
    if (hardState.term < before.term) {
      this.#fail(nodeId, `goes back from term ${before.term} to ${hardState.term}`);
    } else if (hardState.commit < before.commit) {
      this.#fail(nodeId, `goes back from commit index ${before.commit} to ${hardState.commit}`);
    } else if (hardState.term === before.term && before.vote !== 0) {
      if (hardState.vote === before.vote) return;
      const now = hardState.vote === 0 ? "nobody" : hardState.vote;
      this.#fail(nodeId, `changes its vote of term ${before.term} from ${before.vote} to ${now}`);
    }
  }

  onRestart(nodeId: number): void {
    this.#written.delete(nodeId);
  }

  #checkVote({ from, to, term }: ObservedRaftMessage): void {
    const durable = this.#durable(from)?.hardState;
    if (durable === undefined || durable.term > term) return;
    if (durable.term === term && durable.vote === to) return;
    this.#fail(
      from,
      `told ${to} that it has its vote in term ${term}, but its disk has vote ${durable.vote} in term ${durable.term}`,
    );
  }

  #checkAppend({ from, to, term, index }: ObservedRaftMessage): void {
    const durable = this.#durable(from);
    // In a later term what it acknowledged may rightly have been replaced.
    if (durable === undefined || durable.hardState.term > term) return;
    if (durable.hardState.term === term && durable.lastIndex >= index) return;
    this.#fail(
      from,
      `acknowledged index ${index} to ${to} in term ${term}, but its disk ends at ${durable.lastIndex} in term ${durable.hardState.term}`,
    );
  }

  #fail(nodeId: number, what: string): void {
    this.#report({ property: PROPERTY, detail: `node ${nodeId} ${what}` });
  }
}
