// Puts writes into the log: into this node's when it leads, else the request goes to the leader's node
// (DESIGN section 4), and answers the other nodes' requests. Core proposal forwarding is off: it loses
// proposals silently.
//
// What a leader gets in one turn, from its own clients and from its peers, becomes one proposal: one
// message to each follower instead of one for each write.
import { type Admission, checkCommand, stampCommand, versionNeeded } from "@parley/chat";
import { encode, ForwardReply, ForwardRequest, ParleyError } from "@parley/protocol";
import type { PeerMesh } from "../peers/peer-mesh.ts";
import type { Clock } from "../ports.ts";
import type { Driver } from "./driver.ts";
import type { Placement, PlaceResult, Placer } from "./proposals.ts";

/** Why this node takes no write for another one now; undefined = it may. */
export type Refusal = () => ParleyError | undefined;

/** Where the writes of this node's own clients went. */
export interface OwnWrites {
  placedAt(from: number, id: number, placement: Placement): void;
  refused(from: number, id: number, error: ParleyError): void;
}

/** One proposal holds about this many bytes at the most, so that it fits into a message. */
const PROPOSAL_BYTES_MAX = 256 * 1024;

interface Gathered {
  /** Whose request it is; 0 = this node's own. */
  readonly peerId: number;
  readonly id: number;
  readonly command: Uint8Array;
}

type Answer =
  | { readonly ok: true; readonly placement: Placement }
  | { readonly ok: false; readonly error: ParleyError };

export class LogWriter implements Placer {
  readonly #nodeId: number;
  readonly #driver: Driver;
  readonly #mesh: PeerMesh;
  readonly #clock: Clock;
  readonly #admission: Admission;
  readonly #refusal: Refusal;
  readonly #own: OwnWrites;
  /** Writes of this node that went to another one's, and others' that came here; for metrics. */
  forwarded = 0;
  forwardsAnswered = 0;
  /** What came in this turn while this node leads, in order. */
  #gathered: Gathered[] = [];

  constructor(
    nodeId: number,
    driver: Driver,
    mesh: PeerMesh,
    clock: Clock,
    admission: Admission,
    refusal: Refusal,
    own: OwnWrites,
  ) {
    this.#nodeId = nodeId;
    this.#driver = driver;
    this.#mesh = mesh;
    this.#clock = clock;
    this.#admission = admission;
    this.#refusal = refusal;
    this.#own = own;
  }

  place(id: number, command: Uint8Array): PlaceResult {
    const { raft } = this.#driver;
    if (raft.state === "StateLeader") {
      this.#gather({ peerId: 0, id, command });
      return { kind: "forwarded", to: this.#nodeId };
    }
    const leader = raft.lead;
    const request = encode(ForwardRequest, { id, command });
    if (leader === 0 || !this.#mesh.queue(leader, "forwards", request))
      return { kind: "no-leader" };
    this.#driver.schedulePump();
    this.forwarded += 1;
    return { kind: "forwarded", to: leader };
  }

  /** Another node's write, which belongs here if this node leads. */
  answerForward(peerId: number, forward: ForwardRequest): void {
    this.forwardsAnswered += 1;
    const { id, command } = forward;
    const error = checkCommand(command) ?? this.#notLeading() ?? this.#refusal();
    if (error === undefined) this.#gather({ peerId, id, command });
    else {
      this.#answer(peerId, id, { ok: false, error });
      this.#driver.schedulePump();
    }
  }

  /** Proposes what has been gathered; called before the core is asked what it has ready. */
  propose(): void {
    if (this.#gathered.length === 0) return;
    const gathered = this.#gathered.filter((write) => this.#isKnownToAll(write));
    this.#gathered = [];
    // After a stall this node may not lead any more: time comes before whatever waited for it.
    this.#driver.catchUpTicks();
    // A clock that stands behind or was set back does no harm: apply takes the newest stamp so far.
    const stampMs = Math.floor(this.#clock.wallMs());
    let from = 0;
    while (from < gathered.length) {
      const commands: Uint8Array[] = [];
      let bytes = 0;
      while (from + commands.length < gathered.length) {
        const command = (gathered[from + commands.length] as Gathered).command;
        if (commands.length > 0 && bytes + command.length > PROPOSAL_BYTES_MAX) break;
        bytes += command.length;
        commands.push(stampCommand(command, stampMs));
      }
      this.#proposeTogether(gathered.slice(from, from + commands.length), commands);
      from += commands.length;
    }
  }

  /** Refuses what some member's program may not know: it would have to stop there (state-version.ts of @parley/chat). */
  #isKnownToAll({ peerId, id, command }: Gathered): boolean {
    if (versionNeeded(command) <= this.#admission.stateVersion) return true;
    const { raft } = this.#driver;
    // Until everything that was decided is applied here, the version may have risen already.
    const isSure = raft.hasCommittedInTerm && this.#admission.appliedIndex >= raft.commit;
    const error = isSure ? notYetSupported() : notLeader(raft.lead);
    this.#answer(peerId, id, { ok: false, error });
    return false;
  }

  #gather(write: Gathered): void {
    this.#gathered.push(write);
    this.#driver.schedulePump();
  }

  #proposeTogether(writes: readonly Gathered[], commands: readonly Uint8Array[]): void {
    const { raft } = this.#driver;
    const notLeading = this.#notLeading();
    const result = notLeading === undefined ? raft.propose(commands) : undefined;
    if (result?.ok === true && result.kind === "appended") {
      const { term, first } = result;
      for (const [at, { peerId, id }] of writes.entries()) {
        this.#answer(peerId, id, { ok: true, placement: { term, index: first + at } });
      }
      return;
    }
    const isFull = result?.ok === false && result.reason === "uncommitted-limit";
    const error = isFull ? tooMuchUncommitted() : (notLeading ?? notLeader(raft.lead));
    for (const { peerId, id } of writes) this.#answer(peerId, id, { ok: false, error });
  }

  #answer(peerId: number, id: number, answer: Answer): void {
    if (peerId === 0) {
      if (answer.ok) this.#own.placedAt(this.#nodeId, id, answer.placement);
      else this.#own.refused(this.#nodeId, id, answer.error);
      return;
    }
    const reply = answer.ok
      ? { id, error: undefined, ...answer.placement }
      : { id, error: answer.error.toWire(), term: 0, index: 0 };
    this.#mesh.queue(peerId, "forwardReplies", encode(ForwardReply, reply));
  }

  #notLeading(): ParleyError | undefined {
    const { raft } = this.#driver;
    return raft.state === "StateLeader" ? undefined : notLeader(raft.lead);
  }
}

function notLeader(leaderId: number): ParleyError {
  return new ParleyError("NOT_LEADER", "this node does not lead", { leaderId });
}

function notYetSupported(): ParleyError {
  return new ParleyError(
    "NOT_YET_SUPPORTED",
    "Not every server of the cluster runs a version of Parley that has this: it can be done once the last one has been upgraded.",
  );
}

function tooMuchUncommitted(): ParleyError {
  return new ParleyError("OVERLOADED", "the leader has too much uncommitted data", {
    retryAfterMs: 100,
  });
}
