// A chat at the terminal: what comes in is shown, what is typed goes out. Start reading here.
import {
  type ClientState,
  followedThread,
  mentionsAccount,
  ParleyClient,
  ParleyError,
  type SendOptions,
  type SubscriptionItem,
  Typists,
  unreadOf,
} from "@parley/client";
import { grpcCarrier } from "@parley/client/grpc";
import { type Event, type Message, type Room, RoomRole } from "@parley/protocol";
import pc from "picocolors";
import { bodyText, clockTime, messageLine, printable, unreadText } from "../cli/format.ts";
import { mutedText } from "../cli/room-commands.ts";
import { listRooms, roomTitle } from "../cli/rooms.ts";
import { runChatCommand } from "./chat-commands.ts";
import { completions } from "./completion.ts";
import { parseInput } from "./input.ts";
import { OpenRoom } from "./open-room.ts";
import { OutboxSlot } from "./outbox-slot.ts";
import { RoomBook } from "./room-book.ts";
import type { ChatScreen } from "./screen.ts";
import type { ChatSignIn } from "./sign-in.ts";
import { plainStatusText, statusText } from "./status-text.ts";
import { WaitingSends } from "./waiting-sends.ts";

export interface ChatOptions {
  /** Streams, no terminal. */
  readonly isPlain: boolean;
  /** Whether others are told that the person types. */
  readonly tellsTyping: boolean;
}

export type ChatEnd = "quit" | "signed-out" | "unreachable";

/** Input that ended waits so long for a server. */
const GIVE_UP_MS = 10_000;
/** Messages that waited are given this long to leave when the chat ends. */
const QUIT_GRACE_MS = 3_000;
/** A piped command waits so long for the messages before it, so that it sees them. */
const SCRIPT_WAIT_MS = 3_000;
const STATUS_EVERY_MS = 1_000;
/** A command that takes longer than this says that it waits. */
const WAITING_SHOWN_AFTER_MS = 1_500;
/** Names that the Tab key knows of. */
const PEOPLE_MAX = 1_000;

/** Beside a message that mentions the person. */
const FOR_ME = pc.yellow("  @you");

export class Chat {
  readonly book = new RoomBook();
  /** Whom the person has blocked, and as of which revision. */
  readonly blocked = new Set<number>();
  #blockedAt = 0;
  readonly client: ParleyClient;
  readonly #screen: ChatScreen;
  readonly #signIn: ChatSignIn;
  readonly #isPlain: boolean;
  readonly #tellsTyping: boolean;
  readonly #typists: Typists;
  readonly #outbox: OutboxSlot;
  readonly #ended = Promise.withResolvers<ChatEnd>();
  /** Lines are handled one after the other: what a script pipes in must not overtake itself. */
  #lines: Promise<void>;
  /** Lines wait until it is known which rooms there are. */
  readonly #begun = Promise.withResolvers<void>();
  readonly open: OpenRoom;
  readonly #waiting: WaitingSends;
  /** Who was seen, for the Tab key. */
  readonly #people = new Set<string>();
  /** The revision of the latest reply in a thread. */
  #repliedAt = 0;
  #hasBegun = false;
  #isHandling = false;
  #giveUpTimer: NodeJS.Timeout | undefined;
  #statusTimer: NodeJS.Timeout | undefined;

  /** What a search goes on with; undefined = nothing is left of it. */
  searched: { readonly query: string; readonly pageToken: string } | undefined;

  get tls() {
    return this.#signIn.tls;
  }

  constructor(screen: ChatScreen, signIn: ChatSignIn, options: ChatOptions) {
    this.#screen = screen;
    this.#signIn = signIn;
    this.#isPlain = options.isPlain;
    this.#tellsTyping = options.tellsTyping;
    this.#lines = this.#begun.promise;
    this.#outbox = new OutboxSlot(signIn.key);
    this.client = new ParleyClient({
      servers: signIn.servers,
      carrier: grpcCarrier({ tls: signIn.tls }),
      outbox: this.#outbox,
      token: signIn.token,
      tokenRevision: signIn.tokenRevision,
      clusterId: signIn.clusterId === "" ? undefined : signIn.clusterId,
      seenRevision: signIn.seenRevision,
    });
    this.#typists = new Typists(this.client);
    this.open = new OpenRoom({
      client: this.client,
      book: this.book,
      print: (text) => this.print(text),
      isBlocked: (accountId) => this.blocked.has(accountId),
      onChange: () => {
        this.#showPrompt();
        this.#showStatus();
      },
    });
    this.#waiting = new WaitingSends({
      onWaiting: (item) => {
        const room = this.book.get(item.roomId);
        const isHere = room === undefined || room.id === this.open.id;
        const where = isHere ? "" : ` to ${roomTitle(room)}`;
        this.print(pc.dim(`      waits to be sent${printable(where)}: ${printable(item.body)}`));
      },
      onFailed: (item, why) =>
        this.print(
          pc.red(`${item.withdrawal === undefined ? "Not sent" : "Not deleted"}: ${why}`) +
            pc.dim(`  (${printable(item.body)})`),
        ),
    });
  }

  get ownId(): number {
    return this.client.account?.id ?? 0;
  }

  print(text: string): void {
    this.#screen.print(text);
  }

  note(text: string): void {
    this.print(pc.dim(`-- ${text}`));
  }

  /** Runs until the person leaves or the sign-in ends. */
  async run(): Promise<ChatEnd> {
    const offState = this.client.onState(() => this.#showStatus());
    this.#typists.subscribe(() => this.#showStatus());
    this.client.onOutbox((change) => this.#waiting.take(change));
    this.client.onSignedOut(() => {
      this.print(pc.red("Your sign-in has ended. Start `parley chat` again to sign in."));
      this.#ended.resolve("signed-out");
    });
    await this.client.start();
    if (!this.#outbox.isDurable) {
      this.note("many chats of this account run here: unsent messages of this one end with it");
    }
    this.#statusTimer = setInterval(() => this.#showStatus(), STATUS_EVERY_MS);
    this.#showStatus();
    void this.#begin();
    const end = await this.#ended.promise;
    clearInterval(this.#statusTimer);
    offState();
    await this.#leave(end);
    return end;
  }

  /** A line of input. */
  enter(line: string): void {
    // Before there is a connection nothing can be done but leave.
    const input = parseInput(line);
    if (!this.#hasBegun && !this.#isPlain && input.kind === "command" && input.name === "quit") {
      this.quit();
      return;
    }
    this.#lines = this.#lines.then(() => this.#handle(line));
  }

  /** The input is this now; commands are nobody's business. */
  typing(line: string): void {
    const isText = this.#tellsTyping && parseInput(line).kind === "text";
    if (isText && this.open.id !== 0) this.client.typing(this.open.id);
  }

  /** No more input will come: ends after what there was, or soon when no server answers. */
  finish(): void {
    if (!this.#hasBegun) this.#giveUpTimer ??= setTimeout(() => this.#giveUp(), GIVE_UP_MS);
    this.#lines = this.#lines.then(() => this.#ended.resolve("quit"));
  }

  quit(): void {
    this.#ended.resolve("quit");
  }

  #giveUp(): void {
    if (this.#hasBegun) return;
    this.print(pc.red(`No server answers at ${this.#signIn.servers.join(", ")}.`));
    this.#ended.resolve("unreachable");
  }

  complete(text: string): readonly string[] {
    const { rooms } = this.book;
    const peers = rooms.flatMap(({ peer }) => (peer === undefined ? [] : [peer.username]));
    const people = [...new Set([...peers, ...this.#people])];
    const titles = rooms.map((room) => roomTitle(room));
    return completions(text, { rooms: titles.map(printable), people: people.map(printable) });
  }

  #see(username: string): void {
    if (username !== this.client.account?.username && this.#people.size < PEOPLE_MAX) {
      this.#people.add(username);
    }
  }

  // ---- Beginning and end ------------------------------------------------------------------------

  async #begin(): Promise<void> {
    try {
      await this.client.online();
      this.client.subscribe({ maxCatchUpEvents: 10_000, onItem: (item) => this.#onItem(item) });
      await this.#loadRooms();
      await this.#loadBlocked().catch(() => {});
      const { account } = this.client;
      const name = account === undefined ? "" : ` as ${printable(account.username)}`;
      this.print(`Signed in${name}. ${pc.dim("/help lists the commands.")}`);
      this.#tellUnread();
      const first = this.#mostRecentRoom();
      if (first !== undefined) await this.open.open(first);
      else await this.#suggestRooms();
    } catch (cause) {
      const error = ParleyError.from(cause);
      if (error.reason !== "CANCELLED" && error.reason !== "UNAUTHENTICATED") {
        this.print(pc.red(error.message));
      }
    } finally {
      this.#hasBegun = true;
      clearTimeout(this.#giveUpTimer);
      this.#begun.resolve();
    }
  }

  async #loadRooms(): Promise<void> {
    const { rooms } = await listRooms(this.client, {});
    this.book.load(rooms);
  }

  #mostRecentRoom(): Room | undefined {
    const rooms = [...this.book.rooms];
    const unread = rooms.filter((room) => this.book.waiting(room.id) > 0);
    const among = unread.length > 0 ? unread : rooms;
    return among.sort((a, b) => b.lastSeq - a.lastSeq || a.id - b.id)[0];
  }

  #tellUnread(): void {
    const waiting = this.book.rooms.filter((room) => this.book.waiting(room.id) > 0);
    if (waiting.length === 0) {
      if (this.book.rooms.length > 0) this.note("nothing unread");
      return;
    }
    const total = waiting.reduce((sum, room) => sum + this.book.waiting(room.id), 0);
    const each = waiting.map((room) => `${roomTitle(room)} ${this.book.waiting(room.id)}`);
    const mentions = waiting.reduce((sum, room) => sum + unreadOf(room).mentions, 0);
    const text = unreadText({ unreadCount: total, mentionCount: mentions });
    this.print(pc.yellow(`${text}: ${printable(each.join(", "))}`));
  }

  async #suggestRooms(): Promise<void> {
    const { rooms } = await listRooms(this.client, { public: true });
    const names = rooms.slice(0, 10).map((room) => printable(room.name));
    this.note(
      names.length === 0
        ? "there is no room yet: /create lobby makes one"
        : `you are in no room yet; /join one of ${names.join(", ")}, or /create one`,
    );
  }

  async #leave(end: ChatEnd): Promise<void> {
    this.open.stop();
    this.#waiting.stop();
    this.#typists.close();
    await this.#untilSent(QUIT_GRACE_MS);
    const { pendingSends } = this.client.state;
    if (pendingSends > 0) {
      const messages =
        pendingSends === 1 ? "1 message is unsent" : `${pendingSends} messages are unsent`;
      const fate = this.#outbox.isDurable ? "kept for the next chat, which sends them" : "lost";
      this.note(`${messages}: ${fate}`);
    }
    // A sign-in that nothing keeps would only stand in the list of sessions.
    if (this.#signIn.isOwn && end === "quit") {
      await this.client.logout({ deadlineMs: 1_000 }).catch(() => {});
    }
    await this.client.close();
  }

  /** Resolves when nothing is on its way, or when the time is up. */
  async #untilSent(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (this.client.state.pendingSends > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  // ---- What comes in ----------------------------------------------------------------------------

  #onItem(item: SubscriptionItem): void {
    if (item.kind === "resync") {
      this.note("caught up anew");
      void this.#loadRooms().catch(() => {});
      return;
    }
    this.book.apply(item.event, this.ownId);
    this.#showEvent(item.event);
    this.#showStatus();
  }

  #showEvent(event: Event): void {
    const { event: what } = event;
    switch (what?.$case) {
      case "message":
        this.#showMessage(what.value);
        return;
      case "messageChanged":
        this.open.changed(what.value);
        // What a reply changes of its thread's message was shown with the reply, or is no matter of this person.
        if (what.value.roomId === this.open.id && event.revision !== this.#repliedAt) {
          const { seq, deleted } = what.value;
          this.note(deleted ? `#${seq} was deleted` : `#${seq} is now: ${bodyText(what.value)}`);
        }
        return;
      case "blocked":
        this.#setBlocked(what.value.accountIds, event.revision);
        return;
      case "roomReset":
        if (what.value.room !== undefined) this.#onJoined(what.value.room);
        return;
      case "roomRemoved":
        this.#onRemoved(what.value.roomId);
        return;
      case "roomChanged":
        this.#onRoomChanged(what.value.id);
        return;
      case "roomWriting": {
        const { roomId, forbidden, untilMs } = what.value;
        const room = this.book.get(roomId);
        const title = room === undefined ? `room ${roomId}` : roomTitle(room);
        const text = forbidden
          ? `${mutedText({ writeForbiddenUntilMs: untilMs })} by an admin`
          : "free to write again";
        this.note(`you are ${text}: ${printable(title)}`);
        return;
      }
      case "membershipChanged": {
        const { roomId, account, role } = what.value;
        if (account !== undefined) this.#see(account.username);
        if (roomId !== this.open.id || account === undefined || account.id === this.ownId) return;
        const verb = role === RoomRole.ROOM_ROLE_UNSPECIFIED ? "left" : "is here";
        this.note(`${printable(account.username)} ${verb}`);
        return;
      }
    }
  }

  async #loadBlocked(): Promise<void> {
    const { accounts, revision } = await this.client.call("listBlocked");
    this.#setBlocked(
      accounts.map(({ id }) => id),
      revision,
    );
  }

  #setBlocked(accountIds: readonly number[], revision: number): void {
    if (revision < this.#blockedAt) return;
    this.#blockedAt = revision;
    this.blocked.clear();
    for (const id of accountIds) this.blocked.add(id);
  }

  #showMessage(message: Message): void {
    this.#see(message.author);
    // In the open room it stands folded; elsewhere it is not told of.
    if (this.blocked.has(message.authorId) && message.roomId !== this.open.id) return;
    const late = this.#waiting.arrived(message.clientMessageId) ? pc.green("  sent") : "";
    if (message.threadRootSeq > 0) {
      this.#showReply(message, late);
      return;
    }
    if (message.roomId === this.open.id) {
      const isForMe = message.authorId !== this.ownId && mentionsAccount(message, this.ownId);
      this.open.show(message, isForMe ? FOR_ME : late);
      return;
    }
    if (message.authorId === this.ownId) return;
    const room = this.book.get(message.roomId);
    const isForMe = mentionsAccount(message, this.ownId);
    if (room?.muted === true && !isForMe) return;
    const title = room === undefined ? `room ${message.roomId}` : roomTitle(room);
    this.print(pc.dim(`[${printable(title)}] `) + messageLine(message) + (isForMe ? FOR_ME : ""));
  }

  /** A reply in a thread: of one's own, of threads that one follows, and where one is mentioned. */
  #showReply(message: Message, late: string): void {
    this.#repliedAt = message.revision;
    const room = this.book.get(message.roomId);
    const isOwn = message.authorId === this.ownId;
    const isForMe = !isOwn && message.mentions.includes(this.ownId);
    const isFollowed =
      room !== undefined && followedThread(room, message.threadRootSeq) !== undefined;
    const isHere = message.roomId === this.open.id;
    if (isOwn ? !isHere : !isFollowed && !isForMe) return;
    if (room?.muted === true && !isHere && !isForMe) return;
    const title = room === undefined ? `room ${message.roomId}` : roomTitle(room);
    const where = isHere ? "" : pc.dim(`[${printable(title)}] `);
    const time = clockTime(message.sentAtMs);
    this.print(`${where}${messageLine(message, time)}${isForMe ? FOR_ME : late}`);
  }

  #onJoined(room: Room): void {
    // What a command here asked for shows by itself.
    if (this.#isHandling || room.id === this.open.id) return;
    this.note(`you are in ${printable(roomTitle(room))} now`);
  }

  #onRoomChanged(roomId: number): void {
    if (roomId !== this.open.id) return;
    const { topic } = this.open.require();
    this.note(`this room is ${this.open.title}${topic === "" ? "" : `: ${printable(topic)}`}`);
    this.#showPrompt();
  }

  #onRemoved(roomId: number): void {
    if (roomId !== this.open.id) return;
    this.note("you are no longer in this room");
    this.open.close();
  }

  // ---- What is typed ----------------------------------------------------------------------------

  async #handle(line: string): Promise<void> {
    const input = parseInput(line);
    this.#isHandling = true;
    try {
      switch (input.kind) {
        case "nothing":
          return;
        case "text":
          this.#send(input.text, {});
          return;
        case "unknown":
          this.print(
            pc.yellow(`There is no /${printable(input.word)}. /help lists what there is.`),
          );
          return;
        case "command":
          if (this.#isPlain) await this.#untilSent(SCRIPT_WAIT_MS);
          else this.print(pc.dim(`> ${printable(line.trim())}`));
          await this.#saidWhenSlow(runChatCommand(this, input.name, input.rest));
      }
    } catch (cause) {
      this.print(pc.red(ParleyError.from(cause).message));
    } finally {
      this.#isHandling = false;
    }
  }

  /** The person is not left to wonder why nothing happens. */
  async #saidWhenSlow(command: Promise<void>): Promise<void> {
    const timer = setTimeout(() => {
      const { phase, hasQuorum } = this.client.state;
      const why = phase !== "online" || !hasQuorum ? " for a majority of the nodes" : "";
      this.note(`waiting${why} …`);
    }, WAITING_SHOWN_AFTER_MS);
    try {
      await command;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends to the open room; the message is durable here first and leaves when a majority is there. */
  #send(text: string, options: SendOptions): void {
    const room = this.open.require();
    const { committed } = this.client.enqueue(room.id, text, options);
    // Told through #onOutbox.
    committed.catch(() => {});
  }

  reply(seq: number, text: string): void {
    this.#send(text, { replyToSeq: seq });
  }

  replyInThread(threadRootSeq: number, text: string): void {
    this.#send(text, { threadRootSeq });
  }

  sendTo(room: Room, text: string, options: SendOptions = {}): void {
    this.client.enqueue(room.id, text, options).committed.catch(() => {});
  }

  #showPrompt(): void {
    this.#screen.setPrompt(`${pc.cyan(this.open.title)}> `);
  }

  // ---- The status line --------------------------------------------------------------------------

  #showStatus(): void {
    const state: ClientState = this.client.state;
    const input = {
      state,
      atMs: Date.now(),
      username: state.account?.username ?? "",
      unreadElsewhere: this.book.waitingExcept(this.open.id),
      typists: this.#typists.of(this.open.id).map(({ username }) => printable(username)),
    };
    this.#screen.setStatus(this.#isPlain ? plainStatusText(input) : statusText(input));
  }
}
