// A subscription to what the account may see: every event once, in revision order, over any number
// of reconnects (P5), with a bounded buffer toward an application that is slow (P11).
import type { Event, ParleyError, Resync } from "@parley/protocol";

export type SubscriptionItem =
  | {
      readonly kind: "event";
      readonly event: Event;
      /**
       * `afterRevision` for resuming once this event has been handled. Several events may share a
       * revision: until the last of them it stays at the revision before.
       */
      readonly cursor: number;
    }
  /**
   * The cursor was too old or from another cluster: drop what was cached (never unsent messages),
   * load rooms and history anew; events after `revision` follow.
   */
  | { readonly kind: "resync"; readonly reason: string; readonly revision: number };

export interface SubscribeOptions {
  /**
   * Events with a higher revision follow; 0 = all there ever were. Left out: those from now on,
   * which is after the revision that this client has seen.
   */
  readonly afterRevision?: number | undefined;
  /** When catching up would take more events, a `resync` comes instead; 0 = no limit. */
  readonly maxCatchUpEvents?: number | undefined;
  /** Events that wait for a slow application before the node is told to stop sending. */
  readonly bufferMax?: number | undefined;
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined;
  /** Gets each item at once instead of through the iterator; must not throw. */
  readonly onItem?: ((item: SubscriptionItem) => void) | undefined;
}

export const SUBSCRIPTION_BUFFER_MAX = 1_000;

type Waiter = {
  resolve(result: IteratorResult<SubscriptionItem>): void;
  reject(error: ParleyError): void;
};

/** Iterate over it once. It ends when it is closed or the client is, never by a lost connection. */
export class Subscription implements AsyncIterableIterator<SubscriptionItem> {
  readonly maxCatchUpEvents: number;
  /** The cluster that the cursor comes from; "" = not known yet. */
  clusterId: string;
  readonly #bufferMax: number;
  readonly #onItem: ((item: SubscriptionItem) => void) | undefined;
  readonly #onDemand: () => void;
  readonly #onClose: () => void;
  readonly #buffer: SubscriptionItem[] = [];
  #waiters: Waiter[] = [];
  /** Everything up to here has been received; undefined = starts at what the next node has. */
  #received: number | undefined;
  /** Everything up to here has been handed to the application. */
  #cursor: number;
  #paused = false;
  #closed = false;
  #error: ParleyError | undefined;

  constructor(
    options: SubscribeOptions,
    clusterId: string,
    onDemand: () => void,
    onClose: () => void,
  ) {
    this.clusterId = clusterId;
    this.maxCatchUpEvents = options.maxCatchUpEvents ?? 0;
    this.#bufferMax = Math.max(1, options.bufferMax ?? SUBSCRIPTION_BUFFER_MAX);
    this.#onItem = options.onItem;
    this.#received = options.afterRevision;
    this.#cursor = options.afterRevision ?? 0;
    this.#onDemand = onDemand;
    this.#onClose = onClose;
    options.signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  /** Where the node is to go on; undefined = not known before a node has been met. */
  get received(): number | undefined {
    return this.#received;
  }

  /** The revision to resume from after everything that was handed out has been handled. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Whether the node should be sending; not while the application is behind. */
  get wanted(): boolean {
    return !this.#closed && !this.#paused;
  }

  /** The revision to begin at, once it is known. */
  startAt(revision: number, clusterId: string): void {
    if (this.clusterId === "") this.clusterId = clusterId;
    this.#received ??= revision;
    this.#cursor = Math.max(this.#cursor, this.#received);
  }

  /** Takes a frame's events, all of the revisions that they belong to, and its cursor. */
  take(events: readonly Event[], cursor: number): void {
    const received = this.#received ?? 0;
    let last = received;
    for (const [at, event] of events.entries()) {
      // A revision that was received is never delivered again, whatever node repeats it.
      if (event.revision <= received) continue;
      const complete = events[at + 1]?.revision !== event.revision;
      if (complete) last = Math.max(last, event.revision);
      this.#deliver({ kind: "event", event, cursor: last });
    }
    this.#received = Math.max(last, cursor);
    if (this.#buffer.length === 0) this.#cursor = Math.max(this.#cursor, this.#received);
    if (this.#buffer.length > this.#bufferMax) this.#paused = true;
  }

  /** The node says where to begin anew, in this cluster. */
  resync(resync: Resync, clusterId: string): void {
    this.clusterId = clusterId;
    this.#received = resync.revision;
    this.#deliver({ kind: "resync", reason: resync.reason, revision: resync.revision });
  }

  /** Ends the iteration; with an error, the next `next()` rejects. */
  close(error?: ParleyError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (error === undefined) waiter.resolve({ done: true, value: undefined });
      else waiter.reject(error);
    }
    this.#onClose();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<SubscriptionItem>> {
    const item = this.#takeOne();
    if (item !== undefined) return Promise.resolve({ done: false, value: item });
    if (this.#closed) {
      if (this.#error !== undefined) return Promise.reject(this.#error);
      return Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  /** What has arrived and was not handed out yet, without waiting; for those that work in batches. */
  takeReady(max: number): readonly SubscriptionItem[] {
    const items: SubscriptionItem[] = [];
    while (items.length < max) {
      const item = this.#takeOne();
      if (item === undefined) break;
      items.push(item);
    }
    return items;
  }

  return(): Promise<IteratorResult<SubscriptionItem>> {
    this.#buffer.length = 0;
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  #takeOne(): SubscriptionItem | undefined {
    const item = this.#buffer.shift();
    if (item === undefined) return undefined;
    this.#handedOut(item);
    // Nothing is left of what was received, what is invisible to the account included.
    if (this.#buffer.length === 0) this.#cursor = Math.max(this.#cursor, this.#received ?? 0);
    if (this.#paused && this.#buffer.length <= this.#bufferMax / 4 && !this.#closed) {
      this.#paused = false;
      this.#onDemand();
    }
    return item;
  }

  #deliver(item: SubscriptionItem): void {
    if (this.#closed) return;
    const waiter = this.#onItem === undefined ? this.#waiters.shift() : undefined;
    if (this.#onItem === undefined && waiter === undefined) {
      this.#buffer.push(item);
      return;
    }
    this.#handedOut(item);
    this.#onItem?.(item);
    waiter?.resolve({ done: false, value: item });
  }

  #handedOut(item: SubscriptionItem): void {
    this.#cursor = item.kind === "event" ? item.cursor : item.revision;
  }
}
