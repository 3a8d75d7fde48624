// One outgoing link to a peer: a fresh channel, one stream, no retry of its own.
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  credentials,
  Client as GrpcClient,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import type { LinkEnd, Logger, OutgoingLink, OutgoingLinkEvents } from "@parley/node";
import { LIMITS } from "@parley/protocol";
import { RaftService } from "@parley/protocol/services";
import { inspectNode, nodeMismatch } from "../tls/inspect.ts";
import type { NodeTls } from "../tls/node-tls.ts";
import { StreamOutbox } from "./outbox.ts";
import { probe } from "./probe.ts";
import { rawService } from "./raw-service.ts";

/** Frames that wait for the network at the most; what goes over is refused (P11). */
export const LINK_BACKLOG_BYTES_MAX = 8 * 1024 * 1024;
/** Room for the length and tag around a frame. */
const MESSAGE_SLACK_BYTES = 1024;
const PROBE_TIMEOUT_MS = 500;

/** Sent as the name, because an address may not be (RFC 6066, 3), and peers are not known by their hosts. */
const PEER_NAME = "peer.invalid";

const CHANNEL_OPTIONS = {
  // A fresh channel with a fresh connection: its state says what is true now, not before.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_channelz": 0,
  "grpc.ssl_target_name_override": PEER_NAME,
  "grpc.keepalive_time_ms": 5_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.max_receive_message_length": LIMITS.peerFrameBytesMax + MESSAGE_SLACK_BYTES,
  "grpc.max_send_message_length": LIMITS.peerFrameBytesMax + MESSAGE_SLACK_BYTES,
} as const;

const methods = rawService(RaftService);

/** The streams of parley.v1.Raft. */
export type RaftStream = "peer" | "installCopy";

function methodOf(stream: RaftStream) {
  const method = methods[stream];
  if (method === undefined) throw new Error(`parley.v1.Raft has no ${stream}`);
  return method;
}

/** How peers are spoken to where certificates are checked. */
export interface PeerSecurity {
  readonly tls: NodeTls;
  readonly logger: Logger;
}

export interface DialTarget {
  /** host:port. */
  readonly address: string;
  /** The node that must answer; 0 = any of the cluster. Checked with TLS only. */
  readonly nodeId: number;
  readonly security?: PeerSecurity | undefined;
}

function credentialsFor({ nodeId, security }: DialTarget): ChannelCredentials {
  if (security === undefined) return credentials.createInsecure();
  const { material, dialContext } = security.tls;
  return credentials.createFromSecureContext(dialContext, {
    // A node is known by the id in its certificate, and keeps it when it moves to another host.
    checkServerIdentity: (_, certificate) =>
      nodeMismatch(certificate, material.own.cluster, nodeId),
  });
}

class DialledLink implements OutgoingLink {
  readonly #target: DialTarget;
  readonly #events: OutgoingLinkEvents;
  readonly #client: GrpcClient;
  readonly #stream: ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly #outbox: StreamOutbox;
  #state: "dialing" | "open" | "ended" = "dialing";
  #refusedSend = false;

  constructor(target: DialTarget, stream: RaftStream, events: OutgoingLinkEvents) {
    this.#target = target;
    this.#events = events;
    this.#client = new GrpcClient(target.address, credentialsFor(target), CHANNEL_OPTIONS);
    const method = methodOf(stream);
    this.#stream = this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
    );
    this.#outbox = new StreamOutbox(this.#stream, () => this.#onTaken());
    this.#stream.once("metadata", () => this.#onOpen());
    this.#stream.on("data", (frame: Uint8Array) => {
      if (this.#state !== "ended") this.#events.onFrame(frame);
    });
    // The status says all that the error does, and always comes.
    this.#stream.on("error", () => {});
    this.#stream.once("status", (end: StatusObject) => void this.#onStatus(end));
  }

  send(frame: Uint8Array): boolean {
    if (this.#state === "ended") return false;
    const backlog = this.#outbox.backlogBytes;
    if (backlog > 0 && backlog + frame.length > LINK_BACKLOG_BYTES_MAX) {
      this.#refusedSend = true;
      return false;
    }
    this.#outbox.write(frame);
    return true;
  }

  close(): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#release();
  }

  #release(): void {
    this.#outbox.discard();
    this.#stream.cancel();
    this.#client.close();
  }

  #onOpen(): void {
    if (this.#state !== "dialing") return;
    this.#state = "open";
    this.#events.onOpen();
  }

  #onTaken(): void {
    if (!this.#refusedSend || this.#outbox.backlogBytes > LINK_BACKLOG_BYTES_MAX / 2) return;
    this.#refusedSend = false;
    if (this.#state !== "ended") this.#events.onDrain();
  }

  async #onStatus(end: StatusObject): Promise<void> {
    if (this.#state === "ended") return;
    const wasOpen = this.#state === "open";
    const why = wasOpen ? "closed" : await this.#whyNotOpened(end);
    // Closed by its owner while the probe was under way.
    if (this.#isEnded()) return;
    this.#state = "ended";
    this.#release();
    this.#events.onEnd(why, end.details);
  }

  #isEnded(): boolean {
    return this.#state === "ended";
  }

  async #whyNotOpened(end: StatusObject): Promise<LinkEnd> {
    const { address } = this.#target;
    if (end.code === status.DEADLINE_EXCEEDED) return "timeout";
    if (end.code !== status.UNAVAILABLE) {
      this.#report(end.details);
      return "rejected";
    }
    const why = await probe(address, PROBE_TIMEOUT_MS);
    if (why !== "closed" || this.#target.security === undefined) return why;
    // Something listens there and no stream came about: perhaps it is not who it should be.
    const { tls } = this.#target.security;
    const problem = await inspectNode(this.#target, tls, PROBE_TIMEOUT_MS);
    if (problem === undefined) return why;
    this.#report(problem);
    return "rejected";
  }

  /** What an operator must know; the node itself takes any failed dial for a passing one. */
  #report(problem: string): void {
    const { address, nodeId, security } = this.#target;
    security?.logger.warn({ peer: nodeId, address }, `no link to node ${nodeId}: ${problem}`);
  }
}

/** Dials once. `onEnd` is called once, unless the caller closes the link itself. */
export function dialPeer(
  target: DialTarget,
  stream: RaftStream,
  events: OutgoingLinkEvents,
): OutgoingLink {
  return new DialledLink(target, stream, events);
}
