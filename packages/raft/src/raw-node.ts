/** One consensus member, as the application drives it; what the methods promise is said in `api.ts`. */
import type {
  BootstrapPeer,
  ProgressStatus,
  ProposeResult,
  RaftConfig,
  RaftStatus,
  RawNodeApi,
  ReadIndexResult,
  Ready,
  StepResult,
} from "./api.ts";
import { encodeConfChange } from "./confchange-codec.ts";
import { electionKind, hup } from "./election.ts";
import { makeEntry } from "./entry.ts";
import { forgetLeader, forwardRead, forwardTransfer } from "./follower.ts";
import { assert } from "./invariant.ts";
import { memberUnreachable } from "./leader.ts";
import { applyConfChange, restoreMembership } from "./membership.ts";
import type { Proposed } from "./proposals.ts";
import { proposeAsLeader, refused } from "./proposals.ts";
import { step, tick } from "./raft.ts";
import { requestRead } from "./reads.ts";
import type { Told } from "./ready.ts";
import { acceptReady, hasReady, makeReady } from "./ready.ts";
import { committedInOwnTerm, retryAppends } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import { snapshotSent } from "./snapshots.ts";
import { hex, RaftState } from "./state.ts";
import type { Storage } from "./storage.ts";
import { startTransfer } from "./transfer.ts";
import type { ConfChange, ConfState, Index, Message, NodeId, StateType, Term } from "./types.ts";
import { EMPTY_HARD_STATE, isEmptyHardState, isLocalThread, makeMessage, NONE } from "./types.ts";
import { dataFloor, promotionFloor } from "./witness.ts";

const NO_LEADER: ReadIndexResult = { ok: false, reason: "no-leader" };
const READ_SENT: ReadIndexResult = { ok: true };

/** A member that is started from its storage: a new one if that is empty, else one that comes back. */
export class RawNode implements RawNodeApi {
  readonly #r: RaftState;
  readonly #storage: Storage;
  #told: Told;
  /** What the last Ready has to be followed by; null if it has been, or there is none. */
  #onAdvance: readonly Message[] | null = null;

  constructor(config: RaftConfig) {
    const r = new RaftState(config);
    this.#r = r;
    this.#storage = config.storage;
    const { hardState, confState } = config.storage.initialState();
    restoreMembership(r, confState);
    const applied = config.applied ?? 0;
    if (!isEmptyHardState(hardState)) {
      assert(
        hardState.commit <= r.log.lastIndex(),
        () => `${hex(r.id)} state.commit ${hardState.commit} is after the last index`,
      );
      r.term = hardState.term;
      r.vote = hardState.vote;
    }
    // What is applied is committed, whether or not the stored hard state got to know.
    r.log.commitTo(Math.max(hardState.commit, applied));
    if (applied > 0) r.log.appliedTo(applied, 0);
    becomeFollower(r, r.term, NONE);
    const last = r.log.lastEntryId();
    const peers = [...r.tracker.progress.keys()].filter((id) => !confState.learners.includes(id));
    r.logger.info?.(
      `newRaft ${hex(r.id)} [peers: [${peers.map(hex).join(",")}], term: ${r.term}, commit: ${r.log.committed}, applied: ${r.log.applied}, lastindex: ${last.index}, lastterm: ${last.term}]`,
    );
    this.#told = { soft: r.softState(), hard: r.hardState() };
  }

  get id(): NodeId {
    return this.#r.id;
  }

  get term(): Term {
    return this.#r.term;
  }

  get lead(): NodeId {
    return this.#r.lead;
  }

  get state(): StateType {
    return this.#r.state;
  }

  get commit(): Index {
    return this.#r.log.committed;
  }

  get hasCommittedInTerm(): boolean {
    return this.#r.state === "StateLeader" && committedInOwnTerm(this.#r);
  }

  get applied(): Index {
    return this.#r.log.applied;
  }

  get dataFloor(): Index {
    return dataFloor(this.#r);
  }

  get lastIndex(): Index {
    return this.#r.log.lastIndex();
  }

  tick(): void {
    tick(this.#r);
  }

  step(message: Message): StepResult {
    const r = this.#r;
    if (!isLocalThread(message.from)) {
      if (fromThread(message)) {
        return { ok: false, reason: "local-message", detail: `${message.type} from a peer` };
      }
      if (isResponse(message) && !r.tracker.progress.has(message.from)) {
        return { ok: false, reason: "peer-not-found", detail: `${message.from} is no member` };
      }
    }
    return step(r, message);
  }

  campaign(): void {
    hup(this.#r, electionKind(this.#r));
  }

  preCampaign(): void {
    forgetLeader(this.#r);
    this.campaign();
  }

  propose(data: readonly Uint8Array[]): ProposeResult {
    return this.#propose(data.map((payload) => ({ type: "EntryNormal", data: payload })));
  }

  proposeConfChange(change: ConfChange): ProposeResult {
    const type = change.version === 1 ? "EntryConfChange" : "EntryConfChangeV2";
    return this.#propose([{ type, data: encodeConfChange(change) }]);
  }

  #propose(proposed: readonly Proposed[]): ProposeResult {
    const r = this.#r;
    if (r.state === "StateLeader") return proposeAsLeader(r, proposed);
    const to = r.lead;
    const entries = proposed.map(({ type, data }) => makeEntry(type, 0, 0, data));
    const stepped = step(
      r,
      makeMessage({ type: "MsgProp", to: r.id, from: r.id, term: 0, entries }),
    );
    if (stepped.ok) return { ok: true, kind: "forwarded", to };
    return refused(to === NONE ? "no-leader" : "not-leader", stepped.detail);
  }

  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this.#r, change);
  }

  hasReady(): boolean {
    return hasReady(this.#r, this.#told);
  }

  ready(): Ready {
    const r = this.#r;
    assert(this.#onAdvance === null, "two accepted Ready structs without call to Advance");
    const ready = makeReady(r, this.#told);
    const onAdvance = acceptReady(r, ready);
    if (!r.settings.asyncStorageWrites) this.#onAdvance = onAdvance;
    if (ready.softState !== null || ready.hardState !== null) {
      const { soft, hard } = this.#told;
      this.#told = { soft: ready.softState ?? soft, hard: ready.hardState ?? hard };
    }
    return ready;
  }

  advance(): void {
    const r = this.#r;
    assert(!r.settings.asyncStorageWrites, "Advance must not be called with AsyncStorageWrites");
    const messages = this.#onAdvance ?? [];
    this.#onAdvance = null;
    for (const message of messages) step(r, message);
  }

  retryAppends(): void {
    retryAppends(this.#r);
  }

  reportUnreachable(id: NodeId): void {
    memberUnreachable(this.#r, id);
  }

  reportSnapshot(id: NodeId, ok: boolean): void {
    snapshotSent(this.#r, id, ok);
  }

  transferLeader(to: NodeId): void {
    const r = this.#r;
    if (r.state === "StateLeader") startTransfer(r, to);
    else if (r.state === "StateFollower") forwardTransfer(r, to);
  }

  forgetLeader(): void {
    forgetLeader(this.#r);
  }

  readIndex(context: Uint8Array): ReadIndexResult {
    const r = this.#r;
    const request = { from: r.id, context };
    if (r.state === "StateLeader") return requestRead(r, request);
    return forwardRead(r, request) ? READ_SENT : NO_LEADER;
  }

  bootstrap(peers: readonly BootstrapPeer[]): void {
    const r = this.#r;
    assert(peers.length > 0, "must provide at least one peer to Bootstrap");
    assert(this.#storage.lastIndex() === 0, "can't bootstrap a nonempty Storage");
    // Everything in the first Ready has to be stored.
    this.#told = { soft: this.#told.soft, hard: EMPTY_HARD_STATE };
    becomeFollower(r, 1, NONE);
    const changes: ConfChange[] = peers.map(({ id, context }) => ({
      version: 1,
      change: { kind: "add-voter", nodeId: id },
      context,
    }));
    r.log.append(
      changes.map((change, i) => makeEntry("EntryConfChange", 1, i + 1, encodeConfChange(change))),
    );
    // As if they had been agreed upon: all members begin with the same entries. They are applied
    // here, so that the members can campaign, and come up for applying as usual.
    r.log.commitTo(changes.length);
    for (const change of changes) applyConfChange(r, change);
  }

  status(): RaftStatus {
    const r = this.#r;
    const progress = new Map<NodeId, ProgressStatus>();
    if (r.state === "StateLeader") {
      for (const [id, member] of r.tracker.progress) progress.set(id, member.status());
    }
    return {
      id: r.id,
      term: r.term,
      vote: r.vote,
      commit: r.log.committed,
      applied: r.log.applied,
      lastIndex: r.log.lastIndex(),
      stableIndex: r.log.unstable.offset - 1,
      lead: r.lead,
      state: r.state,
      leadTransferee: r.leadTransferee,
      config: r.tracker.config,
      promotionFloor: r.state === "StateLeader" ? promotionFloor(r) : 0,
      progress,
    };
  }

  /** Sets this member's election timeout, for scenarios that depend on who times out first. */
  setRandomizedElectionTimeout(ticks: number): void {
    this.#r.randomizedElectionTimeout = ticks;
  }
}

/** What only this member's own storage threads may say. */
function fromThread({ type }: Message): boolean {
  return (
    type === "MsgStorageAppend" ||
    type === "MsgStorageAppendResp" ||
    type === "MsgStorageApply" ||
    type === "MsgStorageApplyResp"
  );
}

/** Answers make sense from members only; requests may come from who has become one unnoticed. */
function isResponse({ type }: Message): boolean {
  return (
    type === "MsgAppResp" ||
    type === "MsgVoteResp" ||
    type === "MsgPreVoteResp" ||
    type === "MsgHeartbeatResp" ||
    type === "MsgReadIndexResp"
  );
}
