// What is unread: every node says what its tables say, counted anew message by message, and what the events told a subscriber, added up
// as the SDK does it, is the same. In rooms and in threads; mentions apart.
import { afterEvent, type CachedRoom, roomOf, unreadOf } from "@parley/client";
import type { Coverage } from "../coverage.ts";
import type { Checker, FinalState, Report, SubscriptionItem } from "../observer.ts";

const PROPERTY = "unread counts";

/** A subscriber's rooms, as far as events have shown them whole. */
interface Subscriber {
  readonly accountId: number;
  readonly rooms: Map<number, CachedRoom>;
}

export class UnreadCounts implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #coverage: Coverage;
  readonly #subscribers = new Map<string, Subscriber>();

  constructor(report: Report, coverage: Coverage) {
    this.#report = report;
    this.#coverage = coverage;
  }

  onSubscription(client: string, accountId: number, item: SubscriptionItem): void {
    let subscriber = this.#subscribers.get(client);
    if (subscriber === undefined || subscriber.accountId !== accountId) {
      subscriber = { accountId, rooms: new Map() };
      this.#subscribers.set(client, subscriber);
    }
    const { rooms } = subscriber;
    if (item.kind === "resync") {
      // What its rooms are like is for ListRooms to say; those that appear later are whole again.
      rooms.clear();
      return;
    }
    const roomId = roomOf(item.event);
    const row = afterEvent(rooms.get(roomId), item.event, accountId);
    if (row === undefined) rooms.delete(roomId);
    else rooms.set(roomId, row);
  }

  onSubscriberLost(client: string): void {
    this.#subscribers.delete(client);
  }

  atEnd({ nodes }: FinalState): void {
    for (const { nodeId, unread } of nodes) {
      for (const [accountId, rooms] of unread) {
        for (const [roomId, { counted, told }] of rooms) {
          if (counted === told) continue;
          const detail = `node ${nodeId} tells account ${accountId} of ${told} in room ${roomId}, and there are ${counted}`;
          this.#report({ property: PROPERTY, detail });
        }
      }
    }
    const unread = nodes[0]?.unread;
    for (const [client, { accountId, rooms }] of this.#subscribers) {
      for (const [roomId, { room }] of rooms) {
        const counted = unread?.get(accountId)?.get(roomId)?.counted;
        if (counted === undefined) continue;
        if (room.threads.some(({ unreadCount }) => unreadCount > 0)) {
          this.#coverage.add("threads-unread");
        }
        const seen = unreadOf(room);
        const added = unreadText(seen.unread, seen.mentions);
        if (added === counted) continue;
        const detail = `${client}: the events add up to ${added} in room ${roomId}, and there are ${counted}`;
        this.#report({ property: PROPERTY, detail });
      }
    }
  }
}

/** As it is compared and shown. */
export function unreadText(unread: number, mentions: number): string {
  return `${unread} unread, ${mentions} mentions`;
}
