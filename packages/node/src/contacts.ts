// Who was heard of when: the age of this node's data, the health of members, what clients are told
// of the quorum. All times are on the monotonic clock.
import type { NodeReport } from "@parley/protocol";
import type { Clock } from "./ports.ts";

export class Contacts {
  readonly #clock: Clock;
  readonly #freshMs: number;
  readonly #heardMs = new Map<number, number>();
  readonly #reports = new Map<number, NodeReport>();
  /** When this node was last known to be in touch with a quorum-backed leader. */
  #quorumMs: number;

  /** Contacts younger than `freshMs` count as live. */
  constructor(clock: Clock, freshMs: number) {
    this.#clock = clock;
    this.#freshMs = freshMs;
    this.#quorumMs = clock.monotonicMs() - freshMs;
  }

  heard(peerId: number): void {
    this.#heardMs.set(peerId, this.#clock.monotonicMs());
  }

  report(report: NodeReport): void {
    this.#reports.set(report.raftId, report);
  }

  reportOf(raftId: number): NodeReport | undefined {
    return this.#reports.get(raftId);
  }

  /** A message of the leader of the current term arrived. */
  heardLeader(): void {
    this.#quorumMs = this.#clock.monotonicMs();
  }

  /** For a leader: its contact with a quorum is as old as the median voter's last word. */
  leading(self: number, voters: readonly number[]): void {
    const now = this.#clock.monotonicMs();
    const ages = voters
      .map((voter) => (voter === self ? now : (this.#heardMs.get(voter) ?? 0)))
      .sort((a, b) => b - a);
    const quorum = ages[Math.floor(ages.length / 2)];
    if (quorum !== undefined) this.#quorumMs = Math.max(this.#quorumMs, quorum);
  }

  lastContactMs(peerId: number): number | undefined {
    const heard = this.#heardMs.get(peerId);
    return heard === undefined ? undefined : this.#clock.monotonicMs() - heard;
  }

  isLive(peerId: number): boolean {
    const age = this.lastContactMs(peerId);
    return age !== undefined && age < this.#freshMs;
  }

  hasQuorum(): boolean {
    return this.#clock.monotonicMs() - this.#quorumMs < this.#freshMs;
  }

  /** 0 while in touch with a quorum-backed leader, else how long ago that was. */
  staleMs(): number {
    const age = this.#clock.monotonicMs() - this.#quorumMs;
    return age < this.#freshMs ? 0 : Math.round(age);
  }
}
