// What every kind of call has in common: who asks, until when, and whether they still wait.
import type { EventEmitter } from "node:events";
import type {
  Metadata,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { LIMITS } from "@parley/protocol";

export type AnyCall =
  | ServerUnaryCall<Uint8Array, Uint8Array>
  | ServerWritableStream<Uint8Array, Uint8Array>
  | ServerDuplexStream<Uint8Array, Uint8Array>;

const BEARER = /^Bearer +(\S{1,512})$/i;

/** The token of `authorization: Bearer …`; empty when there is none. */
export function bearerToken(metadata: Metadata): string {
  const value = metadata.get("authorization")[0];
  if (typeof value !== "string") return "";
  return BEARER.exec(value)?.[1] ?? "";
}

/**
 * Calls `action` once when the caller is gone or has its status: also when that was before. (A stream that was given up early
 * reaches its handler cancelled already, and says so by its flag alone.)
 */
export function whenGone(call: AnyCall, action: () => void): void {
  if (call.cancelled) action();
  else (call as EventEmitter).once("cancelled", action);
}

/** Aborted when the caller hangs up or its deadline passes. */
export function abortSignalOf(call: AnyCall): AbortSignal {
  const controller = new AbortController();
  whenGone(call, () => controller.abort());
  return controller.signal;
}

/** How long the caller waits, in milliseconds; within what the server allows. */
export function timeoutMsOf(call: AnyCall): number {
  const deadline = call.getDeadline();
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  if (!Number.isFinite(at)) return LIMITS.requestTimeoutMsDefault;
  return Math.min(LIMITS.requestTimeoutMsMax, Math.max(1, Math.ceil(at - Date.now())));
}
