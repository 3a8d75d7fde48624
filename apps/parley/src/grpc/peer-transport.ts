// Peers over gRPC: outgoing links are dialled one by one, incoming ones are calls of Raft.Peer, or of
// Raft.InstallCopy for copies of the chat file.
import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import type {
  IncomingLink,
  IncomingLinkEvents,
  OutgoingLink,
  OutgoingLinkEvents,
  PeerTransport,
} from "@parley/node";
import { ParleyError } from "@parley/protocol";
import { whenGone } from "./calls.ts";
import { StreamOutbox } from "./outbox.ts";
import { dialPeer, type RaftStream } from "./peer-dial.ts";
import { toStatusError } from "./status.ts";

/** The answering direction carries a hello and a refusal, nothing else. */
const ANSWER_BACKLOG_BYTES_MAX = 1024 * 1024;
/** Streams at once: the node itself keeps 256, and ends the oldest that has not greeted for a new one. */
const INCOMING_LINKS_MAX = 1_024;
const RETRY_AFTER_MS = 100;

export type PeerCall = ServerDuplexStream<Uint8Array, Uint8Array>;

export class GrpcPeerTransport implements PeerTransport {
  readonly #accept = new Map<RaftStream, (link: IncomingLink) => IncomingLinkEvents>();
  #incoming = 0;

  dial(address: string, events: OutgoingLinkEvents): OutgoingLink {
    return dialPeer(address, "peer", events);
  }

  listen(accept: (link: IncomingLink) => IncomingLinkEvents): void {
    this.#accept.set("peer", accept);
  }

  dialCopy(address: string, events: OutgoingLinkEvents): OutgoingLink {
    return dialPeer(address, "installCopy", events);
  }

  listenForCopies(accept: (link: IncomingLink) => IncomingLinkEvents): void {
    this.#accept.set("installCopy", accept);
  }

  /** Handler of Raft.Peer and Raft.InstallCopy. */
  onCall(call: PeerCall, stream: RaftStream): void {
    call.on("error", () => {});
    const accept = this.#accept.get(stream);
    if (accept === undefined || this.#incoming >= INCOMING_LINKS_MAX) {
      const reason = accept === undefined ? "NOT_READY" : "OVERLOADED";
      const error = new ParleyError(reason, "this node takes no link now", {
        retryAfterMs: RETRY_AFTER_MS,
      });
      call.emit("error", toStatusError(error));
      return;
    }
    this.#incoming += 1;
    const outbox = new StreamOutbox(call);
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      this.#incoming -= 1;
      outbox.discard();
      events.onEnd();
    };
    // Tells the dialler that the stream stands, before anything is said on it.
    call.sendMetadata(new Metadata());
    const events = accept({
      remote: call.getPeer(),
      send: (frame) => {
        if (ended || outbox.backlogBytes + frame.length > ANSWER_BACKLOG_BYTES_MAX) return false;
        outbox.write(frame);
        return true;
      },
      close: () => {
        if (!ended) call.end();
      },
    });
    call.on("data", (frame: Uint8Array) => {
      if (!ended) events.onFrame(frame);
    });
    call.once("end", () => {
      end();
      call.end();
    });
    whenGone(call, end);
    call.once("close", end);
  }
}
