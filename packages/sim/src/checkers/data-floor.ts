// Rules 1 to 3 of docs/witnesses.md, as they can be seen on the disks: whatever floor a leader has said, every data voter has the log up to
// it, also one that was promoted later; and no witness's log begins where a data voter's has not come yet.
import type { Membership } from "@parley/node";
import { MemberRole } from "@parley/protocol";
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";

const PROPERTY = "data floor";

/** What is seen of a machine. */
export interface Disk {
  readonly raftId: number;
  readonly logDisk: { readonly compactedIndex: number; readonly durableLastIndex: number };
}

export class DataFloor implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #disks: readonly Disk[];
  readonly #membership: () => Membership | undefined;
  /** The highest that anybody has said. */
  #floor = 0;

  /** `membership`: the newest. */
  constructor(report: Report, disks: readonly Disk[], membership: () => Membership | undefined) {
    this.#report = report;
    this.#disks = disks;
    this.#membership = membership;
  }

  onRaftMessageSent({ type, index }: ObservedRaftMessage): void {
    if (type === "MsgHeartbeat" && index > this.#floor) {
      this.#floor = index;
      this.#look();
    }
  }

  onMembership(): void {
    this.#look();
  }

  /** To be called now and then: logs are cut at any time. */
  sample(): void {
    this.#look();
  }

  #look(): void {
    const membership = this.#membership();
    if (membership === undefined) return;
    const witnesses = new Set(
      membership.servers
        .filter(({ role }) => role === MemberRole.MEMBER_ROLE_WITNESS)
        .map(({ raftId }) => raftId),
    );
    if (witnesses.size === 0) return;
    const { voters, votersOutgoing } = membership;
    for (const { raftId, logDisk } of this.#disks) {
      if (witnesses.has(raftId)) continue;
      // A lost disk is nobody's.
      if (!voters.includes(raftId) && !votersOutgoing.includes(raftId)) continue;
      const last = logDisk.durableLastIndex;
      if (last < this.#floor) {
        this.#say(
          `the data voter r${raftId} has the log up to ${last}, the floor is ${this.#floor}`,
        );
      }
      for (const other of this.#disks) {
        const begin = other.logDisk.compactedIndex;
        if (!witnesses.has(other.raftId) || begin <= last) continue;
        this.#say(
          `the witness r${other.raftId} has forgotten its log up to ${begin}, the data voter r${raftId} has it up to ${last}`,
        );
      }
    }
  }

  #say(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}
