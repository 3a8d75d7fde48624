// Log Matching (Raft paper, figure 3): if two logs contain an entry with the same index and term, the
// logs are identical in all entries up through it. By induction it is enough that an (index, term)
// pair always stands for the same payload and always follows an entry of the same term.
import type { LogWrite } from "@parley/node";
import type { Entry } from "@parley/raft";
import type { Checker, Report } from "../observer.ts";

const PROPERTY = "Log Matching";

/** Whether two payloads are the same bytes. */
export function samePayload(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0;
}

interface Known {
  readonly entry: Entry;
  readonly termBefore: number;
}

export class LogMatching implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  /** By index and term. */
  readonly #known = new Map<string, Known>();
  /** Each node's log as written: the term at each index. */
  readonly #terms = new Map<number, number[]>();

  constructor(report: Report) {
    this.#report = report;
  }

  onLogWrite(nodeId: number, write: LogWrite): void {
    let terms = this.#terms.get(nodeId);
    if (terms === undefined) {
      terms = [];
      this.#terms.set(nodeId, terms);
    }
    for (const entry of write.entries) {
      if (entry.index > terms.length + 1) {
        this.#report({
          property: PROPERTY,
          detail: `node ${nodeId} wrote index ${entry.index} after a log of ${terms.length}: a hole`,
        });
        return;
      }
      terms.length = entry.index - 1;
      this.#check(nodeId, entry, terms[entry.index - 2] ?? 0);
      terms.push(entry.term);
    }
  }

  onInstalled(nodeId: number, log: readonly Entry[]): void {
    this.#terms.set(
      nodeId,
      log.map((entry) => entry.term),
    );
  }

  onRestart(nodeId: number, log: readonly Entry[]): void {
    this.#terms.set(
      nodeId,
      log.map((entry) => entry.term),
    );
  }

  #check(nodeId: number, entry: Entry, termBefore: number): void {
    const key = `${entry.index} ${entry.term}`;
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { entry, termBefore });
    } else if (known.entry.type !== entry.type || !samePayload(known.entry.data, entry.data)) {
      this.#report({
        property: PROPERTY,
        detail: `node ${nodeId} has another payload at index ${entry.index} of term ${entry.term}`,
      });
    } else if (known.termBefore !== termBefore) {
      this.#report({
        property: PROPERTY,
        detail: `node ${nodeId} has term ${termBefore} before index ${entry.index} of term ${entry.term}, another log has ${known.termBefore}`,
      });
    }
  }
}
