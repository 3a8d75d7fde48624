// The cache of the chat in IndexedDB. Its durability is relaxed: what is lost with the power is
// loaded again, from the cursor that was lost with it.
import type { Account, Message } from "@parley/protocol";
import { type DBSchema, deleteDB, type IDBPDatabase, type IDBPTransaction, openDB } from "idb";
import {
  accountOf,
  afterEvent,
  type CacheContents,
  type CachedRoom,
  type ChatCacheStore,
  type EventBatch,
  forgetsMessages,
  type HistoryPage,
  messageOf,
  roomOf,
  withAccount,
} from "../chat-cache.ts";
import { rangeAt, withRange } from "../seq-ranges.ts";
import { storageError } from "./storage-error.ts";

interface CacheSchema extends DBSchema {
  /** By room id. */
  rooms: { key: number; value: CachedRoom };
  /** By room id and sequence number. */
  messages: { key: [number, number]; value: Message };
  /** One row: the cursor. */
  cursor: { key: string; value: number };
}

type Change = IDBPTransaction<CacheSchema, ("rooms" | "messages" | "cursor")[], "readwrite">;

export const CACHE_BYTES_MAX = 50 * 1024 * 1024;
const STORES = ["rooms", "messages", "cursor"] as const;
const CURSOR = "cursor";
/** Raised when messages or rooms gain fields. */
const SCHEMA_VERSION = 3;
/** What a message takes beside its text, roughly. */
const MESSAGE_OVERHEAD_BYTES = 300;

export interface IndexedDbCacheOptions {
  readonly clusterId: string;
  readonly accountId: number;
  readonly bytesMax?: number | undefined;
  /** Wall clock, to know which room was used last. */
  readonly nowMs?: (() => number) | undefined;
}

function sizeOf(message: Message): number {
  return MESSAGE_OVERHEAD_BYTES + 2 * message.body.length;
}

/** All messages of a room. */
function allOf(roomId: number): IDBKeyRange {
  return IDBKeyRange.bound([roomId, 0], [roomId, Number.MAX_SAFE_INTEGER]);
}

/** For one account of one cluster. Rejects with STORAGE_FULL or STORAGE_UNAVAILABLE. */
export class IndexedDbCache implements ChatCacheStore {
  readonly #name: string;
  readonly #accountId: number;
  readonly #bytesMax: number;
  readonly #nowMs: () => number;
  #database: IDBPDatabase<CacheSchema> | undefined;

  constructor(options: IndexedDbCacheOptions) {
    this.#name = `parley-cache:${options.clusterId}:${options.accountId}`;
    this.#accountId = options.accountId;
    this.#bytesMax = options.bytesMax ?? CACHE_BYTES_MAX;
    this.#nowMs = options.nowMs ?? (() => Date.now());
  }

  open(): Promise<CacheContents> {
    return this.#guard(async () => {
      this.#database = await openDB<CacheSchema>(this.#name, SCHEMA_VERSION, {
        upgrade(database) {
          // Rows of an earlier program lack fields of theirs; they are loaded anew.
          for (const store of database.objectStoreNames) database.deleteObjectStore(store);
          for (const store of STORES) database.createObjectStore(store);
        },
        blocking: () => this.#database?.close(),
      });
      const transaction = this.#database.transaction(["rooms", "cursor"]);
      const rooms = await transaction.objectStore("rooms").getAll();
      const cursor = (await transaction.objectStore("cursor").get(CURSOR)) ?? 0;
      return { cursor, rooms };
    });
  }

  apply(batch: EventBatch): Promise<void> {
    return this.#change(async (change) => {
      const have = (await change.objectStore("cursor").get(CURSOR)) ?? 0;
      // Another tab was quicker, or the storage was cleared under this one.
      if (batch.cursor <= have || batch.after > have) return;
      const rooms = new RowsAtHand(change);
      for (const event of batch.events) {
        if (event.revision <= have) continue;
        const account = accountOf(event);
        if (account !== undefined) {
          await rooms.write();
          await putAccount(change, account);
          rooms.forget();
          continue;
        }
        const roomId = roomOf(event);
        if (roomId === 0) continue;
        const row = await rooms.get(roomId);
        if (forgetsMessages(row, event)) {
          await change.objectStore("messages").delete(allOf(roomId));
        }
        const next = afterEvent(row, event, this.#accountId);
        const message = messageOf(event);
        const isNew = event.event?.$case === "message";
        if (next === undefined || message === undefined) rooms.set(roomId, next);
        else rooms.set(roomId, await putMessage(change, next, message, isNew));
      }
      await rooms.write();
      await change.objectStore("cursor").put(batch.cursor, CURSOR);
    });
  }

  replace({ cursor, rooms }: CacheContents): Promise<void> {
    return this.#change(async (change) => {
      // Another tab is ahead; what it has is right for this one, too.
      if (cursor < ((await change.objectStore("cursor").get(CURSOR)) ?? 0)) return;
      for (const store of STORES) await change.objectStore(store).clear();
      for (const row of rooms) await change.objectStore("rooms").put(row, row.room.id);
      await change.objectStore("cursor").put(cursor, CURSOR);
    });
  }

  keep({ roomId, messages, revision }: HistoryPage): Promise<void> {
    const [first, last] = [messages[0], messages.at(-1)];
    if (first === undefined || last === undefined) return Promise.resolve();
    return this.#change(async (change) => {
      // A change after this page may have been applied, and found nothing to change.
      if (revision < ((await change.objectStore("cursor").get(CURSOR)) ?? 0)) return;
      let row = await change.objectStore("rooms").get(roomId);
      if (row === undefined) return;
      for (const message of messages) row = await putMessage(change, row, message, true);
      const ranges = withRange(row.ranges, { from: first.seq, to: last.seq });
      await change.objectStore("rooms").put({ ...row, ranges, usedAtMs: this.#nowMs() }, roomId);
      await this.#prune(change, roomId);
    });
  }

  messages(roomId: number, beforeSeq: number, limit: number): Promise<readonly Message[]> {
    return this.#guard(async () => {
      const transaction = this.#connected().transaction(["rooms", "messages"]);
      const row = await transaction.objectStore("rooms").get(roomId);
      const to = beforeSeq - 1;
      const range = rangeAt(row?.ranges ?? [], to);
      if (range === undefined) return [];
      const from = Math.max(range.from, beforeSeq - limit);
      const keys = IDBKeyRange.bound([roomId, from], [roomId, to]);
      return transaction.objectStore("messages").getAll(keys);
    });
  }

  async wipe(): Promise<void> {
    this.#database?.close();
    this.#database = undefined;
    await this.#guard(() => deleteDB(this.#name));
  }

  async close(): Promise<void> {
    this.#database?.close();
    this.#database = undefined;
  }

  #connected(): IDBPDatabase<CacheSchema> {
    if (this.#database === undefined) throw new Error("the cache is not open");
    return this.#database;
  }

  #change(action: (change: Change) => Promise<void>): Promise<void> {
    return this.#guard(async () => {
      const change: Change = this.#connected().transaction([...STORES], "readwrite", {
        durability: "relaxed",
      });
      change.done.catch(() => {});
      try {
        await action(change);
      } catch (cause) {
        try {
          change.abort();
        } catch {
          // It is aborted already.
        }
        throw cause;
      }
      await change.done;
    });
  }

  async #guard<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      throw storageError(cause);
    }
  }

  /** Drops the messages of the least recently used rooms until the rest fits (P11). */
  async #prune(change: Change, keepRoomId: number): Promise<void> {
    const rows = await change.objectStore("rooms").getAll();
    let bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    const candidates = rows
      .filter(({ room, bytes: own }) => own > 0 && room.id !== keepRoomId)
      .sort((one, other) => one.usedAtMs - other.usedAtMs);
    for (const row of candidates) {
      if (bytes <= this.#bytesMax) return;
      await change.objectStore("messages").delete(allOf(row.room.id));
      await change.objectStore("rooms").put({ ...row, ranges: [], bytes: 0 }, row.room.id);
      bytes -= row.bytes;
    }
  }
}

/** The newest state of a message stays; a change of one that is not at hand is of no use. */
async function putMessage(
  change: Change,
  row: CachedRoom,
  message: Message,
  isNew: boolean,
): Promise<CachedRoom> {
  const messages = change.objectStore("messages");
  const key: [number, number] = [message.roomId, message.seq];
  const known = await messages.get(key);
  if (known === undefined && !isNew) return row;
  if (known !== undefined && known.revision >= message.revision) return row;
  await messages.put(message, key);
  const bytes = row.bytes + sizeOf(message) - (known === undefined ? 0 : sizeOf(known));
  return { ...row, bytes };
}

/** Names are kept beside messages, and a deleted account's must not stay there. Rare, so all are looked at. */
async function putAccount(change: Change, account: Account): Promise<void> {
  for (const row of await change.objectStore("rooms").getAll()) {
    const next = withAccount(row, account);
    if (next !== row) await change.objectStore("rooms").put(next, row.room.id);
  }
  let at = await change.objectStore("messages").openCursor();
  while (at !== null) {
    const message = at.value;
    if (message.authorId === account.id && message.author !== account.username) {
      await at.update({ ...message, author: account.username });
    }
    at = await at.continue();
  }
}

/** The rooms that a transaction is about: each is read once and written once. */
class RowsAtHand {
  readonly #change: Change;
  readonly #rows = new Map<number, CachedRoom | undefined>();

  constructor(change: Change) {
    this.#change = change;
  }

  async get(roomId: number): Promise<CachedRoom | undefined> {
    if (!this.#rows.has(roomId)) {
      this.#rows.set(roomId, await this.#change.objectStore("rooms").get(roomId));
    }
    return this.#rows.get(roomId);
  }

  set(roomId: number, row: CachedRoom | undefined): void {
    this.#rows.set(roomId, row);
  }

  /** Whatever was written is read anew. */
  forget(): void {
    this.#rows.clear();
  }

  async write(): Promise<void> {
    const rooms = this.#change.objectStore("rooms");
    for (const [roomId, row] of this.#rows) {
      if (row === undefined) await rooms.delete(roomId);
      else await rooms.put(row, roomId);
    }
  }
}
