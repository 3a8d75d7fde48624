// The session protocol by hand: one connection to one node, no retry, no memory. For what a
// well-behaved client would never do.
import {
  ClientFrame,
  OPERATIONS,
  type OperationName,
  ParleyError,
  PROTOCOL_VERSION,
  type Request,
  type RequestOf,
  type ResponseOf,
  ServerFrame,
} from "@parley/protocol";
import type { Connection, Network } from "../world/network.ts";
import type { VirtualProcess } from "../world/process.ts";
import type { Scheduler } from "../world/scheduler.ts";
import { CLIENT_SERVICE } from "../world/transports.ts";

const NO_BYTES = new Uint8Array(0);
const TIMEOUT_US = 8_000_000;

/** How a raw request ended. */
export type RawResult<N extends OperationName> =
  | { readonly kind: "ok"; readonly response: ResponseOf<N> }
  | { readonly kind: "error"; readonly error: ParleyError }
  /** No answer: nobody knows. */
  | { readonly kind: "unknown" };

export interface RawSessionOptions {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly process: VirtualProcess;
  readonly machine: string;
  readonly node: string;
  readonly token: string;
}

/** Opens a connection, makes one request, and closes it again. */
export function rawRequest<N extends OperationName>(
  options: RawSessionOptions,
  name: N,
  fields: Partial<RequestOf<N>>,
): Promise<RawResult<N>> {
  return new Promise((resolve) => {
    let over = false;
    const finish = (result: RawResult<N>): void => {
      if (over) return;
      over = true;
      timer.cancel();
      connection.close();
      resolve(result);
    };
    const timer = options.scheduler.after(TIMEOUT_US, () =>
      options.process.deliver(() => finish({ kind: "unknown" })),
    );
    const connection = dial(options, {
      onFrame: (frame) => {
        const reply = frame.replies[0];
        if (reply?.result?.$case === "error") {
          finish({ kind: "error", error: ParleyError.fromWire(reply.result.value) });
        } else if (reply?.result !== undefined) {
          finish({ kind: "ok", response: reply.result.value as ResponseOf<N> });
        } else if (frame.goAway !== undefined) finish({ kind: "unknown" });
      },
      onEnd: () => finish({ kind: "unknown" }),
    });
    const value = { ...OPERATIONS[name].request.decode(NO_BYTES), ...fields };
    const request = { id: 1, timeoutMs: 5_000, op: { $case: name, value } } as Request;
    connection.send(
      ClientFrame.encode({
        hello: {
          protocolVersion: PROTOCOL_VERSION,
          token: options.token,
          clusterId: "",
          subscribe: false,
          afterRevision: 0,
          maxCatchUpEvents: 0,
        },
        requests: [request],
        ping: undefined,
        typing: undefined,
        watch: undefined,
      }).finish(),
    );
  });
}

/**
 * Sends these bytes as the first (or, with `greetFirst`, the second) frame of a session, and resolves
 * with what the node did about it.
 */
export function rawBytes(
  options: RawSessionOptions,
  bytes: Uint8Array,
  greetFirst: boolean,
): Promise<"sent-away" | "closed" | "answered" | "unknown"> {
  return new Promise((resolve) => {
    let over = false;
    const finish = (result: "sent-away" | "closed" | "answered" | "unknown"): void => {
      if (over) return;
      over = true;
      timer.cancel();
      connection.close();
      resolve(result);
    };
    const timer = options.scheduler.after(TIMEOUT_US, () =>
      options.process.deliver(() => finish("unknown")),
    );
    let greeted = false;
    const connection = dial(options, {
      onFrame: (frame) => {
        if (frame.goAway !== undefined) finish("sent-away");
        else if (frame.replies.length > 0) finish("answered");
        else if (greetFirst && !greeted && frame.welcome !== undefined) {
          greeted = true;
          connection.send(bytes);
        }
      },
      onEnd: () => finish("closed"),
    });
    if (!greetFirst) connection.send(bytes);
    else {
      connection.send(
        ClientFrame.encode(
          ClientFrame.fromPartial({ hello: { protocolVersion: PROTOCOL_VERSION } }),
        ).finish(),
      );
    }
  });
}

function dial(
  options: RawSessionOptions,
  events: { onFrame(frame: ServerFrame): void; onEnd(): void },
): Connection {
  return options.network.dial(options.process, options.machine, options.node, CLIENT_SERVICE, {
    onOpen: () => {},
    onFrame: (bytes) => events.onFrame(ServerFrame.decode(bytes)),
    onEnd: () => events.onEnd(),
    onDrain: () => {},
  });
}
