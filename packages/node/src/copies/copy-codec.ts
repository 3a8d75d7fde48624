// Copies' heads to and from the wire. Whatever comes from outside is checked here (P11).
import { CopyBegin, CopyFrame, CopyProgress, type PeerHello, RaftMessage } from "@parley/protocol";
import type { ConfState, Message } from "@parley/raft";
import { confStateToWire, encodeMessage, messageFromWire } from "../peers/raft-codec.ts";
import type { CopyHead } from "./copy-ports.ts";

/** Bytes of one chunk at the most. */
export const COPY_CHUNK_BYTES_MAX = 256 * 1024;
/** What a frame with a chunk has beside it, at the most. */
const CHUNK_SLACK_BYTES = 64 * 1024;
export const COPY_FRAME_BYTES_MAX: number = COPY_CHUNK_BYTES_MAX + CHUNK_SLACK_BYTES;
const COPY_ID_CHARS_MAX = 64;
const SHA256_BYTES = 32;
const STATE_HASH_CHARS_MAX = 64;

const NO_BYTES = new Uint8Array(0);

/** What a sender offers: a copy, and what the receiver's core is to be told when it has it. */
export interface CopyOffer {
  readonly head: CopyHead;
  /** Undefined: the receiver has asked for it, and its core knows nothing of it. */
  readonly message: Message | undefined;
}

export function encodeHelloFrame(hello: PeerHello): Uint8Array {
  return CopyFrame.encode({ hello, begin: undefined, chunk: undefined }).finish();
}

export function encodeBeginFrame({ head, message }: CopyOffer): Uint8Array {
  const begin = CopyBegin.fromPartial({
    copyId: head.copyId,
    snapshot: {
      index: head.index,
      term: head.term,
      confState: confStateToWire(head.confState),
      data: NO_BYTES,
    },
    bytes: head.bytes,
    sha256: head.sha256,
    stateHash: head.stateHash,
    message: message === undefined ? undefined : RaftMessage.decode(encodeMessage(message)),
  });
  return CopyFrame.encode({ hello: undefined, begin, chunk: undefined }).finish();
}

/** The offer, or undefined for one that no version of this protocol makes. Never throws. */
export function offerFromWire(begin: CopyBegin, from: number, to: number): CopyOffer | undefined {
  const { copyId, snapshot, bytes, sha256, stateHash } = begin;
  const confState = snapshot?.confState;
  if (snapshot === undefined || confState === undefined) return undefined;
  const isNamed =
    copyId.length > 0 && copyId.length <= COPY_ID_CHARS_MAX && /^[\w-]+$/.test(copyId);
  const isSized = snapshot.index > 0 && snapshot.term > 0 && bytes > 0;
  const isHashed = sha256.length === SHA256_BYTES && stateHash.length <= STATE_HASH_CHARS_MAX;
  if (!isNamed || !isSized || !isHashed) return undefined;
  const { index, term } = snapshot;
  // Bytes of their own: the frame that they came in is larger.
  const own = new Uint8Array(sha256);
  const head: CopyHead = { copyId, index, term, confState, bytes, sha256: own, stateHash };
  if (begin.message === undefined) return { head, message: undefined };
  const message = messageFromWire(begin.message);
  const fits =
    message?.type === "MsgSnap" &&
    message.from === from &&
    message.to === to &&
    message.snapshot?.index === index &&
    message.snapshot.term === term &&
    isSameConfiguration(message.snapshot.confState, confState);
  return fits ? { head, message } : undefined;
}

/** The core would go by the one, and a restart by the other. */
function isSameConfiguration(a: ConfState, b: ConfState): boolean {
  return JSON.stringify(confStateToWire(a)) === JSON.stringify(confStateToWire(b));
}

export function encodeProgress(progress: Partial<CopyProgress>): Uint8Array {
  return CopyProgress.encode(CopyProgress.fromPartial(progress)).finish();
}
