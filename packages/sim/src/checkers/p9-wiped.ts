// P9: a wiped disk is a new server. Once a disk is lost, nothing is said under its raft id any more: no vote,
// no acknowledgement, no leadership. And a raft id is never taken up on two disks.
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";

const PROPERTY = "P9 a wiped disk is a new server";

export class P9Wiped implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #wiped = new Set<number>();
  readonly #disks = new Map<number, string>();

  constructor(report: Report) {
    this.#report = report;
  }

  onWiped(nodeId: number): void {
    this.#wiped.add(nodeId);
  }

  onAdopted(nodeId: number, serverUuid: string): void {
    const known = this.#disks.get(nodeId);
    if (this.#wiped.has(nodeId) || (known !== undefined && known !== serverUuid)) {
      this.#report({
        property: PROPERTY,
        detail: `server ${serverUuid} takes up raft id ${nodeId}, whose disk was lost`,
      });
    }
    this.#disks.set(nodeId, serverUuid);
  }

  onRaftMessageSent({ from, type, term }: ObservedRaftMessage): void {
    if (!this.#wiped.has(from)) return;
    this.#report({
      property: PROPERTY,
      detail: `${type} of term ${term} goes out under raft id ${from} after its disk was lost`,
    });
  }
}
