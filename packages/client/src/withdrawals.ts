// Messages that their author took back when a node might have had them already: once they are committed they are deleted, each by one request (P2),
// also by a later process or another tab.
import { ParleyError } from "@parley/protocol";
import { isTransient } from "./exchange.ts";
import type { Clock, OutboxItem, Timer } from "./ports.ts";
import { retryDelayMs } from "./retry.ts";
import type { Entry } from "./room-queue.ts";

/** Requests at once: an outbox may be full of what was taken back (P11). */
export const DELETIONS_AT_ONCE = 8;

export interface WithdrawalsOptions {
  readonly clock: Clock;
  readonly random: { int(bound: number): number };
  readonly newRequestId: () => string;
  /** Resolves when the message is deleted, or was already; rejects with a ParleyError. */
  readonly deleteMessage: (
    roomId: number,
    seq: number,
    requestId: string,
    signal: AbortSignal,
  ) => Promise<unknown>;
  /** Keeps the item as it is now; resolves also when that fails. */
  readonly save: (item: OutboxItem) => Promise<void>;
  /** Those that are committed and not deleted, as far as this client may delete them now. */
  readonly due: () => readonly Entry[];
  readonly onDone: (entry: Entry) => void;
  readonly onRefused: (entry: Entry, error: ParleyError) => void;
}

/** The message is committed, and still to be deleted. */
export function awaitsDeletion({ withdrawal, failure }: OutboxItem): boolean {
  return withdrawal !== undefined && withdrawal.seq > 0 && failure === undefined;
}

/** Of two states of one item the later one. */
export function laterOf(known: OutboxItem, stored: OutboxItem): OutboxItem {
  const seqOf = ({ withdrawal }: OutboxItem) => withdrawal?.seq ?? -1;
  return seqOf(known) > seqOf(stored) ? known : stored;
}

export class Withdrawals {
  readonly #options: WithdrawalsOptions;
  readonly #running = new Map<Entry, AbortController>();
  #timer: Timer | undefined;

  constructor(options: WithdrawalsOptions) {
    this.#options = options;
  }

  /** Begins with what is due and not under way, as far as there is room; the rest follows as those end. */
  wake(): void {
    for (const entry of this.#options.due()) {
      if (this.#running.size >= DELETIONS_AT_ONCE) return;
      if (!this.#running.has(entry)) void this.#run(entry);
    }
  }

  /** Somebody else goes on, or nobody: the requests are left unanswered. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
  }

  async #run(entry: Entry): Promise<void> {
    const controller = new AbortController();
    this.#running.set(entry, controller);
    const { signal } = controller;
    try {
      await this.#delete(entry, signal);
      if (signal.aborted) return;
      this.#running.delete(entry);
      this.#options.onDone(entry);
      if (this.#timer === undefined) this.wake();
    } catch (cause) {
      if (signal.aborted) return;
      this.#running.delete(entry);
      this.#failed(entry, ParleyError.from(cause));
    }
  }

  async #delete(entry: Entry, signal: AbortSignal): Promise<void> {
    const { withdrawal = { seq: 0, requestId: "" }, roomId } = entry.item;
    let { requestId } = withdrawal;
    if (requestId === "") {
      requestId = this.#options.newRequestId();
      entry.item = { ...entry.item, withdrawal: { ...withdrawal, requestId } };
      // Before it travels: whoever repeats it does so under this id.
      await this.#options.save(entry.item);
      if (signal.aborted) return;
    }
    await this.#options.deleteMessage(roomId, withdrawal.seq, requestId, signal);
  }

  #failed(entry: Entry, error: ParleyError): void {
    const { withdrawal } = entry.item;
    const isExpired = error.reason === "ID_EXPIRED" && withdrawal !== undefined;
    if (isExpired) entry.item = { ...entry.item, withdrawal: { ...withdrawal, requestId: "" } };
    if (isExpired || isTransient(error)) {
      const delayMs = retryDelayMs(error, entry.attempts, this.#options.random);
      entry.attempts += 1;
      this.#timer?.cancel();
      this.#timer = this.#options.clock.after(delayMs, () => {
        this.#timer = undefined;
        this.wake();
      });
    } else if (error.reason !== "UNAUTHENTICATED") {
      // Without a sign-in it stays where it is until there is one.
      this.#options.onRefused(entry, error);
      if (this.#timer === undefined) this.wake();
    }
  }
}
