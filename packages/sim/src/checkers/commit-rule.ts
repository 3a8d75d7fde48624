// The commit rule (Raft paper, 5.4.2 and figure 8): a leader commits by counting copies only up to an
// entry of its own term; older ones are committed along with it. So whenever the commit index of the
// whole cluster rises, the entry there is of the term in which it rose.
import type { LogWrite } from "@parley/node";
import type { Entry } from "@parley/raft";
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";
import { WrittenLogs } from "./written-logs.ts";

const PROPERTY = "commit rule";

export class CommitRule implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #logs = new WrittenLogs();
  /** The highest commit index that any member has told or written. */
  #committed = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  onRaftMessage({ type, from, term, commit }: ObservedRaftMessage): void {
    if (type === "MsgApp") this.#rises(from, term, commit);
    // It stops where the follower's log is known to match, which may be within an older term.
    else if (type === "MsgHeartbeat") this.#committed = Math.max(this.#committed, commit);
  }

  onLogWrite(nodeId: number, write: LogWrite): void {
    this.#logs.write(nodeId, write);
    const { hardState } = write;
    if (hardState !== undefined) this.#rises(nodeId, hardState.term, hardState.commit);
  }

  onInstalled(nodeId: number, log: readonly Entry[]): void {
    this.#logs.replace(nodeId, log);
  }

  onRestart(nodeId: number, log: readonly Entry[]): void {
    this.#logs.replace(nodeId, log);
  }

  #rises(nodeId: number, term: number, commit: number): void {
    if (commit <= this.#committed) return;
    this.#committed = commit;
    const entryTerm = this.#logs.termAt(nodeId, commit);
    if (entryTerm === undefined || entryTerm === term) return;
    this.#report({
      property: PROPERTY,
      detail: `node ${nodeId} committed index ${commit} in term ${term}, where it has an entry of term ${entryTerm}`,
    });
  }
}
