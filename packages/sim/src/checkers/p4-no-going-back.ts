// P4 no going back: a client that has seen revision R is not shown an older state as if it were
// current, whichever node it moves to, and reads its own writes. And a linearizable read is at least
// as new as everything acknowledged to anybody before it began.
import type { Checker, Operation, Outcome, Report } from "../observer.ts";

const PROPERTY = "P4 no going back";

interface Acknowledged {
  readonly at: number;
  readonly revision: number;
}

export class P4NoGoingBack implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  /** The highest revision acknowledged to anybody, as it rose. */
  readonly #acknowledged: Acknowledged[] = [];
  readonly #seqs = new Map<number, { readonly at: number; readonly seq: number }[]>();
  /** What each (room, seq) was shown as, to anybody. */
  readonly #shown = new Map<string, string>();
  linearizableReads = 0;
  staleReads = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  onOutcome(operation: Operation, outcome: Outcome, at: number): void {
    switch (outcome.kind) {
      case "sent": {
        const { id, roomId, seq, clientMessageId } = outcome.message;
        this.#raise(this.#acknowledged, at, id);
        let seqs = this.#seqs.get(roomId);
        if (seqs === undefined) {
          seqs = [];
          this.#seqs.set(roomId, seqs);
        }
        if (seq > (seqs.at(-1)?.seq ?? 0)) seqs.push({ at, seq });
        this.#show(roomId, seq, `${id} ${clientMessageId}`);
        break;
      }
      case "written":
        this.#raise(this.#acknowledged, at, outcome.revision);
        break;
      case "read":
        this.#checkRead(operation, outcome);
        break;
    }
  }

  #raise(list: Acknowledged[], at: number, revision: number): void {
    if (revision > (list.at(-1)?.revision ?? 0)) list.push({ at, revision });
  }

  #checkRead(operation: Operation, outcome: Outcome & { readonly kind: "read" }): void {
    if (outcome.stale) this.staleReads += 1;
    else if (outcome.revision < operation.seenRevision) {
      this.#report({
        property: PROPERTY,
        detail: `${operation.client} had seen revision ${operation.seenRevision} and was shown ${outcome.revision} as current`,
      });
    }
    const { kind } = operation;
    if (kind.kind === "history") {
      for (let i = 0; i < outcome.messages.length; i++) {
        const message = outcome.messages[i];
        if (message === undefined) continue;
        this.#show(kind.roomId, message.seq, `${message.id} ${message.clientMessageId}`);
        const previous = outcome.messages[i - 1];
        if (previous !== undefined && message.seq !== previous.seq + 1) {
          this.#report({
            property: PROPERTY,
            detail: `a page of room ${kind.roomId} goes from seq ${previous.seq} to ${message.seq}`,
          });
        }
      }
    }
    if (kind.kind === "send" || kind.kind === "write" || !kind.linearizable) return;
    this.linearizableReads += 1;
    const due = newestBefore(this.#acknowledged, operation.invokedAt)?.revision ?? 0;
    if (outcome.revision < due) {
      this.#report({
        property: PROPERTY,
        detail: `a linearizable read of ${operation.client} saw revision ${outcome.revision}, but ${due} had been acknowledged before it began`,
      });
    }
    if (kind.kind !== "history") return;
    const seqDue = newestBefore(this.#seqs.get(kind.roomId) ?? [], operation.invokedAt)?.seq ?? 0;
    if (outcome.lastSeq < seqDue) {
      this.#report({
        property: PROPERTY,
        detail: `a linearizable read of ${operation.client} saw room ${kind.roomId} up to seq ${outcome.lastSeq}, but ${seqDue} had been acknowledged before it began`,
      });
    }
  }

  #show(roomId: number, seq: number, what: string): void {
    const key = `${roomId} ${seq}`;
    const known = this.#shown.get(key);
    if (known === undefined) this.#shown.set(key, what);
    else if (known !== what) {
      this.#report({
        property: PROPERTY,
        detail: `room ${roomId} seq ${seq} was shown as ${known} and as ${what}`,
      });
    }
  }
}

/** The last element that came before the moment `at`; the list is in order of `at`. */
function newestBefore<T extends { readonly at: number }>(
  list: readonly T[],
  at: number,
): T | undefined {
  for (let i = list.length - 1; i >= 0; i--) {
    const item = list[i];
    if (item !== undefined && item.at < at) return item;
  }
  return undefined;
}
