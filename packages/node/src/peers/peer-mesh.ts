// The links to and from all peers. Frames flow from the dialler; the answering direction carries
// only the greeting, a refusal, and what a server that asks for admission is told. Every link is greeted with
// cluster id, identities of both ends and protocol version, and refused on a mismatch (DESIGN section 6).
//
// A peer is named by its raft id, which stands for one disk: a message for the server that a disk was lost
// from never reaches the one that replaces it (P9).
import {
  type AdmissionAnswer,
  decodeUntrusted,
  LIMITS,
  ParleyError,
  PeerFrame,
  type PeerHello,
} from "@parley/protocol";
import type {
  Clock,
  IncomingLink,
  IncomingLinkEvents,
  Logger,
  PeerTransport,
  Random,
  Timer,
} from "../ports.ts";
import { certificateMismatch } from "./certified-peer.ts";
import type { Reception } from "./handshake.ts";
import { GREETING_MS_MAX, type PEER_FIELD, PeerLink } from "./peer-link.ts";

/** A member to have a link to. */
export interface Peer {
  readonly raftId: number;
  readonly nodeId: number;
  readonly serverUuid: string;
  readonly address: string;
}

/** Who this node says it is, and what it makes of others. */
export interface MeshIdentity {
  /** The hello without its `to…` fields. */
  hello(): Omit<PeerHello, "toNodeId" | "toServerUuid">;
  /** Looks at a hello, of a caller or of one who answers. */
  receive(hello: PeerHello): Reception;
}

export interface MeshEvents {
  onPeerUp(peerId: number): void;
  onPeerDown(peerId: number): void;
  /** The link from that peer ended or was replaced: what it was sending may be lost. */
  onPeerSilent(peerId: number): void;
  /** The peer's process is gone: nothing listens at its address. */
  onPeerDead(peerId: number): void;
  /** A member of this cluster introduced itself. */
  onIntroduced(hello: PeerHello): void;
  /** A frame from a greeted peer. */
  onFrame(peerId: number, frame: PeerFrame): void;
  /** A peer refused this node. */
  onRejected(peerId: number, error: ParleyError): void;
  /** There is room again after a flush was dropped. */
  onDrain(peerId: number): void;
}

interface Incoming {
  readonly link: IncomingLink;
  /** 0 = it has not greeted yet, or is no peer. */
  peerId: number;
  /** Of one that asks for admission. */
  enquiry: PeerHello | undefined;
  /** What it was told last. */
  told: string;
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
  readonly #links = new Map<number, { readonly peer: Peer; readonly link: PeerLink }>();
  readonly #incoming = new Set<Incoming>();
  readonly #identity: MeshIdentity;
  readonly #events: MeshEvents;
  readonly #ports: {
    readonly transport: PeerTransport;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
  };
  #closed = false;
  #warnedMs = Number.NEGATIVE_INFINITY;

  constructor(
    ports: {
      readonly transport: PeerTransport;
      readonly clock: Clock;
      readonly random: Random;
      readonly logger: Logger;
    },
    identity: MeshIdentity,
    events: MeshEvents,
  ) {
    this.#identity = identity;
    this.#events = events;
    this.#ports = ports;
    ports.transport.listen((link) => this.#accept(link));
  }

  get peerIds(): IterableIterator<number> {
    return this.#links.keys();
  }

  isUp(peerId: number): boolean {
    return this.#links.get(peerId)?.link.isUp ?? false;
  }

  /**
   * Has links to exactly these from now on. Links from others, once greeted, are closed for the reason given; those
   * without one stay: whoever is not known yet may be a member that this node has yet to learn of.
   */
  connect(peers: readonly Peer[], farewell: (raftId: number) => ParleyError | undefined): void {
    if (this.#closed) return;
    const wanted = new Map(peers.map((peer) => [peer.raftId, peer]));
    for (const [raftId, { peer, link }] of this.#links) {
      if (wanted.get(raftId)?.address === peer.address) continue;
      this.#links.delete(raftId);
      const wasUp = link.isUp;
      link.close();
      if (wasUp) this.#events.onPeerDown(raftId);
    }
    for (const incoming of this.#incoming) {
      if (incoming.peerId === 0 || wanted.has(incoming.peerId)) continue;
      const error = farewell(incoming.peerId);
      if (error !== undefined) this.#refuse(incoming, error);
    }
    for (const peer of peers) {
      if (this.#links.has(peer.raftId)) continue;
      const link = new PeerLink(peer.raftId, peer.address, this.#ports, this.#owner);
      this.#links.set(peer.raftId, { peer, link });
      link.dial();
    }
  }

  /** This node's own raft id; 0 while it has none. */
  get raftId(): number {
    return this.#identity.hello().raftId;
  }

  addressOf(peerId: number): string | undefined {
    return this.#links.get(peerId)?.peer.address;
  }

  /** The hello to a peer, on a stream of its own as well. */
  helloTo(peerId: number): PeerHello {
    return this.#owner.hello(peerId);
  }

  /** Checks the hello of the peer that was dialled, on a stream of its own; a sentence = refused for that reason. */
  checkHello(peerId: number, hello: PeerHello): string | undefined {
    return this.#owner.checkHello(peerId, hello);
  }

  /** Receives a caller on a stream of its own: the hello for a member of this cluster, or why it is refused. */
  greet(hello: PeerHello): PeerHello | ParleyError {
    const reception = this.#identity.receive(hello);
    if (reception.kind === "peer") return this.#answerTo(hello);
    const error =
      reception.kind === "refused"
        ? reception.error
        : new ParleyError("NOT_READY", "only members of this cluster bring copies");
    this.#logRefusal(error, { peer: hello.nodeId });
    return error;
  }

  /** Queues an encoded field of PeerFrame; false when there is no link to that peer. */
  queue(peerId: number, field: keyof typeof PEER_FIELD, encoded: Uint8Array): boolean {
    return this.#links.get(peerId)?.link.queue(field, encoded) ?? false;
  }

  /** Sends everything queued. Calls `dropped` for each peer for whom something was lost. */
  flush(dropped: (peerId: number) => void): void {
    for (const [peerId, { link }] of this.#links) if (!link.flush()) dropped(peerId);
  }

  /** The hellos of all that ask for admission now. */
  *enquirers(): IterableIterator<PeerHello> {
    for (const { enquiry } of this.#incoming) if (enquiry !== undefined) yield enquiry;
  }

  /** Tells a server that asks for admission, unless it was told the same before. */
  tellEnquirer(serverUuid: string, answer: AdmissionAnswer): void {
    const frame = PeerFrame.encode(PeerFrame.fromPartial({ admission: answer })).finish();
    const key = frame.join();
    for (const incoming of this.#incoming) {
      if (incoming.enquiry?.serverUuid !== serverUuid || incoming.told === key) continue;
      if (incoming.link.send(frame)) incoming.told = key;
    }
  }

  close(): void {
    this.#closed = true;
    for (const { link } of this.#links.values()) link.close();
    for (const incoming of this.#incoming) {
      incoming.timer.cancel();
      incoming.link.close();
    }
    this.#incoming.clear();
  }

  readonly #owner = {
    hello: (peerId: number): PeerHello => {
      const peer = this.#links.get(peerId)?.peer;
      return {
        ...this.#identity.hello(),
        toNodeId: peer?.nodeId ?? 0,
        toServerUuid: peer?.serverUuid ?? "",
      };
    },
    checkHello: (peerId: number, hello: PeerHello): string | undefined => {
      const error = this.#checkAnswer(peerId, hello);
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
    const now = this.#ports.clock.monotonicMs();
    const isQuiet = error.reason === "NOT_READY" || now - this.#warnedMs < WARN_INTERVAL_MS;
    if (!isQuiet) this.#warnedMs = now;
    this.#ports.logger[isQuiet ? "debug" : "warn"](fields, `peer refused: ${error.message}`);
  }

  /** Whether the one who answers is the one who was dialled. */
  #checkAnswer(peerId: number, hello: PeerHello): ParleyError | undefined {
    const reception = this.#identity.receive(hello);
    if (reception.kind === "refused") return reception.error;
    if (reception.kind === "peer" && hello.raftId === peerId) return undefined;
    return new ParleyError(
      "NOT_READY",
      `node ${hello.nodeId} answers as raft id ${hello.raftId}, where ${peerId} is expected`,
    );
  }

  #accept(link: IncomingLink): IncomingLinkEvents {
    if (this.#closed || !this.#makeRoom()) {
      link.close();
      return { onFrame: () => {}, onEnd: () => {} };
    }
    const timer = this.#ports.clock.after(GREETING_MS_MAX, () => {
      if (this.#incoming.has(incoming)) {
        this.#refuse(incoming, new ParleyError("DEADLINE_EXCEEDED", "no hello came in time"));
      }
    });
    const incoming: Incoming = { link, peerId: 0, enquiry: undefined, told: "", timer };
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
    const mismatch = certificateMismatch(hello, incoming.link);
    const reception: Reception =
      mismatch === undefined ? this.#identity.receive(hello) : { kind: "refused", error: mismatch };
    // A refused peer is told who answers all the same: bootstrap decides on it.
    if (reception.kind === "refused") {
      this.#logRefusal(reception.error, { peer: hello.nodeId, remote: incoming.link.remote });
      this.#refuse(incoming, reception.error);
      return;
    }
    incoming.timer.cancel();
    incoming.enquiry = reception.kind === "enquirer" ? hello : undefined;
    // A server has one link to this node. An older one is half-open, or what is left on it is out of date.
    for (const other of this.#incoming) {
      const isSame =
        reception.kind === "peer"
          ? other.peerId === hello.raftId
          : other !== incoming && other.enquiry?.serverUuid === hello.serverUuid;
      if (!isSame) continue;
      this.#ended(other);
      other.link.close();
    }
    if (reception.kind === "peer") incoming.peerId = hello.raftId;
    const answer = this.#answerTo(hello);
    incoming.link.send(PeerFrame.encode(PeerFrame.fromPartial({ hello: answer })).finish());
    if (reception.kind !== "peer") return;
    this.#events.onIntroduced(hello);
    // The peer is alive: no need to wait for the pause before the next dial.
    this.#links.get(hello.raftId)?.link.dial();
  }

  #answerTo({ nodeId, serverUuid }: PeerHello): PeerHello {
    return { ...this.#identity.hello(), toNodeId: nodeId, toServerUuid: serverUuid };
  }

  #refuse(incoming: Incoming, error: ParleyError): void {
    this.#ended(incoming);
    incoming.link.send(PeerFrame.encode(PeerFrame.fromPartial({ error: error.toWire() })).finish());
    incoming.link.close();
  }
}
