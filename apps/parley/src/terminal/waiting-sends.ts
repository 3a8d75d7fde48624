// One's own messages between Enter and their commit. Most are committed before a person would
// notice; what takes longer is shown as waiting, what fails is told.
import type { OutboxChange, OutboxItem } from "@parley/client";

const SHOWN_AFTER_MS = 700;

export interface WaitingSendsEvents {
  onWaiting(item: OutboxItem): void;
  onFailed(item: OutboxItem, why: string): void;
}

export class WaitingSends {
  readonly #events: WaitingSendsEvents;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #shown = new Set<string>();

  constructor(events: WaitingSendsEvents) {
    this.#events = events;
  }

  take(change: OutboxChange): void {
    const { item } = change;
    this.#cancel(item.clientMessageId);
    switch (change.kind) {
      case "queued":
        this.#timers.set(
          item.clientMessageId,
          setTimeout(() => {
            this.#timers.delete(item.clientMessageId);
            this.#shown.add(item.clientMessageId);
            this.#events.onWaiting(item);
          }, SHOWN_AFTER_MS),
        );
        return;
      case "failed":
        this.#shown.delete(item.clientMessageId);
        this.#events.onFailed(item, change.error.message);
        return;
      case "removed":
        this.#shown.delete(item.clientMessageId);
        return;
      case "committed":
        // The message itself comes as an event.
        return;
    }
  }

  /** The message is there; true when it had been shown as waiting. */
  arrived(clientMessageId: string): boolean {
    this.#cancel(clientMessageId);
    return this.#shown.delete(clientMessageId);
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #cancel(clientMessageId: string): void {
    clearTimeout(this.#timers.get(clientMessageId));
    this.#timers.delete(clientMessageId);
  }
}
