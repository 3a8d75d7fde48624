// The signed-in chat: the SDK's client with its outbox, cache and monitors, put together for a page.
import {
  ChatSync,
  Deliveries,
  deleteOutbox,
  FallbackOutbox,
  HealthMonitor,
  IndexedDbCache,
  IndexedDbOutbox,
  outboxName,
  ParleyClient,
  type ParleyError,
  Presences,
  probeOnWake,
  RoomReaders,
  Typists,
  tabPeers,
  webSocketCarrier,
} from "@parley/client/browser";
import { t } from "../text/t.ts";
import { arrivedStore } from "./arrived.ts";
import { Blocked } from "./blocked.ts";
import { ClusterWatch } from "./cluster-watch.ts";
import { NodesOfPage } from "./nodes-of-page.ts";
import { OutboxView } from "./outbox-view.ts";
import { ReadMarks } from "./read-marks.ts";
import {
  forgetKept,
  type SavedSignIn,
  savedServers,
  saveSignIn,
  scopeOf,
  tellsTyping,
  unreadMarkStore,
} from "./saved.ts";
import { Thread } from "./thread.ts";
import { Timeline, type TimelineSource } from "./timeline.ts";
import { UnreadMarks } from "./unread-marks.ts";
import { Uploads } from "./uploads.ts";

export interface ChatEvents {
  /** The session is over: revoked, expired, or the nodes are another cluster's now. */
  readonly onSignedOut: (why: string) => void;
  /** Why messages live no longer than the page; undefined = they are durable. */
  readonly onDurability: (problem: ParleyError | undefined) => void;
}

/** Rooms whose messages stay in memory; the cache has the others. */
const TIMELINES_MAX = 30;
/** Threads likewise; the servers have the others. */
const THREADS_MAX = 10;

export class Chat {
  readonly signIn: SavedSignIn;
  readonly scope: string;
  readonly client: ParleyClient;
  readonly sync: ChatSync;
  readonly deliveries: Deliveries;
  readonly health: HealthMonitor;
  readonly outbox: OutboxView;
  readonly cluster: ClusterWatch;
  readonly reads: ReadMarks;
  readonly blocked: Blocked;
  readonly marks: UnreadMarks;
  readonly typists: Typists;
  readonly readers: RoomReaders;
  readonly presences: Presences;
  readonly #cache: IndexedDbCache;
  readonly #timelines = new Map<number, Timeline>();
  /** By room and number of the message that they are about. */
  readonly #threads = new Map<string, Thread>();
  /** Files that are chosen, by where they are to go. */
  readonly #uploads = new Map<string, Uploads>();
  readonly #stops: (() => void)[];

  private constructor(
    signIn: SavedSignIn,
    client: ParleyClient,
    sync: ChatSync,
    cache: IndexedDbCache,
    kept: FallbackOutbox,
  ) {
    this.signIn = signIn;
    this.scope = scopeOf(signIn);
    this.client = client;
    this.sync = sync;
    this.#cache = cache;
    this.deliveries = new Deliveries(client);
    this.health = new HealthMonitor(client);
    this.outbox = new OutboxView(client);
    this.cluster = new ClusterWatch(client);
    this.reads = new ReadMarks(client);
    this.blocked = new Blocked(client, sync);
    this.marks = new UnreadMarks(unreadMarkStore(this.scope));
    this.typists = new Typists(client);
    this.readers = new RoomReaders(client, sync);
    this.presences = new Presences(client);
    const nodes = new NodesOfPage(client, () => {
      const hasUnsent = kept.problem !== undefined && this.outbox.getSnapshot().length > 0;
      return hasUnsent || this.isUploading;
    });
    this.#stops = [
      probeOnWake(client),
      () => nodes.close(),
      sync.onEvents((events) => {
        for (const event of events) {
          for (const timeline of this.#timelines.values()) {
            if (roomIdOf(event) === timeline.roomId) timeline.apply(event);
          }
          for (const thread of this.#threads.values()) {
            if (roomIdOf(event) === thread.roomId) thread.apply(event);
          }
        }
      }),
      sync.onReset(() => {
        for (const timeline of this.#timelines.values()) timeline.reset();
        for (const thread of this.#threads.values()) thread.reset();
      }),
      // Whichever comes first, the answer or the event: the row never goes away in between.
      client.onOutbox((change) => {
        if (change.kind !== "committed") return;
        const { message } = change.result;
        this.#timelines.get(message.roomId)?.add(message);
        this.#threads.get(threadKey(message.roomId, message.threadRootSeq))?.add(message);
      }),
    ];
  }

  /** Files that were chosen for a message that is being written there: they are kept while one looks elsewhere, as its text is. */
  uploads(roomId: number, threadRootSeq: number): Uploads {
    const key = threadKey(roomId, threadRootSeq);
    const known = this.#uploads.get(key);
    if (known !== undefined) return known;
    const uploads = new Uploads(this.client, arrivedStore(this.scope, roomId, threadRootSeq));
    this.#uploads.set(key, uploads);
    return uploads;
  }

  /** Whether files that are on their way would be lost with the page. */
  get isUploading(): boolean {
    return [...this.#uploads.values()].some(({ isUnderWay }) => isUnderWay);
  }

  /** Paints from the cache at once; connects by itself. Rejects only when the outbox can't be opened at all. */
  static async open(signIn: SavedSignIn, events: ChatEvents): Promise<Chat> {
    const { clusterId, accountId, token, tokenRevision } = signIn;
    const name = outboxName(clusterId, accountId);
    const cache = new IndexedDbCache({ clusterId, accountId });
    const contents = await cache.open().catch(() => undefined);
    const outbox = new FallbackOutbox(new IndexedDbOutbox(name), events.onDurability);
    const client = new ParleyClient({
      servers: savedServers(),
      carrier: webSocketCarrier(),
      outbox,
      outboxPeers: tabPeers(name),
      token,
      tokenRevision,
      clusterId,
      seenRevision: contents?.cursor ?? 0,
    });
    let chat: Chat | undefined;
    const signedOut = (why: string) => {
      saveSignIn(undefined);
      events.onSignedOut(why);
      void chat?.close();
    };
    const sync = new ChatSync({
      client,
      clusterId,
      accountId,
      store: contents === undefined ? undefined : cache,
      contents,
      onOtherCluster: () => signedOut(t("app.otherCluster")),
    });
    client.onSignedOut(() => signedOut(t("app.signedOut")));
    await client.start();
    chat = new Chat(signIn, client, sync, cache, outbox);
    sync.start();
    return chat;
  }

  get accountId(): number {
    return this.signIn.accountId;
  }

  /** The same object for the same room, for as long as it is among the last that were opened. */
  timeline(roomId: number): Timeline {
    let timeline = this.#timelines.get(roomId);
    if (timeline === undefined) timeline = new Timeline(roomId, this.#source);
    // The last one opened is the last in the map.
    this.#timelines.delete(roomId);
    this.#timelines.set(roomId, timeline);
    const [oldest] = this.#timelines.keys();
    if (this.#timelines.size > TIMELINES_MAX && oldest !== undefined)
      this.#timelines.delete(oldest);
    return timeline;
  }

  /** The person writes in a room: called with every key. */
  typing(roomId: number): void {
    if (tellsTyping()) this.client.typing(roomId);
  }

  /** The same object for the same thread, for as long as it is among the last that were opened. */
  thread(roomId: number, rootSeq: number): Thread {
    const key = threadKey(roomId, rootSeq);
    let thread = this.#threads.get(key);
    if (thread === undefined) {
      const inRoom = this.#timelines.get(roomId)?.getSnapshot().messages ?? [];
      const known = inRoom.filter(
        ({ seq, threadRootSeq }) => seq === rootSeq || threadRootSeq === rootSeq,
      );
      thread = new Thread(roomId, rootSeq, known, (beforeSeq, limit) =>
        this.client.call("thread", { roomId, threadRootSeq: rootSeq, beforeSeq, limit }),
      );
    }
    this.#threads.delete(key);
    this.#threads.set(key, thread);
    const [oldest] = this.#threads.keys();
    if (this.#threads.size > THREADS_MAX && oldest !== undefined) this.#threads.delete(oldest);
    return thread;
  }

  readonly #source: TimelineSource = {
    older: (roomId, beforeSeq, limit) => this.sync.history(roomId, beforeSeq, limit),
    newer: async (roomId, afterSeq, limit) => {
      const { messages } = await this.client.call("history", { roomId, afterSeq, limit });
      return messages;
    },
  };

  /** Ends the session on the servers if they can be reached, and wipes what the browser keeps of it. */
  async signOut(): Promise<void> {
    saveSignIn(undefined);
    await this.client.logout({ deadlineMs: 2_000 }).catch(() => {});
    await this.close();
    forgetKept(this.scope);
    await this.#cache.wipe().catch(() => {});
    await deleteOutbox(outboxName(this.signIn.clusterId, this.accountId)).catch(() => {});
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.cluster.close();
    this.reads.close();
    this.blocked.close();
    this.marks.close();
    this.typists.close();
    this.readers.close();
    this.presences.close();
    this.deliveries.close();
    this.health.close();
    this.outbox.close();
    await this.sync.close();
    await this.client.close();
  }
}

function threadKey(roomId: number, rootSeq: number): string {
  return `${roomId}:${rootSeq}`;
}

function roomIdOf(event: Parameters<Timeline["apply"]>[0]): number {
  const change = event.event;
  switch (change?.$case) {
    case "message":
    case "messageChanged":
      return change.value.roomId;
    case "roomReset":
      return change.value.room?.id ?? 0;
    default:
      return 0;
  }
}
