// From applied entries to subscribers (P5). The fan-out walks the applied entries in order with a
// position of its own, so that it can pause between entries when very many sessions listen; a ring
// of recent entries lets a subscriber that catches up step over to live without a gap or a repeat.
import type { Admission, AdmissionChange, AppliedEntry, Audience } from "@parley/chat";
import { LIMITS } from "@parley/protocol";
import type { Clock } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { SharedEvent } from "./shared-event.ts";

/** How much is kept at hand and done at once. */
export interface FanOutLimits {
  /** How long the loop may be held before others get their turn. */
  readonly sliceMs: number;
  /** Bytes of events in one go, so that the network can take them before more follow. */
  readonly sliceBytes: number;
  /** What may wait for its fan-out; past it the fan-out no longer yields (P11). */
  readonly waitingEntriesMax: number;
  readonly waitingBytesMax: number;
  readonly ringBytesMax: number;
  readonly ringEntriesMax: number;
  /** One page of a catch-up from the chat file. */
  readonly pageBytes: number;
  /** The most that the step from the ring to live may add at once; more comes in pages. */
  readonly handOverBytesMax: number;
}

export const DEFAULT_FAN_OUT_LIMITS: FanOutLimits = {
  sliceMs: 4,
  sliceBytes: 512 * 1024,
  waitingEntriesMax: 10_000,
  waitingBytesMax: 32 * 1024 * 1024,
  ringBytesMax: 8 * 1024 * 1024,
  ringEntriesMax: 20_000,
  pageBytes: 256 * 1024,
  handOverBytesMax: LIMITS.sessionBacklogBytesMax / 4,
};

export interface SharedDelivery {
  readonly audience: Audience;
  readonly event: SharedEvent;
}

interface Recent {
  readonly revision: number;
  readonly deliveries: readonly SharedDelivery[];
  readonly bytes: number;
}

interface Waiting {
  readonly changes: readonly AdmissionChange[];
  readonly recent: Recent;
}

export interface LiveSubscriber {
  readonly accountId: number;
  /** It has everything up to here already; deliveries at or below are not for it. */
  readonly liveAfter: number;
  deliver(revision: number, event: SharedEvent): void;
  /** Somebody types: a `typistField`. */
  typing(field: Uint8Array): void;
  /** Somebody has read on: a `readReceiptsField`. */
  readReceipts(field: Uint8Array): void;
  /** The log jumped (a copy was installed): it must catch up from where it is. */
  fallBack(): void;
}

export class FanOut {
  readonly limits: FanOutLimits;
  readonly #replica: Replica;
  readonly #clock: Clock;
  readonly #live = new Set<LiveSubscriber>();
  readonly #byAccount = new Map<number, Set<LiveSubscriber>>();
  /** For each room the accounts with a live subscriber here, as of #dispatched. */
  readonly #roomAccounts = new Map<number, Set<number>>();
  #ring: (Recent | undefined)[] = [];
  #ringStart = 0;
  #ringBytes = 0;
  /** The ring holds every revision above this one. */
  #floor = 0;
  #waiting: Waiting[] = [];
  #waitingAt = 0;
  #waitingBytes = 0;
  #applied = -1;
  #dispatched = 0;
  #scheduled = false;

  constructor(replica: Replica, clock: Clock, limits: FanOutLimits = DEFAULT_FAN_OUT_LIMITS) {
    this.#replica = replica;
    this.#clock = clock;
    this.limits = limits;
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /** The last revision whose deliveries have reached every live subscriber. */
  get dispatched(): number {
    return this.#applied < 0 ? this.#replica.appliedRevision : this.#dispatched;
  }

  /** The newest revision that the ring knows of. */
  get applied(): number {
    return this.#applied < 0 ? this.#replica.appliedRevision : this.#applied;
  }

  /** Nothing waits: what the subscribers were told is what this node has applied. */
  get isIdle(): boolean {
    return this.dispatched === this.applied;
  }

  /** Those who are in a room. */
  *liveIn(roomId: number): Generator<LiveSubscriber> {
    for (const accountId of this.#roomAccounts.get(roomId) ?? []) {
      yield* this.#byAccount.get(accountId) ?? [];
    }
  }

  onEntry(entry: AppliedEntry): void {
    if (this.#applied >= 0 && entry.index !== this.#applied + 1) this.onJump();
    if (this.#applied < 0) {
      this.#floor = entry.index - 1;
      this.#dispatched = entry.index - 1;
    }
    this.#applied = entry.index;
    const deliveries: SharedDelivery[] = [];
    let bytes = 64;
    for (const { audience, event } of entry.deliveries) {
      deliveries.push({ audience, event: new SharedEvent(event) });
      bytes += event.length + 64;
    }
    const recent: Recent = { revision: entry.index, deliveries, bytes };
    if (deliveries.length > 0) this.#remember(recent);
    this.#waiting.push({ changes: entry.changes, recent });
    this.#waitingBytes += bytes;
  }

  onBatchEnd(): void {
    if (!this.#scheduled) this.#pump();
  }

  /** Whether everything after `revision` is still at hand, so that a subscriber can go live there. */
  covers(revision: number): boolean {
    if (revision >= this.applied) return true;
    return this.#applied >= 0 && revision >= this.#floor;
  }

  /** What the account may see of the recent revisions after `revision`; see `covers`. */
  *recentFor(
    accountId: number,
    afterRevision: number,
  ): Generator<{ revision: number; event: SharedEvent }> {
    const admission = this.#replica.admission;
    for (let at = this.#firstAfter(afterRevision); at < this.#ring.length; at += 1) {
      const recent = this.#ring[at];
      if (recent === undefined) break;
      for (const { audience, event } of recent.deliveries) {
        if (isVisible(admission, audience, accountId, recent.revision)) {
          yield { revision: recent.revision, event };
        }
      }
    }
  }

  /** From now on the subscriber gets what comes after its `liveAfter`, which is ≥ `applied`. */
  join(subscriber: LiveSubscriber): void {
    this.#live.add(subscriber);
    const accountId = subscriber.accountId;
    const others = this.#byAccount.get(accountId);
    if (others !== undefined) {
      others.add(subscriber);
      return;
    }
    this.#byAccount.set(accountId, new Set([subscriber]));
    // Rooms as of `applied`: nothing below `liveAfter` goes to it, and the changes of the entries
    // that still wait lead to the same set again.
    for (const roomId of this.#replica.admission.roomsOf(accountId)) {
      this.#addToRoom(roomId, accountId);
    }
  }

  leave(subscriber: LiveSubscriber): void {
    if (!this.#live.delete(subscriber)) return;
    const accountId = subscriber.accountId;
    const others = this.#byAccount.get(accountId);
    if (others === undefined) return;
    others.delete(subscriber);
    if (others.size > 0) return;
    this.#byAccount.delete(accountId);
    // A room that it has left, or entered, in an entry that still waits is settled by that entry.
    for (const roomId of this.#replica.admission.roomsOf(accountId)) {
      this.#removeFromRoom(roomId, accountId);
    }
  }

  #pump(): void {
    this.#scheduled = false;
    const startedMs = this.#clock.monotonicMs();
    let bytes = 0;
    while (this.#waitingAt < this.#waiting.length) {
      const next = this.#waiting[this.#waitingAt];
      if (next === undefined) break;
      this.#waitingAt += 1;
      this.#waitingBytes -= next.recent.bytes;
      bytes += next.recent.bytes;
      for (const change of next.changes) this.#follow(change);
      for (const delivery of next.recent.deliveries) this.#dispatch(next.recent.revision, delivery);
      this.#dispatched = next.recent.revision;
      if (this.#mayYield() && this.#sliceIsOver(startedMs, bytes)) {
        this.#scheduled = true;
        this.#clock.after(0, () => this.#pump());
        return;
      }
    }
    this.#waiting = [];
    this.#waitingAt = 0;
    this.#waitingBytes = 0;
  }

  #mayYield(): boolean {
    const left = this.#waiting.length - this.#waitingAt;
    if (left === 0 || left > this.limits.waitingEntriesMax) return false;
    return this.#waitingBytes <= this.limits.waitingBytesMax;
  }

  #sliceIsOver(startedMs: number, bytes: number): boolean {
    if (bytes >= this.limits.sliceBytes) return true;
    return this.#clock.monotonicMs() - startedMs >= this.limits.sliceMs;
  }

  #dispatch(revision: number, delivery: SharedDelivery): void {
    const { audience, event } = delivery;
    switch (audience.kind) {
      case "everyone":
        for (const subscriber of this.#live) deliverTo(subscriber, revision, event);
        return;
      case "account":
        this.#dispatchTo(audience.accountId, revision, event);
        return;
      case "room":
        for (const accountId of this.#roomAccounts.get(audience.roomId) ?? []) {
          if (accountId !== audience.exceptAccountId) this.#dispatchTo(accountId, revision, event);
        }
        return;
    }
  }

  #dispatchTo(accountId: number, revision: number, event: SharedEvent): void {
    for (const subscriber of this.#byAccount.get(accountId) ?? []) {
      deliverTo(subscriber, revision, event);
    }
  }

  #follow(change: AdmissionChange): void {
    if (change.kind === "member" && this.#byAccount.has(change.accountId)) {
      this.#addToRoom(change.roomId, change.accountId);
    } else if (change.kind === "member-removed") {
      this.#removeFromRoom(change.roomId, change.accountId);
    }
  }

  #addToRoom(roomId: number, accountId: number): void {
    const accounts = this.#roomAccounts.get(roomId);
    if (accounts === undefined) this.#roomAccounts.set(roomId, new Set([accountId]));
    else accounts.add(accountId);
  }

  #removeFromRoom(roomId: number, accountId: number): void {
    const accounts = this.#roomAccounts.get(roomId);
    if (accounts?.delete(accountId) && accounts.size === 0) this.#roomAccounts.delete(roomId);
  }

  #remember(recent: Recent): void {
    this.#ring.push(recent);
    this.#ringBytes += recent.bytes;
    while (
      this.#ringBytes > this.limits.ringBytesMax ||
      this.#ring.length - this.#ringStart > this.limits.ringEntriesMax
    ) {
      const oldest = this.#ring[this.#ringStart];
      if (oldest === undefined) break;
      this.#ring[this.#ringStart] = undefined;
      this.#ringStart += 1;
      this.#ringBytes -= oldest.bytes;
      this.#floor = oldest.revision;
    }
    // Freed in large steps, so that forgetting one entry does not move all the others.
    if (this.#ringStart >= this.limits.ringEntriesMax) {
      this.#ring = this.#ring.slice(this.#ringStart);
      this.#ringStart = 0;
    }
  }

  #firstAfter(revision: number): number {
    let low = this.#ringStart;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ring[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Entries are missing: nothing at hand can be trusted to be whole. */
  onJump(): void {
    // While `dispatched` still says how far each of them has come.
    for (const subscriber of [...this.#live]) {
      subscriber.fallBack();
      this.leave(subscriber);
    }
    this.#ring = [];
    this.#ringStart = 0;
    this.#ringBytes = 0;
    this.#waiting = [];
    this.#waitingAt = 0;
    this.#waitingBytes = 0;
    this.#applied = -1;
    // Changes that were dropped, or never seen, may have left accounts in rooms.
    this.#roomAccounts.clear();
  }
}

function deliverTo(subscriber: LiveSubscriber, revision: number, event: SharedEvent): void {
  if (revision > subscriber.liveAfter) subscriber.deliver(revision, event);
}

/** Membership as it is now; what a former member saw of a room, History does not show them either. */
function isVisible(
  admission: Admission,
  audience: Audience,
  accountId: number,
  revision: number,
): boolean {
  switch (audience.kind) {
    case "everyone":
      return true;
    case "account":
      return audience.accountId === accountId;
    case "room": {
      if (audience.exceptAccountId === accountId) return false;
      const member = admission.membership(audience.roomId, accountId);
      return member !== undefined && member.joinedRevision <= revision;
    }
  }
}
