// What became of each message that was written here: waiting, committed on so many of so many
// nodes, or failed and why. For the ticks beside messages, found by client message id.
import type { ParleyClient } from "./client.ts";
import { asFailure } from "./outbox-peers.ts";
import type { OutboxFailure } from "./ports.ts";
import type { OutboxChange } from "./sends.ts";

export type Delivery =
  | { readonly kind: "waiting" }
  /** `replicas` of `nodes` members have it on disk (P1); it grows for as long as some lack it. */
  | {
      readonly kind: "committed";
      readonly replicas: number;
      readonly nodes: number;
      readonly seq: number;
      readonly revision: number;
    }
  | ({ readonly kind: "failed" } & OutboxFailure);

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
  /** Committed, and not on every disk yet. */
  readonly #spreading = new Set<string>();
  readonly #stops: readonly (() => void)[];

  constructor(client: ParleyClient) {
    this.#client = client;
    for (const item of client.outbox()) {
      const { clientMessageId, failure, withdrawal } = item;
      if (withdrawal !== undefined && withdrawal.seq > 0) continue;
      this.#unsent.set(
        clientMessageId,
        failure === undefined ? WAITING : { kind: "failed", ...failure },
      );
    }
    this.#stops = [
      client.onOutbox((change) => this.#onChange(change)),
      client.onPositions(() => this.#onPositions()),
    ];
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
    for (const stop of this.#stops) stop();
    this.#listeners.clear();
  }

  #onChange(change: OutboxChange): void {
    const { clientMessageId } = change.item;
    switch (change.kind) {
      case "queued":
        this.#unsent.set(clientMessageId, WAITING);
        break;
      case "failed":
        // It is there, and could not be deleted.
        if (change.item.withdrawal !== undefined) break;
        this.#unsent.set(clientMessageId, { kind: "failed", ...asFailure(change.error) });
        break;
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
        this.#spreading.add(clientMessageId);
        this.#spread(clientMessageId);
        if (this.#committed.size > COMMITTED_KEPT_MAX) {
          const [oldest = ""] = this.#committed.keys();
          this.#committed.delete(oldest);
          this.#spreading.delete(oldest);
        }
        break;
      }
    }
    this.#tell();
  }

  #onPositions(): void {
    let changed = false;
    for (const clientMessageId of [...this.#spreading]) {
      changed = this.#spread(clientMessageId) || changed;
    }
    if (changed) this.#tell();
  }

  /** Returns whether it is on more disks than was known; a node that knows less takes nothing back. */
  #spread(clientMessageId: string): boolean {
    const known = this.#committed.get(clientMessageId);
    if (known?.kind !== "committed") return false;
    const now = this.#client.spread(known.revision);
    const replicas = Math.max(known.replicas, now?.replicas ?? 0);
    const nodes = Math.max(replicas, now?.nodes ?? known.nodes);
    if (now !== undefined && replicas === nodes) this.#spreading.delete(clientMessageId);
    if (replicas === known.replicas && nodes === known.nodes) return false;
    this.#committed.set(clientMessageId, { ...known, replicas, nodes });
    return true;
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
