// What clients were refused, by reason: as many counters as there are reasons, and none of them names
// anybody (P11).
import type { ParleyError, Reason } from "@parley/protocol";

export class Refusals {
  readonly #byReason = new Map<Reason, number>();

  get byReason(): ReadonlyMap<Reason, number> {
    return this.#byReason;
  }

  count({ reason }: Pick<ParleyError, "reason">): void {
    this.#byReason.set(reason, (this.#byReason.get(reason) ?? 0) + 1);
  }
}
