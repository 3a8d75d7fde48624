// The service half of a node: what clients and operators meet.
export { ChatService, type ServiceLoad } from "./chat-service.ts";
export { ClusterService, type ClusterServiceParts } from "./cluster-service.ts";
export type { CallContext, ServiceParts } from "./context.ts";
export type { SessionHandler } from "./session.ts";
