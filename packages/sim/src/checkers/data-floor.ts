// Rules 1 to 3 of docs/witnesses.md, as they can be seen on the disks: whatever floor a leader has said, every data voter has the log up to
// it, also one that was promoted later; and no witness's log begins where a data voter's has not come yet.
import type { LogWrite, Membership } from "@parley/node";
import { MemberRole } from "@parley/protocol";
import type { Checker, ObservedRaftMessage, Report } from "../observer.ts";

const PROPERTY = "data floor";

/** What is seen of a machine. */
export interface Disk {
  readonly raftId: number;
  readonly logDisk: { readonly compactedIndex: number; readonly durableLastIndex: number };
}

/** A floor that was said by who knows of a change of the membership that others may not have applied yet. */
interface Said {
  readonly floor: number;
  /** The index of the last change in the log of who said it. */
  readonly asOf: number;
  samplesLeft: number;
}

/** A change that has not come to pass by then never does. */
const SAMPLES_MAX = 200;

export class DataFloor implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #disks: readonly Disk[];
  readonly #newest: () => { readonly index: number; readonly membership: Membership } | undefined;
  /** The highest that anybody has said as of a membership that is known here. */
  #floor = 0;
  #ahead: Said[] = [];
  /** The index of the last change in each log. */
  readonly #changes = new Map<number, number>();

  /** `newest`: the newest membership that anybody has applied, and since when it is in force. */
  constructor(
    report: Report,
    disks: readonly Disk[],
    newest: () => { readonly index: number; readonly membership: Membership } | undefined,
  ) {
    this.#report = report;
    this.#disks = disks;
    this.#newest = newest;
  }

  onLogWrite(nodeId: number, { entries }: LogWrite): void {
    const change = entries.findLast(({ type }) => type !== "EntryNormal");
    if (change !== undefined) this.#changes.set(nodeId, change.index);
  }

  onRaftMessageSent({ from, type, index }: ObservedRaftMessage): void {
    if (type !== "MsgHeartbeat" || index <= this.#floor) return;
    const asOf = this.#changes.get(from) ?? 0;
    if (this.#ahead.some((one) => one.floor >= index && one.asOf <= asOf)) return;
    this.#ahead.push({ floor: index, asOf, samplesLeft: SAMPLES_MAX });
    this.#look();
  }

  onMembership(): void {
    this.#look();
  }

  /** To be called now and then: logs are cut at any time. */
  sample(): void {
    for (const said of this.#ahead) said.samplesLeft -= 1;
    this.#ahead = this.#ahead.filter(({ samplesLeft }) => samplesLeft > 0);
    this.#look();
  }

  #look(): void {
    const newest = this.#newest();
    if (newest === undefined) return;
    for (const { floor, asOf } of this.#ahead) {
      if (asOf <= newest.index) this.#floor = Math.max(this.#floor, floor);
    }
    this.#ahead = this.#ahead.filter(({ asOf }) => asOf > newest.index);
    const { voters, votersOutgoing, servers } = newest.membership;
    const witnesses = new Set(
      servers
        .filter(({ role }) => role === MemberRole.MEMBER_ROLE_WITNESS)
        .map(({ raftId }) => raftId),
    );
    if (witnesses.size === 0) return;
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
      // It may be about to lose its vote.
      if (this.#ahead.length > 0) continue;
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
