// The operators' view of one node: status, a stream of it, and the state hash.
import {
  CLIENT_FRAME_BOUNDS,
  type Decodable,
  decodeUntrusted,
  LIMITS,
  ParleyError,
  StateHashRequest,
  StateHashResponse,
  StatusRequest,
  StatusResponse,
  WatchRequest,
} from "@parley/protocol";
import type { ChatReads, Clock, FrameSink, Timer } from "../ports.ts";
import type { Replica } from "../replica.ts";
import type { CallContext } from "./context.ts";
import type { Operators } from "./operators.ts";

const WATCH_INTERVAL_MS = 1_000;
const WATCHERS_MAX = 64;
const RETRY_AFTER_MS = 1_000;
/** A watcher that does not read misses updates instead of collecting them. */
const WATCH_BACKLOG_BYTES_MAX = 64 * 1024;

export interface ClusterServiceParts {
  readonly replica: Replica;
  readonly chatStore: ChatReads;
  readonly clock: Clock;
  readonly operators: Operators;
  /** Only a loopback-only server answers without a login (P10). */
  readonly requiresLogin: boolean;
}

interface Watcher {
  readonly sink: FrameSink;
}

export class ClusterService {
  readonly #parts: ClusterServiceParts;
  readonly #watchers = new Set<Watcher>();
  #timer: Timer | undefined;
  #soon: Timer | undefined;

  constructor(parts: ClusterServiceParts) {
    this.#parts = parts;
    parts.replica.onViewChanged(() => this.#viewChanged());
  }

  /** An encoded StatusRequest in, the encoded StatusResponse out. Rejects with a ParleyError. */
  async status(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    decode(StatusRequest, requestBytes);
    await this.#admit(context);
    return this.#status();
  }

  /**
   * Watch: `sink` takes encoded StatusResponses: one at once, one when something changed, at least
   * one a second. Failures end the sink. `cancel` when the reader is gone.
   */
  watch(requestBytes: Uint8Array, context: CallContext, sink: FrameSink): { cancel(): void } {
    const watcher: Watcher = { sink };
    let cancelled = false;
    const open = async () => {
      decode(WatchRequest, requestBytes);
      await this.#admit(context);
      if (cancelled) return;
      if (this.#watchers.size >= WATCHERS_MAX) {
        throw new ParleyError("OVERLOADED", "too many watchers", { retryAfterMs: RETRY_AFTER_MS });
      }
      this.#watchers.add(watcher);
      sink.send(this.#status());
      this.#timer ??= this.#parts.clock.after(WATCH_INTERVAL_MS, () => this.#interval());
    };
    open().catch((cause: unknown) => {
      if (!cancelled) sink.end(ParleyError.from(cause));
    });
    return {
      cancel: () => {
        cancelled = true;
        this.#watchers.delete(watcher);
      },
    };
  }

  /**
   * The state hash at an index, waiting for it until the deadline; equal on every node at equal
   * index. An index whose hash is no longer kept is INVALID_ARGUMENT.
   */
  async stateHash(requestBytes: Uint8Array, context: CallContext): Promise<Uint8Array> {
    const { atIndex } = decode(StateHashRequest, requestBytes);
    await this.#admit(context);
    const { replica, chatStore, clock } = this.#parts;
    if (atIndex > replica.appliedRevision) {
      const latestMs = clock.monotonicMs() + LIMITS.requestTimeoutMsMax;
      const deadlineMs = Math.min(context.deadlineMs, latestMs);
      await replica.waitApplied(atIndex, { deadlineMs, signal: context.signal });
    }
    const found = await chatStore.stateHash(atIndex);
    if (found === undefined) {
      throw new ParleyError(
        "INVALID_ARGUMENT",
        `the hash at ${atIndex} is not kept: ask for the newest (0; now ` +
          `${replica.appliedRevision}) or a recent round index`,
        { revision: replica.appliedRevision },
      );
    }
    return StateHashResponse.encode(found).finish();
  }

  /** Ends all watches. */
  close(): void {
    this.#timer?.cancel();
    this.#soon?.cancel();
    const error = new ParleyError("SHUTTING_DOWN", "the node is shutting down", {
      retryAfterMs: RETRY_AFTER_MS,
    });
    for (const { sink } of this.#watchers) sink.end(error);
    this.#watchers.clear();
  }

  /** Looking is free on loopback; whatever changes something goes through `operators.perform`. */
  async #admit(context: CallContext): Promise<void> {
    if (this.#parts.requiresLogin) await this.#parts.operators.identify(context);
  }

  #status(): Uint8Array {
    return StatusResponse.encode(this.#parts.replica.status()).finish();
  }

  #interval(): void {
    this.#timer = undefined;
    if (this.#watchers.size === 0) return;
    this.#tell();
    this.#timer = this.#parts.clock.after(WATCH_INTERVAL_MS, () => this.#interval());
  }

  #viewChanged(): void {
    if (this.#watchers.size === 0) return;
    // Once for all the changes of a turn.
    this.#soon ??= this.#parts.clock.after(0, () => {
      this.#soon = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    const status = this.#status();
    for (const { sink } of this.#watchers) {
      if (sink.backlogBytes() <= WATCH_BACKLOG_BYTES_MAX) sink.send(status);
    }
  }
}

function decode<T>(codec: Decodable<T>, bytes: Uint8Array): T {
  return decodeUntrusted(codec, bytes, CLIENT_FRAME_BOUNDS);
}
