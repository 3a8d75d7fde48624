// A node whose log and votes are whole, but whose chat state is lost: its chat file was damaged and
// its log begins too late to make it again. It votes and stores entries like any other (P9: it has
// forgotten nothing that it promised), serves nobody, and fetches a copy of the chat file from a peer.
// A witness has only a membership to lose, and takes it from a snapshot of the leader's.
//
// Its membership was in what was lost, so its core has none and never campaigns.
import { CopyRequest, ParleyError, type PeerFrame } from "@parley/protocol";
import type { Message } from "@parley/raft";
import type { NodeTuning } from "./config.ts";
import type { CopyOffer } from "./copies/copy-codec.ts";
import { roomFor } from "./copies/copy-exchange.ts";
import type { CopyTaker } from "./copies/copy-receiver.ts";
import type { Roster } from "./membership/roster.ts";
import { headOfWitnessSnapshot } from "./membership/witness-snapshot.ts";
import type { PeerMesh } from "./peers/peer-mesh.ts";
import { encodeMessage, messageFromWire } from "./peers/raft-codec.ts";
import type { CopyHead, InstalledCopy, NodePorts, Timer } from "./ports.ts";
import { Driver } from "./replication/driver.ts";
import type { LogCache } from "./replication/log-cache.ts";

/** A peer that was asked has so long to begin; then another one is asked. */
const ASK_MS = 5_000;
const QUIET_POLL_MS = 5;

export class StatelessNode implements CopyTaker {
  readonly #isWitness: boolean;
  readonly #tuning: NodeTuning;
  readonly #ports: NodePorts;
  readonly #roster: Roster;
  readonly #mesh: PeerMesh;
  readonly #cache: LogCache;
  readonly #driver: Driver;
  readonly #fatal: (error: unknown) => void;
  readonly #installed = Promise.withResolvers<InstalledCopy>();
  #timer: Timer | undefined;
  #asked = 0;
  #busyUntilMs = Number.NEGATIVE_INFINITY;

  /** `commit`: as far as the log is known to be committed. */
  constructor(
    isWitness: boolean,
    tuning: NodeTuning,
    ports: NodePorts,
    roster: Roster,
    mesh: PeerMesh,
    cache: LogCache,
    commit: number,
    fatal: (error: unknown) => void,
  ) {
    this.#isWitness = isWitness;
    this.#tuning = tuning;
    this.#ports = ports;
    this.#roster = roster;
    this.#mesh = mesh;
    this.#cache = cache;
    this.#fatal = fatal;
    const driverPorts = { ...ports, chatStore: undefined };
    this.#driver = new Driver(
      roster.raftId,
      commit,
      cache,
      tuning,
      driverPorts,
      {
        send: (message) => {
          mesh.queue(message.to, "messages", encodeMessage(message));
        },
        flush: () => mesh.flush(() => {}),
        propose: () => {},
        onApplied: () => {},
        onInstalled: () => {},
        onReadState: () => {},
        onConfChange: () => {
          throw new Error("a node without a chat state applies nothing");
        },
        onLeadershipChanged: () => {},
        onFatal: fatal,
      },
      roster,
    );
  }

  /** Resolves once a copy is installed; the core that ran until then has stopped. */
  run(): Promise<InstalledCopy> {
    this.#ports.logger.error(
      { logBeginsAfter: this.#cache.compactedIndex },
      this.#isWitness
        ? "the membership is lost and the log does not reach back far enough: waiting for the leader's; " +
            "until it is here this witness votes, but does not campaign"
        : "the chat file is lost and the log does not reach back far enough: fetching a copy from a peer; " +
            "until it is here this node votes, but serves nobody",
    );
    this.#roster.onChanged(() => this.#connect());
    this.#connect();
    this.#driver.start();
    this.#ask();
    return this.#installed.promise;
  }

  #connect(): void {
    if (this.#driver.isStopped) return;
    // Its table of servers is an old one: it sends nobody away.
    this.#mesh.connect(this.#roster.peers(), () => undefined);
  }

  halt(): void {
    this.#timer?.cancel();
    this.#driver.stop();
  }

  receive(peerId: number, frame: PeerFrame): void {
    for (const wire of frame.messages) {
      const message = messageFromWire(wire);
      const isOwn = message?.from === peerId && message.to === this.#roster.raftId;
      if (message === undefined || !isOwn) continue;
      if (message.type !== "MsgSnap") this.#driver.step(message);
      else if (this.#isWitness) this.#takeMembership(message);
    }
  }

  /** Only the membership in it is news: the log stays as it is, and what follows its beginning is gone through again. */
  #takeMembership({ snapshot }: Message): void {
    const head = snapshot === null ? undefined : headOfWitnessSnapshot(snapshot);
    const index = this.#cache.compactedIndex;
    const term = this.#cache.term(index);
    if (head?.witness === undefined || head.witness.membershipIndex < index) return;
    if (typeof term === "number") void this.#install({ ...head, index, term });
  }

  /** Without a state it hears no leader; whoever has a copy will do. */
  leads(_peerId: number): boolean {
    return false;
  }

  async refusal(_peerId: number, { head, message }: CopyOffer): Promise<ParleyError | undefined> {
    // Whatever becomes of the copy, a leader must know what this log has.
    if (message !== undefined) this.#driver.acknowledgeSnapshot(message);
    const { compactedIndex } = this.#cache;
    if (head.index < compactedIndex) {
      return new ParleyError("INVALID_ARGUMENT", `the log begins after ${compactedIndex}`);
    }
    const refusal = await roomFor(head.bytes, this.#tuning, this.#ports);
    // It comes: nobody else is asked for as long as that may take.
    if (refusal === undefined) {
      this.#busyUntilMs = this.#ports.clock.monotonicMs() + ASK_MS;
    }
    return refusal;
  }

  /** Whoever sent it: the core is not told, it is made anew from what is on disk then. */
  install({ head }: CopyOffer): Promise<boolean> {
    return this.#install(head);
  }

  async #install(head: CopyHead): Promise<boolean> {
    if (this.#driver.isStopped) return false;
    this.halt();
    try {
      await this.#quiet();
      this.#installed.resolve(await this.#ports.chatStore.install(head, undefined));
    } catch (error) {
      this.#fatal(error);
      return false;
    }
    return true;
  }

  /** Asks the peers in turn. A witness asks the leader. */
  #ask(): void {
    const { clock } = this.#ports;
    if (clock.monotonicMs() >= this.#busyUntilMs) {
      const { lead } = this.#driver.raft;
      const peers = [...this.#mesh.peerIds].filter(
        (id) =>
          this.#mesh.isUp(id) && (this.#isWitness ? id === lead : !this.#roster.isWitness(id)),
      );
      // The leader has everything; if it can't help, the others may. A membership, the leader alone gives away.
      const first = peers.includes(lead) && this.#asked === 0 ? lead : undefined;
      const peer = first ?? peers[this.#asked % Math.max(1, peers.length)];
      if (peer !== undefined) {
        this.#asked += 1;
        const request = { minIndex: this.#cache.compactedIndex };
        this.#mesh.queue(peer, "copyRequest", CopyRequest.encode(request).finish());
        this.#mesh.flush(() => {});
        this.#busyUntilMs = clock.monotonicMs() + ASK_MS;
      }
    }
    this.#timer = clock.after(100, () => this.#ask());
  }

  /** What was being written when the core stopped comes before the copy. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.#driver.isQuiet) resolve();
        else this.#ports.clock.after(QUIET_POLL_MS, look);
      };
      look();
    });
  }
}
