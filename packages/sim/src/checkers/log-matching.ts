// Log Matching (Raft paper, figure 3): if two logs contain an entry with the same index and term, the
// logs are identical in all entries up through it. By induction it is enough that an (index, term)
// pair always stands for the same payload and always follows an entry of the same term.
import { createHash } from "node:crypto";
import type { LogWrite } from "@parley/node";
import type { Entry } from "@parley/raft";
import type { Checker, Report } from "../observer.ts";

const PROPERTY = "Log Matching";

/** A payload's fingerprint. */
export function payloadHash(data: Uint8Array): string {
  return data.length <= 24
    ? Buffer.from(data).toString("hex")
    : createHash("sha256").update(data).digest("base64url").slice(0, 24);
}

export class LogMatching implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  /** `index term` → payload and the term before it. */
  readonly #known = new Map<string, { readonly payload: string; readonly termBefore: number }>();
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

  onRestart(nodeId: number, log: readonly Entry[]): void {
    this.#terms.set(
      nodeId,
      log.map((entry) => entry.term),
    );
  }

  #check(nodeId: number, entry: Entry, termBefore: number): void {
    const key = `${entry.index} ${entry.term}`;
    const payload = `${entry.type} ${payloadHash(entry.data)}`;
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { payload, termBefore });
    } else if (known.payload !== payload) {
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
