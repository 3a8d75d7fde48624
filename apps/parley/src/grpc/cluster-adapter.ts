// parley.v1.Cluster onto the node's cluster service.
import type {
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { CallContext, ClusterService } from "@parley/node";
import { GetAccountRequest, ParleyError } from "@parley/protocol";
import { type ChatAdapterParts, checkSize, contextOf, ready } from "./chat-adapter.ts";
import { GrpcFrameSink } from "./frame-sink.ts";
import { toStatus } from "./status.ts";

export interface ClusterAdapterParts extends ChatAdapterParts {
  readonly openStatus: boolean;
}

type UnaryCall = ServerUnaryCall<Uint8Array, Uint8Array>;
type StreamCall = ServerWritableStream<Uint8Array, Uint8Array>;

const WHO_AM_I = GetAccountRequest.encode(GetAccountRequest.create()).finish();

/** Beyond loopback the cluster's state is for those with an account. */
async function authorised(
  parts: ClusterAdapterParts,
  context: CallContext,
): Promise<ClusterService> {
  const { chat, cluster } = ready(parts.services());
  if (!parts.openStatus) await chat.call("getAccount", WHO_AM_I, context);
  return cluster;
}

function unary(parts: ClusterAdapterParts, method: "status" | "stateHash") {
  return async (call: UnaryCall, callback: sendUnaryData<Uint8Array>): Promise<void> => {
    try {
      checkSize(call.request);
      const context = contextOf(call, parts.clock);
      const cluster = await authorised(parts, context);
      callback(null, await cluster[method](call.request, context));
    } catch (cause) {
      callback(toStatus(cause));
    }
  };
}

async function watch(call: StreamCall, parts: ClusterAdapterParts): Promise<void> {
  const peer = call.getPeer();
  const sink = new GrpcFrameSink(call, () => parts.destroyConnection(peer));
  try {
    checkSize(call.request);
    const context = contextOf(call, parts.clock);
    const cluster = await authorised(parts, context);
    cluster.watch(call.request, context, sink);
  } catch (cause) {
    sink.end(ParleyError.from(cause));
  }
}

export function clusterImplementation(parts: ClusterAdapterParts): UntypedServiceImplementation {
  return {
    status: unary(parts, "status"),
    stateHash: unary(parts, "stateHash"),
    watch: (call: StreamCall) => void watch(call, parts),
  };
}
