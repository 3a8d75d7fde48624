// The gRPC server: one port for clients, operators and peers. Start reading here.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Clock, Logger, NodeServices } from "@parley/node";
import { LIMITS } from "@parley/protocol";
import { ChatService, ClusterService, RaftService } from "@parley/protocol/services";
import type { NodeTls } from "../tls/node-tls.ts";
import { chatImplementation } from "./chat-adapter.ts";
import { clusterImplementation } from "./cluster-adapter.ts";
import { Gate } from "./gate.ts";
import { Health } from "./health.ts";
import type { GrpcPeerTransport, PeerCall } from "./peer-transport.ts";
import { rawService } from "./raw-service.ts";
import { addReflection } from "./reflection.ts";

export interface GrpcServerParts {
  /** Undefined until the node belongs to a cluster; calls get NOT_READY until then. */
  readonly services: () => NodeServices | undefined;
  readonly transport: GrpcPeerTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Connections at once, of all kinds. */
  readonly connectionsMax: number;
  /** Left out: plain text, and nobody is asked for a certificate. */
  readonly tls?: NodeTls | undefined;
}

/** How long a connection may take to say that it speaks HTTP/2. */
const PREFACE_TIMEOUT_MS = 10_000;
const MESSAGE_SLACK_BYTES = 1_024;

const ENGINE_OPTIONS = {
  // Peers need it; a client's frames are held to their own, smaller bound by the services.
  "grpc.max_receive_message_length": LIMITS.peerFrameBytesMax + MESSAGE_SLACK_BYTES,
  "grpc.max_send_message_length": LIMITS.peerFrameBytesMax + MESSAGE_SLACK_BYTES,
  // On one connection; sessions of many users may share one behind a gateway.
  "grpc.max_concurrent_streams": 2_048,
  // A connection whose other end is gone without a word is found out, and one that does nothing closed.
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.max_connection_idle_ms": 5 * 60_000,
  "grpc.enable_channelz": 0,
  // Megabytes that one connection may make the HTTP/2 layer hold.
  "grpc-node.max_session_memory": 256,
} as const;

export class GrpcServer {
  readonly #engine = new Server(ENGINE_OPTIONS);
  readonly #gate: Gate;
  readonly health = new Health();

  constructor(parts: GrpcServerParts) {
    const injector = this.#engine.createConnectionInjector(ServerCredentials.createInsecure());
    this.#gate = new Gate({
      connectionsMax: parts.connectionsMax,
      prefaceTimeoutMs: PREFACE_TIMEOUT_MS,
      logger: parts.logger,
      tls: parts.tls,
      // TLS has been taken off by then, so the engine itself speaks plain HTTP/2.
      accept: (socket) => injector.injectConnection(socket),
    });
    const destroyConnection = (peer: string) => this.#gate.destroyConnection(peer);
    const { services, clock } = parts;
    const certificateOf = (peer: string) => this.#gate.certificateOf(peer);
    const adapterParts = { services, clock, destroyConnection, certificateOf };
    this.#engine.addService(rawService(ChatService), chatImplementation(adapterParts));
    this.#engine.addService(rawService(ClusterService), clusterImplementation(adapterParts));
    this.#engine.addService(rawService(RaftService), {
      peer: (call: PeerCall) => parts.transport.onCall(call, "peer", certificateOf(call.getPeer())),
      installCopy: (call: PeerCall) =>
        parts.transport.onCall(call, "installCopy", certificateOf(call.getPeer())),
    });
    addReflection(this.#engine);
    this.health.addTo(this.#engine);
  }

  /** Connections of all kinds that are open now. */
  get connectionCount(): number {
    return this.#gate.connectionCount;
  }

  /** Resolves with the port; rejects when the address cannot be listened on. */
  listen(host: string, port: number): Promise<number> {
    return this.#gate.listen(host, port);
  }

  /** Takes no new connections and ends the open ones. */
  close(): void {
    this.health.set(false);
    this.#gate.stopListening();
    this.#engine.forceShutdown();
    this.#gate.destroyAll();
  }
}
