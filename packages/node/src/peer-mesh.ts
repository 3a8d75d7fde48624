// The links to and from all peers. Frames flow from the dialler; the answering direction carries
// only the greeting and a refusal. Every link is greeted with cluster id, identities of both ends
// and protocol version, and refused on a mismatch (DESIGN section 6).
import {
  decodeUntrusted,
  LIMITS,
  ParleyError,
  PeerFrame,
  type PeerHello,
  PROTOCOL_VERSION,
} from "@parley/protocol";
import { certificateMismatch } from "./certified-peer.ts";
import type { ConfiguredNode } from "./config.ts";
import { GREETING_MS_MAX, type PEER_FIELD, PeerLink } from "./peer-link.ts";
import type {
  Clock,
  IncomingLink,
  IncomingLinkEvents,
  Logger,
  PeerTransport,
  Random,
  Timer,
} from "./ports.ts";

/** Who this node says it is, and what it expects of a peer. */
export interface MeshIdentity {
  /** The hello without its `to…` fields. */
  hello(): Omit<PeerHello, "toNodeId" | "toServerUuid">;
  /** The server uuid that the peer must have; empty = not known yet. */
  uuidOf(peerId: number): string;
  /** Looks at a peer's well-formed hello; a sentence = refuse it for that reason. */
  accept(hello: PeerHello): ParleyError | undefined;
}

export interface MeshEvents {
  onPeerUp(peerId: number): void;
  onPeerDown(peerId: number): void;
  /** The link from that peer ended or was replaced: what it was sending may be lost. */
  onPeerSilent(peerId: number): void;
  /** The peer's process is gone: nothing listens at its address. */
  onPeerDead(peerId: number): void;
  /** A frame from a greeted peer. */
  onFrame(peerId: number, frame: PeerFrame): void;
  /** A peer refused this node. */
  onRejected(peerId: number, error: ParleyError): void;
  /** There is room again after a flush was dropped. */
  onDrain(peerId: number): void;
}

interface Incoming {
  readonly link: IncomingLink;
  /** 0 = it has not greeted yet. */
  peerId: number;
  /** Until it has greeted. */
  readonly timer: Timer;
}

/**
 * Incoming links at the most; a peer needs one. Those that don't greet in time are closed, and when there are
 * too many the oldest of them at once: strangers can't keep a peer out, which greets as soon as it may.
 */
const INCOMING_MAX = 256;
/** At most one line about refused links in this time; the rest is for debugging. */
const WARN_INTERVAL_MS = 1_000;
/** A hello takes a few hundred bytes; who hasn't greeted doesn't get more of this node's time. */
const HELLO_BOUNDS = { bytesMax: 16 * 1024, partsMax: 1024 } as const;
/** What a frame of a peer may cost to decode. */
const FRAME_BOUNDS = {
  bytesMax: LIMITS.peerFrameBytesMax,
  partsMax: LIMITS.peerFramePartsMax,
} as const;

export class PeerMesh {
  readonly #nodeId: number;
  readonly #links = new Map<number, PeerLink>();
  readonly #incoming = new Set<Incoming>();
  readonly #identity: MeshIdentity;
  readonly #events: MeshEvents;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #closed = false;
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(
    nodeId: number,
    peers: readonly ConfiguredNode[],
    ports: {
      readonly transport: PeerTransport;
      readonly clock: Clock;
      readonly random: Random;
      readonly logger: Logger;
    },
    identity: MeshIdentity,
    events: MeshEvents,
  ) {
    this.#nodeId = nodeId;
    this.#identity = identity;
    this.#events = events;
    this.#clock = ports.clock;
    this.#logger = ports.logger;
    ports.transport.listen((link) => this.#accept(link));
    for (const peer of peers) {
      if (peer.id === nodeId) continue;
      this.#links.set(peer.id, new PeerLink(peer.id, peer.address, ports, this.#owner));
    }
  }

  get peerIds(): IterableIterator<number> {
    return this.#links.keys();
  }

  isUp(peerId: number): boolean {
    return this.#links.get(peerId)?.isUp ?? false;
  }

  dialAll(): void {
    for (const link of this.#links.values()) link.dial();
  }

  addressOf(peerId: number): string | undefined {
    return this.#links.get(peerId)?.address;
  }

  /** The hello to a peer, on a stream of its own as well. */
  helloTo(peerId: number): PeerHello {
    return this.#helloTo(peerId);
  }

  /** Checks a peer's hello on a stream of its own; an error = refuse it for that reason. */
  checkHello(hello: PeerHello, expectedId: number | undefined): ParleyError | undefined {
    const error = this.#checkHello(hello, expectedId);
    if (error !== undefined) this.#logRefusal(error, { peer: hello.nodeId });
    return error;
  }

  /** Queues an encoded field of PeerFrame; false when there is no link to that peer. */
  queue(peerId: number, field: keyof typeof PEER_FIELD, encoded: Uint8Array): boolean {
    return this.#links.get(peerId)?.queue(field, encoded) ?? false;
  }

  /** Sends everything queued. Calls `dropped` for each peer for whom something was lost. */
  flush(dropped: (peerId: number) => void): void {
    for (const [peerId, link] of this.#links) if (!link.flush()) dropped(peerId);
  }

  close(): void {
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
    for (const incoming of this.#incoming) {
      incoming.timer.cancel();
      incoming.link.close();
    }
    this.#incoming.clear();
  }

  readonly #owner = {
    hello: (peerId: number): PeerHello => this.#helloTo(peerId),
    checkHello: (peerId: number, hello: PeerHello): string | undefined => {
      const error = this.#checkHello(hello, peerId);
      if (error !== undefined) this.#logRefusal(error, { peer: peerId });
      return error?.message;
    },
    onUp: (peerId: number) => this.#events.onPeerUp(peerId),
    onDown: (peerId: number) => this.#events.onPeerDown(peerId),
    onRefused: (peerId: number) => this.#events.onPeerDead(peerId),
    onRejected: (peerId: number, error: ParleyError) => this.#events.onRejected(peerId, error),
    onDrain: (peerId: number) => this.#events.onDrain(peerId),
  };

  /** "Not ready" is how every start begins, and passes by itself. Strangers can't fill the log (P11). */
  #logRefusal(error: ParleyError, fields: object): void {
    const now = this.#clock.monotonicMs();
    const isQuiet = error.reason === "NOT_READY" || now - this.#warnedMs < WARN_INTERVAL_MS;
    if (!isQuiet) this.#warnedMs = now;
    this.#logger[isQuiet ? "debug" : "warn"](fields, `peer refused: ${error.message}`);
  }

  #helloTo(peerId: number): PeerHello {
    return {
      ...this.#identity.hello(),
      toNodeId: peerId,
      toServerUuid: this.#identity.uuidOf(peerId),
    };
  }

  #checkHello(hello: PeerHello, expectedId: number | undefined): ParleyError | undefined {
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      return new ParleyError(
        "PROTOCOL_VERSION",
        `node ${hello.nodeId} speaks peer protocol ${hello.protocolVersion}, this node ${PROTOCOL_VERSION}`,
      );
    }
    if (!this.#links.has(hello.nodeId) || (expectedId ?? hello.nodeId) !== hello.nodeId) {
      return new ParleyError(
        "WRONG_CLUSTER",
        `node id ${hello.nodeId} is not the one expected at this address by node ${this.#nodeId}`,
      );
    }
    if (hello.toNodeId !== this.#nodeId) {
      return new ParleyError(
        "WRONG_CLUSTER",
        `meant for node ${hello.toNodeId}, but this is node ${this.#nodeId}: check host and port in the configuration`,
      );
    }
    return this.#identity.accept(hello);
  }

  #accept(link: IncomingLink): IncomingLinkEvents {
    if (this.#closed || !this.#makeRoom()) {
      link.close();
      return { onFrame: () => {}, onEnd: () => {} };
    }
    const timer = this.#clock.after(GREETING_MS_MAX, () => {
      if (this.#incoming.has(incoming) && incoming.peerId === 0) {
        this.#refuse(incoming, new ParleyError("DEADLINE_EXCEEDED", "no hello came in time"));
      }
    });
    const incoming: Incoming = { link, peerId: 0, timer };
    this.#incoming.add(incoming);
    return {
      onFrame: (bytes) => {
        if (this.#incoming.has(incoming)) this.#receive(incoming, bytes);
      },
      onEnd: () => this.#ended(incoming),
    };
  }

  /** False: all that are there have greeted. */
  #makeRoom(): boolean {
    if (this.#incoming.size < INCOMING_MAX) return true;
    for (const incoming of this.#incoming) {
      if (incoming.peerId !== 0) continue;
      const error = new ParleyError("OVERLOADED", "too many links that do not greet", {
        retryAfterMs: GREETING_MS_MAX,
      });
      this.#refuse(incoming, error);
      return true;
    }
    return false;
  }

  #ended(incoming: Incoming): void {
    incoming.timer.cancel();
    if (!this.#incoming.delete(incoming)) return;
    if (incoming.peerId !== 0) this.#events.onPeerSilent(incoming.peerId);
  }

  #receive(incoming: Incoming, bytes: Uint8Array): void {
    const isGreeting = incoming.peerId === 0;
    let frame: PeerFrame;
    try {
      frame = decodeUntrusted(PeerFrame, bytes, isGreeting ? HELLO_BOUNDS : FRAME_BOUNDS);
    } catch (cause) {
      const error = ParleyError.from(cause);
      if (!isGreeting) {
        this.#logRefusal(error, { peer: incoming.peerId, remote: incoming.link.remote });
      }
      this.#refuse(incoming, error);
      return;
    }
    if (isGreeting) this.#greet(incoming, frame);
    else this.#events.onFrame(incoming.peerId, frame);
  }

  #greet(incoming: Incoming, frame: PeerFrame): void {
    const hello = frame.hello;
    if (hello === undefined) {
      this.#refuse(incoming, new ParleyError("MALFORMED", "the first frame must be a hello"));
      return;
    }
    const error = certificateMismatch(hello, incoming.link) ?? this.#checkHello(hello, undefined);
    // A refused peer is told who answers all the same: bootstrap decides on it.
    if (error !== undefined) {
      this.#logRefusal(error, { peer: hello.nodeId, remote: incoming.link.remote });
      this.#refuse(incoming, error);
      return;
    }
    incoming.timer.cancel();
    // A peer has one link to this node. An older one is half-open, or what is left on it is out of date.
    for (const other of this.#incoming) {
      if (other.peerId !== hello.nodeId) continue;
      this.#ended(other);
      other.link.close();
    }
    incoming.peerId = hello.nodeId;
    incoming.link.send(
      PeerFrame.encode(PeerFrame.fromPartial({ hello: this.#helloTo(hello.nodeId) })).finish(),
    );
    // The peer is alive: no need to wait for the pause before the next dial.
    this.#links.get(hello.nodeId)?.dial();
  }

  #refuse(incoming: Incoming, error: ParleyError): void {
    this.#ended(incoming);
    incoming.link.send(PeerFrame.encode(PeerFrame.fromPartial({ error: error.toWire() })).finish());
    incoming.link.close();
  }
}
