// P8 safe growth: the membership is the same on every node as of the same index, changes in steps whose
// majorities overlap, and gives no raft id twice. (That no two leaders are elected in a term is Election Safety's to
// check, under every configuration; that no acknowledged message is lost, P1's.) A copy of the chat file comes with the one as of its index.
import type { Membership } from "@parley/node";
import { MemberRole } from "@parley/protocol";
import type { ConfState } from "@parley/raft";
import { encodeConfState } from "@parley/store";
import type { Coverage } from "../coverage.ts";
import type { Checker, ObservedRaftMessage, OfferedCopy, Report } from "../observer.ts";

const PROPERTY = "P8 safe growth";

/** Entries that a new voter may lack: what the leader tolerates, and as much again that was under way meanwhile. */
const PROMOTION_LAG_MAX = 2_000;

/** A removed leader's last heartbeats may still be on their way out, to each of the others. */
const FAREWELL_HEARTBEATS_MAX = 20;

type Voters = ReadonlySet<number>;

export class P8SafeGrowth implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  /** In the order of their indices; the first is what the cluster began with. */
  readonly #history: {
    readonly index: number;
    readonly membership: Membership;
    readonly sinceUs: number;
  }[] = [];
  readonly #texts = new Map<number, string>();
  /** Which server a raft id was given to. */
  readonly #uuids = new Map<number, string>();
  /** Who has applied its own removal, and the heartbeats that it has sent since. */
  readonly #removed = new Map<number, number>();
  readonly #now: () => number;
  readonly #durableIndex: (raftId: number) => number | undefined;

  /** `durableIndex`: the last index on a server's disk, where it is known. */
  constructor(
    report: Report,
    coverage: Coverage,
    now: () => number = () => 0,
    durableIndex: (raftId: number) => number | undefined = () => undefined,
  ) {
    this.#report = report;
    this.#coverage = coverage;
    this.#now = now;
    this.#durableIndex = durableIndex;
  }

  get newest(): Membership | undefined {
    return this.#history.at(-1)?.membership;
  }

  /** The newest, and those that were the newest since then: some members may not have learnt of a later one. */
  since(us: number): readonly Membership[] {
    const later = this.#history.findIndex(({ sinceUs }) => sinceUs > us);
    const from = later < 0 ? this.#history.length - 1 : later - 1;
    return this.#history.slice(Math.max(0, from)).map(({ membership }) => membership);
  }

  /** The one in force as of an index, and all later ones. */
  from(index: number): readonly { readonly index: number; readonly membership: Membership }[] {
    const at = this.#history.findLastIndex((one) => one.index <= index);
    return this.#history.slice(Math.max(0, at));
  }

  /** The memberships under which an entry may have been committed: the newest up to it, and the one before. */
  candidates(index: number): readonly Membership[] {
    const upTo = this.#history.filter((one) => one.index <= index);
    return upTo.slice(-2).map(({ membership }) => membership);
  }

  /** A removed leader steps down once it knows (thesis, 4.2.2). */
  onRaftMessageSent({ from, type }: ObservedRaftMessage): void {
    const before = this.#removed.get(from);
    if (before === undefined || type !== "MsgHeartbeat") return;
    this.#removed.set(from, before + 1);
    if (before === FAREWELL_HEARTBEATS_MAX) this.#say(`r${from} leads on after its removal`);
  }

  /** Whoever takes the copy goes on from its index, and applies later changes to what came with it. */
  onCopyOffered({ from, index, configurations }: OfferedCopy): void {
    const asOf = this.#history.findLast((one) => one.index <= index)?.membership;
    if (asOf === undefined) return;
    for (const configuration of configurations) {
      if (sameConfiguration(configuration, asOf)) continue;
      this.#say(
        `${from} offers a copy as of index ${index} with ${describe(configuration)}, not ${describe(asOf)}`,
      );
    }
  }

  onMembership(nodeId: number, index: number, membership: Membership): void {
    const isMember = membership.servers.some(({ raftId }) => raftId === nodeId);
    if (!isMember && nodeId < membership.nextRaftId && !this.#removed.has(nodeId)) {
      this.#removed.set(nodeId, 0);
    }
    const text = Buffer.from(encodeConfState(membership)).toString("hex");
    const known = this.#texts.get(index);
    if (known !== undefined) {
      if (known !== text) {
        this.#say(
          `node ${nodeId} has another membership as of index ${index}: ${describe(membership)}`,
        );
      }
      return;
    }
    const before = this.#history.at(-1);
    if (before !== undefined && index < before.index) {
      this.#say(`node ${nodeId} changed the membership at index ${index}, where others did not`);
      return;
    }
    this.#texts.set(index, text);
    this.#history.push({ index, membership, sinceUs: this.#now() });
    for (const { raftId, serverUuid } of membership.servers) {
      const owner = this.#uuids.get(raftId);
      if (owner !== undefined && owner !== serverUuid) {
        this.#say(`raft id ${raftId} was given to ${owner} and then to ${serverUuid}`);
      }
      this.#uuids.set(raftId, serverUuid);
    }
    if (before !== undefined) this.#step(index, before.membership, membership);
  }

  #step(index: number, before: Membership, after: Membership): void {
    // A majority of each half is needed on either side, so it is enough that one pair overlaps.
    const overlap = halves(before).some((old) =>
      halves(after).some((next) => majoritiesOverlap(old, next)),
    );
    if (!overlap) {
      this.#say(
        `majorities before and after index ${index} need not overlap: ${describe(before)} and then ${describe(after)}`,
      );
    }
    for (const { raftId } of after.servers) {
      const isNew = !before.servers.some((server) => server.raftId === raftId);
      if (isNew && raftId < before.nextRaftId) {
        this.#say(`raft id ${raftId} comes back at index ${index}`);
      }
    }
    for (const raftId of after.voters) {
      if (!before.voters.includes(raftId)) this.#checkPromotion(index, raftId);
    }
    this.#count(before, after);
  }

  /** Whoever votes must be able to help at once: a majority that waits for its copies is none. */
  #checkPromotion(index: number, raftId: number): void {
    const durable = this.#durableIndex(raftId);
    if (durable === undefined || (durable > 0 && durable >= index - PROMOTION_LAG_MAX)) return;
    this.#say(
      `server r${raftId} was promoted at index ${index} with a log that ends at ${durable}`,
    );
  }

  #count(before: Membership, after: Membership): void {
    const wasKnown = (nodeId: number) => before.servers.some((one) => one.nodeId === nodeId);
    for (const { raftId, nodeId } of after.servers) {
      if (before.servers.some((one) => one.raftId === raftId)) continue;
      this.#coverage.add(wasKnown(nodeId) ? "servers-taken-back" : "servers-added");
    }
    for (const { raftId } of before.servers) {
      if (!after.servers.some((one) => one.raftId === raftId))
        this.#coverage.add("servers-removed");
    }
    const witnesses = after.servers
      .filter(({ role }) => role === MemberRole.MEMBER_ROLE_WITNESS)
      .map(({ raftId }) => raftId);
    for (const voter of after.voters) {
      if (before.voters.includes(voter)) continue;
      this.#coverage.add("servers-promoted");
      if (witnesses.includes(voter)) this.#coverage.add("witnesses-promoted");
      else if (witnesses.length > 0) this.#coverage.add("promoted-beside-witnesses");
    }
    for (const learner of [...after.learners, ...after.learnersNext]) {
      if (before.voters.includes(learner)) this.#coverage.add("servers-demoted");
    }
    if (after.votersOutgoing.length > 0) this.#coverage.add("joint-configurations");
  }

  #say(detail: string): void {
    this.#report({ property: PROPERTY, detail });
  }
}

function halves({ voters, votersOutgoing }: Membership): readonly Voters[] {
  const incoming = new Set(voters);
  return votersOutgoing.length === 0 ? [incoming] : [incoming, new Set(votersOutgoing)];
}

/** Whether any majority of one has a member in common with any majority of the other. */
export function majoritiesOverlap(one: Voters, other: Voters): boolean {
  const common = [...one].filter((id) => other.has(id)).length;
  const majority = (voters: Voters) => Math.floor(voters.size / 2) + 1;
  // A majority of one that avoids the other as far as it can still needs so many of the common ones.
  const needsOfOne = Math.max(0, majority(one) - (one.size - common));
  const needsOfOther = Math.max(0, majority(other) - (other.size - common));
  return needsOfOne + needsOfOther > common;
}

function sameConfiguration(one: ConfState, other: ConfState): boolean {
  const lists = (state: ConfState) =>
    [state.voters, state.votersOutgoing, state.learners, state.learnersNext].join(";");
  return lists(one) === lists(other) && one.autoLeave === other.autoLeave;
}

function describe({ voters, votersOutgoing, learners }: ConfState): string {
  const outgoing = votersOutgoing.length === 0 ? "" : ` & ${votersOutgoing.join(" ")}`;
  return `voters ${voters.join(" ")}${outgoing}${learners.length === 0 ? "" : `, learners ${learners.join(" ")}`}`;
}
