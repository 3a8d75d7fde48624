// What nodes tell one another several times a second: their positions, from the leader everyone's, and
// who is online. Ephemeral: it goes over the peer streams, never through the log.
import { NodeReport, type PeerFrame, PresenceReport } from "@parley/protocol";
import type { ClusterObserver } from "./cluster-view.ts";
import type { Contacts } from "./contacts.ts";
import type { PeerMesh } from "./peer-mesh.ts";
import type { Clock } from "./ports.ts";
import type { Presence } from "./presence.ts";

/** A peer that is away for this long takes its online accounts with it. */
const PRESENCE_KEPT_MS = 10_000;

export class Gossip {
  readonly #mesh: PeerMesh;
  readonly #observer: ClusterObserver;
  readonly #contacts: Contacts;
  readonly #presence: Presence;
  readonly #clock: Clock;
  readonly #repeatMs: number;
  #lastReport = new Uint8Array(0);
  #lastReportMs = Number.NEGATIVE_INFINITY;

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

  /** A peer that has just connected gets everything. */
  greet(peerId: number): void {
    this.#mesh.queue(peerId, "presence", PresenceReport.encode(this.#presence.full()).finish());
  }

  /** Queues what is new, or due, for all peers. */
  tell(): void {
    const now = this.#clock.monotonicMs();
    for (const peerId of this.#mesh.peerIds) {
      if (this.#contacts.lastContactMs(peerId) > PRESENCE_KEPT_MS) this.#presence.forget(peerId);
    }
    const report = NodeReport.encode(this.#observer.report()).finish();
    const isDue = !equal(report, this.#lastReport) || now - this.#lastReportMs >= this.#repeatMs;
    if (isDue) {
      this.#lastReport = report;
      this.#lastReportMs = now;
      this.#tellAll("report", report);
    }
    const changes = this.#presence.takeChanges();
    if (changes !== undefined) this.#tellAll("presence", PresenceReport.encode(changes).finish());
  }

  /** Takes in what a peer tells. */
  receive(peerId: number, { report, presence }: PeerFrame): void {
    if (report !== undefined && report.raftId === peerId) {
      this.#contacts.report(report);
      this.#observer.invalidate();
    }
    if (presence !== undefined) this.#presence.take(peerId, presence);
  }

  #tellAll(field: "report" | "presence", encoded: Uint8Array): void {
    for (const peerId of this.#mesh.peerIds) this.#mesh.queue(peerId, field, encoded);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
