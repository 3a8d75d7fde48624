// Receives a copy of the chat file from a peer: one at a time, written as it comes, verified as a whole,
// and handed over. What breaks off stays on disk, to go on from there.
import {
  type CopyBegin,
  type CopyChunk,
  CopyFrame,
  CopyState,
  ParleyError,
  type PeerHello,
} from "@parley/protocol";
import { certificateMismatch } from "../peers/certified-peer.ts";
import { GREETING_MS_MAX } from "../peers/peer-link.ts";
import type { PeerMesh } from "../peers/peer-mesh.ts";
import type { Clock, IncomingLink, IncomingLinkEvents, Logger, Timer } from "../ports.ts";
import {
  COPY_CHUNK_BYTES_MAX,
  COPY_FRAME_BYTES_MAX,
  type CopyOffer,
  encodeProgress,
  offerFromWire,
} from "./copy-codec.ts";
import type { CopyStore } from "./copy-ports.ts";

/** Links that have not said what they bring, and the one that has. */
const LINKS_MAX = 16;
/** A sender that is silent for this long is given up. */
const SILENCE_MS_MAX = 15_000;
/** What may wait to be written: a sender keeps to less. */
const WAITING_BYTES_MAX = 8 * COPY_CHUNK_BYTES_MAX;
/** How often the sender is told that a long verification goes on. */
const VERIFYING_MS = 2_000;

/** Who wants copies: the node as it runs, or while it has no chat state. */
export interface CopyTaker {
  /** Whether that peer leads, as far as this node knows. */
  leads(peerId: number): boolean;
  /** Why an offer is refused; undefined = it is welcome. */
  refusal(peerId: number, offer: CopyOffer): Promise<ParleyError | undefined>;
  /** The copy is on disk, verified. Resolves once it is installed, or with false when it is of no use. */
  install(offer: CopyOffer): Promise<boolean>;
}

export class CopyReceiver {
  readonly #copies: CopyStore;
  readonly #mesh: PeerMesh;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #links = new Set<Reception>();
  #current: Reception | undefined;
  #taker: CopyTaker | undefined;
  #closed = false;

  constructor(
    copies: CopyStore,
    mesh: PeerMesh,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#copies = copies;
    this.#mesh = mesh;
    this.#clock = ports.clock;
    this.#logger = ports.logger;
  }

  /** From now on copies go to `taker`. */
  serve(taker: CopyTaker | undefined): void {
    this.#taker = taker;
  }

  accept(link: IncomingLink): IncomingLinkEvents {
    if (this.#closed || this.#links.size >= LINKS_MAX) {
      link.close();
      return { onFrame: () => {}, onEnd: () => {} };
    }
    const reception = new Reception(link, this.#clock, {
      greet: (hello) => certificateMismatch(hello, link) ?? this.#mesh.greet(hello),
      begin: (one, begin) => this.#begin(one, begin),
      write: (chunk) => {
        const { offset, data: bytes, crc32 } = chunk;
        return this.#copies.write(offset, { bytes, crc32 });
      },
      finish: (one, offer) => this.#finish(one, offer),
      ended: (one) => {
        this.#links.delete(one);
        if (this.#current === one) this.#current = undefined;
      },
    });
    this.#links.add(reception);
    return {
      onFrame: (bytes) => reception.receive(bytes),
      onEnd: () => reception.end(),
    };
  }

  close(): void {
    this.#closed = true;
    for (const reception of [...this.#links]) reception.end();
  }

  async #begin(
    reception: Reception,
    begin: CopyBegin,
  ): Promise<CopyOffer & { readonly from: number }> {
    const offer = offerFromWire(begin, reception.peerId, this.#mesh.raftId);
    if (offer === undefined) throw new ParleyError("MALFORMED", "that is no copy of this protocol");
    const current = this.#current;
    if (current !== undefined && !givesWay(current, reception, this.#readyTaker)) {
      throw new ParleyError("OVERLOADED", "another copy is being received");
    }
    this.#current = reception;
    current?.end();
    // It may have been whole, and be installed by now: then somebody else takes copies.
    await current?.settled;
    const refusal = await this.#readyTaker.refusal(reception.peerId, offer);
    if (refusal !== undefined) throw refusal;
    return { ...offer, from: await this.#copies.receive(offer.head) };
  }

  get #readyTaker(): CopyTaker {
    if (this.#taker !== undefined) return this.#taker;
    throw new ParleyError("NOT_READY", "the node is still starting");
  }

  async #finish(reception: Reception, offer: CopyOffer): Promise<void> {
    const { head } = offer;
    try {
      await this.#copies.finish(head);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#logger.error(
        { peer: reception.peerId, index: head.index, detail },
        "a copy was damaged; it is fetched again",
      );
      throw new ParleyError("CORRUPT", detail);
    }
    const taker = this.#taker;
    if (taker === undefined) throw new ParleyError("NOT_READY", "the node is stopping");
    if (await taker.install(offer)) return;
    await this.#copies.discard();
    throw new ParleyError("INVALID_ARGUMENT", "this copy is of no use to this node");
  }
}

interface ReceptionEvents {
  greet(hello: PeerHello): PeerHello | ParleyError;
  begin(reception: Reception, begin: CopyBegin): Promise<CopyOffer & { readonly from: number }>;
  write(chunk: CopyChunk): Promise<void>;
  finish(reception: Reception, offer: CopyOffer): Promise<void>;
  ended(reception: Reception): void;
}

/** One link with a copy on it. */
/**
 * To the same sender: what it had begun hangs, and it goes on with the copy that is partly here. And to the leader, because whoever
 * began may have lost the lead, or its life, long before that shows here, and a majority may be waiting for this node (P7).
 */
function givesWay(current: Reception, next: Reception, taker: CopyTaker): boolean {
  if (current.isFinishing) return false;
  if (current.peerId === next.peerId) return true;
  return taker.leads(next.peerId) && !taker.leads(current.peerId);
}

class Reception {
  /** 0 = it has not greeted. */
  peerId = 0;
  isFinishing = false;
  readonly #link: IncomingLink;
  readonly #clock: Clock;
  readonly #events: ReceptionEvents;
  #silence: Timer | undefined;
  #hasBegun = false;
  #offer: CopyOffer | undefined;
  #expected = 0;
  #written = 0;
  #work: Promise<void> = Promise.resolve();
  #hasEnded = false;
  #hasFailed = false;

  constructor(link: IncomingLink, clock: Clock, events: ReceptionEvents) {
    this.#link = link;
    this.#clock = clock;
    this.#events = events;
    this.#listen(GREETING_MS_MAX);
  }

  receive(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    let frame: CopyFrame;
    try {
      if (bytes.length > COPY_FRAME_BYTES_MAX) throw new RangeError("too large");
      frame = CopyFrame.decode(bytes);
    } catch {
      this.#refuse(new ParleyError("MALFORMED", "that is not a frame of a copy"));
      return;
    }
    this.#listen(SILENCE_MS_MAX);
    if (this.peerId === 0) this.#greet(frame.hello);
    else if (frame.begin !== undefined && !this.#hasBegun) this.#begin(frame.begin);
    else if (frame.chunk !== undefined && this.#offer !== undefined)
      this.#take(frame.chunk, this.#offer);
    else this.#refuse(new ParleyError("MALFORMED", "that frame is out of turn"));
  }

  /** Resolves when nothing that it has begun is under way any more. */
  get settled(): Promise<void> {
    return this.#work;
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#silence?.cancel();
    this.#link.close();
    // What is under way ends first: nobody else may touch the file until then.
    this.#work = this.#work.then(() => this.#events.ended(this));
  }

  #greet(hello: PeerHello | undefined): void {
    if (hello === undefined) {
      this.#refuse(new ParleyError("MALFORMED", "the first frame must be a hello"));
      return;
    }
    const answer = this.#events.greet(hello);
    if (answer instanceof ParleyError) {
      this.#refuse(answer);
      return;
    }
    this.peerId = hello.raftId;
    this.#link.send(encodeProgress({ hello: answer }));
  }

  #begin(begin: CopyBegin): void {
    this.#hasBegun = true;
    this.#run(async () => {
      const { from, ...offer } = await this.#events.begin(this, begin);
      if (this.#hasEnded) return;
      this.#offer = offer;
      this.#expected = from;
      this.#written = from;
      this.#report(from);
      if (from === offer.head.bytes) await this.#finish(offer);
    });
  }

  #take(chunk: CopyChunk, offer: CopyOffer): void {
    const { length } = chunk.data;
    const isNext = chunk.offset === this.#expected && length > 0 && length <= COPY_CHUNK_BYTES_MAX;
    const waiting = this.#expected - this.#written;
    if (!isNext || waiting > WAITING_BYTES_MAX || chunk.offset + length > offer.head.bytes) {
      this.#refuse(new ParleyError("MALFORMED", "that chunk is out of turn"));
      return;
    }
    this.#expected += length;
    this.#run(async () => {
      if (this.#hasFailed) return;
      await this.#events.write(chunk);
      this.#written += length;
      // A whole copy is of use also when its sender has gone.
      if (!this.#hasEnded) this.#report(this.#written);
      if (this.#written === offer.head.bytes) await this.#finish(offer);
    });
  }

  /** Part of the work that came before it: who waits for this one to settle waits for that too. */
  async #finish(offer: CopyOffer): Promise<void> {
    this.isFinishing = true;
    this.#silence?.cancel();
    this.#sayThatItVerifies();
    try {
      await this.#events.finish(this, offer);
    } finally {
      this.#silence?.cancel();
    }
    this.#link.send(encodeProgress({ state: CopyState.COPY_STATE_DONE, received: this.#written }));
    this.end();
  }

  #sayThatItVerifies(): void {
    const state = CopyState.COPY_STATE_VERIFYING;
    this.#link.send(encodeProgress({ state, received: this.#written }));
    this.#silence = this.#clock.after(VERIFYING_MS, () => this.#sayThatItVerifies());
  }

  #report(received: number): void {
    this.#link.send(encodeProgress({ state: CopyState.COPY_STATE_RECEIVING, received }));
  }

  /**
   * One after the other; the first failure ends the link. What has come before the link broke is kept, so
   * that it need not come again.
   */
  #run(work: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      try {
        await work();
      } catch (error) {
        this.#hasFailed = true;
        this.#refuse(ParleyError.from(error));
      }
    });
  }

  #refuse(error: ParleyError): void {
    if (this.#hasEnded) return;
    this.#link.send(encodeProgress({ error: error.toWire() }));
    this.end();
  }

  #listen(ms: number): void {
    if (this.isFinishing) return;
    this.#silence?.cancel();
    this.#silence = this.#clock.after(ms, () => {
      this.#refuse(
        new ParleyError("DEADLINE_EXCEEDED", "the sender has said nothing for too long"),
      );
    });
  }
}
