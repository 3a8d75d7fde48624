// What nodes tell one another several times a second: their positions, from the leader everyone's, and
// who is online; and at once, who types. Ephemeral: it goes over the peer streams, never through the log.
import {
  encode,
  MemberState,
  NodeReport,
  type PeerFrame,
  PresenceReport,
  TypingReport,
} from "@parley/protocol";
import type { ClusterObserver } from "../cluster-view.ts";
import type { Clock } from "../ports.ts";
import type { TypingListener } from "../replica.ts";
import type { Contacts } from "./contacts.ts";
import type { PeerMesh } from "./peer-mesh.ts";
import type { Presence } from "./presence.ts";

/** A peer that is away for this long takes its online accounts with it. */
const PRESENCE_KEPT_MS = 10_000;
/** Members that a leader can report about. */
const MEMBERS_MAX = 1_024;
/** What is taken of one frame of a peer's: a correct one has no more to say in a turn. */
const TYPING_PER_FRAME_MAX = 1_000;

export class Gossip {
  readonly #mesh: PeerMesh;
  readonly #observer: ClusterObserver;
  readonly #contacts: Contacts;
  readonly #presence: Presence;
  readonly #clock: Clock;
  readonly #repeatMs: number;
  readonly #toGreet = new Set<number>();
  readonly #typingListeners: TypingListener[] = [];
  #lastReport: Uint8Array = new Uint8Array(0);
  #lastReportMs = Number.NEGATIVE_INFINITY;
  #lastFullMs = Number.NEGATIVE_INFINITY;

  /** A report that says nothing new is repeated every `repeatMs`, as a sign of life. */
  constructor(
    mesh: PeerMesh,
    observer: ClusterObserver,
    contacts: Contacts,
    presence: Presence,
    clock: Clock,
    repeatMs: number,
  ) {
    this.#mesh = mesh;
    this.#observer = observer;
    this.#contacts = contacts;
    this.#presence = presence;
    this.#clock = clock;
    this.#repeatMs = repeatMs;
  }

  /**
   * A peer that has just connected, or missed something, gets everything, with the next word to all: two reports about presence in one
   * frame would be the last of them.
   */
  greet(peerId: number): void {
    this.#toGreet.add(peerId);
  }

  /** Queues what is new, or due, for all peers. */
  tell(): void {
    const now = this.#clock.monotonicMs();
    for (const peerId of this.#mesh.peerIds) {
      if (this.#contacts.lastContactMs(peerId) > PRESENCE_KEPT_MS) this.#presence.forget(peerId);
    }
    const report = encode(NodeReport, this.#observer.report());
    const isDue = !equal(report, this.#lastReport) || now - this.#lastReportMs >= this.#repeatMs;
    if (isDue) {
      this.#lastReport = report;
      this.#lastReportMs = now;
      for (const peerId of this.#mesh.peerIds) this.#mesh.queue(peerId, "report", report);
    }
    // A peer that has heard nothing for a while has forgotten it all, also where the link has stood.
    if (now - this.#lastFullMs >= PRESENCE_KEPT_MS) {
      this.#lastFullMs = now;
      for (const peerId of this.#mesh.peerIds) this.greet(peerId);
    }
    this.#tellPresence();
  }

  #tellPresence(): void {
    const changes = this.#presence.takeChanges();
    const news = changes === undefined ? undefined : PresenceReport.encode(changes).finish();
    const isAnyNew = this.#toGreet.size > 0;
    const all = isAnyNew ? PresenceReport.encode(this.#presence.full()).finish() : undefined;
    for (const peerId of this.#mesh.peerIds) {
      const report = this.#toGreet.has(peerId) ? all : news;
      if (report !== undefined) this.#mesh.queue(peerId, "presence", report);
    }
    this.#toGreet.clear();
  }

  onTyping(listener: TypingListener): void {
    this.#typingListeners.push(listener);
  }

  /** Queues it for the end of the turn. A peer that is away hears nothing of it, then or later. */
  tellTyping(roomId: number, accountId: number): void {
    const report = TypingReport.encode({ roomId, accountId }).finish();
    for (const peerId of this.#mesh.peerIds) this.#mesh.queue(peerId, "typing", report);
  }

  /** Takes in what a peer tells. */
  receive(peerId: number, { report, presence, typing }: PeerFrame): void {
    if (report !== undefined && report.raftId === peerId && isSane(report)) {
      this.#contacts.report(report);
      this.#observer.invalidate();
    }
    if (presence !== undefined) this.#presence.take(peerId, presence);
    for (const { roomId, accountId } of typing.slice(0, TYPING_PER_FRAME_MAX)) {
      for (const listener of this.#typingListeners) listener(roomId, accountId);
    }
  }
}

/** A report is kept, and shown to operators: it is a handful of numbers, or none at all (P11). */
function isSane({ state, matches }: NodeReport): boolean {
  return matches.length <= MEMBERS_MAX && state <= MemberState.MEMBER_STATE_LEADER;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
