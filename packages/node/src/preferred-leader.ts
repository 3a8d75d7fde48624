// Election priority: an operator prefers some servers as leaders. Whoever wins an election leads; once a server that is preferred has
// been caught up for a while, leadership goes to it by a transfer (thesis 3.10), which clients see as a moment's delay at most.
import { isVoter } from "./membership/membership.ts";
import type { Roster } from "./membership/roster.ts";
import type { Contacts } from "./peers/contacts.ts";
import type { Clock } from "./ports.ts";
import type { Driver } from "./replication/driver.ts";
import type { Succession } from "./succession.ts";

/** How long a preferred server must have been there, and close behind. */
const STEADY_MS = 3_000;
/** Entries that it, and a majority, may lack then; a transfer waits for them. */
const CLOSE_ENTRIES = 256;
/** A transfer that came to nothing is not tried again sooner; sends wait while one is under way. */
const AGAIN_MS = 15_000;

export class PreferredLeader {
  readonly #roster: Roster;
  readonly #driver: Driver;
  readonly #contacts: Contacts;
  readonly #succession: Succession;
  readonly #clock: Clock;
  /** Since when each preferred server has been fit to lead, by raft id. */
  readonly #fitSinceMs = new Map<number, number>();
  #triedMs = Number.NEGATIVE_INFINITY;

  constructor(
    roster: Roster,
    driver: Driver,
    contacts: Contacts,
    succession: Succession,
    clock: Clock,
  ) {
    this.#roster = roster;
    this.#driver = driver;
    this.#contacts = contacts;
    this.#succession = succession;
    this.#clock = clock;
  }

  /** To be called now and then while this node leads, with its own priority. */
  tick(priority: number): void {
    const now = this.#clock.monotonicMs();
    const fit = this.#fitter(priority);
    for (const raftId of this.#fitSinceMs.keys()) {
      if (!fit.includes(raftId)) this.#fitSinceMs.delete(raftId);
    }
    for (const raftId of fit) {
      const since = this.#fitSinceMs.get(raftId) ?? now;
      this.#fitSinceMs.set(raftId, since);
      if (now - since < STEADY_MS || now - this.#triedMs < AGAIN_MS) continue;
      this.#triedMs = now;
      this.#succession.handOver("another server is preferred", raftId);
      return;
    }
  }

  /** Voters that are preferred to this one and could lead now, the most preferred first. */
  #fitter(priority: number): readonly number[] {
    const { raft } = this.#driver;
    const { progress, commit, lastIndex } = raft.status();
    // While writes wait for a majority, a change would only make them wait longer.
    if (!raft.hasCommittedInTerm || lastIndex - commit > CLOSE_ENTRIES) return [];
    const { membership, raftId: own } = this.#roster;
    const priorityOf = (raftId: number) => this.#contacts.reportOf(raftId)?.priority ?? 0;
    const fit = [...progress].filter(
      ([raftId, { match }]) =>
        raftId !== own &&
        isVoter(membership, raftId) &&
        !this.#roster.isWitness(raftId) &&
        this.#contacts.isLive(raftId) &&
        commit - match <= CLOSE_ENTRIES &&
        priorityOf(raftId) > priority,
    );
    return fit.map(([raftId]) => raftId).sort((a, b) => priorityOf(b) - priorityOf(a));
  }
}
