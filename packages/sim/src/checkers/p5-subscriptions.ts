// P5 no gap: a subscription resumed from a cursor delivers every message once as new, in room order,
// and every later state of it at least as its latest; what a subscriber sees equals what history
// shows.
import type { Event, Message } from "@parley/protocol";
import type { Checker, FinalState, Report, SubscriptionItem } from "../observer.ts";

const PROPERTY = "P5 no gap";

interface RoomView {
  /** Messages up to here come from History, those after it from the subscription. */
  readonly fromSeq: number;
  lastSeq: number;
  readonly messages: Map<number, Message>;
}

class Subscriber {
  readonly accountId: number;
  readonly rooms = new Map<number, RoomView>();
  revision = 0;

  constructor(accountId: number) {
    this.accountId = accountId;
  }
}

export class P5Subscriptions implements Checker {
  readonly property = PROPERTY;
  readonly #report: Report;
  readonly #subscribers = new Map<string, Subscriber>();
  delivered = 0;
  resyncs = 0;

  constructor(report: Report) {
    this.#report = report;
  }

  onSubscription(client: string, accountId: number, item: SubscriptionItem): void {
    let subscriber = this.#subscribers.get(client);
    if (subscriber === undefined || subscriber.accountId !== accountId) {
      subscriber = new Subscriber(accountId);
      this.#subscribers.set(client, subscriber);
    }
    switch (item.kind) {
      case "resync":
        this.resyncs += 1;
        subscriber.rooms.clear();
        subscriber.revision = item.revision;
        break;
      case "cursor":
        subscriber.revision = Math.max(subscriber.revision, item.revision);
        break;
      case "event":
        this.#event(client, subscriber, item.event);
        break;
    }
  }

  onSubscriberLost(client: string): void {
    this.#subscribers.delete(client);
  }

  #event(client: string, subscriber: Subscriber, event: Event): void {
    if (event.revision < subscriber.revision) {
      this.#fail(client, `an event of revision ${event.revision} after ${subscriber.revision}`);
    }
    subscriber.revision = event.revision;
    switch (event.event?.$case) {
      case "roomReset": {
        const room = event.event.value.room;
        if (room === undefined) return;
        // The room's row shows it as of now, and its messages after the reset follow as new.
        subscriber.rooms.set(room.id, { fromSeq: -1, lastSeq: -1, messages: new Map() });
        break;
      }
      case "roomRemoved":
        subscriber.rooms.delete(event.event.value.roomId);
        break;
      case "message":
        this.#message(client, subscriber, event.event.value);
        break;
      case "messageChanged":
        this.#changed(client, subscriber, event.event.value);
        break;
    }
  }

  #message(client: string, subscriber: Subscriber, message: Message): void {
    this.delivered += 1;
    let room = subscriber.rooms.get(message.roomId);
    if (room === undefined) {
      // After a resync the rooms come from ListRooms, and events follow from there.
      room = { fromSeq: -1, lastSeq: -1, messages: new Map() };
    }
    if (room.fromSeq === -1) {
      room = { fromSeq: message.seq - 1, lastSeq: message.seq - 1, messages: new Map() };
      subscriber.rooms.set(message.roomId, room);
    }
    if (message.seq !== room.lastSeq + 1) {
      const what = message.seq <= room.lastSeq ? "again or late" : "after a gap";
      this.#fail(
        client,
        `room ${message.roomId} seq ${message.seq} was delivered as new ${what}; the last one was ${room.lastSeq}`,
      );
    }
    room.lastSeq = Math.max(room.lastSeq, message.seq);
    room.messages.set(message.seq, message);
  }

  #changed(client: string, subscriber: Subscriber, message: Message): void {
    const room = subscriber.rooms.get(message.roomId);
    if (room === undefined || message.seq <= room.fromSeq || room.fromSeq === -1) return;
    if (message.seq > room.lastSeq) {
      this.#fail(
        client,
        `room ${message.roomId} seq ${message.seq} changed before it was delivered as new`,
      );
    }
    room.messages.set(message.seq, message);
  }

  atEnd(end: FinalState): void {
    const node = end.nodes[0];
    if (node === undefined) return;
    for (const [client, subscriber] of this.#subscribers) {
      for (const [roomId, room] of subscriber.rooms) {
        const history = node.rooms.get(roomId);
        // Nothing came since the room appeared; the checks of the other subscribers cover it.
        if (history === undefined || room.fromSeq === -1) continue;
        if (room.lastSeq !== history.length) {
          this.#fail(
            client,
            `room ${roomId} ends at seq ${history.length}, but the subscription ended at ${room.lastSeq}`,
          );
          return;
        }
        for (let seq = room.fromSeq + 1; seq <= room.lastSeq; seq++) {
          const seen = room.messages.get(seq);
          const stored = history[seq - 1];
          if (seen === undefined || stored === undefined || !sameMessage(seen, stored)) {
            this.#fail(client, `room ${roomId} seq ${seq} is not what history shows`);
            return;
          }
        }
      }
    }
  }

  #fail(client: string, detail: string): void {
    this.#report({ property: PROPERTY, detail: `${client}: ${detail}` });
  }
}

/** Author names are left out: they follow the account, not the message. */
function sameMessage(a: Message, b: Message): boolean {
  return (
    a.id === b.id &&
    a.body === b.body &&
    a.deleted === b.deleted &&
    a.clientMessageId === b.clientMessageId &&
    a.replyToSeq === b.replyToSeq &&
    a.sentAtMs === b.sentAtMs
  );
}
