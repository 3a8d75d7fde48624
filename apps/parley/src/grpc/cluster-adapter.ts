// parley.v1.Cluster onto the node's cluster service.
import type {
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { ParleyError } from "@parley/protocol";
import { whenGone } from "./calls.ts";
import { type ChatAdapterParts, checkSize, contextOf, ready } from "./chat-adapter.ts";
import { GrpcFrameSink } from "./frame-sink.ts";
import { toStatus } from "./status.ts";

type UnaryCall = ServerUnaryCall<Uint8Array, Uint8Array>;
type StreamCall = ServerWritableStream<Uint8Array, Uint8Array>;

const UNARY = [
  "status",
  "stateHash",
  "addServer",
  "promoteServer",
  "demoteServer",
  "removeServer",
  "replaceServer",
  "transferLeadership",
] as const;

function unary(parts: ChatAdapterParts, method: (typeof UNARY)[number]) {
  return async (call: UnaryCall, callback: sendUnaryData<Uint8Array>): Promise<void> => {
    try {
      checkSize(call.request);
      const { cluster } = ready(parts.services());
      callback(null, await cluster[method](call.request, contextOf(call, parts)));
    } catch (cause) {
      callback(toStatus(cause));
    }
  };
}

function stream(call: StreamCall, parts: ChatAdapterParts, method: "watch" | "backup"): void {
  const peer = call.getPeer();
  const sink = new GrpcFrameSink(call, () => parts.destroyConnection(peer));
  try {
    checkSize(call.request);
    const { cluster } = ready(parts.services());
    const running = cluster[method](call.request, contextOf(call, parts), sink);
    whenGone(call, () => running.cancel());
  } catch (cause) {
    sink.end(ParleyError.from(cause));
  }
}

export function clusterImplementation(parts: ChatAdapterParts): UntypedServiceImplementation {
  const implementation: UntypedServiceImplementation = {
    watch: (call: StreamCall) => stream(call, parts, "watch"),
    backup: (call: StreamCall) => stream(call, parts, "backup"),
  };
  for (const method of UNARY) implementation[method] = unary(parts, method);
  return implementation;
}
