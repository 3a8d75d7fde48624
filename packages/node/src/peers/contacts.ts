// Who was heard of when: the age of this node's data, the health of members, what clients are told
// of the quorum. All times are on the monotonic clock.
import type { NodeReport } from "@parley/protocol";
import type { ConfState } from "@parley/raft";
import type { Clock } from "../ports.ts";

export class Contacts {
  readonly #clock: Clock;
  readonly #freshMs: number;
  readonly #heardMs = new Map<number, number>();
  readonly #reports = new Map<number, NodeReport>();
  /** When this node was last known to be in touch with a quorum-backed leader. */
  #quorumMs: number;
  readonly #startedMs: number;

  /** Contacts younger than `freshMs` count as live. */
  constructor(clock: Clock, freshMs: number) {
    this.#clock = clock;
    this.#freshMs = freshMs;
    this.#startedMs = clock.monotonicMs();
    this.#quorumMs = this.#startedMs - freshMs;
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

  /**
   * For a leader: its contact with a quorum is as old as the last word of the voter that completes one, in both
   * halves of a joint configuration.
   */
  leading(self: number, { voters, votersOutgoing }: ConfState): void {
    const quorumMs = Math.min(this.#quorumOf(self, voters), this.#quorumOf(self, votersOutgoing));
    this.#quorumMs = Math.max(this.#quorumMs, quorumMs);
  }

  #quorumOf(self: number, voters: readonly number[]): number {
    const now = this.#clock.monotonicMs();
    const newestFirst = voters
      .map((voter) =>
        voter === self ? now : (this.#heardMs.get(voter) ?? Number.NEGATIVE_INFINITY),
      )
      .sort((a, b) => b - a);
    // Nobody is needed where nobody votes.
    return newestFirst[Math.floor(newestFirst.length / 2)] ?? now;
  }

  /** Nobody but these is a member any more. */
  keep(raftIds: ReadonlySet<number>): void {
    for (const map of [this.#heardMs, this.#reports]) {
      for (const raftId of map.keys()) if (!raftIds.has(raftId)) map.delete(raftId);
    }
  }

  /** How long ago this peer was heard of; for one that never was, how long this node has been listening. */
  lastContactMs(peerId: number): number {
    return this.#clock.monotonicMs() - (this.#heardMs.get(peerId) ?? this.#startedMs);
  }

  isLive(peerId: number): boolean {
    return this.#heardMs.has(peerId) && this.lastContactMs(peerId) < this.#freshMs;
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
