/**
 * The configuration in force and what a leader or candidate keeps about its members: each one's
 * progress, and the votes of the current campaign.
 */
import type { JointConfig } from "../quorum/joint.ts";
import { describeJoint, jointCommitted, jointVote } from "../quorum/joint.ts";
import type { VoteResult } from "../quorum/majority.ts";
import { describeMajority } from "../quorum/majority.ts";
import type { ConfState, Index, NodeId } from "../types.ts";
import { EMPTY_CONF_STATE } from "../types.ts";
import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";

export interface VoteTally {
  readonly granted: number;
  readonly rejected: number;
  readonly result: VoteResult;
}

export class ProgressTracker {
  readonly #maxInflightMsgs: number;
  readonly #maxInflightBytes: number;
  #config: ConfState = EMPTY_CONF_STATE;
  #voters: JointConfig = { incoming: [], outgoing: [] };
  #progress: ReadonlyMap<NodeId, Progress> = new Map();
  readonly #votes = new Map<NodeId, boolean>();
  readonly #matchOf = (id: NodeId): Index => this.#progress.get(id)?.match ?? 0;

  constructor(maxInflightMsgs: number, maxInflightBytes: number) {
    this.#maxInflightMsgs = maxInflightMsgs;
    this.#maxInflightBytes = maxInflightBytes;
  }

  get config(): ConfState {
    return this.#config;
  }

  get voters(): JointConfig {
    return this.#voters;
  }

  /** All members, learners included, in ascending order of id. */
  get progress(): ReadonlyMap<NodeId, Progress> {
    return this.#progress;
  }

  /** Puts a configuration in force. `progress` is in ascending order of id. */
  use(config: ConfState, progress: ReadonlyMap<NodeId, Progress>): void {
    this.#config = config;
    this.#voters = { incoming: config.voters, outgoing: config.votersOutgoing };
    this.#progress = progress;
  }

  newProgress(next: Index, isLearner: boolean): Progress {
    const inflights = new Inflights(this.#maxInflightMsgs, this.#maxInflightBytes);
    return new Progress(next, inflights, isLearner);
  }

  /** A new term begins: nothing is known of anyone's log any more. */
  resetProgress(next: Index): void {
    const fresh = new Map<NodeId, Progress>();
    for (const [id, { isLearner }] of this.#progress) {
      fresh.set(id, this.newProgress(next, isLearner));
    }
    this.#progress = fresh;
  }

  isJoint(): boolean {
    return this.#config.votersOutgoing.length > 0;
  }

  /** Whether this voter decides alone. A leader that has been removed doesn't, however few are left. */
  decidesAlone(id: NodeId): boolean {
    const { voters } = this.#config;
    return voters.length === 1 && voters[0] === id && !this.isJoint();
  }

  /** The highest index that a quorum stores. */
  committed(): Index {
    return jointCommitted(this.#voters, this.#matchOf);
  }

  /** Whether a quorum has been heard of recently. */
  quorumActive(): boolean {
    const active = (id: NodeId): boolean => this.#progress.get(id)?.recentActive ?? false;
    return jointVote(this.#voters, active) === "won";
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** A member's first answer counts. */
  recordVote(id: NodeId, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  tallyVotes(): VoteTally {
    let granted = 0;
    let rejected = 0;
    for (const [id, { isLearner }] of this.#progress) {
      const vote = this.#votes.get(id);
      if (isLearner || vote === undefined) continue;
      if (vote) granted++;
      else rejected++;
    }
    const result = jointVote(this.#voters, (id) => this.#votes.get(id));
    return { granted, rejected, result };
  }
}

/** `voters=(1 2)&&(1) learners=(3) autoleave` */
export function describeConfig(config: ConfState): string {
  let text = `voters=${describeJoint({ incoming: config.voters, outgoing: config.votersOutgoing })}`;
  if (config.learners.length > 0) text += ` learners=${describeMajority(config.learners)}`;
  if (config.learnersNext.length > 0) {
    text += ` learners_next=${describeMajority(config.learnersNext)}`;
  }
  return config.autoLeave ? `${text} autoleave` : text;
}
