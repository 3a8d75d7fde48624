// How many searches of one account are under way (P11): each may take its thread for a while, and others want to search too.
import { LIMITS, ParleyError } from "@parley/protocol";

const RETRY_AFTER_MS = 100;

export class SearchTurns {
  readonly #underWay = new Map<number, number>();

  /** Begins one, or throws RATE_LIMITED. Returns how to end it. */
  begin(accountId: number): () => void {
    const count = this.#underWay.get(accountId) ?? 0;
    if (count >= LIMITS.searchesPerAccountMax) {
      throw new ParleyError("RATE_LIMITED", "this account has other searches under way", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    this.#underWay.set(accountId, count + 1);
    return () => {
      const left = (this.#underWay.get(accountId) ?? 1) - 1;
      if (left === 0) this.#underWay.delete(accountId);
      else this.#underWay.set(accountId, left);
    };
  }
}
