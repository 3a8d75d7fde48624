// An outbox that lives as long as the process: for tests, scripts, and where nothing is to be kept.
import type { OutboxItem, OutboxStore } from "./ports.ts";

/** Keeps items in memory; closing and opening it again finds them. */
export class MemoryOutbox implements OutboxStore {
  readonly #items = new Map<string, OutboxItem>();

  async open(): Promise<readonly OutboxItem[]> {
    return [...this.#items.values()];
  }

  put(item: OutboxItem): undefined {
    this.#items.set(item.clientMessageId, item);
  }

  remove(clientMessageId: string): void {
    this.#items.delete(clientMessageId);
  }

  async close(): Promise<void> {}
}
