// Frames over the gRPC stream `parley.v1.Chat.Session`, with grpc-js. Frames are encoded by the
// client itself, so the method is defined anew with bytes on both sides.
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { LIMITS } from "@parley/protocol";
import { ChatService } from "@parley/protocol/services";
import type { Carrier, CarrierEvents, CarrierLink, LinkEnd } from "./ports.ts";

/** PEM texts. */
export interface TlsOptions {
  /** The authority that vouches for the nodes' certificates. */
  readonly ca: string | Uint8Array;
  /** A certificate of the client's own and its key, if nodes ask for one. */
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** The name in the nodes' certificates, when it is not the host that is dialled. */
  readonly serverName?: string | undefined;
}

export interface GrpcCarrierOptions {
  /** Left out: plain text, which nodes accept on loopback or when told to be insecure (P10). */
  readonly tls?: TlsOptions | undefined;
}

/** What a channel needs to know of the transport's security, for one host. */
export interface ChannelSecurity {
  readonly credentials: grpc.ChannelCredentials;
  readonly options: grpc.ChannelOptions;
}

/** Sent as the name in place of an IP address, which TLS does not allow there (RFC 6066, 3). */
const NO_NAME = "address.invalid";

/** `tls` left out: plain text. Throws when the PEM texts cannot be read. */
export function channelSecurity(host: string, tls: TlsOptions | undefined): ChannelSecurity {
  if (tls === undefined) return { credentials: grpc.credentials.createInsecure(), options: {} };
  const name = tls.serverName ?? host;
  const pem = (text: string | Uint8Array | undefined) =>
    text === undefined ? null : Buffer.from(text);
  const credentials = grpc.credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.cert), {
    // The certificate must be for the host that is dialled, whatever name is sent.
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
  });
  const options = { "grpc.ssl_target_name_override": isIP(name) === 0 ? name : NO_NAME };
  return { credentials, options };
}

/** Of `host:port` or `[v6]:port`. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
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

const HOSTS_MAX = 64;

/** A carrier whose addresses are the nodes' gRPC addresses, `host:port`. */
export function grpcCarrier(options: GrpcCarrierOptions = {}): Carrier {
  // Reading certificates takes longer than dialling; hosts are as few as the nodes.
  const securities = new Map<string, ChannelSecurity>();
  const securityOf = (host: string): ChannelSecurity => {
    const known = securities.get(host);
    if (known !== undefined) return known;
    if (securities.size >= HOSTS_MAX) securities.clear();
    const made = channelSecurity(host, options.tls);
    securities.set(host, made);
    return made;
  };
  return {
    addressOf: (node) => (node.address === "" ? undefined : node.address),
    dial: (address, events) => new GrpcLink(address, securityOf(hostOf(address)), events),
  };
}

class GrpcLink implements CarrierLink {
  readonly #client: grpc.Client;
  readonly #stream: grpc.ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly #events: CarrierEvents;
  #ended = false;

  constructor(address: string, security: ChannelSecurity, events: CarrierEvents) {
    this.#events = events;
    const options = { ...CHANNEL_OPTIONS, ...security.options };
    this.#client = new grpc.Client(address, security.credentials, options);
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
      this.#end(endOf(error), detailOf(error));
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

/** What Node and OpenSSL say of a certificate, taken out of the transport's own sentence. */
const DISTRUST = /Last error: (?:Error(?: \[\w+\])?: )?(.*certificate.*)\. Resolution note/;

function detailOf(error: Partial<grpc.ServiceError>): string {
  const details = error.details ?? error.message ?? "";
  const why = DISTRUST.exec(details)?.[1];
  return why === undefined ? details : `the node's certificate is not trusted: ${why}`;
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
