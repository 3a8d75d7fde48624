// How far the others in a small room have read: loaded, and kept current while somebody looks.
import { type Event, LIMITS, type ReadReceipts } from "@parley/protocol";
import { roomOf } from "./chat-cache.ts";
import type { ChatSync } from "./chat-sync.ts";
import type { ParleyClient } from "./client.ts";
import { platformClock } from "./platform.ts";
import type { Clock, Timer } from "./ports.ts";
import { TIMING } from "./timing.ts";

export interface Reader {
  readonly accountId: number;
  readonly username: string;
  /** They have read up to here. */
  readonly seq: number;
}

const NOBODY: readonly Reader[] = [];

interface Room {
  /** How many look at it. */
  watchers: number;
  /** The same object until it changes. */
  readers: readonly Reader[];
  loading: boolean;
  /** Something happened while it was being loaded. */
  again: boolean;
}

/**
 * For React: `useSyncExternalStore(readers.subscribe, () => readers.of(roomId))`, between `watch` and its end. Nobody in larger rooms, nor
 * for those who hide how far they have read, nor who hide it, nor who has blocked or is blocked. Watches the client until `close`.
 */
export class RoomReaders {
  readonly #client: ParleyClient;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  readonly #rooms = new Map<number, Room>();
  readonly #stops: (() => void)[];
  #isOnline: boolean;
  #settling: Timer | undefined;

  constructor(
    client: ParleyClient,
    sync: Pick<ChatSync, "onEvents" | "onReset">,
    clock: Clock = platformClock,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#isOnline = client.state.phase === "online";
    this.#stops = [
      client.onReadReceipts((receipts) => this.#take(receipts)),
      client.onState(({ phase }) => this.#phase(phase === "online")),
      sync.onEvents((events) => {
        for (const event of events) this.#event(event);
      }),
      sync.onReset(() => this.#loadAll()),
    ];
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const call = () => listener();
    this.#listeners.add(call);
    return () => {
      this.#listeners.delete(call);
    };
  };

  /** Those who have read something, as far as it is told. */
  of(roomId: number): readonly Reader[] {
    return this.#rooms.get(roomId)?.readers ?? NOBODY;
  }

  /** Somebody looks at the room. Returns how to end it. */
  watch(roomId: number): () => void {
    const room = this.#rooms.get(roomId) ?? {
      watchers: 0,
      readers: NOBODY,
      loading: false,
      again: false,
    };
    this.#rooms.set(roomId, room);
    room.watchers += 1;
    if (room.watchers === 1) void this.#load(roomId, room);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      room.watchers -= 1;
      if (room.watchers === 0 && this.#rooms.get(roomId) === room) this.#rooms.delete(roomId);
    };
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#settling?.cancel();
    this.#listeners.clear();
    this.#rooms.clear();
  }

  /** What moved without a session is loaded, and what moved before its subscription was at the end, a little later. */
  #phase(isOnline: boolean): void {
    if (isOnline === this.#isOnline) return;
    this.#isOnline = isOnline;
    if (!isOnline) return;
    this.#loadAll();
    this.#settling?.cancel();
    this.#settling = this.#clock.after(TIMING.receiptsSettleMs, () => this.#loadAll());
  }

  #take({ roomId, positions }: ReadReceipts): void {
    const room = this.#rooms.get(roomId);
    if (room === undefined) return;
    const moved = new Map(positions.map(({ accountId, seq }) => [accountId, seq]));
    let isMoved = false;
    const readers = room.readers.map((reader) => {
      const seq = moved.get(reader.accountId) ?? 0;
      moved.delete(reader.accountId);
      if (seq <= reader.seq) return reader;
      isMoved = true;
      return { ...reader, seq };
    });
    if (isMoved) {
      room.readers = readers;
      this.#tell();
    }
    moved.delete(this.#client.state.account?.id ?? 0);
    // Their name is not known here.
    if (moved.size > 0) void this.#load(roomId, room);
  }

  #event(event: Event): void {
    const change = event.event;
    if (change?.$case === "accountChanged") {
      const { id } = change.value;
      const isOwn = id === this.#client.state.account?.id;
      for (const [roomId, room] of this.#rooms) {
        const isKnown = room.readers.some(({ accountId }) => accountId === id);
        // Who showed nothing until now may be in any of them.
        if (isOwn || isKnown || !change.value.readsHidden) void this.#load(roomId, room);
      }
      return;
    }
    if (change?.$case === "blocked") this.#loadAll();
    if (change?.$case !== "membershipChanged" && change?.$case !== "roomReset") return;
    const room = this.#rooms.get(roomOf(event));
    if (room !== undefined) void this.#load(roomOf(event), room);
  }

  #loadAll(): void {
    for (const [roomId, room] of this.#rooms) void this.#load(roomId, room);
  }

  /** One at a time. What fails is loaded with the next session. */
  async #load(roomId: number, room: Room): Promise<void> {
    room.again = room.loading;
    if (room.loading) return;
    room.loading = true;
    try {
      const pageSize = LIMITS.receiptMembersMax;
      const { members } = await this.#client.call("listMembers", { roomId, pageSize });
      const known = new Map(room.readers.map(({ accountId, seq }) => [accountId, seq]));
      const ownId = this.#client.state.account?.id;
      room.readers = members.flatMap(({ account, readSeq }) => {
        if (account === undefined || account.id === ownId || readSeq === 0) return [];
        // What was told meanwhile may be newer than what was read.
        const seq = Math.max(readSeq, known.get(account.id) ?? 0);
        return [{ accountId: account.id, username: account.username, seq }];
      });
      this.#tell();
    } catch {
      // Not in the room any more, or no node is there.
    } finally {
      room.loading = false;
    }
    if (room.again && this.#rooms.get(roomId) === room) await this.#load(roomId, room);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
