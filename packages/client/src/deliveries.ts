// What became of each message that was written here: waiting, committed on so many of so many
// nodes, or failed and why. For the ticks beside messages, found by client message id.
import type { ParleyClient } from "./client.ts";
import type { OutboxChange } from "./outbox.ts";

export type Delivery =
  | { readonly kind: "waiting" }
  /** `replicas` of `nodes` had it on disk when it was acknowledged (P1). */
  | {
      readonly kind: "committed";
      readonly replicas: number;
      readonly nodes: number;
      readonly seq: number;
      readonly revision: number;
    }
  | { readonly kind: "failed"; readonly reason: string; readonly message: string };

/** Committed messages whose ticks are remembered; older ones need none (P11). */
export const COMMITTED_KEPT_MAX = 1_000;

const WAITING: Delivery = { kind: "waiting" };

/**
 * For React: `useSyncExternalStore(deliveries.subscribe, () => deliveries.of(clientMessageId))`.
 * Watches the client until `close`.
 */
export class Deliveries {
  readonly #client: ParleyClient;
  readonly #listeners = new Set<() => void>();
  readonly #unsent = new Map<string, Delivery>();
  readonly #committed = new Map<string, Delivery>();
  readonly #stop: () => void;

  constructor(client: ParleyClient) {
    this.#client = client;
    for (const item of client.outbox()) {
      const { clientMessageId, failure } = item;
      this.#unsent.set(
        clientMessageId,
        failure === undefined ? WAITING : { kind: "failed", ...failure },
      );
    }
    this.#stop = client.onOutbox((change) => this.#onChange(change));
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    const call = () => listener();
    this.#listeners.add(call);
    return () => {
      this.#listeners.delete(call);
    };
  };

  /** The same object until it changes; undefined = not written here, cancelled, or long committed. */
  of(clientMessageId: string): Delivery | undefined {
    return this.#unsent.get(clientMessageId) ?? this.#committed.get(clientMessageId);
  }

  close(): void {
    this.#stop();
    this.#listeners.clear();
  }

  #onChange(change: OutboxChange): void {
    const { clientMessageId } = change.item;
    switch (change.kind) {
      case "queued":
        this.#unsent.set(clientMessageId, WAITING);
        break;
      case "failed": {
        const { reason, message } = change.error;
        this.#unsent.set(clientMessageId, { kind: "failed", reason, message });
        break;
      }
      case "removed":
        this.#unsent.delete(clientMessageId);
        break;
      case "committed": {
        this.#unsent.delete(clientMessageId);
        const { message, replicas } = change.result;
        const { seq, revision } = message;
        // A node counts itself, also before it has heard of the others.
        const nodes = Math.max(replicas, this.#client.state.nodes.length);
        this.#committed.set(clientMessageId, { kind: "committed", replicas, nodes, seq, revision });
        if (this.#committed.size > COMMITTED_KEPT_MAX) {
          const [oldest = ""] = this.#committed.keys();
          this.#committed.delete(oldest);
        }
        break;
      }
    }
    for (const listener of [...this.#listeners]) listener();
  }
}
