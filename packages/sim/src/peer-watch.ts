// What travels between nodes, as the checkers and the datagram mode see it: decoded on its own
// account, from the wire contract alone.
import { ClientFrame, CopyFrame, PeerFrame, type RaftMessage, ServerFrame } from "@parley/protocol";
import type { Audience } from "./audience.ts";
import type { Coverage } from "./coverage.ts";
import type { ObservedRaftMessage } from "./observer.ts";
import type { DatagramOptions } from "./options.ts";
import type { FrameFilter } from "./world/network.ts";
import type { Prng } from "./world/prng.ts";
import type { Trace } from "./world/trace.ts";
import { COPY_SERVICE, PEER_SERVICE } from "./world/transports.ts";

/** By their numbers on the wire. */
const TYPES = [
  "MsgProp",
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgSnap",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgTransferLeader",
  "MsgTimeoutNow",
  "MsgReadIndex",
  "MsgReadIndexResp",
] as const;

/** Frames that were decoded already: each is looked at when it leaves, on its way, and when it arrives. */
const decoded = new WeakMap<Uint8Array, PeerFrame>();

/** Throws where a receiver would. Nobody may change what it returns. */
function peerFrame(bytes: Uint8Array): PeerFrame {
  let frame = decoded.get(bytes);
  if (frame === undefined) {
    frame = PeerFrame.decode(bytes);
    decoded.set(bytes, frame);
  }
  return frame;
}

export function typeName(message: RaftMessage): string {
  return TYPES[message.type] ?? `type ${message.type}`;
}

/** Shows the raft messages that a node receives to the checkers. */
export class PeerWatch {
  readonly #audience: Audience;
  readonly #trace: Trace;
  readonly #coverage: Coverage;

  constructor(audience: Audience, trace: Trace, coverage: Coverage) {
    this.#audience = audience;
    this.#trace = trace;
    this.#coverage = coverage;
  }

  onSent(from: string, service: string, bytes: Uint8Array): void {
    if (service === COPY_SERVICE) this.#copyFrameSent(from, bytes);
    if (service !== PEER_SERVICE) return;
    for (const message of peerFrame(bytes).messages) {
      const seen = observed(message);
      for (const tell of this.#audience.of.onRaftMessageSent) tell(seen);
    }
  }

  #copyFrameSent(from: string, bytes: Uint8Array): void {
    const { begin } = CopyFrame.decode(bytes);
    if (begin?.snapshot === undefined) return;
    const { index, confState } = begin.snapshot;
    const told = begin.message?.snapshot?.confState;
    const configurations = [confState, told].filter((one) => one !== undefined);
    for (const tell of this.#audience.of.onCopyOffered) tell({ from, index, configurations });
  }

  onDelivered(from: string, to: string, service: string, bytes: Uint8Array): void {
    this.#trace.mix(bytes.length);
    if (service !== PEER_SERVICE) {
      this.#trace.detail(to, () => `← ${from}: ${describeSession(to, bytes)}`);
      return;
    }
    let frame: PeerFrame;
    try {
      frame = peerFrame(bytes);
    } catch {
      return;
    }
    this.#trace.detail(to, () => `← ${from}: ${describeFrame(frame, bytes.length)}`);
    this.#coverage.add("typing-between-nodes", frame.typing.length);
    for (const message of frame.messages) {
      const seen = observed(message);
      const { type } = seen;
      if (type === "MsgPreVote") this.#coverage.add("pre-votes");
      if (type === "MsgHeartbeat" && message.context.length > 0) {
        this.#coverage.add("read-index-rounds");
      }
      if (type === "MsgAppResp" && message.reject) this.#coverage.add("catch-ups");
      for (const tell of this.#audience.of.onRaftMessage) tell(seen);
    }
  }
}

function observed(message: RaftMessage): ObservedRaftMessage {
  const { from, to, term, reject, index, commit } = message;
  return { from, to, type: typeName(message), term, reject, index, commit };
}

/** A frame of a session, in whichever direction it goes. */
function describeSession(to: string, bytes: Uint8Array): string {
  try {
    const frame = to.startsWith("n") ? ClientFrame.decode(bytes) : ServerFrame.decode(bytes);
    return JSON.stringify(frame, (_key, value: unknown) =>
      value === undefined || value === "" || value === 0 || isEmptyArray(value) ? undefined : value,
    );
  } catch {
    return `${bytes.length} bytes of garbage`;
  }
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function describeFrame(frame: PeerFrame, bytes: number): string {
  const parts = frame.messages.map((message) => {
    const rejected = message.reject ? " rejected" : "";
    const entries = message.entries.length === 0 ? "" : ` +${message.entries.length}`;
    return `${typeName(message)} T${message.term} ${message.logTerm}/${message.index}${entries} C${message.commit}${rejected}`;
  });
  if (frame.hello !== undefined) {
    const { nodeId, raftId, address } = frame.hello;
    parts.push(`hello of node ${nodeId}, raft id ${raftId} at ${address || "(no address)"}`);
  }
  for (const { id, op } of frame.leaderRequests) parts.push(`ask ${id} ${op?.$case ?? ""}`);
  for (const reply of frame.leaderReplies) {
    parts.push(
      `answer ${reply.id} ${reply.done ? "done" : (reply.error?.reason ?? reply.waitingFor)}`,
    );
  }
  if (frame.admission !== undefined) {
    const { record, refusal } = frame.admission;
    parts.push(`admission ${record?.self?.raftId ?? refusal?.reason ?? "listen"}`);
  }
  if (frame.error !== undefined) parts.push(`error ${frame.error.reason}`);
  for (const forward of frame.forwards) parts.push(`forward ${forward.id}`);
  for (const reply of frame.forwardReplies) {
    parts.push(`placed ${reply.id} at T${reply.term}/${reply.index} ${reply.error?.reason ?? ""}`);
  }
  if (frame.report !== undefined) parts.push("report");
  if (frame.presence !== undefined) parts.push("presence");
  for (const { roomId, accountId } of frame.typing) parts.push(`${accountId} types in ${roomId}`);
  return `${parts.join(", ")} (${bytes} bytes)`;
}

/**
 * Loses, doubles and reorders peer frames one by one. Raft must stand it; a link's greeting is left
 * alone, and so are forwarded requests, whose answers the node may take for granted on a stream.
 */
export class DatagramMode {
  readonly #options: DatagramOptions | undefined;
  readonly #random: Prng;
  readonly #held = new Map<string, Uint8Array>();
  readonly #garble = new Set<string>();

  constructor(options: DatagramOptions | undefined, random: Prng) {
    this.#options = options;
    this.#random = random;
  }

  /** The next frame on this way becomes garbage, which a receiver must notice. */
  garbleNext(from: string, to: string): void {
    this.#garble.add(`${from}>${to}`);
  }

  /** Nothing is mistreated any more. */
  stop(): void {
    this.#held.clear();
    this.#garble.clear();
  }

  readonly filter: FrameFilter = (from, to, service, bytes) => {
    const options = this.#options;
    if (service !== PEER_SERVICE) return undefined;
    if (options === undefined && this.#garble.size === 0) return undefined;
    const way = `${from}>${to}`;
    if (this.#garble.delete(way)) return [garbled(bytes)];
    if (options === undefined || !isMessagesOnly(bytes)) return undefined;
    const held = this.#held.get(way);
    if (held !== undefined) {
      // The frame that was held back comes after the one that overtook it.
      this.#held.delete(way);
      return [bytes, held];
    }
    const dice = this.#random.unit();
    if (dice < options.loss) return [];
    if (dice < options.loss + options.duplication) return [bytes, bytes];
    if (dice < options.loss + options.duplication + options.reordering) {
      this.#held.set(way, bytes);
      return [];
    }
    return undefined;
  };
}

/** Whether a peer frame holds raft messages and nothing else that counts on the order and the wholeness of a stream. */
function isMessagesOnly(bytes: Uint8Array): boolean {
  const frame = peerFrame(bytes);
  return (
    frame.messages.length > 0 &&
    frame.hello === undefined &&
    frame.leaderRequests.length === 0 &&
    frame.leaderReplies.length === 0 &&
    frame.presence === undefined &&
    frame.admission === undefined &&
    frame.error === undefined &&
    frame.forwards.length === 0 &&
    frame.forwardReplies.length === 0
  );
}

/** A frame that no decoder accepts: its first tag has field number 0. */
function garbled(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[0] = 0x07;
  return copy;
}
