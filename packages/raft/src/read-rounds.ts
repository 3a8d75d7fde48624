/**
 * Reads that wait for proof that their leader still leads (thesis, 6.4).
 *
 * Every read opens a *round* with a number of the leader's own making, which the heartbeats carry out
 * and the answers bring back. A round is confirmed once a quorum has acknowledged it or a later
 * one: "up to which round" is the same question as "up to which index is the log committed", and
 * the same function answers it. So an answer to an old heartbeat can never confirm a newer read, and what
 * clients use as context doesn't matter.
 */
import type { JointConfig } from "./quorum/joint.ts";
import { jointCommitted } from "./quorum/joint.ts";
import type { Index, NodeId } from "./types.ts";
import { NO_BYTES } from "./types.ts";

/** Who asked, and what comes back with the answer. */
export interface ReadRequest {
  readonly from: NodeId;
  readonly context: Uint8Array;
}

interface PendingRead {
  readonly round: number;
  readonly index: Index;
  readonly request: ReadRequest;
}

export interface ConfirmedRead {
  readonly index: Index;
  readonly request: ReadRequest;
}

const ROUND_BYTES = 8;
const NO_READS: readonly ConfirmedRead[] = [];

export class ReadRounds {
  #round = 0;
  /** In order of their rounds. */
  #pending: PendingRead[] = [];
  readonly #acked = new Map<NodeId, number>();

  get pendingCount(): number {
    return this.#pending.length;
  }

  /** Opens a round for a read at `index`, acknowledged by the leader itself. Returns its number. */
  open(leader: NodeId, index: Index, request: ReadRequest): number {
    this.#round++;
    this.#pending.push({ round: this.#round, index, request });
    this.#acked.set(leader, this.#round);
    return this.#round;
  }

  /** The newest round that somebody waits for, 0 if nobody does. */
  newestPending(): number {
    return this.#pending[this.#pending.length - 1]?.round ?? 0;
  }

  /** `from` acknowledges `round` and so all before it. False: nothing new. */
  acknowledge(from: NodeId, round: number): boolean {
    if (round < 1 || round > this.#round || round <= (this.#acked.get(from) ?? 0)) return false;
    this.#acked.set(from, round);
    return true;
  }

  /** Takes out the reads that a quorum of `voters` has confirmed, oldest first. */
  takeConfirmed(voters: JointConfig): readonly ConfirmedRead[] {
    if (this.#pending.length === 0) return NO_READS;
    const confirmed = jointCommitted(voters, (id) => this.#acked.get(id) ?? 0);
    let count = 0;
    while (count < this.#pending.length && (this.#pending[count]?.round ?? 0) <= confirmed) count++;
    return count === 0 ? NO_READS : this.#pending.splice(0, count);
  }
}

/** The heartbeat context that carries a round; round 0 is no context. */
export function encodeRound(round: number): Uint8Array {
  if (round === 0) return NO_BYTES;
  const bytes = new Uint8Array(ROUND_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(round / 2 ** 32));
  view.setUint32(4, round % 2 ** 32);
  return bytes;
}

/** The round that a context carries; 0 if it is none. */
export function decodeRound(context: Uint8Array): number {
  if (context.length !== ROUND_BYTES) return 0;
  const view = new DataView(context.buffer, context.byteOffset, ROUND_BYTES);
  const round = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  return Number.isSafeInteger(round) ? round : 0;
}
