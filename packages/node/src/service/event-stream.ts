// Subscribe: the events alone, one by one, for tools that can't use the session.
import { LIMITS, ParleyError } from "@parley/protocol";
import type { FrameSink } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { withLeader } from "./leader-hint.ts";
import type { Presence } from "./presence.ts";
import type { SharedEvent } from "./shared-event.ts";
import {
  type Outlet,
  Subscription,
  type SubscriptionParts,
  type SubscriptionStart,
} from "./subscription.ts";

const RETRY_AFTER_MS = 200;

export class EventStream implements Outlet {
  readonly loginSessionId: number;
  readonly #sink: FrameSink;
  readonly #presence: Presence;
  readonly #replica: Pick<Replica, "view">;
  readonly #onEnd: (stream: EventStream) => void;
  readonly #subscription: Subscription;
  #ended = false;

  constructor(
    parts: SubscriptionParts,
    presence: Presence,
    start: SubscriptionStart & { readonly loginSessionId: number },
    sink: FrameSink,
    onEnd: (stream: EventStream) => void,
  ) {
    this.loginSessionId = start.loginSessionId;
    this.#sink = sink;
    this.#presence = presence;
    this.#replica = parts.replica;
    this.#onEnd = onEnd;
    presence.enter(start.accountId);
    this.#subscription = new Subscription(parts, start, this);
  }

  start(): void {
    this.#subscription.start();
  }

  event(_revision: number, event: SharedEvent): void {
    if (this.#ended) return;
    if (this.#sink.backlogBytes() > LIMITS.sessionBacklogBytesMax) {
      this.fail(
        new ParleyError("SLOW_SUBSCRIBER", "events are not taken fast enough", {
          retryAfterMs: RETRY_AFTER_MS,
        }),
      );
      return;
    }
    this.#sink.send(event.event);
  }

  /** Tools that want only events have no use for it. */
  typing(): void {}

  readReceipts(): void {}

  live(): void {}

  flush(): void {}

  backlogBytes(): number {
    return this.#sink.backlogBytes();
  }

  /** There is no frame for it in this stream: the tool must start again, from 0. */
  resync(reason: string): void {
    this.fail(new ParleyError("WRONG_CLUSTER", `subscribe again from 0: ${reason}`));
  }

  fail(error: ParleyError): void {
    if (this.#release()) this.#sink.end(withLeader(error, this.#replica));
  }

  /** The reader is gone. */
  cancel(): void {
    if (this.#release()) this.#sink.end(new ParleyError("CANCELLED", "the reader has gone"));
  }

  #release(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#subscription.end();
    this.#presence.leave(this.#subscription.accountId);
    this.#onEnd(this);
    return true;
  }
}
