// A node of the cluster: the replicated log and the chat service on top of it.

export * from "./config.ts";
export { StartupError } from "./membership/bootstrap.ts";
export type { MemberMetrics, NodeMetrics } from "./metrics.ts";
export { Node, type NodeServices } from "./node.ts";
export * from "./ports.ts";
export type { AppliedListener, ProposeOptions, Replica } from "./replica.ts";
export type { ChatService } from "./service/chat-service.ts";
export type { ClusterService } from "./service/cluster-service.ts";
export type { CallContext } from "./service/context.ts";
export type { Operator } from "./service/operators.ts";
export type { SessionHandler } from "./service/session.ts";
