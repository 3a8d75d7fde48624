// What peers say, brought to whom it concerns; and what the core says to them: messages over the mesh, copies on streams of their own.
import { ParleyError, type PeerFrame } from "@parley/protocol";
import { type Message, makeMessage, type Snapshot, type Unavailable } from "@parley/raft";
import type { CopyExchange } from "../copies/copy-exchange.ts";
import type { LeaderRequests } from "../leader-requests.ts";
import type { Roster } from "../membership/roster.ts";
import { headOfWitnessSnapshot, witnessSnapshot } from "../membership/witness-snapshot.ts";
import type { Logger } from "../ports.ts";
import type { Driver } from "../replication/driver.ts";
import type { LogCache } from "../replication/log-cache.ts";
import type { LogWriter } from "../replication/log-writer.ts";
import type { Proposals } from "../replication/proposals.ts";
import type { Contacts } from "./contacts.ts";
import type { Gossip } from "./gossip.ts";
import type { PeerMesh } from "./peer-mesh.ts";
import { judgePeerMessage } from "./peer-messages.ts";
import { encodeMessage } from "./raft-codec.ts";

/** Those whom the frames of peers concern. */
export interface PeerFrameParts {
  readonly roster: Roster;
  readonly mesh: PeerMesh;
  readonly driver: Driver;
  readonly cache: LogCache;
  readonly contacts: Contacts;
  readonly writer: LogWriter;
  readonly proposals: Proposals;
  readonly copies: CopyExchange;
  readonly requests: LeaderRequests;
  readonly gossip: Gossip;
  readonly logger: Logger;
}

export class PeerFrames {
  readonly #parts: PeerFrameParts;
  readonly #isWitness: boolean;
  #isInstalling = false;

  constructor(parts: PeerFrameParts) {
    this.#parts = parts;
    this.#isWitness = parts.roster.isWitness(parts.roster.raftId);
  }

  receive(peerId: number, frame: PeerFrame): void {
    const { contacts, writer, proposals, requests, gossip } = this.#parts;
    contacts.heard(peerId);
    this.#takeMessages(peerId, frame);
    for (const forward of frame.forwards) writer.answerForward(peerId, forward);
    for (const { id, error, term, index } of frame.forwardReplies) {
      if (error === undefined) proposals.placedAt(peerId, id, { term, index });
      else proposals.refused(peerId, id, ParleyError.fromWire(error));
    }
    if (frame.copyRequest !== undefined) this.#copyWanted(peerId, frame.copyRequest.minIndex);
    for (const request of frame.leaderRequests) requests.receive(peerId, request);
    for (const reply of frame.leaderReplies) requests.replied(reply);
    gossip.receive(peerId, frame);
  }

  /** What the core says to one of them. */
  send(message: Message): void {
    const { roster, copies, mesh, driver } = this.#parts;
    const { type, to } = message;
    const isSnapshot = type === "MsgSnap";
    if (isSnapshot && !roster.isWitness(to)) {
      copies.send(message);
      return;
    }
    const isQueued = mesh.queue(to, "messages", encodeMessage(message));
    if (isSnapshot) driver.raft.reportSnapshot(to, isQueued);
    else if (!isQueued) driver.raft.reportUnreachable(to);
  }

  /** What was queued goes out. */
  flush(): void {
    const { mesh, driver, proposals } = this.#parts;
    mesh.flush((peerId) => {
      driver.raft.reportUnreachable(peerId);
      // They are placed again when the link has room, or soon; not at once, or the loop would spin.
      proposals.giveUpForwards(peerId);
    });
  }

  /** For the core: what the follower `to` gets that the log can't catch up; no further than `indexMax`. */
  snapshotFor(to: number, indexMax: number): Snapshot | Unavailable {
    const { roster, copies, cache, driver } = this.#parts;
    if (!roster.isWitness(to)) return copies.shelf.snapshot();
    const { compactedIndex } = cache;
    const log = {
      compactedIndex,
      applied: driver.raft.applied,
      term: (index: number) => cache.term(index),
    };
    return witnessSnapshot(log, roster.membership, roster.asOf, indexMax);
  }

  #takeMessages(peerId: number, { messages }: PeerFrame): void {
    const { driver, roster, logger } = this.#parts;
    let refused = 0;
    let problem = "";
    for (const wire of messages) {
      const judged = judgePeerMessage(wire, peerId, roster.raftId, driver.raft, this.#isWitness);
      if (judged.kind === "refused") {
        refused += 1;
        problem = judged.problem;
      }
      if (judged.kind !== "message") continue;
      if (judged.message.type === "MsgSnap") this.#takeSnapshot(judged.message);
      else driver.step(judged.message);
      this.#noteLeaderContact(judged.message);
    }
    if (refused === 0) return;
    // Once for a frame, however many there are in it.
    logger.warn({ peer: peerId, refused, problem }, "dropped messages that no correct peer sends");
  }

  #copyWanted(peerId: number, minIndex: number): void {
    const { roster, copies, driver } = this.#parts;
    if (!roster.isWitness(peerId)) {
      copies.requested(peerId, minIndex);
      return;
    }
    const { raft } = driver;
    const snapshot = this.snapshotFor(peerId, raft.applied);
    // From anybody else than the leader it would pass for the word of one.
    if (raft.state !== "StateLeader" || snapshot === "unavailable") return;
    const from = roster.raftId;
    this.send(makeMessage({ type: "MsgSnap", from, to: peerId, term: raft.term, snapshot }));
  }

  /** As a witness. What comes while another one is being installed comes again. */
  #takeSnapshot(message: Message): void {
    const { driver } = this.#parts;
    const { snapshot } = message;
    if (snapshot === null || this.#isInstalling) return;
    if (driver.acknowledgeSnapshot(message)) return;
    const head = headOfWitnessSnapshot(snapshot);
    if (head === undefined) return;
    this.#isInstalling = true;
    driver.stepSnapshot(message, head).then(
      () => {
        this.#isInstalling = false;
      },
      () => {
        // Whatever failed has stopped the node.
      },
    );
  }

  #noteLeaderContact({ type, from, term }: Message): void {
    const { lead, term: ours } = this.#parts.driver.raft;
    if (from !== lead || term !== ours) return;
    if (type === "MsgApp" || type === "MsgHeartbeat") this.#parts.contacts.heardLeader();
  }
}
