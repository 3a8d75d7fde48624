// Leadership transfer (thesis, 3.10): the leader tells another member to campaign only once that one has its whole log. Otherwise the
// election that follows is lost, or makes everybody wait, which a transfer is there to avoid (P7).
import type { LogWrite } from "@parley/node";
import type { Entry } from "@parley/raft";
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";
import { WrittenLogs } from "./written-logs.ts";

const PROPERTY = "leadership transfer";

export class LeadershipTransfer implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #logs = new WrittenLogs();
  readonly #wiped = new Set<number>();

  constructor(report: Report) {
    this.#report = report;
  }

  onRaftMessageSent({ type, from, to, term }: ObservedRaftMessage): void {
    // Of a disk that has just been lost a leader can't know yet, and nothing is said under its id any more (P9).
    if (type !== "MsgTimeoutNow" || this.#wiped.has(to)) return;
    const last = this.#logs.lastIndex(from);
    if (this.#logs.termAt(to, last) === this.#logs.termAt(from, last)) return;
    this.#report({
      property: PROPERTY,
      detail: `r${from} tells r${to} to take over in term ${term}, whose log ends at ${this.#logs.lastIndex(to)} and lacks ${last}`,
    });
  }

  onWiped(nodeId: number): void {
    this.#wiped.add(nodeId);
  }

  onLogWrite(nodeId: number, write: LogWrite): void {
    this.#logs.write(nodeId, write);
  }

  onInstalled(nodeId: number, log: readonly Entry[]): void {
    this.#logs.replace(nodeId, log);
  }

  onRestart(nodeId: number, log: readonly Entry[]): void {
    this.#logs.replace(nodeId, log);
  }
}
