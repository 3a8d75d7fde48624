// What a session has to say, gathered until the end of the turn and written as few frames as
// possible, by joining fields that are already encoded. Knows when its reader is too slow (P11).
import {
  ClusterView,
  GoAway,
  joinBytes,
  LIMITS,
  lengthDelimitedField,
  Pong,
  Positions,
  PresenceNews,
  ReadReceipts,
  type Reason,
  Resync,
  Typist,
  varintField,
  Welcome,
} from "@parley/protocol";
import type { FrameSink } from "../ports.ts";
import type { SharedEvent } from "./shared-event.ts";

const FIELD = {
  welcome: 1,
  resync: 2,
  replies: 3,
  cursor: 5,
  cluster: 6,
  pong: 7,
  goAway: 8,
  positions: 9,
  typists: 10,
  readReceipts: 11,
  presence: 12,
} as const;
/** A frame that has grown past this is closed; one part may overshoot it. */
const FRAME_BYTES = 512 * 1024;
/** Replies are bounded by what the client asked for; past this nobody reads them. */
const REPLY_BACKLOG_BYTES_MAX = 4 * LIMITS.sessionBacklogBytesMax;
/** A reader that is behind by so much is not told who types. */
const TYPING_BACKLOG_BYTES_MAX = 64 * 1024;

/** A view as a field of a ServerFrame: encoded once for all sessions. */
export function clusterField(view: ClusterView): Uint8Array {
  return lengthDelimitedField(FIELD.cluster, ClusterView.encode(view).finish());
}

/** Positions as a field of a ServerFrame: encoded once for all sessions. */
export function positionsField(positions: Positions): Uint8Array {
  return lengthDelimitedField(FIELD.positions, Positions.encode(positions).finish());
}

/** Who types as a field of a ServerFrame: encoded once for all who are told. */
export function typistField(typist: Typist): Uint8Array {
  return lengthDelimitedField(FIELD.typists, Typist.encode(typist).finish());
}

/** Who has read on as a field of a ServerFrame: encoded once for all who are told. */
export function readReceiptsField(receipts: ReadReceipts): Uint8Array {
  return lengthDelimitedField(FIELD.readReceipts, ReadReceipts.encode(receipts).finish());
}

export class Outbox {
  readonly #sink: FrameSink;
  #frames: Uint8Array[] = [];
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #framesBytes = 0;
  #cluster: Uint8Array | undefined;
  #positions: Uint8Array | undefined;
  /** The revision of the last event gathered, 0 when the open frame holds none. */
  #openRevision = 0;
  #hasEvents = false;
  /** The last cursor written into a frame, and the last one in a frame that the sink has. */
  #cursor = 0;
  #sentCursor = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Where a subscription starts: the reader has everything up to there. */
  startCursor(revision: number): void {
    this.#cursor = revision;
    this.#sentCursor = revision;
  }

  get gatheredBytes(): number {
    return this.#framesBytes + this.#partsBytes;
  }

  /** Bytes that the reader has not taken yet, here and in the transport. */
  get backlogBytes(): number {
    return this.gatheredBytes + this.#sink.backlogBytes();
  }

  /** Whether the reader is further behind than a subscriber, or anybody, may be. */
  get tooSlow(): boolean {
    const backlog = this.backlogBytes;
    if (backlog > REPLY_BACKLOG_BYTES_MAX) return true;
    return this.#hasEvents && backlog > LIMITS.sessionBacklogBytesMax;
  }

  welcome(welcome: Welcome): void {
    this.#control(FIELD.welcome, Welcome.encode(welcome).finish());
  }

  resync(reason: string, revision: number): void {
    this.#control(FIELD.resync, Resync.encode({ reason, revision }).finish());
    // Until the reader has this frame, no cursor is of use to it.
    this.#cursor = revision;
    this.#sentCursor = 0;
  }

  /** `resultField` is the field of Reply.result with the encoded response or error in it. */
  reply(requestId: number, resultField: number, result: Uint8Array): void {
    if (this.#partsBytes > FRAME_BYTES) this.#closeFrame(this.#openRevision);
    const id = varintField(1, requestId);
    this.#part(lengthDelimitedField(FIELD.replies, id, lengthDelimitedField(resultField, result)));
  }

  /** Events come in revision order; those of one revision stay in one frame. */
  event(revision: number, event: SharedEvent): void {
    if (this.#partsBytes > FRAME_BYTES && revision !== this.#openRevision) {
      this.#closeFrame(this.#openRevision);
    }
    this.#part(event.frameField);
    this.#openRevision = revision;
    this.#hasEvents = true;
  }

  /** A `clusterField`; it replaces one that was not sent yet. */
  cluster(field: Uint8Array): void {
    this.#cluster = field;
  }

  /** A `positionsField`; it replaces one that was not sent yet. */
  positions(field: Uint8Array): void {
    this.#positions = field;
  }

  /** A `typistField`; dropped when the reader is behind: it has better things to read. */
  typing(field: Uint8Array): void {
    if (this.backlogBytes < TYPING_BACKLOG_BYTES_MAX) this.#part(field);
  }

  /** A `readReceiptsField`. */
  readReceipts(field: Uint8Array): void {
    this.#part(field);
  }

  presence(news: PresenceNews): void {
    this.#part(lengthDelimitedField(FIELD.presence, PresenceNews.encode(news).finish()));
  }

  pong(nonce: number, serverTimeMs: number): void {
    this.#part(lengthDelimitedField(FIELD.pong, Pong.encode({ nonce, serverTimeMs }).finish()));
  }

  /**
   * Hands everything to the sink. `cursor`: everything visible up to it has been gathered by now;
   * 0 = no subscription.
   */
  flush(cursor: number): void {
    if (this.#cluster !== undefined) {
      this.#part(this.#cluster);
      this.#cluster = undefined;
    }
    if (this.#positions !== undefined) {
      this.#part(this.#positions);
      this.#positions = undefined;
    }
    this.#closeFrame(cursor);
    this.#hasEvents = false;
    this.#sentCursor = this.#cursor;
    if (this.#frames.length === 0) return;
    const frames = this.#frames;
    this.#frames = [];
    this.#framesBytes = 0;
    for (const frame of frames) this.#sink.send(frame);
  }

  /** The last frame, then the end. What was gathered is dropped when the reader does not read. */
  goAway(reason: Reason, cursor: number, retryAfterMs: number): void {
    const slow = this.tooSlow;
    if (slow) this.clear();
    else this.flush(cursor);
    const goAway = { reason, cursor: slow ? this.#sentCursor : cursor, retryAfterMs };
    this.#sink.send(lengthDelimitedField(FIELD.goAway, GoAway.encode(goAway).finish()));
    this.#sink.end();
  }

  /** Forgets what was gathered. */
  clear(): void {
    this.#frames = [];
    this.#parts = [];
    this.#partsBytes = 0;
    this.#framesBytes = 0;
    this.#cluster = undefined;
    this.#positions = undefined;
    this.#openRevision = 0;
    this.#hasEvents = false;
  }

  /** Fields of a frame are handled in the order of their numbers, so these open a new frame. */
  #control(fieldNumber: number, message: Uint8Array): void {
    this.#closeFrame(this.#openRevision);
    this.#part(lengthDelimitedField(fieldNumber, message));
  }

  #part(part: Uint8Array): void {
    this.#parts.push(part);
    this.#partsBytes += part.length;
  }

  #closeFrame(cursor: number): void {
    if (cursor > this.#cursor) {
      this.#part(varintField(FIELD.cursor, cursor));
      this.#cursor = cursor;
    }
    this.#openRevision = 0;
    if (this.#parts.length === 0) return;
    const frame = joinBytes(this.#parts);
    this.#parts = [];
    this.#partsBytes = 0;
    this.#frames.push(frame);
    this.#framesBytes += frame.length;
  }
}
