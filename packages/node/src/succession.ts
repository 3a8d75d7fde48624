// Who leads next: what the survivors do when the leader's process is gone (P7), and how a leader that
// should not go on hands over (thesis 3.10).
import type { NodeConfig } from "./config.ts";
import type { Contacts } from "./contacts.ts";
import type { Driver } from "./driver.ts";
import type { Clock, Logger, Random } from "./ports.ts";

/** After a death notice, an election that came to nothing is tried again this soon, so many times. */
const CAMPAIGN_AGAIN_MS = 120;
const CAMPAIGNS_MAX = 5;

export class Succession {
  readonly #config: NodeConfig;
  readonly #driver: Driver;
  readonly #contacts: Contacts;
  readonly #ports: { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

  constructor(
    config: NodeConfig,
    driver: Driver,
    contacts: Contacts,
    ports: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
  ) {
    this.#config = config;
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
    this.#ports.logger.info({ leader: peerId }, "the leader's process is gone");
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
    const { nodeId, nodes, tuning } = this.#config;
    const before = nodes.filter(
      (node) => node.id < nodeId && node.id !== deadId && this.#contacts.isLive(node.id),
    );
    const turnMs = tuning.deathNoticeDelayMsMax / Math.max(1, nodes.length - 2);
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
   * Begins to transfer leadership to the live voter that has the most. False: this node doesn't lead, or
   * there is nobody to lead in its place. Nothing happens while a transfer is under way.
   */
  handOver(why: string): boolean {
    const { raft } = this.#driver;
    if (raft.state !== "StateLeader") return false;
    const { progress, leadTransferee } = raft.status();
    if (leadTransferee !== 0) return true;
    let best: { readonly id: number; readonly match: number } | undefined;
    for (const [id, { match, isLearner }] of progress) {
      if (id === this.#config.nodeId || isLearner || !this.#contacts.isLive(id)) continue;
      if (best === undefined || match > best.match) best = { id, match };
    }
    if (best === undefined) return false;
    const target = best.id;
    this.#ports.logger.info({ to: target }, `handing leadership over: ${why}`);
    this.#driver.guard(() => raft.transferLeader(target));
    this.#driver.schedulePump();
    return true;
  }
}
