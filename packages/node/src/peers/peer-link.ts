// One outgoing link to a peer: dials, greets, batches frames, redials. A link that closes and whose
// redial is refused is a death notice (P7): nothing listens there any more.
import {
  decodeUntrusted,
  joinBytes,
  lengthDelimitedField,
  ParleyError,
  PeerFrame,
  type PeerHello,
} from "@parley/protocol";
import type {
  Clock,
  LinkEnd,
  Logger,
  OutgoingLink,
  OutgoingLinkEvents,
  PeerTransport,
  Random,
  Timer,
} from "../ports.ts";

const REDIAL_MS_MIN = 20;
/** Whoever is not there is called again after this long at the latest. */
export const REDIAL_MS_MAX = 1_000;
/** A link that stood for this long is redialled at once; one that did not, after a pause that grows. */
const STOOD_MS_MIN = 500;
/** How long the other end may take to greet. */
export const GREETING_MS_MAX = 2_000;
/** A frame ends at about this many bytes: far below what a peer takes, whatever has gathered in one turn. */
const FRAME_BYTES_MAX = 1024 * 1024;

/** The answering direction carries a greeting or an error. */
const ANSWER_BOUNDS = { bytesMax: 64 * 1024, partsMax: 1024 } as const;

/** Field numbers of PeerFrame. */
export const PEER_FIELD = {
  hello: 1,
  messages: 2,
  forwards: 3,
  forwardReplies: 4,
  report: 5,
  presence: 6,
  copyRequest: 9,
  leaderRequests: 10,
  leaderReplies: 11,
  typing: 13,
} as const;

export interface PeerLinkOwner {
  /** The hello to send to this peer now. */
  hello(peerId: number): PeerHello;
  /** Checks the peer's answer; a sentence = refused for that reason. */
  checkHello(peerId: number, hello: PeerHello): string | undefined;
  onUp(peerId: number): void;
  onDown(peerId: number): void;
  /** Nothing listens at the peer's address. */
  onRefused(peerId: number): void;
  /** The peer answered with an error instead of a hello. */
  onRejected(peerId: number, error: ParleyError): void;
  onDrain(peerId: number): void;
  /** A frame after the greeting: for one that asks for admission. */
  onAnswer?(peerId: number, frame: PeerFrame): void;
}

type LinkState = "down" | "dialing" | "greeting" | "up" | "closed";

export class PeerLink {
  readonly peerId: number;
  readonly address: string;
  readonly #transport: PeerTransport;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #owner: PeerLinkOwner;
  #state: LinkState = "down";
  #link: OutgoingLink | undefined;
  #timer: Timer | undefined;
  /** Dials in a row that did not give a link that stood. */
  #failures = 0;
  #upSinceMs = 0;
  #parts: Uint8Array[] = [];
  /** Told apart from callbacks of links that were given up. */
  #attempt = 0;

  constructor(
    peerId: number,
    address: string,
    ports: {
      readonly transport: PeerTransport;
      readonly clock: Clock;
      readonly random: Random;
      readonly logger: Logger;
    },
    owner: PeerLinkOwner,
  ) {
    this.peerId = peerId;
    this.address = address;
    this.#transport = ports.transport;
    this.#clock = ports.clock;
    this.#random = ports.random;
    this.#logger = ports.logger;
    this.#owner = owner;
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Dials now, unless a link is up or on its way. */
  dial(): void {
    if (this.#state !== "down") return;
    this.#timer?.cancel();
    this.#state = "dialing";
    this.#attempt += 1;
    const attempt = this.#attempt;
    const current = () => this.#attempt === attempt && this.#state !== "closed";
    this.#timer = this.#clock.after(GREETING_MS_MAX, () => {
      if (current() && this.#state !== "up") this.#drop("timeout", "no greeting in time");
    });
    const events: OutgoingLinkEvents = {
      onOpen: () => {
        if (!current() || this.#state !== "dialing") return;
        this.#state = "greeting";
        this.#link?.send(
          PeerFrame.encode(
            PeerFrame.fromPartial({ hello: this.#owner.hello(this.peerId) }),
          ).finish(),
        );
      },
      onFrame: (frame) => {
        if (current()) this.#receive(frame);
      },
      onEnd: (end, detail) => {
        if (current()) this.#ended(end, detail);
      },
      onDrain: () => {
        if (current() && this.#state === "up") this.#owner.onDrain(this.peerId);
      },
    };
    this.#link = this.#transport.dial(
      this.address,
      events,
      this.#owner.hello(this.peerId).toNodeId,
    );
  }

  /** Queues one encoded field of PeerFrame for the next flush; false when the link is not up. */
  queue(field: keyof typeof PEER_FIELD, encoded: Uint8Array): boolean {
    if (this.#state !== "up") return false;
    this.#parts.push(lengthDelimitedField(PEER_FIELD[field], encoded));
    return true;
  }

  /**
   * Sends what is queued, in frames of a bounded size. False = the backlog was full: what had not been sent yet
   * is dropped, and `onDrain` follows when there is room.
   */
  flush(): boolean {
    if (this.#parts.length === 0) return true;
    const parts = this.#parts;
    this.#parts = [];
    let from = 0;
    while (from < parts.length) {
      let to = from;
      let bytes = 0;
      while (to < parts.length) {
        bytes += parts[to]?.length ?? 0;
        if (to > from && bytes > FRAME_BYTES_MAX) break;
        to += 1;
      }
      const frame = joinBytes(from === 0 && to === parts.length ? parts : parts.slice(from, to));
      if (this.#state !== "up" || this.#link?.send(frame) !== true) return false;
      from = to;
    }
    return true;
  }

  /** Dials anew, to say another hello. */
  again(): void {
    if (this.#state !== "closed") this.#drop("closed", "introducing itself anew");
    this.dial();
  }

  close(): void {
    this.#state = "closed";
    this.#timer?.cancel();
    this.#link?.close();
    this.#link = undefined;
    this.#parts = [];
  }

  #receive(bytes: Uint8Array): void {
    let frame: PeerFrame;
    try {
      frame = decodeUntrusted(PeerFrame, bytes, ANSWER_BOUNDS);
    } catch (cause) {
      this.#drop("rejected", ParleyError.from(cause).message);
      return;
    }
    if (frame.error !== undefined) {
      const error = ParleyError.fromWire(frame.error);
      this.#owner.onRejected(this.peerId, error);
      this.#drop("rejected", error.message);
      return;
    }
    if (this.#state === "up") this.#owner.onAnswer?.(this.peerId, frame);
    if (this.#state !== "greeting" || frame.hello === undefined) return;
    const refusal = this.#owner.checkHello(this.peerId, frame.hello);
    if (refusal !== undefined) {
      this.#drop("rejected", refusal);
      return;
    }
    this.#timer?.cancel();
    this.#state = "up";
    this.#upSinceMs = this.#clock.monotonicMs();
    this.#parts = [];
    this.#owner.onUp(this.peerId);
  }

  #drop(end: LinkEnd, detail: string): void {
    this.#link?.close();
    this.#ended(end, detail);
  }

  #ended(end: LinkEnd, detail: string): void {
    if (this.#state === "down" || this.#state === "closed") return;
    const wasUp = this.#state === "up";
    const hasStood = wasUp && this.#clock.monotonicMs() - this.#upSinceMs >= STOOD_MS_MIN;
    this.#state = "down";
    this.#attempt += 1;
    this.#link = undefined;
    this.#parts = [];
    this.#timer?.cancel();
    this.#logger.debug({ peer: this.peerId, end, detail }, "peer link ended");
    if (hasStood) this.#failures = 0;
    // After a link that stood, redial at once: it tells a death from a hiccup.
    const delayMs = hasStood ? 0 : this.#backoffMs();
    this.#failures += 1;
    this.#timer = this.#clock.after(delayMs, () => this.dial());
    if (wasUp) this.#owner.onDown(this.peerId);
    if (end === "refused") this.#owner.onRefused(this.peerId);
  }

  #backoffMs(): number {
    const ceiling = Math.min(REDIAL_MS_MAX, REDIAL_MS_MIN * 2 ** Math.min(this.#failures, 10));
    return Math.floor(ceiling / 2) + this.#random.int(Math.floor(ceiling / 2) + 1);
  }
}
