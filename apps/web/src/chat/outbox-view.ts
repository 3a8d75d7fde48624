// The messages that were written here and are not committed, in their order.
import type { OutboxItem, ParleyClient } from "@parley/client/browser";

export class OutboxView {
  readonly #client: ParleyClient;
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;
  #items: readonly OutboxItem[];
  #withdrawn: ReadonlyMap<string, OutboxItem>;

  constructor(client: ParleyClient) {
    this.#client = client;
    this.#items = client.outbox();
    this.#withdrawn = withdrawn(this.#items);
    this.#stop = client.onOutbox(() => {
      this.#items = this.#client.outbox();
      this.#withdrawn = withdrawn(this.#items);
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

  /** Of a message that was taken back, until it is deleted. */
  withdrawnAs(clientMessageId: string): OutboxItem | undefined {
    return this.#withdrawn.get(clientMessageId);
  }

  close(): void {
    this.#stop();
    this.#listeners.clear();
  }
}

function withdrawn(items: readonly OutboxItem[]): ReadonlyMap<string, OutboxItem> {
  return new Map(
    items
      .filter(({ withdrawal }) => withdrawal !== undefined)
      .map((item) => [item.clientMessageId, item]),
  );
}
