// A durable outbox in IndexedDB, shared by the tabs of one origin. A put resolves when a transaction
// with strict durability has completed: it survives a closed tab, a killed browser and a power cut
// (Chrome's default, relaxed, only the first two). Writes that arrive during one share the next.
import { type DBSchema, deleteDB, type IDBPDatabase, openDB } from "idb";
import type { OutboxItem, OutboxStore } from "../ports.ts";
import { storageError } from "./storage-error.ts";

interface OutboxSchema extends DBSchema {
  messages: { key: number; value: OutboxItem; indexes: { id: string } };
}

type Database = IDBPDatabase<OutboxSchema>;

interface Write {
  readonly change: { readonly put: OutboxItem } | { readonly remove: string };
  readonly done: ((cause: unknown) => void) | undefined;
}

/**
 * Keys rise with every put, so that the order is that of the first writing, whichever tab it was.
 * Rejects with STORAGE_FULL or STORAGE_UNAVAILABLE.
 */
export class IndexedDbOutbox implements OutboxStore {
  readonly #name: string;
  #database: Promise<Database> | undefined;
  #waiting: Write[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;

  /** `name`: of the database, see `outboxName`. */
  constructor(name: string) {
    this.#name = name;
  }

  async open(): Promise<readonly OutboxItem[]> {
    this.#closed = false;
    return this.items();
  }

  /** What the database holds now, other tabs' messages too. */
  async items(): Promise<readonly OutboxItem[]> {
    try {
      const database = await this.#connect();
      return await database.getAll("messages");
    } catch (cause) {
      this.#disconnect();
      throw storageError(cause);
    }
  }

  put(item: OutboxItem): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (cause: unknown) =>
        cause === undefined ? resolve() : reject(storageError(cause));
      this.#write({ change: { put: item }, done });
    });
  }

  remove(clientMessageId: string): void {
    // One that is lost means a repeated send, which is stored once (P2).
    this.#write({ change: { remove: clientMessageId }, done: undefined });
  }

  /** Writes what is left. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    this.#disconnect();
  }

  #connect(): Promise<Database> {
    this.#database ??= this.#openDatabase();
    return this.#database;
  }

  #openDatabase(): Promise<Database> {
    const opening: Promise<Database> = openDB<OutboxSchema>(this.#name, 1, {
      upgrade(database) {
        const messages = database.createObjectStore("messages", { autoIncrement: true });
        messages.createIndex("id", "clientMessageId", { unique: true });
      },
      // A newer version of the page wants it, or the browser took it away: the next use opens anew.
      blocking: () => forget(),
      terminated: () => forget(),
    });
    const forget = () => {
      if (this.#database === opening) this.#disconnect();
    };
    return opening;
  }

  #disconnect(): void {
    // One that could not be opened need not be closed.
    this.#database?.then((database) => database.close()).catch(() => {});
    this.#database = undefined;
  }

  #write(write: Write): void {
    if (this.#closed) {
      write.done?.(new Error("the outbox is closed"));
      return;
    }
    this.#waiting.push(write);
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Whatever else is written in this turn goes into the same transaction.
      await undefined;
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#commit(batch);
        for (const { done } of batch) done?.(undefined);
      } catch (cause) {
        this.#disconnect();
        for (const { done } of batch) done?.(cause ?? new Error("the transaction was aborted"));
      }
    }
    this.#writing = undefined;
  }

  async #commit(batch: readonly Write[]): Promise<void> {
    const database = await this.#connect();
    const transaction = database.transaction("messages", "readwrite", { durability: "strict" });
    // Its end is awaited below, whatever a step says.
    transaction.done.catch(() => {});
    const messages = transaction.store;
    const ids = messages.index("id");
    try {
      for (const { change } of batch) {
        const id = "put" in change ? change.put.clientMessageId : change.remove;
        const key = await ids.getKey(id);
        if ("put" in change) {
          if (key === undefined) await messages.add(change.put);
          else await messages.put(change.put, key);
        } else if (key !== undefined) await messages.delete(key);
      }
    } catch (cause) {
      throw await whyAborted(transaction, cause);
    }
    await transaction.done;
  }
}

/** Ends the transaction without a trace. A full disk is the transaction's error, not the step's. */
async function whyAborted(
  transaction: { abort(): void; readonly done: Promise<void> },
  cause: unknown,
): Promise<unknown> {
  try {
    transaction.abort();
  } catch {
    // It is aborted already.
  }
  const end: unknown = await transaction.done.catch((reason: unknown) => reason);
  return end instanceof Error && end.name !== "AbortError" ? end : cause;
}

const DATABASE_PREFIX = "parley-outbox:";

/** Browser data is kept apart by cluster and account (GUI design, "Outbox"). */
export function outboxName(clusterId: string, accountId: number): string {
  return `${DATABASE_PREFIX}${clusterId}:${accountId}`;
}

/** Unsent messages of one account of one cluster, on this origin. */
export interface Leftover {
  readonly name: string;
  readonly clusterId: string;
  readonly accountId: number;
  readonly items: readonly OutboxItem[];
}

/**
 * Unsent messages that were written for other clusters (`--fresh`, a restored one) or as other
 * accounts: they can't be sent from here, but their author can copy them.
 */
export async function leftovers(currentName: string): Promise<readonly Leftover[]> {
  const found: Leftover[] = [];
  try {
    for (const { name = "" } of await indexedDB.databases()) {
      if (!name.startsWith(DATABASE_PREFIX) || name === currentName) continue;
      const colon = name.lastIndexOf(":");
      const outbox = new IndexedDbOutbox(name);
      const items = await outbox.open();
      await outbox.close();
      const clusterId = name.slice(DATABASE_PREFIX.length, colon);
      if (items.length > 0)
        found.push({ name, clusterId, accountId: Number(name.slice(colon + 1)), items });
    }
  } catch (cause) {
    throw storageError(cause);
  }
  return found;
}

/** Forgets a whole outbox: its texts were copied, or its author signed out and gave them up. */
export async function deleteOutbox(name: string): Promise<void> {
  try {
    await deleteDB(name);
  } catch (cause) {
    throw storageError(cause);
  }
}
