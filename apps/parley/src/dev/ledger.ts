// What the live checker has seen: what was acknowledged, and what a subscriber was told of it. Lost (P1) and doubled (P2) are judged here.

export class Ledger {
  readonly #told = new Set<string>();
  /** Acknowledged and not told yet: the revision of each. */
  readonly #owed = new Map<string, number>();
  #acknowledged = 0;
  #lost = 0;
  #doubled = 0;

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Acknowledged, and not among what the subscriber was told up to its revision. */
  get lost(): number {
    return this.#lost;
  }

  /** Told as new more than once. */
  get doubled(): number {
    return this.#doubled;
  }

  /** Acknowledged, and the subscriber has not come to its revision. */
  get owed(): number {
    return this.#owed.size;
  }

  /** The subscriber begins anew, from now on: what it was not told of before it never will be, and nobody can say of that whether it is lost. */
  readerBegins(): void {
    this.#owed.clear();
  }

  wasAcknowledged(clientMessageId: string, revision: number): void {
    this.#acknowledged += 1;
    if (!this.#told.has(clientMessageId)) this.#owed.set(clientMessageId, revision);
  }

  wasTold(clientMessageId: string): void {
    if (this.#told.has(clientMessageId)) this.#doubled += 1;
    this.#told.add(clientMessageId);
    this.#owed.delete(clientMessageId);
  }

  /** The subscriber was told everything up to `cursor`: what it should have had by then and has not is lost. */
  readUpTo(cursor: number): void {
    for (const [id, revision] of this.#owed) {
      if (revision > cursor) continue;
      this.#owed.delete(id);
      this.#lost += 1;
    }
  }
}
