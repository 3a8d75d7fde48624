// Several clients of one account that share an outbox store, as the tabs of a browser do: each shows
// all messages, one of them sends ("Outbox" of the GUI design). Two that send for a moment, because
// one did not know that it was replaced, do no harm: what arrives twice is stored once (P2).
import { ParleyError, Error as WireError } from "@parley/protocol";
import type { Clock, OutboxFailure, OutboxItem, Timer } from "./ports.ts";
import type { OutboxChange, SendResult } from "./sends.ts";
import { TIMING } from "./timing.ts";

/** What one client tells the others of the outbox that they share; plain data. */
export type OutboxNews =
  /** `lasts`: it is in the store that all share; otherwise in its writer's memory alone. */
  | { readonly kind: "queued"; readonly item: OutboxItem; readonly lasts: boolean }
  | { readonly kind: "committed"; readonly item: OutboxItem; readonly result: SendResult }
  | { readonly kind: "withdrawn"; readonly item: OutboxItem }
  /** The item says why. */
  | { readonly kind: "failed"; readonly item: OutboxItem }
  | { readonly kind: "removed"; readonly item: OutboxItem }
  /** Asks the sender to take a message back; `onlyUnsent`: unless it has been sent. */
  | {
      readonly kind: "cancel";
      readonly clientMessageId: string;
      readonly onlyUnsent: boolean;
    };

export interface OutboxPeerEvents {
  /** This client is the sender from now on. */
  onLead(): void;
  /** Another one has become the sender. */
  onFollow(): void;
  onNews(news: OutboxNews): void;
}

/** How clients that share a store agree on their sender, of which there is one at a time. */
export interface OutboxPeers {
  /** Called once, when the outbox is open; until `onLead` another client may be the sender. */
  join(events: OutboxPeerEvents): void;
  announce(news: OutboxNews): void;
  /** The sender makes no progress: become it, if this client is one that a person looks at. */
  claim(): void;
  leave(): void;
}

export function newsOf(change: OutboxChange, lasts: boolean): OutboxNews {
  if (change.kind === "queued") return { ...change, lasts };
  if (change.kind === "failed") return { kind: "failed", item: change.item };
  return change;
}

/** Why the message failed, as its sender was told. */
export function failureOf(item: OutboxItem): ParleyError {
  const failure = item.failure ?? { reason: "INTERNAL", message: "the message failed" };
  return ParleyError.fromWire(WireError.create(failure));
}

/** As it is kept with the message. */
export function asFailure({ reason, message, subject, limit, named }: ParleyError): OutboxFailure {
  return { reason, message, subject, limit, named };
}

export interface StallWatchOptions {
  readonly clock: Clock;
  /** Something waits, and this client could send it. */
  readonly couldServe: () => boolean;
  readonly onStall: () => void;
}

/** Tells a client that follows when its sender has made no progress for a while. */
export class StallWatch {
  readonly #options: StallWatchOptions;
  #timer: Timer | undefined;

  constructor(options: StallWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch, unless it does already. */
  watch(): void {
    this.#timer ??= this.#options.clock.after(TIMING.takeOverMs, () => {
      this.#timer = undefined;
      if (!this.#options.couldServe()) return;
      this.#options.onStall();
      this.watch();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
