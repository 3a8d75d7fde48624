// One subscriber's way from its cursor to live: pages from the chat file while it is far behind,
// then the ring of recent entries, then the fan-out (P5). At every moment it has everything that it
// may see up to `position`, once.
import { LIMITS, ParleyError } from "@parley/protocol";
import type { ChatReads, Clock, Timer } from "../ports.ts";
import type { Replica } from "../replica.ts";
import type { FanOut, LiveSubscriber } from "./fan-out.ts";
import { SharedEvent } from "./shared-event.ts";

const BACKLOG_POLL_MS = 10;
/** A subscriber that takes nothing for so long while it catches up is too slow. */
const STALL_MS_MAX = 30_000;

/** Where a subscription's events go: a session or a stream of events. */
export interface Outlet {
  event(revision: number, event: SharedEvent): void;
  /** Somebody types: a `typistField`. It may be left out. */
  typing(field: Uint8Array): void;
  /** Somebody has read on: a `readReceiptsField`. */
  readReceipts(field: Uint8Array): void;
  /** It has caught up: what is told to the live ones alone is told to it from now on. */
  live(): void;
  /** A page or a hand-over is complete: write what was gathered, then the subscription's position. */
  flush(): void;
  backlogBytes(): number;
  /** The cursor is of no use; events follow from `revision`. */
  resync(reason: string, revision: number): void;
  /** The subscription can't go on. */
  fail(error: ParleyError): void;
}

export interface SubscriptionStart {
  readonly accountId: number;
  readonly afterRevision: number;
  /** More events than this are answered with a resync; 0 = no limit. */
  readonly eventsMax: number;
  /** Why the cursor is of no use at all; undefined = it is this cluster's. */
  readonly resyncReason: string | undefined;
}

export interface SubscriptionParts {
  readonly replica: Replica;
  readonly chatStore: ChatReads;
  readonly clock: Clock;
  readonly fanOut: FanOut;
}

export class Subscription implements LiveSubscriber {
  readonly accountId: number;
  readonly #parts: SubscriptionParts;
  readonly #start: SubscriptionStart;
  readonly #outlet: Outlet;
  readonly #abort = new AbortController();
  #position: number;
  #live = false;
  #ended = false;
  #timer: Timer | undefined;

  constructor(parts: SubscriptionParts, start: SubscriptionStart, outlet: Outlet) {
    this.#parts = parts;
    this.#start = start;
    this.#outlet = outlet;
    this.accountId = start.accountId;
    this.#position = start.afterRevision;
  }

  /** Begins; the outlet must be ready to take events during the call. */
  start(): void {
    this.#run(() => this.#begin(this.#start));
  }

  /** Everything visible up to here has been given to the outlet. */
  get position(): number {
    return this.#live ? Math.max(this.#position, this.#parts.fanOut.dispatched) : this.#position;
  }

  get isLive(): boolean {
    return this.#live;
  }

  get liveAfter(): number {
    return this.#position;
  }

  deliver(revision: number, event: SharedEvent): void {
    this.#outlet.event(revision, event);
  }

  typing(field: Uint8Array): void {
    this.#outlet.typing(field);
  }

  readReceipts(field: Uint8Array): void {
    this.#outlet.readReceipts(field);
  }

  fallBack(): void {
    this.#position = this.position;
    this.#live = false;
    this.#timer = this.#parts.clock.after(0, () => this.#run(() => this.#catchUp()));
  }

  end(): void {
    if (this.#ended) return;
    // The position stays where it was, for the cursor of a farewell.
    this.#position = this.position;
    this.#ended = true;
    this.#live = false;
    this.#parts.fanOut.leave(this);
    this.#timer?.cancel();
    this.#abort.abort();
  }

  #run(work: () => Promise<void>): void {
    work().catch((cause: unknown) => {
      if (!this.#ended) this.#outlet.fail(ParleyError.from(cause));
    });
  }

  async #begin(start: SubscriptionStart): Promise<void> {
    if (start.resyncReason !== undefined) {
      this.#resync(start.resyncReason, this.#parts.fanOut.applied);
    } else if (!(await this.#reachCursor())) {
      if (this.#ended) return;
      this.#resync("cursor from the future", this.#parts.fanOut.applied);
    } else if (start.eventsMax > 0 && !this.#ended) {
      const counted = await this.#parts.chatStore.read({
        kind: "catch-up-count",
        accountId: this.accountId,
        afterRevision: this.#position,
        countMax: start.eventsMax + 1,
      });
      if (counted.kind !== "count") throw unexpected(counted.kind);
      if (this.#ended) return;
      if (counted.count > start.eventsMax) this.#resync("too many changes", counted.revision);
    }
    await this.#catchUp();
  }

  /**
   * Waits, for a bounded time, until this node has applied the cursor's revision (P4). False = no
   * revision like it exists in the cluster. Rejects with BEHIND when that is not known or takes too long.
   */
  async #reachCursor(): Promise<boolean> {
    const { replica, fanOut, clock } = this.#parts;
    if (fanOut.applied >= this.#position) return true;
    const options = {
      deadlineMs: clock.monotonicMs() + LIMITS.behindWaitMsMax,
      signal: this.#abort.signal,
    };
    try {
      if (this.#position > (await replica.readIndex(options))) return false;
    } catch {
      // Without a quorum nobody can say whether the revision exists; another node may have it.
      throw new ParleyError("BEHIND", "this node has not applied the cursor's revision", {
        revision: fanOut.applied,
        retryAfterMs: LIMITS.behindWaitMsMax,
      });
    }
    await replica.waitApplied(this.#position, options);
    return true;
  }

  #resync(reason: string, revision: number): void {
    this.#position = revision;
    this.#outlet.resync(reason, revision);
  }

  async #catchUp(): Promise<void> {
    while (!this.#ended && !this.#goLive()) {
      await this.#backlogTaken();
      if (this.#ended) return;
      const page = await this.#parts.chatStore.read({
        kind: "catch-up",
        accountId: this.accountId,
        afterRevision: this.#position,
        bytesMax: this.#parts.fanOut.limits.pageBytes,
      });
      if (page.kind !== "page") throw unexpected(page.kind);
      // The file may be ahead of this loop, and a page leaves out what is overtaken in the state that
      // it was read from. What follows the page must know at least that state.
      await this.#reachState(page.revision);
      if (this.#ended) return;
      for (const { revision, event } of page.events) {
        this.#outlet.event(revision, new SharedEvent(event));
      }
      this.#position = Math.max(this.#position, page.upToRevision);
      this.#outlet.flush();
    }
  }

  async #reachState(revision: number): Promise<void> {
    const { replica, clock } = this.#parts;
    if (this.#ended || replica.appliedRevision >= revision) return;
    const deadlineMs = clock.monotonicMs() + LIMITS.requestTimeoutMsMax;
    await replica.waitApplied(revision, { deadlineMs, signal: this.#abort.signal });
  }

  /** Steps over to live if what is missing is at hand and not too much. No await: nothing slips by. */
  #goLive(): boolean {
    const { fanOut } = this.#parts;
    if (!fanOut.covers(this.#position)) return false;
    const missing: { revision: number; event: SharedEvent }[] = [];
    let bytes = 0;
    for (const recent of fanOut.recentFor(this.accountId, this.#position)) {
      missing.push(recent);
      bytes += recent.event.event.length;
      if (bytes > fanOut.limits.handOverBytesMax) return false;
    }
    for (const { revision, event } of missing) this.#outlet.event(revision, event);
    // Taking them may have shown the reader to be too slow.
    if (this.#ended) return true;
    this.#position = Math.max(this.#position, fanOut.applied);
    this.#live = true;
    fanOut.join(this);
    this.#outlet.live();
    this.#outlet.flush();
    return true;
  }

  async #backlogTaken(): Promise<void> {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    while (this.#outlet.backlogBytes() > LIMITS.sessionBacklogBytesMax / 2) {
      if (clock.monotonicMs() - startedMs > STALL_MS_MAX) {
        throw new ParleyError("SLOW_SUBSCRIBER", "the subscriber does not take its events", {
          retryAfterMs: 1_000,
        });
      }
      await new Promise<void>((resolve) => {
        this.#timer = clock.after(BACKLOG_POLL_MS, resolve);
      });
      if (this.#ended) return;
    }
  }
}

function unexpected(kind: string): ParleyError {
  return new ParleyError("INTERNAL", `the chat store answered a catch-up with ${kind}`);
}
