// Frames over the gRPC stream `parley.v1.Chat.Session`, with grpc-js. Frames are encoded by the
// client itself, so the method is defined anew with bytes on both sides.
import { readFileSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";
import { LIMITS } from "@parley/protocol";
import { ChatService } from "@parley/protocol/services";
import type { Carrier, CarrierEvents, CarrierLink, LinkEnd } from "./ports.ts";

export interface GrpcCarrierOptions {
  /** Plain text by default, which nodes accept on loopback or when told to be insecure (P10). */
  readonly credentials?: grpc.ChannelCredentials | undefined;
  /** The name in the nodes' certificates, when it is not their host. */
  readonly serverName?: string | undefined;
}

/** Credentials from PEM files: the CA, and a certificate of the client's own if nodes ask for one. */
export function tlsCredentials(files: {
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}): grpc.ChannelCredentials {
  const read = (path: string | undefined) => (path === undefined ? null : readFileSync(path));
  return grpc.credentials.createSsl(read(files.ca), read(files.key), read(files.cert));
}

const asIs = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const CHANNEL_OPTIONS: grpc.ChannelOptions = {
  "grpc.max_receive_message_length": LIMITS.serverFrameBytesMax,
  "grpc.max_send_message_length": LIMITS.clientFrameBytesMax,
  // The client retries by itself, on another node; a channel of its own for every dial is not held
  // up by the connection backoff that an earlier one ran into.
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 5_000,
  // Names and addresses alike are resolved here and now, without a lookup of service configurations.
  "grpc.service_config_disable_resolution": 1,
};

/** A carrier whose addresses are the nodes' gRPC addresses, `host:port`. */
export function grpcCarrier(options: GrpcCarrierOptions = {}): Carrier {
  const credentials = options.credentials ?? grpc.credentials.createInsecure();
  const channelOptions = { ...CHANNEL_OPTIONS };
  if (options.serverName !== undefined) {
    channelOptions["grpc.ssl_target_name_override"] = options.serverName;
  }
  return {
    addressOf: (node) => (node.address === "" ? undefined : node.address),
    dial: (address, events) => new GrpcLink(address, credentials, channelOptions, events),
  };
}

class GrpcLink implements CarrierLink {
  readonly #client: grpc.Client;
  readonly #stream: grpc.ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly #events: CarrierEvents;
  #ended = false;

  constructor(
    address: string,
    credentials: grpc.ChannelCredentials,
    options: grpc.ChannelOptions,
    events: CarrierEvents,
  ) {
    this.#events = events;
    this.#client = new grpc.Client(address, credentials, options);
    this.#stream = this.#client.makeBidiStreamRequest(
      ChatService.session.path,
      asIs,
      (bytes: Buffer): Uint8Array => bytes,
      new grpc.Metadata(),
      {},
    );
    this.#stream.on("data", (frame: Uint8Array) => {
      if (!this.#ended) this.#events.onFrame(frame);
    });
    // The status comes with the error; a stream that ends well has only `end`.
    this.#stream.on("error", (error: Partial<grpc.ServiceError>) => {
      this.#end(endOf(error), error.details ?? error.message ?? "");
    });
    this.#stream.on("end", () => this.#end("closed", "the node ended the session"));
    const deadlineNever = Number.POSITIVE_INFINITY;
    this.#client.waitForReady(deadlineNever, (error) => {
      if (error === undefined && !this.#ended) this.#events.onOpen();
    });
  }

  send(frame: Uint8Array): void {
    if (!this.#ended) this.#stream.write(frame);
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.cancel();
    this.#client.close();
  }

  #end(end: LinkEnd, detail: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#client.close();
    this.#events.onEnd(end, detail);
  }
}

function endOf(error: Partial<grpc.ServiceError>): LinkEnd {
  switch (error.code) {
    case grpc.status.UNAUTHENTICATED:
      return "unauthenticated";
    case grpc.status.DEADLINE_EXCEEDED:
      return "timeout";
    case grpc.status.UNAVAILABLE:
      return "refused";
    case grpc.status.RESOURCE_EXHAUSTED:
    case grpc.status.INTERNAL:
      return "malformed";
    default:
      return "closed";
  }
}
