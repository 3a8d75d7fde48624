// Storage that is full or forbidden must not stop anybody from writing: what can't be made durable
// is kept in memory and sent all the same, and the person is told that it lives no longer than the
// page. It becomes durable as soon as the storage takes it.
import type { ParleyError } from "@parley/protocol";
import type { OutboxItem, OutboxStore } from "../ports.ts";
import { storageError } from "./storage-error.ts";

/** Called when it changes: why messages are not durable, undefined = they are. */
export type DurabilityListener = (problem: ParleyError | undefined) => void;

/** Over another store; never rejects. */
export class FallbackOutbox implements OutboxStore {
  readonly #durable: OutboxStore;
  readonly #onDurability: DurabilityListener;
  /** Not known to be durable, in the order of the first put. */
  readonly #unsaved = new Map<string, OutboxItem>();
  #saving: Promise<void> | undefined;
  #problem: ParleyError | undefined;
  /** What it held before is not known, so nothing is put ahead of it: memory only, until reopened. */
  #unopened = false;

  constructor(durable: OutboxStore, onDurability: DurabilityListener) {
    this.#durable = durable;
    this.#onDurability = onDurability;
  }

  /** Why messages live no longer than the page; undefined = they are durable. */
  get problem(): ParleyError | undefined {
    return this.#problem;
  }

  async open(): Promise<readonly OutboxItem[]> {
    let items: readonly OutboxItem[] = [];
    try {
      items = await this.#durable.open();
      this.#unopened = false;
      this.#report(undefined);
    } catch (cause) {
      this.#unopened = true;
      this.#report(storageError(cause));
    }
    const merged = new Map(items.map((item) => [item.clientMessageId, item]));
    for (const item of this.#unsaved.values()) merged.set(item.clientMessageId, item);
    return [...merged.values()];
  }

  put(item: OutboxItem): Promise<void> | undefined {
    this.#unsaved.set(item.clientMessageId, item);
    if (this.#unopened) return undefined;
    return this.#save();
  }

  lasts(clientMessageId: string): boolean {
    return !this.#unsaved.has(clientMessageId);
  }

  remove(clientMessageId: string): void {
    this.#unsaved.delete(clientMessageId);
    if (this.#unopened) return;
    this.#durable.remove(clientMessageId);
    // There may be room again.
    if (this.#unsaved.size > 0) void this.#save();
  }

  async close(): Promise<void> {
    await this.#saving;
    await this.#durable.close();
  }

  /** Resolves when an attempt that began after this call is over. */
  #save(): Promise<void> {
    const attempt = (this.#saving ?? Promise.resolve()).then(() => this.#attempt());
    this.#saving = attempt;
    return attempt;
  }

  /** Everything at once, oldest first, so that nothing becomes durable ahead of its elders. */
  async #attempt(): Promise<void> {
    const batch = [...this.#unsaved.values()];
    if (batch.length === 0) return;
    try {
      await Promise.all(batch.map((item) => this.#durable.put(item)));
    } catch (cause) {
      this.#report(storageError(cause));
      return;
    }
    for (const item of batch) {
      // Replaced meanwhile, it is saved by the next attempt.
      if (this.#unsaved.get(item.clientMessageId) === item) {
        this.#unsaved.delete(item.clientMessageId);
      }
    }
    this.#report(undefined);
  }

  #report(problem: ParleyError | undefined): void {
    if (problem?.reason === this.#problem?.reason) return;
    this.#problem = problem;
    this.#onDurability(problem);
  }
}
