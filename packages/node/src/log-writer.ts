// Puts writes into the log: into this node's when it leads, else the request goes to the leader's node
// (DESIGN section 4), and answers the other nodes' requests. Core proposal forwarding is off: it loses
// proposals silently.
import { checkCommand, stampCommand } from "@parley/chat";
import { ForwardReply, ForwardRequest, ParleyError } from "@parley/protocol";
import type { Driver } from "./driver.ts";
import type { PeerMesh } from "./peer-mesh.ts";
import type { Clock } from "./ports.ts";
import type { PlaceResult, Placer } from "./proposals.ts";

/** Why this node takes no write for another one now; undefined = it may. */
export type Refusal = () => ParleyError | undefined;

export class LogWriter implements Placer {
  readonly #driver: Driver;
  readonly #mesh: PeerMesh;
  readonly #clock: Clock;
  readonly #refusal: Refusal;
  /** Writes of this node that went to another one's, and others' that came here; for metrics. */
  forwarded = 0;
  forwardsAnswered = 0;

  constructor(driver: Driver, mesh: PeerMesh, clock: Clock, refusal: Refusal) {
    this.#driver = driver;
    this.#mesh = mesh;
    this.#clock = clock;
    this.#refusal = refusal;
  }

  place(id: number, command: Uint8Array): PlaceResult {
    const { raft } = this.#driver;
    if (raft.state === "StateLeader") return this.#append(command);
    const leader = raft.lead;
    const request = ForwardRequest.encode({ id, command }).finish();
    if (leader === 0 || !this.#mesh.queue(leader, "forwards", request))
      return { kind: "no-leader" };
    this.#driver.schedulePump();
    this.forwarded += 1;
    return { kind: "forwarded", to: leader };
  }

  /** Another node's write, which belongs here if this node leads. */
  answerForward(peerId: number, forward: ForwardRequest): void {
    this.forwardsAnswered += 1;
    const answer = this.#placeForPeer(forward.command);
    this.#mesh.queue(
      peerId,
      "forwardReplies",
      ForwardReply.encode(ForwardReply.fromPartial({ id: forward.id, ...answer })).finish(),
    );
    this.#driver.schedulePump();
  }

  /** Stamps a command and appends it to this leader's log. */
  #append(command: Uint8Array): PlaceResult {
    const driver = this.#driver;
    let result: PlaceResult = NO_LEADER;
    driver.guard(() => {
      // After a stall this node may not lead any more: time comes before whatever waited for it.
      driver.catchUpTicks();
      if (driver.raft.state === "StateLeader") result = this.#propose(command);
    });
    driver.schedulePump();
    return result;
  }

  #propose(command: Uint8Array): PlaceResult {
    // A clock that stands behind or was set back does no harm: apply takes the newest stamp so far.
    const stampMs = Math.floor(this.#clock.wallMs());
    const result = this.#driver.raft.propose([stampCommand(command, stampMs)]);
    if (result.ok) {
      return result.kind === "appended"
        ? { kind: "placed", placement: { term: result.term, index: result.first } }
        : NO_LEADER;
    }
    if (result.reason !== "uncommitted-limit") return NO_LEADER;
    return {
      kind: "refused",
      error: new ParleyError("OVERLOADED", "the leader has too much uncommitted data", {
        retryAfterMs: 100,
      }),
    };
  }

  #placeForPeer(command: Uint8Array): Partial<ForwardReply> {
    const malformed = checkCommand(command);
    if (malformed !== undefined) return { error: malformed.toWire() };
    if (this.#driver.raft.state !== "StateLeader") return this.#notLeader();
    const refusal = this.#refusal();
    if (refusal !== undefined) return { error: refusal.toWire() };
    const placed = this.#append(command);
    switch (placed.kind) {
      case "placed":
        return placed.placement;
      case "refused":
        return { error: placed.error.toWire() };
      case "forwarded":
      case "no-leader":
        return this.#notLeader();
      default:
        return placed satisfies never;
    }
  }

  #notLeader(): Partial<ForwardReply> {
    const { lead } = this.#driver.raft;
    return {
      error: new ParleyError("NOT_LEADER", "this node does not lead", { leaderId: lead }).toWire(),
    };
  }
}

const NO_LEADER: PlaceResult = { kind: "no-leader" };
