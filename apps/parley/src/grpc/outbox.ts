// What a stream has been given and the network has not yet taken, counted in bytes (P11).
import type { Writable } from "node:stream";

/** Counts a grpc-js stream's backlog exactly: a write is off it when its callback has run. */
export class StreamOutbox {
  readonly #stream: Writable;
  readonly #onTaken: () => void;
  #backlogBytes = 0;
  #closed = false;

  /** `onTaken` is called after the backlog has shrunk. */
  constructor(stream: Writable, onTaken: () => void = () => {}) {
    this.#stream = stream;
    this.#onTaken = onTaken;
    stream.once("close", () => this.#stop());
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** Nothing is written any more; the backlog counts as gone. */
  #stop(): void {
    this.#closed = true;
    this.#backlogBytes = 0;
  }

  /** Writes in order; does nothing on a stream that has ended. */
  write(bytes: Uint8Array): void {
    if (this.#closed || this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#backlogBytes += bytes.length;
    this.#stream.write(bytes, () => {
      if (this.#closed) return;
      this.#backlogBytes -= bytes.length;
      this.#onTaken();
    });
  }

  /** The other side is gone: what waits will never leave. */
  discard(): void {
    this.#stop();
  }
}
