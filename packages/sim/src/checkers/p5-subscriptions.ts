// P5 no gap: a subscription resumed from a cursor delivers every message once as new, in room order,
// and every later state of it at least as its latest; what a subscriber sees equals what history
// shows. And visibility: exactly the rooms that one is a member of, from the moment of joining on.
import type { Event, Message } from "@parley/protocol";
import type {
  Checker,
  FinalNode,
  FinalState,
  Report,
  SubscriptionItem,
  Wanted,
} from "../observer.ts";

const PROPERTY = "P5 no gap";

interface RoomView {
  /** Messages of later revisions come from the subscription, earlier ones from History. */
  readonly sinceRevision: number;
  /** The last seq delivered as new; undefined = none yet. */
  lastSeq: number | undefined;
  readonly messages: Map<number, Message>;
  /** As the last event told it; undefined = none did since a resync. */
  wanted: Wanted | undefined;
}

class Subscriber {
  readonly accountId: number;
  readonly rooms = new Map<number, RoomView>();
  revision = 0;
  /** After a resync the rooms come from ListRooms, and events follow from this revision. */
  resyncedAt: number | undefined;

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
        subscriber.resyncedAt = item.revision;
        break;
      case "event":
        this.#event(client, subscriber, item.event);
        break;
      default:
        item satisfies never;
    }
  }

  onSubscriberLost(client: string): void {
    this.#subscribers.delete(client);
  }

  atEnd(end: FinalState): void {
    const node = end.nodes[0];
    if (node === undefined) return;
    for (const [client, subscriber] of this.#subscribers) {
      this.#checkRooms(client, subscriber, node);
      for (const [roomId, room] of subscriber.rooms) {
        this.#checkRoom(client, roomId, room, node.rooms.get(roomId) ?? []);
      }
    }
  }

  #event(client: string, subscriber: Subscriber, event: Event): void {
    if (event.revision < subscriber.revision) {
      this.#fail(client, `an event of revision ${event.revision} after ${subscriber.revision}`);
    }
    subscriber.revision = event.revision;
    switch (event.event?.$case) {
      case "roomReset":
        subscriber.rooms.set(event.event.value.room?.id ?? 0, {
          ...newRoom(event.revision),
          wanted: event.event.value.room,
        });
        break;
      case "roomRemoved":
        subscriber.rooms.delete(event.event.value.roomId);
        break;
      case "roomPreference": {
        const room = subscriber.rooms.get(event.event.value.roomId);
        if (room !== undefined) room.wanted = event.event.value;
        else if (subscriber.resyncedAt === undefined) {
          this.#fail(client, `a preference for room ${event.event.value.roomId}, not in the list`);
        }
        break;
      }
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
      if (subscriber.resyncedAt === undefined) {
        this.#fail(client, `a message of room ${message.roomId}, which is not in the list`);
      }
      room = newRoom(subscriber.resyncedAt ?? 0);
      subscriber.rooms.set(message.roomId, room);
    }
    if (room.lastSeq !== undefined && message.seq !== room.lastSeq + 1) {
      const what = message.seq <= room.lastSeq ? "again or late" : "after a gap";
      this.#fail(
        client,
        `room ${message.roomId} seq ${message.seq} was delivered as new ${what}; the last one was ${room.lastSeq}`,
      );
    }
    room.lastSeq = Math.max(room.lastSeq ?? 0, message.seq);
    room.messages.set(message.seq, message);
  }

  #changed(client: string, subscriber: Subscriber, message: Message): void {
    const room = subscriber.rooms.get(message.roomId);
    // What was there before the room appeared is the business of History.
    if (room === undefined || message.id <= room.sinceRevision) return;
    if (!room.messages.has(message.seq)) {
      this.#fail(
        client,
        `room ${message.roomId} seq ${message.seq} changed before it was delivered as new`,
      );
    }
    room.messages.set(message.seq, message);
  }

  #checkRooms(client: string, subscriber: Subscriber, node: FinalNode): void {
    const member = node.memberships.get(subscriber.accountId) ?? new Map<number, Wanted>();
    for (const [roomId, { wanted: seen }] of subscriber.rooms) {
      const wanted = member.get(roomId);
      if (wanted === undefined) {
        this.#fail(client, `room ${roomId} was never taken from the list`);
      } else if (seen !== undefined && !sameWanted(seen, wanted)) {
        this.#fail(client, `room ${roomId} is starred or muted on one side only`);
      }
    }
    // After a resync the rooms without a later event were never shown by the subscription.
    if (subscriber.resyncedAt !== undefined) return;
    for (const roomId of member.keys()) {
      if (!subscriber.rooms.has(roomId)) this.#fail(client, `room ${roomId} never appeared`);
    }
  }

  #checkRoom(client: string, roomId: number, room: RoomView, history: readonly Message[]): void {
    for (const stored of history) {
      const seen = room.messages.get(stored.seq);
      const isDue = stored.id > room.sinceRevision;
      if (!isDue && seen === undefined) continue;
      if (!isDue) {
        this.#fail(client, `room ${roomId} seq ${stored.seq} is from before the room appeared`);
      } else if (seen === undefined) {
        this.#fail(client, `room ${roomId} seq ${stored.seq} was never delivered`);
      } else if (!sameMessage(seen, stored)) {
        this.#fail(client, `room ${roomId} seq ${stored.seq} is not what history shows`);
      }
    }
  }

  #fail(client: string, detail: string): void {
    this.#report({ property: PROPERTY, detail: `${client}: ${detail}` });
  }
}

function newRoom(sinceRevision: number): RoomView {
  return { sinceRevision, lastSeq: undefined, messages: new Map(), wanted: undefined };
}

function sameWanted(one: Wanted, other: Wanted): boolean {
  return one.starred === other.starred && one.muted === other.muted;
}

/** Author names are left out: they follow the account, not the message. */
function sameMessage(a: Message, b: Message): boolean {
  return (
    a.id === b.id &&
    a.body === b.body &&
    a.deleted === b.deleted &&
    a.version === b.version &&
    a.editedAtMs === b.editedAtMs &&
    a.clientMessageId === b.clientMessageId &&
    a.replyToSeq === b.replyToSeq &&
    a.sentAtMs === b.sentAtMs &&
    reactionsText(a) === reactionsText(b) &&
    a.pinned === b.pinned &&
    mentionsText(a) === mentionsText(b) &&
    a.threadRootSeq === b.threadRootSeq &&
    threadText(a) === threadText(b)
  );
}

/** A tombstone says of its thread how that was when it was deleted, which the replies do not tell. */
function threadText({ thread, deleted }: Message): string {
  if (thread === undefined || deleted) return "";
  const { replyCount, lastReplySeq, lastReplyAtMs, participantIds } = thread;
  return `${replyCount}, the last ${lastReplySeq} at ${lastReplyAtMs}, by ${participantIds}`;
}

/** Where everybody is mentioned, the table of mentions says that alone. */
function mentionsText({ mentions, mentionsRoom }: Message): string {
  return mentionsRoom ? "room" : mentions.toSorted((x, y) => x - y).join();
}

/** Which of them was there first is not kept once some are taken back. */
function reactionsText({ reactions }: Message): string {
  return reactions
    .map(({ emoji, count, accountIds }) => `${emoji} ${count} ${accountIds}`)
    .sort()
    .join("; ");
}
