// The room that is open: its history, what is shown of it, and how far it is read.
import { type ParleyClient, ParleyError } from "@parley/client";
import type { Message, Room } from "@parley/protocol";
import pc from "picocolors";
import { clockTime, dayName, formatAge, messageLine, printable } from "../cli/format.ts";
import { roomTitle } from "../cli/rooms.ts";
import { Quotes } from "./quotes.ts";
import type { RoomBook } from "./room-book.ts";

const MARK_READ_DELAY_MS = 500;
const HISTORY_ON_OPEN = 15;
/** What is unread is shown when a room opens, and a little before it, but no more than this. */
const HISTORY_ON_OPEN_MAX = 50;
const READ_BEFORE_UNREAD = 5;

export interface OpenRoomParts {
  readonly client: ParleyClient;
  readonly book: RoomBook;
  readonly print: (text: string) => void;
  /** Which room is open, or how far it is read, has changed. */
  readonly onChange: () => void;
  /** What such an account has written is folded. */
  readonly isBlocked: (accountId: number) => boolean;
}

interface Early {
  readonly message: Message;
  readonly suffix: string;
}

export class OpenRoom {
  readonly #parts: OpenRoomParts;
  #room: Room | undefined;
  /** Sequence numbers of the first and last message that is shown; 0 = none yet. */
  #oldestShown = 0;
  #newestShown = 0;
  /** The day of the message that was shown last. */
  #day = "";
  /** Messages that came while the history, or what one of them answers, was on its way. */
  #early: Early[] | undefined;
  readonly #quotes: Quotes;
  #markTimer: NodeJS.Timeout | undefined;

  constructor(parts: OpenRoomParts) {
    this.#parts = parts;
    this.#quotes = new Quotes(parts.client);
  }

  /** 0 = none is open. */
  get id(): number {
    return this.#room?.id ?? 0;
  }

  /** As it is by now; undefined = none is open. */
  get #current(): Room | undefined {
    return this.#parts.book.get(this.id) ?? this.#room;
  }

  get title(): string {
    return this.#current === undefined ? "" : printable(roomTitle(this.#current));
  }

  /** Throws a ParleyError that says what to do when none is open. */
  require(): Room {
    if (this.#current !== undefined) return this.#current;
    const message = "Open a room first: /rooms lists them, /join ROOM opens one.";
    throw new ParleyError("INVALID_ARGUMENT", message);
  }

  /** Shows the newest messages, and from then on each as it comes. */
  async open(room: Room): Promise<void> {
    const { book, print } = this.#parts;
    book.put({ ...room, ...book.get(room.id) });
    this.#room = room;
    this.#oldestShown = 0;
    this.#newestShown = 0;
    this.#day = dayName(Date.now());
    const early: Early[] = [];
    this.#early = early;
    this.#quotes.reset(room.id);
    this.#parts.onChange();
    print(pc.bold(`${this.title}${room.topic === "" ? "" : `: ${printable(room.topic)}`}`));
    try {
      await this.#showNewest();
    } finally {
      this.#showEarly(early);
    }
    this.#markReadSoon();
  }

  /** What has waited in `early`, unless another room was opened meanwhile. */
  #showEarly(early: readonly Early[]): void {
    if (this.#early !== early) return;
    this.#early = undefined;
    for (const { message, suffix } of early) this.show(message, suffix);
  }

  close(): void {
    this.#room = undefined;
    this.#parts.onChange();
  }

  /** Nothing is marked as read any more. */
  stop(): void {
    clearTimeout(this.#markTimer);
  }

  /** A new message of this room. One that the history has shown already is not shown again. */
  show(message: Message, suffix: string): void {
    if (message.roomId !== this.id || message.seq <= this.#newestShown) return;
    if (message.threadRootSeq > 0) return;
    if (this.#early !== undefined) {
      this.#early.push({ message, suffix });
      return;
    }
    if (this.#quotes.lacks(message)) {
      const early = [{ message, suffix }];
      this.#early = early;
      void this.#quotes.lookUp([message]).then(() => this.#showEarly(early));
      return;
    }
    if (this.#oldestShown === 0) this.#oldestShown = message.seq;
    this.#newestShown = message.seq;
    this.#print(message, suffix);
    this.#markReadSoon();
  }

  /** A message of this room is other than it was shown. */
  changed(message: Message): void {
    if (message.roomId === this.id) this.#quotes.changed(message);
  }

  #print(message: Message, suffix = ""): void {
    this.#quotes.keep(message);
    const day = dayName(message.sentAtMs);
    if (day !== this.#day) this.#rule(day);
    this.#day = day;
    const quoted = this.#quotes.of(message);
    const isBlocked = this.#parts.isBlocked(message.authorId) && !message.deleted;
    const shown = isBlocked ? { ...message, body: `(blocked; /show ${message.seq})` } : message;
    const line = messageLine(shown, clockTime(message.sentAtMs), quoted);
    this.#parts.print(`${line}${suffix}`);
  }

  #rule(text: string): void {
    this.#parts.print(pc.dim(`── ${text} ──`));
  }

  async #showNewest(): Promise<void> {
    const { client, book, print } = this.#parts;
    const { id } = this.require();
    const readSeq = book.get(id)?.readSeq ?? 0;
    const unread = book.get(id)?.unreadCount ?? 0;
    const wanted = unread === 0 ? 0 : unread + READ_BEFORE_UNREAD;
    const count = Math.min(HISTORY_ON_OPEN_MAX, Math.max(HISTORY_ON_OPEN, wanted));
    const messages = await this.#fetchInRoom(count);
    if (messages.length === 0) print(pc.dim("-- no messages yet"));
    let isNew = false;
    for (const message of messages) {
      const isOwn = message.authorId === client.account?.id;
      if (unread > 0 && !isNew && !isOwn && message.seq > readSeq) {
        isNew = true;
        print(pc.yellow(`── ${unread} new ──`));
      }
      this.#print(message);
    }
  }

  /** `count` messages before those that have been shown. */
  async showHistory(count: number): Promise<void> {
    const messages = await this.#fetchInRoom(count);
    const [first] = messages;
    const last = messages.at(-1);
    if (first === undefined || last === undefined) {
      this.#parts.print(pc.dim("-- that is all"));
      return;
    }
    // Earlier messages stand below later ones: it is said where they begin and end.
    const day = this.#day;
    this.#rule(`earlier: #${first.seq} to #${last.seq}, ${dayName(first.sentAtMs)}`);
    this.#day = dayName(first.sentAtMs);
    for (const message of messages) this.#print(message);
    this.#rule("back to now");
    this.#day = day;
  }

  /** The same without what stands in threads: goes on until there are some, or no more. */
  async #fetchInRoom(count: number): Promise<readonly Message[]> {
    for (;;) {
      const messages = await this.#fetch(count);
      const inRoom = messages.filter(({ threadRootSeq }) => threadRootSeq === 0);
      if (inRoom.length > 0 || messages.length === 0) return inRoom;
    }
  }

  /** `count` messages before those that have been shown; from then on they count as shown. */
  async #fetch(count: number): Promise<readonly Message[]> {
    const { client, print } = this.#parts;
    const request = { roomId: this.require().id, limit: count, beforeSeq: this.#oldestShown };
    const reply = await client.call("history", request);
    if (reply.staleMs > 0) print(pc.yellow(`(as of ${formatAge(reply.staleMs)} ago)`));
    this.#oldestShown = reply.messages[0]?.seq ?? this.#oldestShown;
    this.#newestShown = Math.max(this.#newestShown, reply.messages.at(-1)?.seq ?? 0);
    for (const message of reply.messages) this.#quotes.keep(message);
    await this.#quotes.lookUp(reply.messages);
    return reply.messages;
  }

  async markRead(room: Room): Promise<void> {
    const { client, book, onChange } = this.#parts;
    const { readSeq } = await client.call("markRead", { roomId: room.id, seq: room.lastSeq });
    book.markRead(room.id, readSeq);
    onChange();
  }

  #markReadSoon(): void {
    this.#markTimer ??= setTimeout(() => {
      this.#markTimer = undefined;
      const room = this.#parts.book.get(this.id);
      // Not read for certain is read again: the next message marks both.
      if (room !== undefined && room.lastSeq > room.readSeq) {
        this.markRead(room).catch(() => {});
      }
    }, MARK_READ_DELAY_MS);
  }
}
