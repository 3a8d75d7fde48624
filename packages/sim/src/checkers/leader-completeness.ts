// Leader Completeness (Raft paper, figure 3): an entry committed in a term is present in the logs of
// the leaders of all higher-numbered terms. What any node applies is committed. A leader's log is
// what it has written, durable or not: it may count its own entries before they are on disk only for
// being a candidate, never for a commit.
import type { AppliedBatch, CommittedEntry } from "@parley/chat";
import type { LogWrite } from "@parley/node";
import type { Entry } from "@parley/raft";
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";
import { WrittenLogs } from "./written-logs.ts";

const PROPERTY = "Leader Completeness";

export class LeaderCompleteness implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  /** The term of each committed entry; committed[i] is at index i + 1. */
  readonly #committed: number[] = [];
  readonly #logs = new WrittenLogs();
  /** Nodes that lead now, with their term. */
  readonly #leading = new Map<number, number>();
  #highestTerm = 0;
  /** Terms up to here cannot be led by a node that has restarted since. */
  readonly #pastTerms = new Map<number, number>();
  /** The highest term that each node has been in. */
  readonly #ownTerms = new Map<number, number>();

  constructor(report: Report) {
    this.#report = report;
  }

  onRaftMessage(message: ObservedRaftMessage): void {
    if (message.type !== "MsgApp" && message.type !== "MsgHeartbeat") return;
    if (this.#leading.get(message.from) === message.term) return;
    // A frame that was on its way while its sender died or stepped down proves nothing about now.
    if (message.term < this.#highestTerm) return;
    if (message.term <= (this.#pastTerms.get(message.from) ?? -1)) return;
    this.#highestTerm = message.term;
    this.#leading.set(message.from, message.term);
    this.#checkLeader(message.from, message.term);
  }

  onLogWrite(nodeId: number, write: LogWrite): void {
    const term = write.hardState?.term ?? 0;
    if (term > (this.#ownTerms.get(nodeId) ?? 0)) this.#ownTerms.set(nodeId, term);
    this.#logs.write(nodeId, write);
  }

  onInstalled(nodeId: number, log: readonly Entry[]): void {
    this.#logs.replace(nodeId, log);
  }

  onRestart(nodeId: number, log: readonly Entry[]): void {
    this.#pastTerms.set(nodeId, this.#ownTerms.get(nodeId) ?? 0);
    this.#leading.delete(nodeId);
    this.#logs.replace(nodeId, log);
  }

  onApplied(_nodeId: number, _batch: AppliedBatch, entries: readonly CommittedEntry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.#committed.length + 1) continue;
      this.#committed.push(entry.term);
      for (const [leader, term] of this.#leading) {
        if (term === this.#highestTerm && term > entry.term) {
          this.#checkEntry(leader, term, entry.index, entry.term);
        }
      }
    }
  }

  #checkLeader(leader: number, term: number): void {
    for (let index = this.#committed.length; index >= 1; index--) {
      const entryTerm = this.#committed[index - 1] ?? 0;
      if (entryTerm >= term) continue;
      if (!this.#checkEntry(leader, term, index, entryTerm)) return;
    }
  }

  #checkEntry(leader: number, term: number, index: number, entryTerm: number): boolean {
    const own = this.#logs.termAt(leader, index);
    if (own === entryTerm) return true;
    const what = own === undefined ? "nothing" : `an entry of term ${own}`;
    this.#report({
      property: PROPERTY,
      detail: `node ${leader} leads term ${term} with ${what} at index ${index}, where term ${entryTerm} is committed`,
    });
    return false;
  }
}
