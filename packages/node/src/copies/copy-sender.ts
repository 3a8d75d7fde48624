// Sends copies of the chat file, each on a stream of its own: checksummed chunks, no more under way than
// the receiver has room for, and all together no faster than the tuning says, so that heartbeats and
// sends keep their latency. What breaks off is begun again by the core, and goes on where it was.
import { CopyFrame, CopyProgress, CopyState, ParleyError } from "@parley/protocol";
import type { CopyUnderWay } from "../bytes-to-go.ts";
import type { NodeTuning } from "../config.ts";
import type { PeerMesh } from "../peers/peer-mesh.ts";
import type { ChatStore, Clock, Logger, OutgoingLink, PeerTransport, Timer } from "../ports.ts";
import {
  COPY_CHUNK_BYTES_MAX,
  type CopyOffer,
  encodeBeginFrame,
  encodeHelloFrame,
} from "./copy-codec.ts";
import type { CopyHead } from "./copy-ports.ts";
import type { CopyShelf } from "./copy-shelf.ts";
import { Pace } from "./pace.ts";

/** Chunks on their way that the receiver has not written yet. */
const WINDOW_CHUNKS = 4;
/** A receiver that says nothing for this long is given up. */
const SILENCE_MS_MAX = 15_000;

/** How a transfer ended. */
export type CopyOutcome =
  | { readonly kind: "done" }
  /** `isCorrupt`: the receiver found that what it got is not what was promised. */
  | { readonly kind: "failed"; readonly detail: string; readonly isCorrupt: boolean };

export interface CopySenderPorts {
  readonly clock: Clock;
  readonly transport: PeerTransport;
  readonly chatStore: ChatStore;
  readonly logger: Logger;
}

export class CopySender {
  readonly #ports: CopySenderPorts;
  readonly #mesh: PeerMesh;
  readonly #shelf: CopyShelf;
  readonly #pace: Pace;
  readonly #chunkBytes: number;
  readonly #transfers = new Map<number, Transfer>();
  /** For metrics and coverage. */
  sent = 0;
  resumed = 0;

  constructor(ports: CopySenderPorts, mesh: PeerMesh, shelf: CopyShelf, tuning: NodeTuning) {
    this.#ports = ports;
    this.#mesh = mesh;
    this.#shelf = shelf;
    this.#chunkBytes = Math.min(tuning.copyChunkBytes, COPY_CHUNK_BYTES_MAX);
    this.#pace = new Pace(ports.clock, tuning.copyBytesPerSecond, this.#chunkBytes);
  }

  /** Sends a copy to a peer; one at a time for each. Resolves with how it ended; never rejects. */
  async send(peerId: number, offer: CopyOffer): Promise<CopyOutcome> {
    const address = this.#mesh.addressOf(peerId);
    if (address === undefined) return failed("it has no address");
    // A newer one takes the place of what may hang.
    this.#transfers.get(peerId)?.abandon("another copy takes its place");
    const { clock, transport, chatStore } = this.#ports;
    const transfer = new Transfer(
      peerId,
      offer,
      this.#mesh,
      clock,
      chatStore,
      this.#pace,
      this.#chunkBytes,
    );
    this.#transfers.set(peerId, transfer);
    this.#shelf.hold(offer.head);
    const { toNodeId } = this.#mesh.helloTo(peerId);
    const outcome = await transfer.run((events) => transport.dialCopy(address, events, toNodeId));
    this.#shelf.release(offer.head);
    if (this.#transfers.get(peerId) === transfer) this.#transfers.delete(peerId);
    this.#note(peerId, offer.head, transfer, outcome);
    return outcome;
  }

  /** The copy that is being sent to a peer. */
  underWay(peerId: number): CopyUnderWay | undefined {
    const transfer = this.#transfers.get(peerId);
    if (transfer === undefined) return undefined;
    return { index: transfer.head.index, bytesLeft: transfer.bytesLeft };
  }

  close(): void {
    for (const transfer of this.#transfers.values()) transfer.abandon("the node stops");
  }

  #note(peer: number, head: CopyHead, transfer: Transfer, outcome: CopyOutcome): void {
    const { logger } = this.#ports;
    const fields = { peer, index: head.index, bytes: head.bytes, from: transfer.resumedFrom };
    if (transfer.resumedFrom > 0) this.resumed += 1;
    if (outcome.kind === "done") {
      this.sent += 1;
      logger.info(fields, "a copy was sent");
      return;
    }
    logger.warn({ ...fields, detail: outcome.detail }, "sending a copy broke off");
    // Perhaps it was damaged on this disk after it was verified: nobody else gets it.
    if (outcome.isCorrupt) this.#shelf.drop(head);
  }
}

function failed(detail: string, isCorrupt = false): CopyOutcome {
  return { kind: "failed", detail, isCorrupt };
}

type Dial = (events: Parameters<PeerTransport["dialCopy"]>[1]) => OutgoingLink;

class Transfer {
  /** Where the receiver asked it to begin. */
  resumedFrom = 0;
  readonly #peerId: number;
  readonly #offer: CopyOffer;
  readonly #mesh: PeerMesh;
  readonly #clock: Clock;
  readonly #chatStore: ChatStore;
  readonly #pace: Pace;
  readonly #chunkBytes: number;
  readonly #end = Promise.withResolvers<CopyOutcome>();
  #link: OutgoingLink | undefined;
  #silence: Timer | undefined;
  #hasEnded = false;
  #isGreeted = false;
  #offset = 0;
  #received = -1;
  #isPumping = false;

  constructor(
    peerId: number,
    offer: CopyOffer,
    mesh: PeerMesh,
    clock: Clock,
    chatStore: ChatStore,
    pace: Pace,
    chunkBytes: number,
  ) {
    this.#peerId = peerId;
    this.#offer = offer;
    this.#mesh = mesh;
    this.#clock = clock;
    this.#chatStore = chatStore;
    this.#pace = pace;
    this.#chunkBytes = chunkBytes;
  }

  get head(): CopyHead {
    return this.#offer.head;
  }

  get bytesLeft(): number {
    return this.head.bytes - Math.max(0, this.#received);
  }

  run(dial: Dial): Promise<CopyOutcome> {
    this.#heard();
    this.#link = dial({
      onOpen: () => this.#write(encodeHelloFrame(this.#mesh.helloTo(this.#peerId))),
      onFrame: (frame) => this.#receive(frame),
      onEnd: (end, detail) => this.#finish(failed(`${end}: ${detail}`)),
      onDrain: () => this.#pump(),
    });
    return this.#end.promise;
  }

  abandon(why: string): void {
    this.#finish(failed(why));
  }

  #receive(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    let progress: CopyProgress;
    try {
      progress = CopyProgress.decode(bytes);
    } catch {
      this.#finish(failed("the receiver's answer is malformed"));
      return;
    }
    this.#heard();
    const { hello, error, state, received } = progress;
    if (error !== undefined) {
      const { reason, message } = ParleyError.fromWire(error);
      this.#finish(failed(message, reason === "CORRUPT"));
      return;
    }
    if (!this.#isGreeted) {
      const refusal =
        hello === undefined
          ? "the first frame must be a hello"
          : this.#mesh.checkHello(this.#peerId, hello);
      if (refusal !== undefined) {
        this.#finish(failed(refusal));
        return;
      }
      this.#isGreeted = true;
      this.#write(encodeBeginFrame(this.#offer));
      return;
    }
    if (state === CopyState.COPY_STATE_DONE) {
      this.#finish({ kind: "done" });
    } else if (state === CopyState.COPY_STATE_RECEIVING) {
      this.#taken(received);
    }
  }

  /** The receiver has everything before `received`. */
  #taken(received: number): void {
    const isFirst = this.#received < 0;
    const limit = isFirst ? this.#offer.head.bytes : this.#offset;
    if (received > limit || received < this.#received) {
      this.#finish(failed("the receiver's answer makes no sense"));
      return;
    }
    this.#received = received;
    if (isFirst) {
      this.#offset = received;
      this.resumedFrom = received;
    }
    this.#pump();
  }

  #pump(): void {
    if (this.#isPumping || this.#received < 0) return;
    this.#isPumping = true;
    this.#sendChunks().then(
      () => {
        this.#isPumping = false;
      },
      (error: unknown) => {
        const detail = error instanceof Error ? error.message : String(error);
        // What can't be read on this disk is of no use to anybody else either.
        this.#finish(failed(`reading the copy failed: ${detail}`, true));
      },
    );
  }

  async #sendChunks(): Promise<void> {
    const { head } = this.#offer;
    while (!this.#hasEnded && this.#offset < head.bytes) {
      if (this.#offset - this.#received >= WINDOW_CHUNKS * this.#chunkBytes) return;
      const offset = this.#offset;
      const length = Math.min(this.#chunkBytes, head.bytes - offset);
      await this.#pace.take(length);
      if (this.#hasEnded) return;
      const { bytes: data, crc32 } = await this.#chatStore.copies.read(head.copyId, offset, length);
      if (this.#hasEnded) return;
      const chunk = { offset, data, crc32 };
      const frame = CopyFrame.encode({ hello: undefined, begin: undefined, chunk }).finish();
      if (this.#link?.send(frame) !== true) {
        this.#finish(failed("the link took no more"));
        return;
      }
      this.#offset += data.length;
    }
  }

  #write(frame: Uint8Array): void {
    if (this.#link?.send(frame) !== true) this.#finish(failed("the link took no more"));
  }

  #heard(): void {
    this.#silence?.cancel();
    this.#silence = this.#clock.after(SILENCE_MS_MAX, () => {
      this.#finish(failed("the receiver has said nothing for too long"));
    });
  }

  #finish(outcome: CopyOutcome): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#silence?.cancel();
    this.#link?.close();
    this.#end.resolve(outcome);
  }
}
