// The wire contract: generated messages, the table of operations, limits and errors. Nothing here
// pulls in a gRPC engine; the service definitions are in services.ts.
import "./strict-utf8.ts";

export * from "./decode-untrusted.ts";
export * from "./encode.ts";
export * from "./errors.ts";
export * from "./generated/parley/v1/chat_messages.ts";
export * from "./generated/parley/v1/cluster_messages.ts";
export * from "./generated/parley/v1/command.ts";
export * from "./generated/parley/v1/raft_messages.ts";
export * from "./generated/parley/v1/session.ts";
export * from "./limits.ts";
export * from "./operations.ts";
export * from "./wire.ts";
