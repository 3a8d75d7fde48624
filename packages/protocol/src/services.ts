// The gRPC service definitions, apart from the messages so that a browser never loads grpc-js.
import "./strict-utf8.ts";

export { ChatClient, ChatService } from "./generated/parley/v1/chat.ts";
export { ClusterClient, ClusterService } from "./generated/parley/v1/cluster.ts";
export { RaftClient, RaftService } from "./generated/parley/v1/raft.ts";
