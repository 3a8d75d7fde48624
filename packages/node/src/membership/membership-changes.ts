// An operator's wish, carried out through whichever node it was asked of.
import type { LeaderRequests, Operation } from "../leader-requests.ts";
import { isJoint, serverOfNode } from "./membership.ts";
import type { Roster } from "./roster.ts";

/** Changes that are remembered as applied: far more than are asked for at a time. */
const APPLIED_MAX = 64;

export class MembershipChanges {
  readonly #requests: LeaderRequests;
  readonly #roster: Roster;
  readonly #lead: () => number;
  readonly #applied = new Set<string>();

  /** `lead`: the raft id of the leader, 0 = none known. */
  constructor(requests: LeaderRequests, roster: Roster, lead: () => number) {
    this.#requests = requests;
    this.#roster = roster;
    this.#lead = lead;
    roster.onChanged(() => this.#note());
  }

  /** Resolves when it is complete; rejects as `LeaderRequests.ask` does. */
  async carryOut(
    operation: Operation,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const leaderBefore = this.#lead();
    await this.#requests.ask(operation, {
      ...options,
      isApplied: (changeId) => {
        if (operation.$case === "transferLeadership") {
          return this.#hasTaken(operation.value.toId, leaderBefore);
        }
        const isThrough = this.#applied.has(changeId) && !isJoint(this.#roster.membership);
        return isThrough || this.#isOwnRemoval(operation);
      },
      isVisible: () =>
        operation.$case !== "addServer" ||
        serverOfNode(this.#roster.membership, operation.value.id) !== undefined,
    });
  }

  /** A server that was asked for its own removal may never see the entry that did it; it is told so by the others. */
  #isOwnRemoval(operation: Operation): boolean {
    if (this.#roster.standing !== "removed") return false;
    const { nodeId } = this.#roster.self;
    switch (operation.$case) {
      case "removeServer":
        return operation.value.id === nodeId;
      case "replaceServer":
        return operation.value.oldId === nodeId;
      default:
        return false;
    }
  }

  #hasTaken(toId: number, leaderBefore: number): boolean {
    const lead = this.#lead();
    if (lead === 0) return false;
    if (toId !== 0) return this.#roster.nodeIdOf(lead) === toId;
    return leaderBefore !== 0 && lead !== leaderBefore;
  }

  #note(): void {
    const { lastChangeId } = this.#roster.membership;
    if (lastChangeId === "") return;
    this.#applied.add(lastChangeId);
    const [oldest] = this.#applied;
    if (this.#applied.size > APPLIED_MAX && oldest !== undefined) this.#applied.delete(oldest);
  }
}
