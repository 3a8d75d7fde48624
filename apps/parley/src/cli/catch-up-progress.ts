// How a learner catches up, in words: entries and bytes to go, rate, time left.
import type { Member } from "@parley/protocol";
import { size } from "./format.ts";

/** Closer than this it counts as caught up; the leader decides on its own measure. */
const CLOSE_ENTRIES = 100;
/** Weight of the newest sample in the rate. */
const SMOOTHING = 0.3;

/** How fast something shrinks, a second, smoothed. */
class Rate {
  #last: { readonly toGo: number; readonly atMs: number } | undefined;
  #perSecond = 0;

  note(toGo: number, nowMs: number): void {
    const last = this.#last;
    this.#last = { toGo, atMs: nowMs };
    if (last === undefined || nowMs <= last.atMs) return;
    // What is added meanwhile counts as well: the time left is that until it is level.
    const sample = Math.max(0, ((last.toGo - toGo) * 1_000) / (nowMs - last.atMs));
    this.#perSecond =
      this.#perSecond === 0 ? sample : this.#perSecond + SMOOTHING * (sample - this.#perSecond);
  }

  get perSecond(): number {
    return Math.round(this.#perSecond);
  }
}

export class CatchUp {
  readonly #entries = new Rate();
  readonly #bytes = new Rate();
  #toGo = Number.POSITIVE_INFINITY;

  get isCaughtUp(): boolean {
    return this.#toGo <= CLOSE_ENTRIES;
  }

  /** `commit`: the leader's. */
  describe(member: Member, commit: number, nowMs: number): string {
    const { id, matchIndex, bytesToGo, healthy } = member;
    const name = `server ${id}`;
    if (matchIndex === 0 && !healthy) return `${name}: not in contact with the leader yet`;
    this.#toGo = Math.max(0, commit - matchIndex);
    this.#entries.note(this.#toGo, nowMs);
    // 0: nothing, or not known, as by a follower that has not heard of the leader. Neither says how fast it went.
    if (bytesToGo > 0) this.#bytes.note(bytesToGo, nowMs);
    if (this.isCaughtUp) return `${name}: has caught up (${this.#toGo} entries behind)`;
    const toGo = `${this.#toGo} of ${commit} entries`;
    if (bytesToGo === 0) {
      const rate = this.#entries.perSecond;
      return `${name}: ${toGo} to go, ${rate} a second${timeLeft(this.#toGo, rate)}`;
    }
    const rate = this.#bytes.perSecond;
    return `${name}: ${toGo} (${size(bytesToGo)}) to go, ${size(rate)} a second${timeLeft(bytesToGo, rate)}`;
  }
}

function timeLeft(toGo: number, perSecond: number): string {
  return perSecond === 0 ? "" : `, ${Math.ceil(toGo / perSecond)} s left`;
}
