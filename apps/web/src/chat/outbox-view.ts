// The messages that were written here and are not committed, in their order.
import type { OutboxItem, ParleyClient } from "@parley/client/browser";

export class OutboxView {
  readonly #client: ParleyClient;
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;
  #items: readonly OutboxItem[];

  constructor(client: ParleyClient) {
    this.#client = client;
    this.#items = client.outbox();
    this.#stop = client.onOutbox(() => {
      this.#items = this.#client.outbox();
      for (const listener of [...this.#listeners]) listener();
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  readonly getSnapshot = (): readonly OutboxItem[] => this.#items;

  close(): void {
    this.#stop();
    this.#listeners.clear();
  }
}
