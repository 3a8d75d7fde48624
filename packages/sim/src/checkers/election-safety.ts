// Election Safety (Raft paper, figure 3): at most one leader can be elected in a given term. Only a
// leader sends MsgApp and MsgHeartbeat, so their sender is the leader of their term. And a member
// votes for at most one candidate in a term (5.2), also across crashes.
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";

const PROPERTY = "Election Safety";

export class ElectionSafety implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #leaders = new Map<number, number>();
  readonly #votes = new Map<string, number>();
  readonly #onLeader: ((nodeId: number, term: number) => void) | undefined;

  /** `onLeader` is called once for each term that has a leader. */
  constructor(report: Report, onLeader?: (nodeId: number, term: number) => void) {
    this.#report = report;
    this.#onLeader = onLeader;
  }

  onRaftMessage(message: ObservedRaftMessage): void {
    switch (message.type) {
      case "MsgApp":
      case "MsgHeartbeat":
      case "MsgSnap":
        this.#leads(message.from, message.term);
        break;
      case "MsgVoteResp":
        if (!message.reject) this.#votesFor(message.from, message.to, message.term);
        break;
    }
  }

  #leads(nodeId: number, term: number): void {
    const known = this.#leaders.get(term);
    if (known === nodeId) return;
    if (known !== undefined) {
      this.#report({
        property: PROPERTY,
        detail: `nodes ${known} and ${nodeId} both lead term ${term}`,
      });
      return;
    }
    this.#leaders.set(term, nodeId);
    this.#onLeader?.(nodeId, term);
  }

  #votesFor(voter: number, candidate: number, term: number): void {
    const key = `${voter}@${term}`;
    const before = this.#votes.get(key);
    if (before !== undefined && before !== candidate) {
      this.#report({
        property: PROPERTY,
        detail: `node ${voter} voted for ${before} and for ${candidate} in term ${term}`,
      });
    }
    this.#votes.set(key, candidate);
  }
}
