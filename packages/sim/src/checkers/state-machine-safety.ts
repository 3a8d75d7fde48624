// State Machine Safety (Raft paper, figure 3): no two servers apply different commands at the same
// index. Beyond the paper: each node applies every index once and in order, and equal indices give
// equal state (the hash over the tables).
import type { AppliedBatch, CommittedEntry } from "@parley/chat";
import type { Checker, FinalState, Report } from "../observer.ts";
import { samePayload } from "./log-matching.ts";

const PROPERTY = "State Machine Safety";

export class StateMachineSafety implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #commands: CommittedEntry[] = [];
  readonly #hashes = new Map<number, string>();
  readonly #applied = new Map<number, number>();
  /** Hashes that were compared with another node's. */
  compared = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  /** The node restarts from an older state of its chat file. */
  reopened(nodeId: number, appliedIndex: number): void {
    this.#applied.set(nodeId, appliedIndex);
  }

  /** A copy of another node's file took the place of this node's. */
  installed(nodeId: number, appliedIndex: number, hash: string): void {
    this.#applied.set(nodeId, appliedIndex);
    this.#compareHash(nodeId, appliedIndex, hash);
  }

  onApplied(
    nodeId: number,
    batch: AppliedBatch,
    entries: readonly CommittedEntry[],
    hash: string,
  ): void {
    for (const entry of entries) this.#applyOne(nodeId, entry);
    this.#compareHash(nodeId, batch.appliedIndex, hash);
  }

  atEnd(end: FinalState): void {
    for (const node of end.nodes) this.#compareHash(node.nodeId, node.appliedIndex, node.hash);
  }

  #applyOne(nodeId: number, entry: CommittedEntry): void {
    const before = this.#applied.get(nodeId) ?? 0;
    if (entry.index !== before + 1) {
      this.#report({
        property: PROPERTY,
        detail: `node ${nodeId} applied index ${entry.index} after ${before}`,
      });
    }
    this.#applied.set(nodeId, entry.index);
    const known = this.#commands[entry.index - 1];
    if (known === undefined) {
      this.#commands[entry.index - 1] = entry;
    } else if (known.term !== entry.term || !samePayload(known.command, entry.command)) {
      this.#report({
        property: PROPERTY,
        detail: `node ${nodeId} applied another command at index ${entry.index} (term ${entry.term}, elsewhere ${known.term})`,
      });
    }
  }

  #compareHash(nodeId: number, index: number, hash: string): void {
    const known = this.#hashes.get(index);
    if (known === undefined) {
      this.#hashes.set(index, hash);
      return;
    }
    this.compared += 1;
    if (known !== hash) {
      this.#report({
        property: PROPERTY,
        detail: `node ${nodeId} has another state at index ${index}: ${hash} instead of ${known}`,
      });
    }
  }
}
