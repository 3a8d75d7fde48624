// How a learner catches up, in words: entries to go, rate, time left.
import type { Member } from "@parley/protocol";

/** Closer than this it counts as caught up; the leader decides on its own measure. */
const CLOSE_ENTRIES = 100;
/** Weight of the newest sample in the rate. */
const SMOOTHING = 0.3;

export class CatchUp {
  #last: { readonly match: number; readonly atMs: number } | undefined;
  /** Entries a second. */
  #rate = 0;
  #toGo = Number.POSITIVE_INFINITY;

  get isCaughtUp(): boolean {
    return this.#toGo <= CLOSE_ENTRIES;
  }

  /** `commit`: the leader's. */
  describe(member: Member, commit: number, nowMs: number): string {
    const match = member.matchIndex;
    if (this.#last !== undefined && nowMs > this.#last.atMs) {
      const sample = ((match - this.#last.match) * 1_000) / (nowMs - this.#last.atMs);
      this.#rate = this.#rate === 0 ? sample : this.#rate + SMOOTHING * (sample - this.#rate);
    }
    this.#last = { match, atMs: nowMs };
    const name = `server ${member.id}`;
    if (match === 0) return `${name}: not in contact with the leader yet`;
    this.#toGo = Math.max(0, commit - match);
    if (this.isCaughtUp) return `${name}: has caught up (${this.#toGo} entries behind)`;
    const rate = Math.max(0, Math.round(this.#rate));
    const left = rate === 0 ? "" : `, ${Math.ceil(this.#toGo / rate)} s left`;
    return `${name}: ${this.#toGo} of ${commit} entries to go, ${rate} a second${left}`;
  }
}
