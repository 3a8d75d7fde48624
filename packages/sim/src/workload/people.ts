// What the users do: a random but ordinary life in a chat, through the client SDK.
import { LIMITS } from "@parley/protocol";
import type { ClientHost } from "../client-host.ts";
import type { WorldOptions } from "../options.ts";
import type { Prng } from "../world/prng.ts";
import type { Scheduler } from "../world/scheduler.ts";

const PUBLIC = 1;
const PRIVATE = 2;
const ROOMS_MAX = 14;
const SECRETS_MAX = 6;
const LINKS_MAX = 3;
/** Of the strangers that come in, those who forget their passwords. */
const FORGETFUL = 4;
/** Sends of one client that may be under way: beyond it, it waits as a person would. */
const PENDING_SENDS_MAX = 60;

const WEIGHTS = {
  send: 56,
  reply: 4,
  "reply-in-thread": 5,
  "follow-thread": 2,
  "read-thread": 3,
  history: 9,
  "history-linearizable": 5,
  unread: 2,
  "unread-linearizable": 1,
  "mark-read": 6,
  delete: 4,
  edit: 4,
  react: 5,
  pin: 3,
  prefer: 2,
  "create-room": 2,
  "join-room": 4,
  "leave-room": 1,
  invite: 2,
  "invite-by-link": 2,
  "join-by-link": 2,
  kick: 1,
  "mute-member": 3,
  block: 2,
  "send-file": 3,
  "read-file": 3,
  "set-role": 1,
  "update-room": 1,
  "open-direct": 2,
  "update-profile": 1,
  "set-receipts": 1,
  "set-registration": 2,
  "link-password": 3,
  "list-rooms": 2,
  "list-accounts": 1,
  "list-members": 3,
  "list-pins": 1,
  search: 5,
  "search-linearizable": 2,
} as const;
type Activity = keyof typeof WEIGHTS;

/** Open (mostly), invite-only, closed. */
const MODES = [1, 1, 2, 3] as const;
const EMOJI = ["👍", "🎉", "❤️"] as const;

/** Of those that the intruder tries to make accounts for. */
export function strangerName(number: number): string {
  return `pace-${number}`;
}

/** Looks the same, in Cyrillic letters. */
export function likeStranger(number: number): string {
  return `\u0440\u0430\u0441\u0435-${number}`;
}

export class People {
  readonly #clients: readonly ClientHost[];
  readonly #random: Prng;
  readonly #scheduler: Scheduler;
  readonly #options: WorldOptions;
  /** Rooms that were made, and the public ones among them. */
  readonly #rooms: number[] = [];
  readonly #publicRooms: number[] = [];

  /** Secrets of the invites that were handed about, the last ones. */
  readonly #secrets: string[] = [];
  /** Secrets of links for forgotten passwords, likewise. */
  readonly #links: string[] = [];
  /** Rooms that a client believes to be a member of. */
  readonly #memberOf = new Map<ClientHost, Set<number>>();
  #stopped = false;
  #words = 0;

  constructor(
    clients: readonly ClientHost[],
    random: Prng,
    scheduler: Scheduler,
    options: WorldOptions,
  ) {
    this.#clients = clients;
    this.#random = random;
    this.#scheduler = scheduler;
    this.#options = options;
  }

  /** What an invite's link that goes about says; undefined = there is none. */
  someSecret(random: Prng): string | undefined {
    return this.#secrets.length === 0 ? undefined : random.pick(this.#secrets);
  }

  /** What a link for a forgotten password says. */
  someLink(random: Prng): string | undefined {
    return this.#links.length === 0 ? undefined : random.pick(this.#links);
  }

  get rooms(): readonly number[] {
    return this.#rooms;
  }

  start(): void {
    for (const client of this.#clients) {
      this.#memberOf.set(client, new Set());
      this.#scheduler.after(this.#random.int(500_000), () => this.#live(client));
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Everyone who can sends one message, also after the end of their ordinary life. */
  everybodySpeaks(): void {
    for (const client of this.#clients) {
      const rooms = [...(this.#memberOf.get(client) ?? [])];
      if (rooms.length === 0 || !client.isSignedIn) continue;
      client.process?.deliver(() => this.#send(client, client.random.pick(rooms)));
    }
  }

  #live(client: ClientHost): void {
    if (this.#stopped) return;
    if (client.isSignedIn && client.accountId !== 0) {
      // Not inside the client's own process: it may be paused or dead, and then nobody types.
      client.process?.deliver(() => this.#act(client));
    }
    const gap = client.random.exponential(this.#options.operationGapUs);
    this.#scheduler.after(gap, () => this.#live(client));
  }

  #act(client: ClientHost): void {
    const random = client.random;
    const rooms = this.#memberOf.get(client) ?? new Set<number>();
    const room = rooms.size === 0 ? undefined : random.pick([...rooms]);
    // Now and then also where they were once, or never.
    if (random.chance(0.15) && this.#rooms.length > 0) client.types(random.pick(this.#rooms));
    else if (room !== undefined && random.chance(0.3)) client.types(room);
    if (random.chance(0.03)) this.#watchSome(client);
    let activity: Activity = random.weighted(WEIGHTS);
    if (room === undefined && activity !== "create-room") {
      activity = this.#publicRooms.length === 0 ? "create-room" : "join-room";
    }
    switch (activity) {
      case "send":
        if (room !== undefined) this.#send(client, room);
        break;
      case "history":
      case "history-linearizable":
        if (room !== undefined)
          this.#readHistory(client, room, activity === "history-linearizable");
        break;
      case "unread":
      case "unread-linearizable":
        settle(client.unread(activity === "unread-linearizable"));
        break;
      case "create-room":
        settle(this.#createRoom(client, rooms));
        break;
      case "join-room":
        settle(this.#join(client, rooms));
        break;
      case "open-direct":
        settle(this.#openDirect(client, rooms));
        break;
      case "block": {
        // Mostly for a short time: nobody would talk to anybody in the end.
        const blocked = client.random.chance(0.4);
        settle(client.write("block", { username: this.#other(client).username, blocked }));
        break;
      }
      case "update-profile":
        settle(client.write("updateProfile", { displayName: `${client.name} ${this.#words++}` }));
        break;
      case "set-receipts":
        settle(client.write("setReadReceipts", { shown: random.chance(0.6) }));
        break;
      case "set-registration":
        if (client === this.#owner()) {
          settle(client.write("setRegistration", { mode: random.pick(MODES) }));
        }
        break;
      case "link-password":
        settle(this.#linkPassword(client));
        break;
      case "join-by-link":
        settle(this.#joinByLink(client, rooms));
        break;
      case "list-rooms":
        settle(client.look("listRooms", { public: random.chance(0.5) }));
        break;
      case "list-accounts":
        settle(client.look("listAccounts", { pattern: "user-*" }));
        break;
      case "search":
      case "search-linearizable":
        settle(this.#search(client, activity === "search-linearizable"));
        break;
      default:
        if (room !== undefined) this.#inRoom(client, rooms, room, activity);
    }
  }

  #watchSome(client: ClientHost): void {
    const known = this.#clients.map(({ accountId }) => accountId).filter((id) => id !== 0);
    client.watches(known.filter(() => client.random.chance(0.6)));
  }

  #inRoom(client: ClientHost, rooms: Set<number>, roomId: number, activity: Activity): void {
    const other = this.#other(client);
    switch (activity) {
      case "reply":
        settle(this.#reply(client, roomId));
        break;
      case "send-file":
        settle(this.#sendFile(client, roomId));
        break;
      case "read-file":
        settle(this.#readFile(client, roomId));
        break;
      case "reply-in-thread":
        settle(this.#replyInThread(client, roomId));
        break;
      case "follow-thread":
        settle(this.#followThread(client, roomId));
        break;
      case "read-thread":
        settle(this.#readThread(client, roomId));
        break;
      case "mark-read":
        settle(client.write("markRead", { roomId, seq: client.random.between(1, 60) }));
        break;
      case "delete":
        settle(this.#delete(client, roomId));
        break;
      case "edit":
        settle(this.#edit(client, roomId));
        break;
      case "react":
        settle(this.#react(client, roomId));
        break;
      case "pin":
        settle(this.#pin(client, roomId));
        break;
      case "prefer": {
        const yes = client.random.chance(0.5);
        const wanted = client.random.chance(0.5) ? { starred: yes } : { muted: yes };
        settle(client.write("setRoomPreference", { roomId, ...wanted }));
        break;
      }
      case "list-pins":
        settle(client.look("listPins", { roomId }));
        break;
      case "leave-room":
        rooms.delete(roomId);
        settle(client.write("leaveRoom", { roomId }));
        break;
      case "invite":
        settle(this.#invite(client, roomId, other));
        break;
      case "invite-by-link":
        settle(this.#inviteByLink(client, roomId));
        break;
      case "kick":
        settle(client.write("removeMember", { roomId, username: other.username }));
        break;
      case "mute-member": {
        const { random } = client;
        const muted = random.chance(0.6);
        const durationMs = muted ? random.pick([0, 1_000, 15_000]) : 0;
        const wanted = { roomId, username: other.username, muted, durationMs };
        settle(client.write("muteMember", wanted));
        break;
      }
      case "set-role":
        settle(
          client.write("setRole", {
            roomId,
            username: other.username,
            role: client.random.between(1, 2) as 1 | 2,
          }),
        );
        break;
      case "update-room":
        settle(client.write("updateRoom", { roomId, topic: `topic ${this.#words++}` }));
        break;
      case "list-members":
        settle(client.members(roomId));
        break;
    }
  }

  #send(client: ClientHost, roomId: number): void {
    if (client.pendingSends.size >= PENDING_SENDS_MAX) return;
    // People write several lines in a row: that is what pipelining must keep in order.
    const lines = client.random.chance(0.2) ? client.random.between(2, 5) : 1;
    for (let i = 0; i < lines; i++) {
      const length = client.random.between(1, this.#options.bodyBytesMax);
      const to = client.random.chance(0.15) ? this.#mention(client) : "";
      client.send(roomId, `${client.name} says ${to}${this.#words++} ${"·".repeat(length / 2)}`);
    }
  }

  /** Mostly a small one; now and then one of several pieces. */
  async #sendFile(client: ClientHost, roomId: number): Promise<void> {
    const { random } = client;
    if (client.pendingSends.size >= PENDING_SENDS_MAX) return;
    const pieces = random.chance(0.15) ? random.between(1, 2) : 0;
    const bytes = new Uint8Array(pieces * LIMITS.fileChunkBytesMax + random.between(1, 2_000)).fill(
      random.int(256),
    );
    bytes.set(random.bytes(Math.min(16, bytes.length)));
    const body = random.chance(0.5) ? "" : `${client.name} shows ${this.#words++}`;
    await client.sendFile(roomId, body, bytes);
  }

  async #readFile(client: ClientHost, roomId: number): Promise<void> {
    const messages = await client.history(roomId, false, { limit: 30 });
    const files = messages.flatMap(({ attachments }) => attachments);
    if (files.length > 0) await client.download(client.random.pick(files));
  }

  #mention(client: ClientHost): string {
    return client.random.chance(0.2) ? "@room " : `@${this.#other(client).username} `;
  }

  async #reply(client: ClientHost, roomId: number): Promise<void> {
    const messages = await client.history(roomId, false, { limit: 6 });
    if (messages.length === 0 || client.pendingSends.size >= PENDING_SENDS_MAX) return;
    const { seq } = client.random.pick(messages);
    client.send(roomId, `${client.name} answers ${this.#words++}`, { replyToSeq: seq });
  }

  /** The thread that a recent message belongs to, or that may begin at it; undefined = nothing was said. */
  async #recentThread(client: ClientHost, roomId: number): Promise<number | undefined> {
    const messages = await client.history(roomId, false, { limit: 8 });
    if (messages.length === 0) return undefined;
    const { seq, threadRootSeq } = client.random.pick(messages);
    return threadRootSeq > 0 ? threadRootSeq : seq;
  }

  async #replyInThread(client: ClientHost, roomId: number): Promise<void> {
    const threadRootSeq = await this.#recentThread(client, roomId);
    if (threadRootSeq === undefined || client.pendingSends.size >= PENDING_SENDS_MAX) return;
    const to = client.random.chance(0.3) ? this.#mention(client) : "";
    client.send(roomId, `${client.name} adds ${to}${this.#words++}`, { threadRootSeq });
  }

  async #followThread(client: ClientHost, roomId: number): Promise<void> {
    const seq = await this.#recentThread(client, roomId);
    if (seq === undefined) return;
    await client.write("followThread", { roomId, seq, follow: client.random.chance(0.7) });
  }

  async #readThread(client: ClientHost, roomId: number): Promise<void> {
    const threadRootSeq = await this.#recentThread(client, roomId);
    if (threadRootSeq === undefined) return;
    const thread = await client.look("thread", { roomId, threadRootSeq });
    if (thread === undefined || thread.messages.length === 0) return;
    const { seq } = client.random.pick(thread.messages);
    await client.write("markRead", { roomId, threadRootSeq, seq });
  }

  #readHistory(client: ClientHost, roomId: number, linearizable: boolean): void {
    const random = client.random;
    const limit = random.between(1, 30);
    const range = random.chance(0.7)
      ? { limit }
      : random.chance(0.5)
        ? { limit, afterSeq: random.int(40) }
        : { limit, beforeSeq: random.between(1, 80) };
    settle(client.history(roomId, linearizable, range));
  }

  async #createRoom(client: ClientHost, rooms: Set<number>): Promise<void> {
    if (this.#rooms.length >= ROOMS_MAX) return;
    const isPublic = client.random.chance(0.75);
    const response = await client.write("createRoom", {
      name: `room ${this.#words++}`,
      visibility: isPublic ? PUBLIC : PRIVATE,
    });
    const roomId = response?.room?.id;
    if (roomId === undefined) return;
    rooms.add(roomId);
    this.#rooms.push(roomId);
    if (isPublic) this.#publicRooms.push(roomId);
  }

  async #join(client: ClientHost, rooms: Set<number>): Promise<void> {
    if (this.#publicRooms.length === 0) return;
    const roomId = client.random.pick(this.#publicRooms);
    const response = await client.write("joinRoom", { roomId });
    if (response !== undefined) rooms.add(roomId);
  }

  async #openDirect(client: ClientHost, rooms: Set<number>): Promise<void> {
    const response = await client.write("openDirect", { username: this.#other(client).username });
    if (response?.room !== undefined) rooms.add(response.room.id);
  }

  async #invite(client: ClientHost, roomId: number, other: ClientHost): Promise<void> {
    const response = await client.write("inviteMember", { roomId, username: other.username });
    if (response !== undefined) this.#memberOf.get(other)?.add(roomId);
  }

  async #inviteByLink(client: ClientHost, roomId: number): Promise<void> {
    const random = client.random;
    const secret = Buffer.from(random.bytes(24)).toString("base64url");
    const usesMax = random.pick([0, 1, 2]);
    const ttlMs = random.chance(0.3) ? random.between(1_000, 20_000) : 0;
    // Known before it counts: whoever is too quick is refused.
    this.#secrets.push(secret);
    if (this.#secrets.length > SECRETS_MAX) this.#secrets.shift();
    await client.write("createInvite", { roomId, secret, usesMax, ttlMs });
  }

  /** For one of the strangers, if there is one of that name by now; nobody but the owner may. */
  async #linkPassword(client: ClientHost): Promise<void> {
    const { random } = client;
    if (client !== this.#owner() && !random.chance(0.1)) return;
    const secret = Buffer.from(random.bytes(24)).toString("base64url");
    this.#links.push(secret);
    if (this.#links.length > LINKS_MAX) this.#links.shift();
    const username = strangerName(random.between(1, FORGETFUL));
    const ttlMs = random.chance(0.3) ? random.between(1_000, 20_000) : 0;
    await client.write("createPasswordLink", { username, secret, ttlMs });
  }

  async #joinByLink(client: ClientHost, rooms: Set<number>): Promise<void> {
    const inviteSecret = this.someSecret(client.random);
    if (inviteSecret === undefined) return;
    const response = await client.write("joinRoom", { inviteSecret });
    if (response?.room !== undefined) rooms.add(response.room.id);
  }

  async #delete(client: ClientHost, roomId: number): Promise<void> {
    const messages = await client.history(roomId, false, { limit: 20 });
    const own = messages.filter((message) => message.authorId === client.accountId);
    if (own.length === 0) return;
    await client.write("delete", { roomId, seqs: [client.random.pick(own).seq] });
  }

  async #edit(client: ClientHost, roomId: number): Promise<void> {
    const messages = await client.history(roomId, false, { limit: 10 });
    const own = messages.filter(
      ({ authorId, deleted }) => authorId === client.accountId && !deleted,
    );
    if (own.length === 0) return;
    const { seq, version } = client.random.pick(own);
    const body = `${client.name} puts it better ${this.#words++}`;
    await client.write("edit", { roomId, seq, body, expectedVersion: version });
  }

  async #react(client: ClientHost, roomId: number): Promise<void> {
    const messages = await client.history(roomId, false, { limit: 6 });
    if (messages.length === 0) return;
    const { seq } = client.random.pick(messages);
    const emoji = client.random.pick(EMOJI);
    await client.write("react", { roomId, seq, emoji, add: client.random.chance(0.7) });
  }

  async #pin(client: ClientHost, roomId: number): Promise<void> {
    const messages = await client.history(roomId, false, { limit: 6 });
    if (messages.length === 0) return;
    const { seq } = client.random.pick(messages);
    await client.write("pin", { roomId, seq, pinned: client.random.chance(0.7) });
  }

  /** Whoever came first, once everybody has an account: who has none yet must not be locked out. */
  #owner(): ClientHost | undefined {
    if (this.#clients.some(({ accountId }) => accountId === 0)) return undefined;
    return this.#clients.reduce((first, one) => (one.accountId < first.accountId ? one : first));
  }

  /** Words that people have used here, numbers of lines among them, and names. */
  #search(client: ClientHost, linearizable: boolean): Promise<void> {
    const { random } = client;
    const other = random.chance(0.5) ? client : this.#other(client);
    const words = random.chance(0.8)
      ? [random.pick(["says", "answers", "better", "puts", other.name, `${this.#words - 1}`])]
      : [];
    if (random.chance(0.3)) words.push(other.name);
    const authorId = words.length === 0 || random.chance(0.3) ? other.accountId : 0;
    const terms = authorId === 0 ? words : [...words, `from:@${other.username}`];
    if (terms.length === 0) return Promise.resolve();
    const sought = { words, authorId, pageSize: random.pick([3, 20, 50]) };
    return client.search(terms.join(" "), sought, linearizable);
  }

  #other(client: ClientHost): ClientHost {
    const others = this.#clients.filter((candidate) => candidate !== client);
    return client.random.pick(others);
  }
}

/** An operation's failure is in the history; there is nobody to tell of it here. */
function settle(promise: Promise<unknown>): void {
  promise.catch((error: unknown) => {
    // Only a defect of the simulator itself gets here; it must not pass unseen.
    queueMicrotask(() => {
      throw error;
    });
  });
}
