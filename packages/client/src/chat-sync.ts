// Keeps an application's picture of the chat in step with the cluster: paints from the cache, goes on
// from its cursor, loads anew when the cursor is too old (RESYNC), without gaps or repeats (P5).
import { type Event, type Message, ParleyError, type Room } from "@parley/protocol";
import {
  accountOf,
  afterEvent,
  type CacheContents,
  type CachedRoom,
  type ChatCacheStore,
  newCachedRoom,
  roomOf,
  withAccount,
} from "./chat-cache.ts";
import type { ParleyClient } from "./client.ts";
import { type Observable, ObservableValue } from "./observable.ts";
import { platformClock } from "./platform.ts";
import type { Clock } from "./ports.ts";
import type { Subscription, SubscriptionItem } from "./subscription.ts";
import { TIMING } from "./timing.ts";

export interface ChatSyncOptions {
  /** Made with `seenRevision: contents.cursor`, so that it shows nothing older than the cache (P4). */
  readonly client: ParleyClient;
  /** Whose chat it is; the cache is for these alone. */
  readonly clusterId: string;
  readonly accountId: number;
  /** Left out, or when it fails: everything is in memory, and loaded again by the next page. */
  readonly store?: ChatCacheStore | undefined;
  /** What `store.open()` gave. */
  readonly contents?: CacheContents | undefined;
  /** The cache failed, and is not used any more. */
  readonly onProblem?: ((problem: ParleyError) => void) | undefined;
  /** The nodes are those of another cluster now: the cache is dropped, the person signs in again. */
  readonly onOtherCluster?: ((clusterId: string) => void) | undefined;
  /** A listener threw: the others are told all the same. By default it is thrown where nobody catches it, and the platform reports it. */
  readonly onListenerError?: ((cause: unknown) => void) | undefined;
  readonly clock?: Clock | undefined;
}

/** The account's rooms. `loaded` = from a node, or from a cache that goes on from where it was. */
export interface RoomList {
  readonly loaded: boolean;
  readonly rooms: readonly Room[];
}

export interface HistoryResult {
  /** Without a gap, ascending. Whoever shows them keeps, of each, the state of the highest revision. */
  readonly messages: readonly Message[];
  readonly from: "cache" | "node";
}

/** More events than this since the cursor, and the rooms are loaded anew instead. */
export const CATCH_UP_EVENTS_MAX = 2_000;
/** Events applied in one transaction. */
const BATCH_MAX = 256;
const EMPTY: CacheContents = { cursor: 0, rooms: [] };

type Listener<T> = (value: T) => void;

export class ChatSync {
  readonly #options: ChatSyncOptions;
  readonly #client: ParleyClient;
  readonly #clock: Clock;
  readonly #rows = new Map<number, CachedRoom>();
  readonly #rooms: ObservableValue<RoomList>;
  readonly #eventListeners = new Set<Listener<readonly Event[]>>();
  readonly #resetListeners = new Set<Listener<void>>();
  readonly #stopping = new AbortController();
  #store: ChatCacheStore | undefined;
  #cursor: number;
  /** The first events of a revision whose others have not arrived. */
  #held: Event[] = [];
  #subscription: Subscription | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ChatSyncOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#clock = options.clock ?? platformClock;
    this.#store = options.store;
    const { cursor, rooms } = options.contents ?? EMPTY;
    this.#cursor = cursor;
    for (const row of rooms) this.#rows.set(row.room.id, row);
    this.#rooms = new ObservableValue<RoomList>(this.#list());
  }

  /** For `useSyncExternalStore`; there at once when there is a cache. */
  get rooms(): Observable<RoomList> {
    return this.#rooms;
  }

  /** Everything up to here is in `rooms` and has been told to `onEvents`. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Each event once as new, in order (P5). */
  onEvents(listener: Listener<readonly Event[]>): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Everything was loaded anew: what is shown of messages must be, too. */
  onReset(listener: () => void): () => void {
    this.#resetListeners.add(listener);
    return () => this.#resetListeners.delete(listener);
  }

  /** Begins; the client must be started and signed in. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the subscription; the cache stays. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#subscription?.close();
    await this.#running;
    await this.#store?.close();
  }

  /** Up to `limit` messages below `beforeSeq` (0 = the newest). Rejects as `call` does. */
  async history(roomId: number, beforeSeq = 0, limit = 50): Promise<HistoryResult> {
    const lastSeq = this.#rows.get(roomId)?.room.lastSeq ?? 0;
    const before = beforeSeq === 0 ? lastSeq + 1 : beforeSeq;
    const cached = await this.#tryStore((store) => store.messages(roomId, before, limit));
    if (cached !== undefined && cached.length > 0) return { messages: cached, from: "cache" };
    const page = await this.#client.call("history", { roomId, beforeSeq, limit });
    const { messages, revision, stale } = page;
    if (!stale && isWithoutGap(messages)) {
      await this.#tryStore((store) => store.keep({ roomId, messages, revision }));
    }
    return { messages, from: "node" };
  }

  // ---- The stream --------------------------------------------------------------------------------

  async #run(): Promise<void> {
    try {
      if (this.#cursor === 0) await this.#reload(0);
      if (this.#stopping.signal.aborted) return;
      const subscription = this.#client.subscribe({
        afterRevision: this.#cursor,
        maxCatchUpEvents: CATCH_UP_EVENTS_MAX,
      });
      this.#subscription = subscription;
      for await (const item of subscription) {
        const items = [item, ...subscription.takeReady(BATCH_MAX - 1)];
        await this.#take(items, subscription.cursor);
        if (this.#stopping.signal.aborted) return;
      }
    } catch (cause) {
      // Signed out, or closed: what there is stays as it is.
      if (!this.#stopping.signal.aborted && this.#client.state.signedIn) throw cause;
    }
  }

  /** `after`: where to go on after all of them; past what the account may not see. */
  async #take(items: readonly SubscriptionItem[], after: number): Promise<void> {
    let events = this.#held;
    this.#held = [];
    let cursor = this.#cursor;
    for (const item of items) {
      if (this.#isForeign()) return;
      if (item.kind === "event") {
        events.push(item.event);
        cursor = item.cursor;
        continue;
      }
      const whole = events.filter(({ revision }) => revision <= cursor);
      await this.#apply(whole, cursor);
      events = [];
      await this.#reload(item.revision);
      cursor = this.#cursor;
    }
    if (items.at(-1)?.kind === "event") cursor = Math.max(cursor, after);
    // A revision is applied whole, so that the cursor says of each whether it was.
    this.#held = events.filter(({ revision }) => revision > cursor);
    const whole = events.filter(({ revision }) => revision <= cursor);
    await this.#apply(whole, cursor);
  }

  async #apply(events: readonly Event[], cursor: number): Promise<void> {
    if (events.length === 0 && cursor <= this.#cursor) return;
    for (const event of events) {
      const account = accountOf(event);
      if (account !== undefined) {
        for (const [roomId, row] of this.#rows) this.#rows.set(roomId, withAccount(row, account));
        continue;
      }
      const roomId = roomOf(event);
      const row = afterEvent(this.#rows.get(roomId), event, this.#options.accountId);
      if (row === undefined) this.#rows.delete(roomId);
      else this.#rows.set(roomId, row);
    }
    const after = this.#cursor;
    this.#cursor = cursor;
    this.#rooms.set(this.#list());
    this.#tell(this.#eventListeners, events);
    await this.#tryStore((store) => store.apply({ after, events, cursor }));
  }

  /** What one of them gets wrong stops neither the others nor the stream. */
  #tell<T>(listeners: ReadonlySet<Listener<T>>, value: T): void {
    for (const listener of listeners) {
      try {
        listener(value);
      } catch (cause) {
        (this.#options.onListenerError ?? throwAlone)(cause);
      }
    }
  }

  /** All rooms as of `revision` or later (0 = any); events after it follow. */
  async #reload(revision: number): Promise<void> {
    for (;;) {
      try {
        const contents = await this.#loadRooms(revision);
        if (this.#isForeign()) return;
        this.#rows.clear();
        for (const row of contents.rooms) this.#rows.set(row.room.id, row);
        this.#cursor = contents.cursor;
        this.#rooms.set(this.#list());
        this.#tell(this.#resetListeners, undefined);
        await this.#tryStore((store) => store.replace(contents));
        return;
      } catch (cause) {
        // Signed out or closed: nothing more can be loaded.
        if (this.#stopping.signal.aborted || !this.#client.state.signedIn) throw cause;
      }
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(TIMING.reloadPauseMs, resolve);
      const onAbort = () => {
        timer.cancel();
        resolve();
      };
      this.#stopping.signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  async #loadRooms(minRevision: number): Promise<CacheContents> {
    const rooms: CachedRoom[] = [];
    const { signal } = this.#stopping;
    let cursor = minRevision;
    let pageToken = "";
    do {
      const page = await this.#client.call("listRooms", { pageToken, minRevision }, { signal });
      if (page.revision < minRevision) {
        throw new ParleyError("BEHIND", "no node has what the subscription begins after");
      }
      if (cursor === 0) cursor = page.revision;
      for (const room of page.rooms) rooms.push(newCachedRoom(room, page.revision));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return { cursor, rooms };
  }

  /** Another cluster at the same addresses: nothing of it may get into this one's cache. */
  #isForeign(): boolean {
    const { clusterId } = this.#client.state;
    if (clusterId === "" || clusterId === this.#options.clusterId) return false;
    if (this.#stopping.signal.aborted) return true;
    this.#stopping.abort();
    this.#subscription?.close();
    this.#rows.clear();
    this.#rooms.set(this.#list());
    void this.#tryStore((store) => store.wipe());
    this.#options.onOtherCluster?.(clusterId);
    return true;
  }

  #list(): RoomList {
    const rooms = [...this.#rows.values()].map(({ room }) => room);
    const before = this.#rooms?.getSnapshot();
    const same =
      before?.rooms.length === rooms.length && rooms.every((room, at) => room === before.rooms[at]);
    return { loaded: this.#cursor > 0, rooms: same && before !== undefined ? before.rooms : rooms };
  }

  /** A cache that fails is given up; the page goes on without. */
  async #tryStore<T>(action: (store: ChatCacheStore) => Promise<T>): Promise<T | undefined> {
    const store = this.#store;
    if (store === undefined) return undefined;
    try {
      return await action(store);
    } catch (cause) {
      if (this.#store === store) {
        this.#store = undefined;
        this.#options.onProblem?.(ParleyError.from(cause));
        // Half a cache would be worse than none; it may be refused, too.
        store.close().catch(() => {});
      }
      return undefined;
    }
  }
}

function throwAlone(cause: unknown): void {
  queueMicrotask(() => {
    throw cause;
  });
}

function isWithoutGap(messages: readonly Message[]): boolean {
  return messages.every((message, at) => message.seq === (messages[0]?.seq ?? 0) + at);
}
