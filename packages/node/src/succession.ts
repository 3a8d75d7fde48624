// Who leads next: what the survivors do when the leader's process is gone (P7), and how a leader that
// should not go on hands over (thesis 3.10).
import type { NodeTuning } from "./config.ts";
import { isVoter } from "./membership/membership.ts";
import type { Roster } from "./membership/roster.ts";
import type { Contacts } from "./peers/contacts.ts";
import type { Clock, Logger, Random } from "./ports.ts";
import type { Driver } from "./replication/driver.ts";

/** After a death notice, an election that came to nothing is tried again this soon, so many times. */
const CAMPAIGN_AGAIN_MS = 120;
const CAMPAIGNS_MAX = 5;

export class Succession {
  readonly #tuning: NodeTuning;
  readonly #roster: Roster;
  readonly #driver: Driver;
  readonly #contacts: Contacts;
  readonly #ports: { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

  constructor(
    tuning: NodeTuning,
    roster: Roster,
    driver: Driver,
    contacts: Contacts,
    ports: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
  ) {
    this.#tuning = tuning;
    this.#roster = roster;
    this.#driver = driver;
    this.#contacts = contacts;
    this.#ports = ports;
  }

  /**
   * The death notice (P7): nothing listens at the leader's address any more, so there is no point in waiting for the
   * election timeout. Safe even when wrong: pre-vote and the term decide.
   */
  peerDead(peerId: number): void {
    const { raft } = this.#driver;
    if (raft.lead !== peerId || this.#driver.isStopped) return;
    const leader = this.#roster.nodeIdOf(peerId);
    this.#ports.logger.info({ leader }, "the leader's process is gone");
    this.#driver.guard(() => raft.forgetLeader());
    this.#driver.schedulePump();
    this.#campaignInTurn(peerId, 0);
  }

  /**
   * The survivors campaign one after the other, by id, so that they do not split the vote; who was
   * refused (the others may not have noticed the death yet) tries again soon, because a pre-campaign disturbs nobody.
   */
  #campaignInTurn(deadId: number, attempt: number): void {
    const { clock, random } = this.#ports;
    const { membership, raftId } = this.#roster;
    if (!isVoter(membership, raftId)) return;
    const { voters } = membership;
    // Witnesses last: they lead only when no data node can.
    const isSooner = (voter: number) => {
      const [its, own] = [this.#roster.isWitness(voter), this.#roster.isWitness(raftId)];
      return its === own ? voter < raftId : own;
    };
    const before = voters.filter(
      (voter) => isSooner(voter) && voter !== deadId && this.#contacts.isLive(voter),
    );
    const turnMs = this.#tuning.deathNoticeDelayMsMax / Math.max(1, voters.length - 2);
    const pauseMs = attempt === 0 ? 0 : CAMPAIGN_AGAIN_MS + random.int(Math.ceil(turnMs) + 1);
    clock.after(before.length * turnMs + pauseMs, () => {
      const { raft, isStopped } = this.#driver;
      if (isStopped || raft.lead !== 0 || attempt >= CAMPAIGNS_MAX) return;
      this.#driver.guard(() => raft.campaign());
      this.#driver.schedulePump();
      this.#campaignInTurn(deadId, attempt + 1);
    });
  }

  /**
   * Begins to transfer leadership to `to`, by default the live voter that has the most, no witness if that can be. False: this node doesn't lead, or
   * there is nobody to lead in its place. Nothing happens while a transfer is under way.
   */
  handOver(why: string, to = this.#heir()): boolean {
    const { raft } = this.#driver;
    if (raft.state !== "StateLeader") return false;
    if (raft.status().leadTransferee !== 0) return true;
    if (to === undefined) return false;
    this.#ports.logger.info({ to: this.#roster.nodeIdOf(to) }, `handing leadership over: ${why}`);
    this.#driver.guard(() => raft.transferLeader(to));
    this.#driver.schedulePump();
    return true;
  }

  #heir(): number | undefined {
    let best:
      | { readonly id: number; readonly match: number; readonly isWitness: boolean }
      | undefined;
    const { voters } = this.#roster.membership;
    for (const [id, { match }] of this.#driver.raft.status().progress) {
      // Not one that a change under way takes the vote from.
      if (id === this.#roster.raftId || !voters.includes(id) || !this.#contacts.isLive(id))
        continue;
      const isWitness = this.#roster.isWitness(id);
      const isBetter =
        best === undefined || (best.isWitness === isWitness ? match > best.match : best.isWitness);
      if (isBetter) best = { id, match, isWitness };
    }
    return best?.id;
  }
}
