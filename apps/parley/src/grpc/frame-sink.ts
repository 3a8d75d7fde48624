// Where the node writes a client's frames: a server stream of gRPC.
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import type { FrameSink } from "@parley/node";
import { whenGone } from "./calls.ts";
import { StreamOutbox } from "./outbox.ts";
import { toStatusError } from "./status.ts";

export type ResponseStream =
  | ServerDuplexStream<Uint8Array, Uint8Array>
  | ServerWritableStream<Uint8Array, Uint8Array>;

/** How long a stream that the node ended may take to deliver what was queued. */
const END_GRACE_MS = 5_000;

export class GrpcFrameSink implements FrameSink {
  readonly #call: ResponseStream;
  readonly #outbox: StreamOutbox;
  readonly #abandon: () => void;
  #ended = false;

  /** `abandon` ends the connection of a client that reads nothing any more. */
  constructor(call: ResponseStream, abandon: () => void) {
    this.#call = call;
    this.#abandon = abandon;
    this.#outbox = new StreamOutbox(call);
    whenGone(call, () => {
      this.#ended = true;
      this.#outbox.discard();
    });
  }

  send(bytes: Uint8Array): void {
    if (!this.#ended) this.#outbox.write(bytes);
  }

  backlogBytes(): number {
    return this.#outbox.backlogBytes;
  }

  /** The status follows what is queued; who does not take it in time loses the connection. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    const timer = setTimeout(this.#abandon, END_GRACE_MS);
    whenGone(this.#call, () => clearTimeout(timer));
    if (error === undefined) this.#call.end();
    else this.#call.emit("error", toStatusError(error));
  }
}
