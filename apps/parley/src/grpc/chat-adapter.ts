// parley.v1.Chat: every unary RPC, the session and the subscription, onto the node's one service.
import type {
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { CallerCertificate, ChatService, Clock, NodeServices } from "@parley/node";
import { LIMITS, OPERATIONS, type OperationName, ParleyError } from "@parley/protocol";
import { isLoopback } from "../config/addresses.ts";
import { abortSignalOf, bearerToken, timeoutMsOf, whenGone } from "./calls.ts";
import { GrpcFrameSink } from "./frame-sink.ts";
import { toStatus } from "./status.ts";

export interface ChatAdapterParts {
  /** Undefined until the node belongs to a cluster. */
  readonly services: () => NodeServices | undefined;
  readonly clock: Clock;
  /** Ends the connection of the named caller. */
  readonly destroyConnection: (peer: string) => void;
  /** What the named caller showed; undefined where there is no TLS. */
  readonly certificateOf: (peer: string) => CallerCertificate | undefined;
}

const NOT_READY_RETRY_MS = 100;

export type CallContext = Parameters<ChatService["call"]>[2];
type SessionHandler = ReturnType<ChatService["openSession"]>;

type UnaryCall = ServerUnaryCall<Uint8Array, Uint8Array>;
type StreamCall = ServerWritableStream<Uint8Array, Uint8Array>;
type SessionCall = ServerDuplexStream<Uint8Array, Uint8Array>;

/** The engine takes frames as large as peers send; clients have less (P11). */
export function checkSize(bytes: Uint8Array): void {
  if (bytes.length <= LIMITS.clientFrameBytesMax) return;
  throw new ParleyError(
    "TOO_LARGE",
    `a request of ${bytes.length} bytes; at most ${LIMITS.clientFrameBytesMax} are taken`,
  );
}

/** Without the port: throttles count callers, not connections. */
function remoteOf(peer: string): string {
  return peer.replace(/:\d+$/, "");
}

export function contextOf(call: UnaryCall | StreamCall, parts: ChatAdapterParts): CallContext {
  const { clock, certificateOf } = parts;
  const peer = call.getPeer();
  const remote = remoteOf(peer);
  return {
    token: bearerToken(call.metadata),
    remote,
    certificate: certificateOf(peer),
    isLocal: isLoopback(remote.replace(/^::ffff:/, "")),
    deadlineMs: clock.monotonicMs() + timeoutMsOf(call),
    signal: abortSignalOf(call),
  };
}

/** Throws NOT_READY until the node belongs to a cluster. */
export function ready(services: NodeServices | undefined): NodeServices {
  if (services !== undefined) return services;
  throw new ParleyError("NOT_READY", "This node has not joined its cluster yet.", {
    retryAfterMs: NOT_READY_RETRY_MS,
  });
}

function unary(operation: OperationName, parts: ChatAdapterParts) {
  return async (call: UnaryCall, callback: sendUnaryData<Uint8Array>): Promise<void> => {
    try {
      checkSize(call.request);
      const { chat } = ready(parts.services());
      callback(null, await chat.call(operation, call.request, contextOf(call, parts)));
    } catch (cause) {
      callback(toStatus(cause));
    }
  };
}

function session(call: SessionCall, { services, destroyConnection }: ChatAdapterParts): void {
  const peer = call.getPeer();
  const sink = new GrpcFrameSink(call, () => destroyConnection(peer));
  let handler: SessionHandler;
  try {
    handler = ready(services()).chat.openSession(sink, remoteOf(peer));
  } catch (cause) {
    sink.end(ParleyError.from(cause));
    return;
  }
  call.on("data", (frame: Uint8Array) => handler.onFrame(frame));
  call.once("end", () => {
    handler.onEnd();
    sink.end();
  });
  whenGone(call, () => handler.onEnd());
}

function subscribe(call: StreamCall, parts: ChatAdapterParts): void {
  const peer = call.getPeer();
  const sink = new GrpcFrameSink(call, () => parts.destroyConnection(peer));
  try {
    checkSize(call.request);
    const { chat } = ready(parts.services());
    const stream = chat.subscribe(call.request, contextOf(call, parts), sink);
    whenGone(call, () => stream.cancel());
  } catch (cause) {
    sink.end(ParleyError.from(cause));
  }
}

export function chatImplementation(parts: ChatAdapterParts): UntypedServiceImplementation {
  const implementation: UntypedServiceImplementation = {
    session: (call: SessionCall) => session(call, parts),
    subscribe: (call: StreamCall) => subscribe(call, parts),
  };
  for (const operation of Object.keys(OPERATIONS) as OperationName[]) {
    implementation[operation] = unary(operation, parts);
  }
  return implementation;
}
