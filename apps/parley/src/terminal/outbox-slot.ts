// Where a terminal chat keeps unsent messages. One process uses a file at a time; a second chat of
// the same account takes the next one.
import { join } from "node:path";
import { MemoryOutbox, type OutboxItem, type OutboxStore } from "@parley/client";
import { FileOutbox } from "@parley/client/file-outbox";
import { ParleyError } from "@parley/protocol";
import { stateFolder } from "../cli/state-folder.ts";

const SLOTS = 8;

/** Opens the first file that is free; falls back to memory, and says so through `isDurable`. */
export class OutboxSlot implements OutboxStore {
  readonly #folder: string;
  readonly #key: string;
  #store: OutboxStore | undefined;
  #isDurable = true;

  /** `key` names the cluster and the account. */
  constructor(key: string, folder = stateFolder()) {
    this.#folder = join(folder, "outbox");
    this.#key = encodeURIComponent(key);
  }

  /** False: unsent messages die with the process. Known once it is open. */
  get isDurable(): boolean {
    return this.#isDurable;
  }

  async open(): Promise<readonly OutboxItem[]> {
    for (let slot = 1; slot <= SLOTS; slot += 1) {
      const file = new FileOutbox(join(this.#folder, `${this.#key}-${slot}.log`));
      try {
        const items = await file.open();
        this.#store = file;
        return items;
      } catch (cause) {
        const inUse = cause instanceof ParleyError && cause.reason === "LIMIT_REACHED";
        if (!inUse) throw cause;
      }
    }
    this.#isDurable = false;
    this.#store = new MemoryOutbox();
    return await this.#store.open();
  }

  put(item: OutboxItem): Promise<void> | undefined {
    return this.#opened().put(item);
  }

  remove(clientMessageId: string): void {
    this.#opened().remove(clientMessageId);
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  #opened(): OutboxStore {
    if (this.#store === undefined) throw new Error("the outbox is used before it is open");
    return this.#store;
  }
}
